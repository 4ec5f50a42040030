//! The version, as macros of the header and as functions of the library.

use core::ffi::{CStr, c_char};

/// The version of this header. Before 1.0 a new minor version may break the ABI, and the name of
/// the shared library changes with it.
pub const DEMASK_VERSION_MAJOR: u32 = 0;
/// See DEMASK_VERSION_MAJOR.
pub const DEMASK_VERSION_MINOR: u32 = 1;
/// See DEMASK_VERSION_MAJOR.
pub const DEMASK_VERSION_PATCH: u32 = 0;
/// The version of this header as one number that grows with it; compare it with
/// demask_version_number().
pub const DEMASK_VERSION_NUMBER: u32 =
    (DEMASK_VERSION_MAJOR << 24) | (DEMASK_VERSION_MINOR << 16) | (DEMASK_VERSION_PATCH << 8);

/// The version of the library that is linked, in the form of DEMASK_VERSION_NUMBER.
#[unsafe(no_mangle)]
pub extern "C" fn demask_version_number() -> u32 {
    NUMBER
}

/// The version of the library that is linked, as text ("0.1.0"): static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn demask_version_string() -> *const c_char {
    TEXT.as_ptr()
}

/// From Cargo.toml, and not from the constants above, which it must agree with.
const NUMBER: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 24
    | number(env!("CARGO_PKG_VERSION_MINOR")) << 16
    | number(env!("CARGO_PKG_VERSION_PATCH")) << 8;

const _: () = assert!(NUMBER == DEMASK_VERSION_NUMBER, "the header is of another version");

const TEXT: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version holds no NUL"),
    };

const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) if number < 256 => number,
        _ => panic!("a part of the version is no number below 256"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_version_of_cargo_toml() {
        let parts = [DEMASK_VERSION_MAJOR, DEMASK_VERSION_MINOR, DEMASK_VERSION_PATCH];
        let text = parts.map(|part| part.to_string()).join(".");
        assert_eq!(text, env!("CARGO_PKG_VERSION"));
        assert_eq!(TEXT.to_str(), Ok(text.as_str()));
        let [major, minor, patch, zero] = demask_version_number().to_be_bytes().map(u32::from);
        assert_eq!(([major, minor, patch], zero), (parts, 0));
    }
}
