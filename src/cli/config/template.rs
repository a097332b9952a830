//! The commented file that `doctor --init` writes. Tested in `tests`: it says nothing as written, everything when uncommented.

/// Every key with its default, commented out.
pub(super) const TEXT: &str = include_str!("default.toml");
