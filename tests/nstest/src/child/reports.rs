//! Listening to what the children of a test report.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};
use std::time::{Duration, Instant};

use lxkns_species::NamespaceId;
use rustix::event::{PollFd, PollFlags, poll};

use super::{Child, PATIENCE, retry};
use crate::actor;
use crate::error::Error;
use crate::report::{Report, SIZE, What};
use crate::step::Step;

impl Child {
    /// Takes note of all that the children report, until this one is quiet or ended.
    pub(super) fn wait_for(&mut self, number: usize) -> Result<(), Error> {
        loop {
            let report = self.next_report(number)?;
            match report.what {
                What::Born => self.note_birth(report.actor)?,
                What::Noted => self.note_link(&report)?,
                What::Ran => self.note_output(&report)?,
                What::Failed => return Err(self.failure(&report)),
                What::Ending => self.wait_for_death_of(report.actor),
                What::Quiet => {}
            }
            if report.actor == number && matches!(report.what, What::Quiet | What::Ending) {
                return Ok(());
            }
        }
    }

    fn next_report(&self, awaited: usize) -> Result<Report, Error> {
        let actor =
            || self.actors.get(awaited).map(|actor| actor.label.clone()).unwrap_or_default();
        let mut fds =
            [PollFd::new(&self.report, PollFlags::IN), PollFd::new(&self.pidfd, PollFlags::IN)];
        if retry(|| poll(&mut fds, Some(&PATIENCE)))? == 0 {
            return Err(Error::Stuck { actor: actor(), seconds: PATIENCE.tv_sec });
        }
        let [report, _] = &fds;
        if !report.revents().contains(PollFlags::IN) {
            return Err(Error::Ended { actor: actor() });
        }
        let mut bytes = [0; SIZE];
        let length = retry(|| rustix::io::read(&self.report, &mut bytes))?;
        Report::from_bytes(&bytes)
            .filter(|_| length == SIZE)
            .ok_or_else(|| Error::Ended { actor: actor() })
    }

    /// The newborn has made itself the owner of the cradle, and waits for a byte.
    fn note_birth(&mut self, number: usize) -> Result<(), Error> {
        let pid = actor::owner(self.cradle.as_fd())?;
        if let Some(actor) = self.actors.get_mut(number) {
            actor.pids.push(pid);
        }
        if let Some(life) = &self.life {
            rustix::io::write(life, &[1]).map_err(io::Error::from)?;
        }
        Ok(())
    }

    fn step(&self, report: &Report) -> Option<&Step> {
        self.actors.get(report.actor)?.steps.get(report.step)
    }

    fn failure(&self, report: &Report) -> Error {
        let actor = self.actors.get(report.actor).map(|actor| actor.label.clone());
        Error::Step {
            actor: actor.unwrap_or_default(),
            number: report.step,
            step: self.step(report).map(|step| format!("{step:?}")).unwrap_or_default(),
            source: io::Error::from_raw_os_error(report.value),
        }
    }

    fn note_link(&mut self, report: &Report) -> Result<(), Error> {
        let Some(Step::Note { label, .. }) = self.step(report) else {
            return Ok(());
        };
        let label = label.clone();
        let Some(id) = NamespaceId::from_link(report.text()) else {
            let text = report.text().escape_ascii();
            return Err(io::Error::other(format!("{label:?} is no namespace, but {text}")).into());
        };
        self.notes.push((label, id));
        Ok(())
    }

    fn note_output(&mut self, report: &Report) -> Result<(), Error> {
        let place = (report.actor, report.step);
        let files = self.files.iter().find(|(known, ..)| *known == place);
        let (Some(Step::Run { label, .. }), Some((_, stdout, stderr))) = (self.step(report), files)
        else {
            return Ok(());
        };
        let output = Output {
            status: ExitStatus::from_raw(report.value),
            stdout: content(stdout)?,
            stderr: content(stderr)?,
        };
        self.outputs.push((label.clone(), output));
        Ok(())
    }

    /// Who says that it ends takes a moment to be a zombie, or gone.
    fn wait_for_death_of(&self, number: usize) {
        let Some(pid) = self.actors.get(number).and_then(|actor| actor.pids.last()) else {
            return;
        };
        let deadline = Instant::now() + Duration::from_secs(PATIENCE.tv_sec.cast_unsigned());
        let stat = format!("/proc/{pid}/stat");
        while let Ok(stat) = std::fs::read(&stat)
            && let Some(end_of_name) = stat.iter().rposition(|byte| *byte == b')')
            && !matches!(stat.get(end_of_name + 2), Some(b'Z' | b'X') | None)
            && Instant::now() < deadline
        {
            std::thread::yield_now();
        }
    }
}

/// All of a file, wherever its position is, which is shared with who wrote it.
fn content(file: &OwnedFd) -> io::Result<Vec<u8>> {
    let file = File::from(file.try_clone()?);
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
