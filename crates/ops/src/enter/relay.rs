//! A process outside that a program inside is seen by: it passes on what is typed and written,
//! and signals; it stops and ends as the program does.

use std::iter;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read, write};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use rustix::stdio::stdin;
use rustix::termios::{SpecialCodeIndex, tcgetattr, tcgetpgrp};

use super::terminal::{Raw, Terminal};
use crate::sys::files::OpenFiles;
use crate::sys::{signals, stand_in};

/// Bytes that are passed on at once. A terminal that is ready takes that many without blocking.
const CHUNK: usize = 256;

/// Bytes that may still come out of a pseudoterminal once the program has ended: twice what the
/// kernel buffers.
const REST: usize = 128 * 1024;

/// Nobody tells a process that it is in the foreground now, so in the background this often it
/// looks.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// Ends as the child does, which leads a session and waits for the program.
pub(super) fn relay(child: Pid, terminal: Option<Terminal>, files: OpenFiles) -> ! {
    let Ok(signals) = signals::open() else {
        // Nothing can be passed on, but the end of the program.
        stand_in::act_for(child, files, None);
    };
    let mut relay = Relay { child, signals, screen: terminal.map(Screen::new) };
    // A reader of a pipe waits until its other end is closed everywhere.
    files.close_all_but(&relay.files());
    let status = relay.run();
    if let Some(screen) = &mut relay.screen {
        screen.finish(&relay.signals);
    }
    // Gives the terminal back as it was.
    drop(relay.screen);
    stand_in::end_as(status)
}

struct Relay {
    child: Pid,
    signals: OwnedFd,
    screen: Option<Screen>,
}

impl Relay {
    /// The files that are needed, in ascending order.
    fn files(&self) -> Vec<i32> {
        let mut files = vec![self.signals.as_raw_fd()];
        if let Some(Screen { terminal, .. }) = &self.screen {
            files.extend([terminal.master.as_raw_fd(), terminal.real.screen().as_raw_fd()]);
            if terminal.real.input {
                files.push(stdin().as_raw_fd());
            }
        }
        files.sort_unstable();
        files.dedup();
        files
    }

    /// The status of the child, once it has ended.
    fn run(&mut self) -> i32 {
        loop {
            match &mut self.screen {
                Some(screen) => screen.pass_on(&self.signals),
                None => {
                    let _ = poll(&mut [PollFd::new(&self.signals, PollFlags::IN)], None);
                }
            }
            while let Some(signal) = signals::next(&self.signals) {
                self.heed(signal);
            }
            match waitpid(Some(self.child), WaitOptions::NOHANG | WaitOptions::UNTRACED) {
                Ok(None) | Err(Errno::INTR) => {}
                Ok(Some((_, status))) if status.stopped() => self.stop(),
                Ok(Some((_, status))) => return status.as_raw(),
                // Nobody else waits for our child.
                Err(_) => return 255 << 8,
            }
        }
    }

    fn heed(&mut self, signal: Signal) {
        match signal {
            Signal::CHILD => {}
            Signal::WINCH => {
                if let Some(screen) = &self.screen {
                    screen.terminal.take_over_size();
                }
            }
            Signal::CONT => {
                if let Some(screen) = &mut self.screen {
                    screen.is_back();
                }
            }
            other => {
                let _ = kill_process(self.child, other);
            }
        }
    }

    /// Stops with the child, and goes on with it.
    fn stop(&mut self) {
        let was_raw = self.screen.as_mut().and_then(|screen| screen.raw.take()).is_some();
        if was_raw {
            // A key would have stopped the whole group.
            signals::stop_with_group();
        } else {
            let _ = kill_process(getpid(), Signal::STOP);
        }
        let _ = kill_process(self.child, Signal::CONT);
    }
}

/// The terminal of the caller, and what is on its way from and to it.
struct Screen {
    terminal: Terminal,
    raw: Option<Raw>,
    /// Whether there is anything to be typed: not any more once it has hung up.
    input: bool,
    typed: Vec<u8>,
    written: Vec<u8>,
}

impl Screen {
    fn new(terminal: Terminal) -> Screen {
        let input = terminal.real.input;
        Screen { terminal, raw: None, input, typed: Vec::new(), written: Vec::new() }
    }

    /// Waits for something to pass on, or a signal, and passes it on.
    fn pass_on(&mut self, signals: &OwnedFd) {
        let is_in_front = self.is_in_front();
        if self.terminal.real.is_interactive() && is_in_front && self.raw.is_none() {
            self.raw = Raw::new(stdin()).ok();
        }
        let reads = self.input && is_in_front && self.typed.is_empty();
        let wants = |wanted, flag| if wanted { flag } else { PollFlags::empty() };
        let (keyboard, screen) = (stdin(), self.terminal.real.screen());
        let master = wants(self.written.is_empty(), PollFlags::IN)
            | wants(!self.typed.is_empty(), PollFlags::OUT);
        let mut files =
            vec![PollFd::new(signals, PollFlags::IN), PollFd::new(&self.terminal.master, master)];
        if reads {
            files.push(PollFd::new(&keyboard, PollFlags::IN));
        }
        let shows = !self.written.is_empty();
        if shows {
            files.push(PollFd::new(&screen, PollFlags::OUT));
        }
        let pause = (self.input && !is_in_front).then_some(&PAUSE);
        if !matches!(poll(&mut files, pause), Ok(1..)) {
            return;
        }
        let mut ready = files.iter().skip(1).map(PollFd::revents);
        let master = ready.next().is_some_and(|is| !is.is_empty());
        let typed = reads.then(|| ready.next()).flatten();
        let shown = shows && ready.next().is_some_and(|is| !is.is_empty());
        if typed.is_some_and(|is| is.intersects(PollFlags::HUP | PollFlags::ERR)) {
            self.input = false;
        } else if typed.is_some_and(|is| is.contains(PollFlags::IN)) {
            self.read_typed();
        }
        if master {
            self.write_typed();
            if self.written.is_empty() {
                self.read_written();
            }
        }
        if shown {
            self.show();
        }
    }

    /// Whether the terminal is this process's to read; also if it is no terminal with jobs.
    fn is_in_front(&self) -> bool {
        self.terminal.real.input
            && tcgetpgrp(stdin()).map_or(true, |front| signals::own_group() == Some(front))
    }

    /// Has gone on after it was stopped: others may have changed the terminal meanwhile, and know
    /// better how it is to be left.
    fn is_back(&mut self) {
        if let Some(raw) = self.raw.take_if(|raw| !raw.is_in_force()) {
            raw.forget();
        }
    }

    fn read_typed(&mut self) {
        let mut buffer = [0; CHUNK];
        match read(stdin(), &mut buffer) {
            Ok(0) if self.raw.is_none() => {
                // The end, for this time.
                let end = tcgetattr(&self.terminal.master);
                self.typed.extend(end.map(|modes| modes.special_codes[SpecialCodeIndex::VEOF]));
            }
            Ok(length @ 1..) => self.typed.extend(buffer.get(..length).unwrap_or_default()),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(0) | Err(_) => self.input = false,
        }
    }

    fn write_typed(&mut self) {
        if let Ok(length) = write(&self.terminal.master, &self.typed) {
            self.typed.drain(..length.min(self.typed.len()));
        }
    }

    /// Whether there was anything.
    fn read_written(&mut self) -> bool {
        let mut buffer = [0; CHUNK];
        let length = read(&self.terminal.master, &mut buffer).unwrap_or(0);
        self.written.extend(buffer.get(..length).unwrap_or_default());
        length > 0
    }

    fn show(&mut self) {
        match write(self.terminal.real.screen(), &self.written) {
            Ok(length) => drop(self.written.drain(..length.min(self.written.len()))),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Nobody sees it any more, but the program has to get on.
            Err(_) => self.written.clear(),
        }
    }

    /// Shows what the program has written before it ended, unless a signal comes while the terminal
    /// takes nothing.
    fn finish(&mut self, signals: &OwnedFd) {
        let screen = self.terminal.real.screen();
        for _ in 0..REST / CHUNK {
            while !self.written.is_empty() {
                let mut files =
                    [PollFd::new(&screen, PollFlags::OUT), PollFd::new(signals, PollFlags::IN)];
                let _ = poll(&mut files, None);
                let [screen, _] = files;
                let ends = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];
                if !screen.revents().is_empty() {
                    self.show();
                } else if iter::from_fn(|| signals::next(signals)).any(|it| ends.contains(&it)) {
                    return;
                }
            }
            if !self.read_written() {
                break;
            }
        }
        if !self.is_in_front()
            && let Some(raw) = self.raw.take()
        {
            raw.forget();
        }
    }
}
