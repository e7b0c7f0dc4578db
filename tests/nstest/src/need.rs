//! `need!`

/// x
#[doc(hidden)]
pub fn is_met(_: &str) -> bool {
    true
}
/// Ends the test
#[macro_export]
macro_rules! need {
    ($($name:ident),+ $(,)?) => {
        $(if !$crate::is_met(stringify!($name)) {
            return;
        })+
    };
}
