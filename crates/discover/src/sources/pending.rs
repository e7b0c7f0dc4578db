//! Namespaces without members yet: those for the children to come.
//!
//! unshare(2) of a PID or time namespace leaves the caller where it is; its next children will be
//! born in the new one. A PID namespace without a first process is not shown by the kernel: its
//! link is there, but leads nowhere.

use lxkns_model::{Holder, Missing, Part, Reason};
use lxkns_species::{NamespaceType, Pid};
use rustix::io::Errno;

use super::process::{Found, OpenProcess, OpenThread};
use crate::context::Context;
use crate::procfs::task::TaskDir;

pub(crate) fn of_process(context: &Context<'_>, process: &OpenProcess<'_>, found: &mut Found) {
    if !process.stat.is_zombie() && !process.stat.kernel_thread {
        look_at(context, process, process.dir, None, found);
    }
}

pub(crate) fn of_thread(
    context: &Context<'_>,
    process: &OpenProcess<'_>,
    thread: &OpenThread,
    found: &mut Found,
) {
    look_at(context, process, &thread.dir, Some(thread.tid), found);
}

fn look_at(
    context: &Context<'_>,
    process: &OpenProcess<'_>,
    task: &TaskDir,
    tid: Option<Pid>,
    found: &mut Found,
) {
    if !context.wanted.has(Part::Threads) {
        return;
    }
    for namespace_type in [NamespaceType::Pid, NamespaceType::Time] {
        if !context.wanted.links.contains(namespace_type) {
            continue;
        }
        match task.namespace_for_children(namespace_type) {
            Ok(id) => {
                let own = process.namespaces.get(namespace_type);
                let own = own.or_else(|| task.namespace(namespace_type).ok());
                if own.is_some_and(|own| own != id) {
                    let open = || task.open_namespace_for_children(namespace_type);
                    context.resolver.meet(id, context.resolver.now(), open);
                    if !context.resolver.is_settled(id)
                        || task.namespace_for_children(namespace_type) != Ok(id)
                    {
                        // It has changed meanwhile, and the number may have meant another one.
                        continue;
                    }
                    let holder = Holder::PendingChildren { pid: process.pid, tid };
                    found.holders.push((id, holder));
                }
            }
            // A task that is just ending has let go of all its namespaces, this one among them.
            Err(Errno::NOENT)
                if namespace_type == NamespaceType::Pid
                    && task.namespace(NamespaceType::Mnt).is_ok() =>
            {
                let example = format!("pid {}", tid.unwrap_or(process.pid));
                context.gaps.add(Missing::PendingChildren, Reason::Unborn, example);
            }
            Err(_) => {}
        }
    }
}
