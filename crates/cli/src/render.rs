//! From facts to text: escaping, labels, lines, tables, trees and colours.

mod blanks;
pub(crate) mod columns;
pub(crate) mod escape;
pub(crate) mod grid;
pub(crate) mod harmless;
pub(crate) mod label;
pub(crate) mod line;
pub(crate) mod palette;
pub(crate) mod role;
pub(crate) mod screen;
pub(crate) mod shell;
pub(crate) mod theme;
pub(crate) mod theme_file;
pub(crate) mod tree;
