//! Themes: how each role looks, on a dark and on a light background, or as a user likes it.
//!
//! The built-in themes tell the eight types apart by hue. They use nothing but the 256 colours that
//! practically every terminal has, and no backgrounds, which clash with selections and
//! half-transparent terminals. Every colour keeps a contrast of 4.5:1 to black (dark theme) or
//! white (light theme).

use std::fmt;

use lxkns_species::NamespaceType;
use owo_colors::{Rgb, Style, XtermColors};

use super::role::Role;

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    /// One of the terminal's 256.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// How something looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    pub(crate) bold: bool,
    pub(crate) italic: bool,
    pub(crate) underline: bool,
    pub(crate) dim: bool,
    pub(crate) reverse: bool,
    pub(crate) fg: Option<Color>,
    pub(crate) bg: Option<Color>,
}

/// The names in theme files. `cgroup` is for cgroup namespaces and for cgroup paths.
pub(crate) const KEYS: [&str; 14] = [
    "cgroup",
    "ipc",
    "mnt",
    "net",
    "pid",
    "time",
    "user",
    "uts",
    "process",
    "owner",
    "unknown",
    "caps-none",
    "caps-effective",
    "caps-all",
];

/// How everything looks: a paint for each of [`KEYS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Theme([Paint; KEYS.len()]);

/// For dark backgrounds.
pub(crate) const DARK: Theme = Theme([
    fg(173),
    fg(109),
    fg(75),
    fg(114),
    fg(221),
    fg(181),
    fg(213),
    fg(80),
    bold(PLAIN),
    fg(183),
    italic(fg(203)),
    fg(203),
    fg(221),
    fg(114),
]);

/// For light backgrounds.
pub(crate) const LIGHT: Theme = Theme([
    fg(130),
    fg(60),
    fg(26),
    fg(28),
    fg(94),
    fg(95),
    fg(127),
    fg(23),
    bold(PLAIN),
    fg(97),
    italic(fg(160)),
    fg(160),
    fg(94),
    fg(28),
]);

const PLAIN: Paint = Paint {
    bold: false,
    italic: false,
    underline: false,
    dim: false,
    reverse: false,
    fg: None,
    bg: None,
};

const fn fg(index: u8) -> Paint {
    Paint { fg: Some(Color::Indexed(index)), ..PLAIN }
}

const fn bold(paint: Paint) -> Paint {
    Paint { bold: true, ..paint }
}

const fn italic(paint: Paint) -> Paint {
    Paint { italic: true, ..paint }
}

impl Theme {
    /// The theme's terminal style for a role.
    pub(crate) fn style(&self, role: Role) -> Style {
        let key = match role {
            Role::Plain => return Style::new(),
            Role::Namespace(namespace_type) => namespace_type.name(),
            Role::Process => "process",
            Role::Owner => "owner",
            Role::Cgroup => NamespaceType::Cgroup.name(),
            Role::Unknown => "unknown",
            Role::CapsNone => "caps-none",
            Role::CapsEffective => "caps-effective",
            Role::CapsAll => "caps-all",
        };
        let paint = self.entries().find(|(name, _)| *name == key);
        paint.map_or_else(Style::new, |(_, paint)| paint.style())
    }

    /// Replaces one paint; the key is one of [`KEYS`], or nothing happens.
    pub(crate) fn set(&mut self, key: &str, paint: Paint) {
        let at = KEYS.iter().position(|name| *name == key);
        if let Some(slot) = at.and_then(|at| self.0.get_mut(at)) {
            *slot = paint;
        }
    }

    fn entries(&self) -> impl Iterator<Item = (&'static str, Paint)> {
        KEYS.into_iter().zip(self.0)
    }
}

impl Default for Paint {
    fn default() -> Paint {
        PLAIN
    }
}

impl Paint {
    fn style(self) -> Style {
        let with = |style: Style, wanted, add: fn(Style) -> Style| {
            if wanted { add(style) } else { style }
        };
        let style = with(Style::new(), self.bold, Style::bold);
        let style = with(style, self.italic, Style::italic);
        let style = with(style, self.underline, Style::underline);
        let style = with(style, self.dim, Style::dimmed);
        let style = with(style, self.reverse, Style::reversed);
        let style = match self.fg {
            Some(Color::Indexed(index)) => style.color(XtermColors::from(index)),
            Some(Color::Rgb(r, g, b)) => style.color(Rgb(r, g, b)),
            None => style,
        };
        match self.bg {
            Some(Color::Indexed(index)) => style.on_color(XtermColors::from(index)),
            Some(Color::Rgb(r, g, b)) => style.on_color(Rgb(r, g, b)),
            None => style,
        }
    }
}

/// As in a theme file.
impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, paint) in self.entries() {
            writeln!(f, "{key} = {paint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Paint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes = [
            ("bold", self.bold),
            ("italic", self.italic),
            ("underline", self.underline),
            ("dim", self.dim),
            ("reverse", self.reverse),
        ];
        let attributes = attributes.into_iter().filter(|(_, set)| *set);
        let colors = [("fg", self.fg), ("bg", self.bg)];
        let fields: Vec<String> = attributes
            .map(|(name, _)| format!("{name} = true"))
            .chain(colors.into_iter().filter_map(|(name, color)| {
                let value = match color? {
                    Color::Indexed(index) => index.to_string(),
                    Color::Rgb(r, g, b) => format!("\"#{r:02x}{g:02x}{b:02x}\""),
                };
                Some(format!("{name} = {value}"))
            }))
            .collect();
        if fields.is_empty() { f.write_str("{}") } else { write!(f, "{{ {} }}", fields.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of one of the colours 16 to 255, as WCAG 2 defines it.
    fn luminance(index: u8) -> f64 {
        let level = |step: u8| [0u8, 95, 135, 175, 215, 255][usize::from(step)];
        let rgb = match index {
            232.. => [8 + (index - 232) * 10; 3],
            16.. => {
                let cube = index - 16;
                [cube / 36, cube / 6 % 6, cube % 6].map(level)
            }
            _ => panic!("{index}: what the first 16 look like is up to the terminal"),
        };
        let [r, g, b] = rgb.map(|value| match f64::from(value) / 255.0 {
            small if small <= 0.03928 => small / 12.92,
            value => ((value + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    #[test]
    fn built_in_colours_can_be_read_on_their_background() {
        for (theme, background) in [(DARK, 0.0), (LIGHT, 1.0)] {
            for (key, paint) in theme.entries() {
                let Some(color) = paint.fg else { continue };
                let Color::Indexed(index) = color else {
                    panic!("{key} is not of the 256 colours");
                };
                let (a, b) = (luminance(index) + 0.05, background + 0.05);
                let contrast = f64::max(a, b) / f64::min(a, b);
                assert!(contrast >= 4.5, "{key}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn types_differ_in_colour() {
        for Theme(paints) in [DARK, LIGHT] {
            let types = &paints[..8];
            for (at, paint) in types.iter().enumerate() {
                assert!(!types[..at].contains(paint), "{}", KEYS[at]);
            }
        }
    }

    #[test]
    fn keys_start_with_the_types_in_their_order() {
        assert_eq!(KEYS[..8], NamespaceType::ALL.map(NamespaceType::name));
    }
}
