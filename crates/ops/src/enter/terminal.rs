//! A pseudoterminal in place of the caller's terminal, for a program that must not get hold of
//! that: who has a terminal open can have its other users read what they have not typed.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Result;
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr,
    tcsetwinsize,
};

/// A pseudoterminal, and the terminal that it stands for.
#[derive(Debug)]
pub(super) struct Terminal {
    /// The side of who passes on what is written and typed.
    pub(super) master: OwnedFd,
    pub(super) real: Real,
}

/// The side of the program.
#[derive(Debug)]
pub(super) struct ProgramSide {
    terminal: OwnedFd,
    real: Real,
}

/// Which of the standard files are terminals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Real {
    pub(super) input: bool,
    output: bool,
    error: bool,
}

impl Real {
    /// Whether the program talks with the user: then all that is typed is for the program, keys
    /// with a meaning for the terminal as well.
    pub(super) fn is_interactive(self) -> bool {
        self.input && self.output
    }

    /// Where to show what the program writes.
    pub(super) fn screen(self) -> BorrowedFd<'static> {
        match self {
            Real { output: true, .. } => stdout(),
            Real { error: true, .. } => stderr(),
            _ => stdin(),
        }
    }
}

impl Terminal {
    /// One in place of those standard files that are terminals; `None` if none is.
    pub(super) fn for_standard_files() -> Result<Option<(Terminal, ProgramSide)>> {
        let real =
            Real { input: isatty(stdin()), output: isatty(stdout()), error: isatty(stderr()) };
        if !(real.input || real.output || real.error) {
            return Ok(None);
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        unlockpt(&master)?;
        let side = ioctl_tiocgptpeer(&master, flags)?;
        let mut modes = tcgetattr(real.screen())?;
        if !real.is_interactive() {
            // The terminal itself still does these.
            modes.local_modes -= LocalModes::ECHO;
            modes.output_modes -= OutputModes::OPOST;
        }
        tcsetattr(&side, OptionalActions::Now, &modes)?;
        let terminal = Terminal { master, real };
        terminal.take_over_size();
        fcntl_setfl(&terminal.master, OFlags::RDWR | OFlags::NONBLOCK)?;
        Ok(Some((terminal, ProgramSide { terminal: side, real })))
    }

    /// Gives the pseudoterminal the size of the terminal.
    pub(super) fn take_over_size(&self) {
        // Without a size it is as good.
        let _ = tcgetwinsize(self.real.screen()).and_then(|size| tcsetwinsize(&self.master, size));
    }
}

impl ProgramSide {
    /// Makes it the terminal of the session that this process leads, and puts it in place of the
    /// standard files.
    pub(super) fn adopt(self) -> Result<OwnedFd> {
        ioctl_tiocsctty(&self.terminal)?;
        if self.real.input {
            dup2_stdin(&self.terminal)?;
        }
        if self.real.output {
            dup2_stdout(&self.terminal)?;
        }
        if self.real.error {
            dup2_stderr(&self.terminal)?;
        }
        Ok(self.terminal)
    }
}

/// The terminal, passing on whatever is typed without giving it a meaning, until dropped.
#[derive(Debug)]
pub(super) struct Raw {
    terminal: BorrowedFd<'static>,
    before: Termios,
}

impl Raw {
    pub(super) fn new(terminal: BorrowedFd<'static>) -> Result<Raw> {
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        modes.make_raw();
        tcsetattr(terminal, OptionalActions::Now, &modes)?;
        Ok(Raw { terminal, before })
    }

    /// Whether it is unchanged since.
    pub(super) fn is_in_force(&self) -> bool {
        tcgetattr(self.terminal).is_ok_and(|now| !now.local_modes.contains(LocalModes::ICANON))
    }

    /// Leaves the terminal to others.
    pub(super) fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Whatever has been typed, or answered by the terminal, is not for who reads next.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
