//! Writing without building a tree first.

use std::io;

use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::Layout;

/// Writes one document and a line break.
pub(super) fn write(
    document: &impl Serialize,
    out: impl io::Write,
    layout: Layout,
) -> io::Result<()> {
    match layout {
        Layout::Compact => write_with(document, out, CompactFormatter),
        Layout::Spaces(count) => {
            let indent = vec![b' '; usize::from(count)];
            write_with(document, out, PrettyFormatter::with_indent(&indent))
        }
        Layout::Tab => write_with(document, out, PrettyFormatter::with_indent(b"\t")),
    }
}

fn write_with(
    document: &impl Serialize,
    out: impl io::Write,
    formatter: impl Formatter,
) -> io::Result<()> {
    // serde_json writes every brace and key by itself, and a document may have megabytes.
    let mut out = io::BufWriter::with_capacity(64 * 1024, out);
    document.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))?;
    io::Write::write_all(&mut out, b"\n")?;
    io::Write::flush(&mut out)
}

/// A list whose elements are made one after another while they are written.
pub(super) struct List<F>(pub(super) F);

impl<F, I> Serialize for List<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0())
    }
}

/// An object whose members are made one after another while they are written.
pub(super) struct Object<F>(pub(super) F);

impl<F, I, K, V> Serialize for Object<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item = (K, V)>,
    K: Serialize,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0())
    }
}
