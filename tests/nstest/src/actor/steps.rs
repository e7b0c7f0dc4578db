//! Carrying out one step.

use std::ffi::CStr;
use std::os::fd::RawFd;

use super::kernel::{self, Errno, Result};
use super::{Life, files, id_map};
use crate::command::Executable;
use crate::report::{Report, What};
use crate::step::{Kind, Step};

impl Life<'_> {
    pub(super) fn carry_out(&mut self, step: &Step) -> Result {
        match step {
            Step::Unshare(flags) => kernel::unshare(flags.0),
            Step::UserNamespace(map) => id_map::new_user_namespace(*map),
            Step::Setns { fd, flags } => kernel::setns(*fd, flags.0),
            Step::BecomeUser { uid, gid } => {
                kernel::set_no_groups()?;
                kernel::set_gid(*gid)?;
                kernel::set_uid(*uid)?;
                kernel::set_dumpable()
            }
            Step::Name(name) => kernel::set_name(name),
            Step::Mkdir(path) => files::mkdir(path),
            Step::Mknod { path, mode, device } => files::mknod(path, *mode, *device),
            Step::Symlink { target, path } => files::symlink(target, path),
            Step::Remove(path) => files::remove(path),
            Step::Write { path, content } => {
                let file = open(path, libc::O_WRONLY)?;
                let written = files::write(file, content);
                files::close(file).and(written)
            }
            Step::Mount { source, target, fs_type, flags, options } => files::mount(
                source.as_deref(),
                target,
                fs_type.as_deref(),
                *flags,
                options.as_deref(),
            ),
            Step::Unmount(path) => files::unmount(path),
            Step::Chroot(path) => files::chroot(path),
            Step::Chdir(path) => files::chdir(path),
            Step::Open { path, flags, fd } => renumber(open(path, *flags)?, *fd),
            Step::OpenTree { path, fd } => renumber(files::open_tree(path)?, *fd),
            Step::TcpSocket(fd) => renumber(files::tcp_socket()?, *fd),
            Step::Tun { name, fd } => {
                renumber(open(c"/dev/net/tun", libc::O_RDWR)?, *fd)?;
                files::name_tun(*fd, name)
            }
            Step::SendFd { fd, ends } => self.send_fd(*fd, *ends),
            Step::Close(fd) => files::close(*fd),
            Step::Limit { resource, most } => kernel::limit(*resource, *most),
            Step::Fill(fd) => files::duplicate_until_full(*fd),
            Step::Answer(call, errno) => kernel::answer(*call, *errno),
            Step::Note { link, .. } => self.note(link),
            Step::Start { actor, copies } => (0..*copies).try_for_each(|_| self.start(*actor)),
            Step::Reap => kernel::reap(-1).map(drop),
            Step::Run { executable, output, .. } => self.run(executable, *output),
            Step::Pause => {
                self.pause();
                Ok(())
            }
            Step::Churn(flags) => {
                self.be_quiet();
                while !files::has_hung_up(self.plan.life) {
                    let pid = kernel::fork()?;
                    if pid == 0 {
                        kernel::exit_process(kernel::unshare(flags.0).is_err().into());
                    }
                    if kernel::reap(pid)? != 0 {
                        return Err(Errno(libc::ECHILD));
                    }
                }
                self.leave()
            }
            Step::Exit => {
                self.report(What::Ending, 0);
                kernel::exit_process(0)
            }
            Step::ExitThread => {
                self.report(What::Ending, 0);
                self.let_starter_go_on();
                kernel::exit_thread()
            }
        }
    }

    fn start(&mut self, number: usize) -> Result {
        match self.plan.actors.get(number).map(|actor| actor.kind) {
            Some(Kind::Process) => self.start_process(number),
            Some(Kind::Thread) => self.start_thread(number),
            Some(Kind::Sharer) => self.start_sharer(number),
            Some(Kind::Errand) => self.run_errand(number),
            None => Err(Errno(libc::EINVAL)),
        }
    }

    fn note(&self, link: &CStr) -> Result {
        let mut report = Report::new(What::Noted, self.number, self.step, 0);
        files::read_link(link, &mut report.text)?;
        self.send(report);
        Ok(())
    }

    fn send_fd(&self, fd: RawFd, ends: (RawFd, RawFd)) -> Result {
        // Above the script's fds first: one of the numbers may be the one to be sent.
        let (one, other) = files::socket_pair()?;
        let one = files::lift(one, self.plan.free_fd())?;
        let other = files::lift(other, self.plan.free_fd())?;
        files::send_fd(one, fd)?;
        renumber(one, ends.0)?;
        renumber(other, ends.1)
    }

    fn run(&self, executable: &Executable, output: Option<(RawFd, RawFd)>) -> Result {
        let (stdout, stderr) = output.ok_or(Errno(libc::EINVAL))?;
        let pid = kernel::fork()?;
        if pid == 0 {
            let Errno(errno) = self.become_program(executable, stdout, stderr);
            self.report(What::Failed, errno);
            kernel::exit_process(127);
        }
        let status = kernel::reap(pid)?;
        self.report(What::Ran, status);
        Ok(())
    }

    fn become_program(&self, executable: &Executable, stdout: RawFd, stderr: RawFd) -> Errno {
        let ready = kernel::die_with_parent()
            .and_then(|()| files::duplicate_for_exec(stdout, 1))
            .and_then(|()| files::duplicate_for_exec(stderr, 2));
        if let Err(error) = ready {
            return error;
        }
        if let Err(error) = rustix::thread::sched_setaffinity(None, &self.plan.cpus) {
            return Errno(error.raw_os_error());
        }
        kernel::execute(executable.path(), executable.arguments(), executable.environment())
    }
}

fn open(path: &CStr, flags: i32) -> Result<RawFd> {
    files::open_at(libc::AT_FDCWD, path, flags)
}

fn renumber(fd: RawFd, wanted: RawFd) -> Result {
    if fd == wanted {
        return Ok(());
    }
    let renumbered = files::duplicate_to(fd, wanted);
    files::close(fd).and(renumbered)
}
