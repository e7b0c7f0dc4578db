//! Tables: columns as wide as what stands in them, and on a terminal no wider than that.
//!
//! On a pipe nothing is ever cut, since nobody knows what reads it. A cell that is much wider than
//! others there stands out of its column, or one long name would cost every row as many blanks.

use std::io;

use super::blanks;
use super::line::Line;
use super::palette::Palette;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) heading: &'static str,
    /// Numbers stand at the right.
    pub(crate) right: bool,
    /// How narrow the column may become where there is no room; `None`: it is never cut.
    pub(crate) least: Option<usize>,
    /// Whether to leave it out where there is no room for all columns.
    pub(crate) spare: bool,
}

const GAP: usize = 1;

/// The widest cell that a column is aligned to, unless cells are cut.
const ALIGNED: usize = 256;

/// Writes rows of cells, one per column, below the headings.
///
/// With a `limit`, spare columns give way first, then those that may be cut, the last one first.
pub(crate) fn write(
    out: &mut dyn io::Write,
    palette: &Palette,
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<Line>>,
    headings: bool,
    limit: Option<usize>,
) -> io::Result<()> {
    let heading = |column: &Column| {
        let mut line = Line::default();
        line.plain(column.heading);
        line
    };
    let headings = headings.then(|| columns.iter().map(heading).collect());
    // All cells have to be there before the first is written: their widths are not known earlier.
    let compact = |row: Vec<Line>| row.into_iter().map(Line::compact).collect();
    let rows: Vec<Vec<Line>> = headings.into_iter().chain(rows).map(compact).collect();
    let mut widths: Vec<usize> = vec![0; columns.len()];
    for row in &rows {
        for ((width, column), cell) in widths.iter_mut().zip(columns).zip(row) {
            let is_cut = column.least.is_some() && limit.is_some();
            let most = if is_cut { usize::MAX } else { ALIGNED };
            *width = (*width).max(cell.width().min(most));
        }
    }
    let mut shown = vec![true; columns.len()];
    if let Some(limit) = limit {
        squeeze(&mut widths, &mut shown, columns, limit);
    }
    for row in rows {
        // Blanks are only written once something follows: no line ends in one.
        let mut owed = 0;
        let cells = row.into_iter().zip(columns).zip(&widths).zip(&shown);
        for ((cell, column), width) in cells.filter(|(_, shown)| **shown).map(|(cell, _)| cell) {
            let cell =
                if column.least.is_some() && limit.is_some() { cell.cut_to(*width) } else { cell };
            let fill = width.saturating_sub(cell.width());
            let (before, after) = if column.right { (fill, 0) } else { (0, fill) };
            if !cell.is_empty() {
                blanks::write(out, owed + before)?;
                cell.write(out, palette)?;
                owed = 0;
            } else {
                owed += before;
            }
            owed += after + GAP;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn squeeze(widths: &mut [usize], shown: &mut [bool], columns: &[Column], limit: usize) {
    let gaps = GAP * columns.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
    for ((width, shown), column) in widths.iter().zip(shown).zip(columns) {
        if excess > 0 && column.spare {
            *shown = false;
            excess = excess.saturating_sub(width + GAP);
        }
    }
    for (width, column) in widths.iter_mut().zip(columns).rev() {
        let Some(least) = column.least else { continue };
        let least = least.max(column.heading.len());
        let gives = width.saturating_sub(least).min(excess);
        *width -= gives;
        excess -= gives;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[[&str; 3]], headings: bool, limit: Option<usize>, expected: &str) {
        let column = |heading, right, least| Column { heading, right, least, spare: right };
        let columns =
            [column("ID", false, None), column("N", true, None), column("TEXT", false, Some(4))];
        let cell = |text: &&str| {
            let mut line = Line::default();
            line.plain(text);
            line
        };
        let rows = rows.iter().map(|row| row.iter().map(cell).collect());
        let mut out = Vec::new();
        write(&mut out, &Palette::PLAIN, &columns, rows, headings, limit).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_long_cell_is_written_once() {
        // A format width ends at 65,535.
        let long = "x".repeat(70_000);
        for limit in [None, Some(80)] {
            let rows = [["a", &long, &long], ["b", "1", "c"], [&long, "", "c"]];
            let columns = ["ID", "N", "TEXT"].map(|heading| Column {
                heading,
                right: heading == "N",
                least: None,
                spare: false,
            });
            let cell = |text: &&str| {
                let mut line = Line::default();
                line.plain(text);
                line
            };
            let rows = rows.iter().map(|row| row.iter().map(cell).collect());
            let mut out = Vec::new();
            write(&mut out, &Palette::PLAIN, &columns, rows, true, limit).unwrap();
            assert!(out.len() < 3 * long.len() + 4 * 3 * ALIGNED, "{} bytes", out.len());
        }
    }

    #[test]
    fn columns_are_as_wide_as_needed() {
        let rows = [["a", "1", "x y"], ["bbb", "10", ""]];
        check(&rows, true, None, "ID   N TEXT\na    1 x y\nbbb 10\n");
        check(&rows, false, None, "a    1 x y\nbbb 10\n");
        check(&[], true, None, "ID N TEXT\n");
    }

    #[test]
    fn only_terminals_cut() {
        let rows = [["a", "1", "日本 and more"]];
        check(&rows, false, None, "a 1 日本 and more\n");
        check(&rows, false, Some(17), "a 1 日本 and more\n");
        // What is spare goes first.
        check(&rows, false, Some(16), "a 日本 and more\n");
        check(&rows, false, Some(8), "a 日本 …\n");
        // Never below the least, even if that is too wide.
        check(&rows, false, Some(2), "a 日…\n");
    }
}
