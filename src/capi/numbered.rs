//! Rust enums as numbers of C.

use super::status::Refusal;

/// A Rust enum and its numbers. Both directions name every variant, so that a variant without a
/// number does not compile.
pub(super) trait Numbered: Sized {
    fn from_number(number: u32) -> Result<Self, Refusal>;
    fn number(self) -> u32;
}

macro_rules! numbered {
    ($name:ident: $($number:ident = $variant:ident),+) => {
        impl Numbered for $name {
            fn from_number(number: u32) -> Result<Self, Refusal> {
                match number {
                    $($number => Ok(Self::$variant),)+
                    _ => Err($crate::capi::status::Refusal(
                        $crate::capi::status::DEMASK_ERR_ARGUMENT,
                    )),
                }
            }
            fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)+ }
            }
        }
    };
}
pub(super) use numbered;
