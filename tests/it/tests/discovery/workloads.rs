//! Containers by their cgroups, and whom to believe.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;

use lxkns_discover::{Bpf, Options, discover};
use lxkns_it::{everywhere, gap, json, stdout};
use lxkns_model::{
    Details, Engine, Evidence, Missing, Reason, Snapshot, Text, Voucher, Workload, WorkloadFacts,
    WorkloadKind,
};
use lxkns_nstest::{Child, Script, cgroup_root, need, tool};
use lxkns_species::NamespaceType::{self, Net, Uts};
use lxkns_species::{Pid, Uid};

/// A cgroup and those below it, until dropped. Its processes have to end before.
struct Cgroup {
    root: PathBuf,
    /// Below the root of the hierarchy.
    name: String,
}

impl Cgroup {
    fn new(test: &str) -> Cgroup {
        let name = format!("/lxkns-{test}-{}", std::process::id());
        let cgroup = Cgroup { root: cgroup_root().unwrap(), name };
        fs::create_dir(cgroup.directory("")).unwrap();
        cgroup
    }

    /// The path of a cgroup below it, as in /proc/PID/cgroup.
    fn path(&self, below: &str) -> String {
        format!("{}{below}", self.name)
    }

    fn directory(&self, below: &str) -> PathBuf {
        self.root.join(self.path(below).trim_start_matches('/'))
    }

    /// Creates a cgroup below it, and moves a container's process there.
    fn take_in(&self, below: &str, child: &Child) {
        self.take_in_process(below, child.pid_of("init"));
    }

    fn take_in_process(&self, below: &str, pid: Pid) {
        fs::create_dir_all(self.directory(below)).unwrap();
        fs::write(self.directory(below).join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        fn remove(directory: PathBuf) {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|it| it.is_dir()) {
                    remove(entry.path());
                }
            }
            // A process that has just ended may still be in it, until its parent notices.
            let removed = (0..1000).any(|_| fs::remove_dir(&directory).is_ok());
            assert!(removed || std::thread::panicking(), "{directory:?} is left");
        }
        remove(self.directory(""));
    }
}

fn id(digits: &str) -> String {
    digits.repeat(64 / digits.len())
}

/// A container's first process, whose parent has the name of what starts containers.
fn container(starter: &str) -> Child {
    let init = Script::new().user_namespace().unshare([Net, Uts]);
    Script::new().name(starter).fork("init", init).spawn().unwrap()
}

/// The workload of a container's process.
fn workload<'s>(snapshot: &'s Snapshot, child: &Child) -> Workload<'s> {
    snapshot.process(child.pid_of("init")).unwrap().workload().unwrap()
}

#[test]
fn a_container_is_known_by_its_cgroup() {
    need!(root, cgroups);
    let cgroup = Cgroup::new("known");
    let (child, id) = (container("containerd-shim"), id("0123456789abcdef"));
    let place = format!("/docker/{id}");
    cgroup.take_in(&format!("{place}/init.scope"), &child);
    everywhere(|snapshot| {
        let workload = workload(snapshot, &child);
        assert_eq!(
            *workload.facts(),
            WorkloadFacts {
                id: Some(id.as_str().into()),
                vouched_by: Voucher::Machine,
                processes: vec![child.pid_of("init")],
                evidence: vec![Evidence::Cgroup(cgroup.path(&place).into())],
                ..WorkloadFacts::new(Engine::Docker, WorkloadKind::Container)
            }
        );
        for ns_type in [Net, Uts] {
            let namespace = snapshot.namespace(child.namespace_of("init", ns_type)).unwrap();
            assert_eq!(namespace.workload(), Some(workload), "{namespace:?}");
            assert_eq!(namespace.guests(), []);
        }
        // Docker's own files do not know it.
        let unnamed = gap(snapshot, Missing::Names, Reason::NobodyToAsk).unwrap();
        let example = Text::from(format!("docker {}", &id[..12]));
        assert!(unnamed.examples.contains(&example), "{unnamed:?}");
    });
    let net = child.namespace_of("init", Net).to_string();
    let output = tool("lxkns").args(["why", &net]).output().unwrap();
    let told = stdout(&output);
    let ends = told.lines().position(|line| line.ends_with(" ends")).unwrap();
    let command = told.lines().nth(ends + 1).unwrap();
    assert_eq!(command.trim(), format!("docker stop {id}"), "{told}");
}

#[test]
fn a_name_is_worth_as_much_as_the_owner_of_its_directory() {
    need!(root, cgroups);
    let cgroup = Cgroup::new("owners");
    let children = [(); 5].map(|()| container("lxc-start"));
    let check = |at: usize, below: &str, voucher, name: &str| {
        cgroup.take_in(below, &children[at]);
        everywhere(|snapshot| {
            let facts = workload(snapshot, &children[at]).facts();
            assert_eq!(facts.vouched_by, voucher, "{below}");
            let found = facts.name.as_ref().or(facts.id.as_ref()).unwrap();
            assert_eq!(found, &Text::from(name), "{below}");
        });
    };
    check(0, "/root/lxc.payload.web", Voucher::Machine, "web");
    // The owner of a container's own cgroup has not chosen its name.
    chown(cgroup.directory("/root/lxc.payload.web"), Some(4711), None).unwrap();
    check(0, "/root/lxc.payload.web", Voucher::Machine, "web");
    // All below a container is its own.
    check(1, "/root/lxc.payload.web/lxc.payload.bank", Voucher::Machine, "web");

    fs::create_dir(cgroup.directory("/user")).unwrap();
    chown(cgroup.directory("/user"), Some(4711), None).unwrap();
    check(2, "/user/lxc.payload.web", Voucher::User(Uid(4711)), "web");

    fs::create_dir(cgroup.directory("/all")).unwrap();
    fs::set_permissions(cgroup.directory("/all"), fs::Permissions::from_mode(0o777)).unwrap();
    check(3, "/all/lxc.payload.web", Voucher::Nobody, "web");
    // Started by something else than LXC.
    let id = id("0123456789abcdef");
    check(4, &format!("/root/libpod-{id}"), Voucher::Nobody, &id);
}

/// A container's root may create cgroups below its own, and move its processes there.
#[test]
fn the_names_that_a_container_gives_have_no_authority() {
    need!(root, cgroups);
    let cgroup = Cgroup::new("inside");
    // What looks like LXC's starter is in a PID namespace of its own.
    let starter = Script::new().name("lxc-start").fork("init", Script::new().unshare([Net]));
    let child =
        Script::new().unshare([NamespaceType::Pid]).fork("inside", starter).spawn().unwrap();
    cgroup.take_in("/payload/lxc.payload.bank", &child);
    everywhere(|snapshot| {
        assert_eq!(workload(snapshot, &child).facts().vouched_by, Voucher::Nobody);
    });
}

/// The oldest process of a unit is no leader of a namespace, and a younger one is.
#[test]
fn a_namespace_of_a_later_process_is_not_the_units() {
    need!(root, cgroups);
    let cgroup = Cgroup::new("later");
    let name = format!("cron-{}.service", std::process::id());
    let daemon = Script::new().spawn().unwrap();
    cgroup.take_in_process(&format!("/{name}"), daemon.pid());
    let later = Script::new().user_namespace().unshare([Net]).spawn().unwrap();
    cgroup.take_in_process(&format!("/{name}/below"), later.pid());
    let check = |snapshot: &Snapshot| {
        let unit = snapshot.process(later.pid()).unwrap().workload().unwrap();
        assert_eq!(unit.first_process().unwrap().pid(), daemon.pid());
        assert_eq!(snapshot.namespace(later.namespace(Net)).unwrap().workload(), None);
    };
    everywhere(check);
    for bpf in [Bpf::Off, Bpf::On] {
        let options = Options::everything().bpf(bpf).details(Details::Leaders);
        check(&discover(&options).unwrap());
    }
    let output = tool("lsallns").args(["--noheadings", &format!("net@unit:{name}")]).output();
    let own = lxkns_nstest::own_namespace(Net).to_string();
    assert!(stdout(&output.unwrap()).starts_with(&own));
}

#[test]
fn a_namespace_is_found_by_the_name_of_its_container() {
    need!(root, cgroups);
    let cgroup = Cgroup::new("found");
    let [first, second, liar] = [(); 3].map(|()| container("lxc-start"));
    let name = format!("web-{}", std::process::id());
    cgroup.take_in(&format!("/lxc.payload.{name}"), &first);
    fs::create_dir(cgroup.directory("/all")).unwrap();
    fs::set_permissions(cgroup.directory("/all"), fs::Permissions::from_mode(0o777)).unwrap();
    cgroup.take_in(&format!("/all/lxc.payload.{name}"), &liar);

    let net = first.namespace_of("init", Net);
    let lsallns = |selector: &str| {
        let output = tool("lsallns").args(["--noheadings", selector]).output().unwrap();
        stdout(&output).lines().map(String::from).collect::<Vec<_>>()
    };
    let [only] = &*lsallns(&format!("net@container:{name}")) else { panic!() };
    assert!(only.starts_with(&net.to_string()), "{only}");
    assert!(only.contains(&format!("container \"{name}\" of lxc")), "{only}");
    let own = lsallns(&format!("lxc:{name}"));
    let types: Vec<&str> = own.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(types, ["net", "user", "uts"]);

    let output = tool("lxkns").args(["workloads", "--json", &format!("lxc:{name}")]).output();
    let document = json(&output.unwrap());
    assert_eq!(document["workloads"][0]["name"], name.as_str());
    assert_eq!(document["workloads"][0]["namespaces"][0], net.to_string());

    // A second one of this name is told apart, or refused.
    cgroup.take_in(&format!("/other/lxc.payload.{name}"), &second);
    let output = tool("lsallns").arg(format!("container:{name}")).output().unwrap();
    lxkns_it::assert_failure(&output, 2, &["may be lxc", "say which"]);
    let output = tool("lsallns").arg(format!("docker:{name}")).output().unwrap();
    lxkns_it::assert_failure(&output, 1, &["there is no"]);
}
