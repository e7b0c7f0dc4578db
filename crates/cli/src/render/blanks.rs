//! Blanks, in any number.
//!
//! A width in a format string is limited to 16 bits, and panics beyond. How wide something has to
//! be follows from names and documents that others wrote, so nothing here formats with a width.

use std::io;

/// Writes this many blanks.
pub(crate) fn write(out: &mut dyn io::Write, count: usize) -> io::Result<()> {
    const SOME: [u8; 64] = [b' '; 64];
    let mut left = count;
    while left > 0 {
        let some = SOME.get(..left).unwrap_or(&SOME);
        out.write_all(some)?;
        left -= some.len();
    }
    Ok(())
}

#[test]
fn any_number_is_written() {
    for count in [0, 1, 64, 65, 70_000] {
        let mut out = Vec::new();
        write(&mut out, count).unwrap();
        assert_eq!(out, vec![b' '; count]);
    }
}
