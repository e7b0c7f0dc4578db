//! How much of the same a test builds.

/// A number that is large enough to be a strain, or a tenth of it where `LXKNS_SCALE` is `small`,
/// as on emulated machines.
pub fn scaled(number: usize) -> usize {
    match std::env::var_os("LXKNS_SCALE") {
        Some(scale) if scale == "small" => number.div_ceil(10),
        _ => number,
    }
}
