//! What a child tells the test: messages of a fixed size, so that each is one write to a pipe, and
//! arrives whole.

/// The size of a message; far below PIPE_BUF.
pub(crate) const SIZE: usize = 64;

/// Room for the text of a namespace link.
pub(crate) const TEXT: usize = SIZE - 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A process or thread has begun, and waits for the test to have noted its PID.
    Born,
    /// It has reached its first or next pause, or its end.
    Quiet,
    /// It is about to exit.
    Ending,
    /// A step failed with the error number in `value`.
    Failed,
    /// A step read a link, which is in `text`.
    Noted,
    /// A program has ended with the wait status in `value`.
    Ran,
}

const ALL: [What; 6] =
    [What::Born, What::Quiet, What::Ending, What::Failed, What::Noted, What::Ran];

/// One message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) what: What,
    pub(crate) actor: usize,
    pub(crate) step: usize,
    pub(crate) value: i32,
    /// Filled up with NUL bytes.
    pub(crate) text: [u8; TEXT],
}

impl Report {
    pub(crate) fn new(what: What, actor: usize, step: usize, value: i32) -> Report {
        Report { what, actor, step, value, text: [0; TEXT] }
    }

    pub(crate) fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let numbers =
            [self.what as u32, self.actor as u32, self.step as u32, self.value.cast_unsigned()];
        let numbers = numbers.into_iter().flat_map(u32::to_ne_bytes);
        for (place, byte) in bytes.iter_mut().zip(numbers.chain(self.text)) {
            *place = byte;
        }
        bytes
    }

    /// `None` if it is no message of ours.
    pub(crate) fn from_bytes(bytes: &[u8; SIZE]) -> Option<Report> {
        let (numbers, text) = bytes.split_last_chunk::<TEXT>()?;
        let (numbers, _) = numbers.as_chunks::<4>();
        let mut numbers = numbers.iter().map(|number| u32::from_ne_bytes(*number));
        let what = usize::try_from(numbers.next()?).ok()?;
        Some(Report {
            what: *ALL.get(what)?,
            actor: usize::try_from(numbers.next()?).ok()?,
            step: usize::try_from(numbers.next()?).ok()?,
            value: numbers.next()?.cast_signed(),
            text: *text,
        })
    }

    /// The text up to the first NUL byte.
    pub(crate) fn text(&self) -> &[u8] {
        self.text.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_sent() {
        for (index, what) in ALL.into_iter().enumerate() {
            assert_eq!(what as usize, index);
            let mut sent = Report::new(what, 7, 9, -2);
            sent.text[..3].copy_from_slice(b"abc");
            let got = Report::from_bytes(&sent.to_bytes()).unwrap();
            assert_eq!(
                (got.what, got.actor, got.step, got.value, got.text()),
                (what, 7, 9, -2, &b"abc"[..])
            );
        }
        assert!(Report::from_bytes(&[0xff; SIZE]).is_none());
    }
}
