//! Pointers from C: NULL, alignment and size are checked here, and nowhere else.

use super::status::{
    DEMASK_ERR_ALIGN, DEMASK_ERR_NULL, DEMASK_ERR_SHAPE, DEMASK_ERR_STRUCT, Refusal,
};
use crate::canvas::PositionKind;
use core::mem::MaybeUninit;
use half::{bf16, f16};

/// The longest struct that is accepted: a larger `struct_size` is surely a mistake.
const MAX_STRUCT_SIZE: usize = 4096;

/// Plain data of C.
///
/// # Safety
/// Every bit pattern is a value, and there is no padding.
pub(super) unsafe trait Plain: Copy {
    /// All bits zero.
    fn zeroed() -> Self {
        // SAFETY: every bit pattern is a value.
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

// SAFETY: numbers of C.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: a `u16`, and transparent.
unsafe impl Plain for f16 {}
// SAFETY: as above.
unsafe impl Plain for bf16 {}
// SAFETY: a `u8`, and transparent.
unsafe impl Plain for PositionKind {}

/// A struct that may get more fields at its end. Its size as the caller's header knew it tells
/// which version the caller has: what a shorter one lacks is zero, and what a longer one has beyond
/// this library's knowledge must be zero.
///
/// # Safety
/// As for [`Plain`], and `FIRST_SIZE` is at most its size.
pub(super) unsafe trait Growing: Plain {
    /// The size of the first version that was released; a shorter struct is a mistake.
    const FIRST_SIZE: usize;
}

/// Declares C structs as [`Growing`] (or [`Plain`] only, without a first size), and asserts their
/// sizes on 64-bit targets.
macro_rules! c_struct {
    ($name:ty: $size:literal, grew from $first:literal) => {
        $crate::capi::pointer::c_struct!($name: $size);
        const _: () = assert!($first <= $size && $first % align_of::<$name>() == 0);
        // SAFETY: as for `Plain`; the first size is asserted above.
        unsafe impl $crate::capi::pointer::Growing for $name {
            const FIRST_SIZE: usize =
                if cfg!(target_pointer_width = "64") { $first } else { size_of::<$name>() };
        }
    };
    ($name:ty: $size:literal) => {
        #[cfg(target_pointer_width = "64")]
        const _: () = assert!(size_of::<$name>() == $size, "the ABI of a struct has changed");
        // SAFETY: its fields are numbers and raw pointers, and its size is the sum of theirs.
        unsafe impl $crate::capi::pointer::Plain for $name {}
    };
}
pub(super) use c_struct;

/// Asserts that a struct of the crate is one of C, field by field.
macro_rules! same_layout {
    ($rust:ty, $c:ty: $($field:ident),+) => {
        const _: () = assert!(
            size_of::<$rust>() == size_of::<$c>()
                && align_of::<$rust>() == align_of::<$c>()
                $(&& offset_of!($rust, $field) == offset_of!($c, $field))+
        );
        // SAFETY: its fields are numbers, in the places of those of a plain struct of C.
        unsafe impl Plain for $rust {}
    };
}
pub(super) use same_layout;

/// Refuses NULL and misaligned pointers.
fn check<T>(at: *const T) -> Result<(), Refusal> {
    if at.is_null() {
        return Err(Refusal(DEMASK_ERR_NULL));
    }
    if at.is_aligned() { Ok(()) } else { Err(Refusal(DEMASK_ERR_ALIGN)) }
}

/// Refuses arrays that do not fit in an address space.
fn check_array<T>(first: *const T, count: usize, size: usize) -> Result<(), Refusal> {
    check(first)?;
    let bytes = count.checked_mul(size).filter(|&bytes| isize::try_from(bytes).is_ok());
    bytes.map(|_| ()).ok_or(Refusal(DEMASK_ERR_SHAPE))
}

fn check_size<T: Growing>(size: usize) -> Result<(), Refusal> {
    let known =
        (T::FIRST_SIZE..=MAX_STRUCT_SIZE).contains(&size) && size.is_multiple_of(align_of::<T>());
    if known { Ok(()) } else { Err(Refusal(DEMASK_ERR_STRUCT)) }
}

/// Reads a struct that begins with its own size.
///
/// # Safety
/// The caller's promise for `at`.
pub(super) unsafe fn read<T: Growing>(at: *const T) -> Result<T, Refusal> {
    check(at)?;
    // SAFETY: not NULL, aligned; every growing struct begins with its size.
    let size = unsafe { at.cast::<u32>().read() } as usize;
    check_size::<T>(size)?;
    // SAFETY: the caller's promise: `at` has the size that it says.
    unsafe { copy_in(at, size) }
}

/// Copies a struct of `size` bytes, which was checked.
///
/// # Safety
/// `at` is aligned and has `size` readable bytes.
unsafe fn copy_in<T: Growing>(at: *const T, size: usize) -> Result<T, Refusal> {
    let mut value = T::zeroed();
    let known = size.min(size_of::<T>());
    // SAFETY: both have `known` bytes, and whatever they are is a value.
    unsafe { at.cast::<u8>().copy_to_nonoverlapping((&raw mut value).cast(), known) };
    // SAFETY: `known` is at most `size`.
    let tail = unsafe { core::slice::from_raw_parts(at.cast::<u8>().add(known), size - known) };
    if tail.iter().all(|&byte| byte == 0) { Ok(value) } else { Err(Refusal(DEMASK_ERR_STRUCT)) }
}

/// Fills a struct of the caller, of `size` bytes, from a whole one.
///
/// # Safety
/// The caller's promise for `at`.
pub(super) unsafe fn fill<T: Growing>(at: *mut T, size: usize, value: &T) -> Result<(), Refusal> {
    check(at)?;
    check_size::<T>(size)?;
    let known = size.min(size_of::<T>());
    // SAFETY: both have `known` bytes, none of them padding, and `at` has `size` writable ones.
    unsafe {
        at.cast::<u8>().write_bytes(0, size);
        at.cast::<u8>().copy_from_nonoverlapping((&raw const *value).cast(), known);
    }
    Ok(())
}

/// An array of structs whose elements are `size` bytes apart: the caller's size of one.
#[derive(Clone, Copy)]
pub(super) struct Elements<T> {
    first: *mut T,
    count: usize,
    size: usize,
}

impl<T: Growing> Elements<T> {
    /// # Safety
    /// The caller's promise for `first`, in elements of `size` bytes.
    pub(super) unsafe fn new(first: *mut T, count: usize, size: u32) -> Result<Self, Refusal> {
        let size = size as usize;
        if count > 0 {
            check_size::<T>(size)?;
            check_array(first, count, size)?;
        }
        Ok(Self { first, count, size })
    }

    /// How many bytes an element has.
    pub(super) fn element_size(&self) -> usize {
        self.size
    }

    /// Pointers to the elements. They are aligned and, up to the caller's size, readable.
    pub(super) fn pointers(self) -> impl Iterator<Item = *mut T> {
        (0..self.count).map(move |k| self.first.wrapping_byte_add(k * self.size))
    }

    /// Copies of the elements.
    pub(super) fn read(self) -> impl Iterator<Item = Result<T, Refusal>> {
        // SAFETY: the promise that `new` was made with; `new` checked the size and the first.
        self.pointers().map(move |at| unsafe { copy_in(at, self.size) })
    }
}

/// An array to be read; (NULL, 0) is an empty one.
///
/// # Safety
/// The caller's promise for `first`, as long as the result lives.
pub(super) unsafe fn slice<'a, T: Plain>(
    first: *const T,
    count: usize,
) -> Result<&'a [T], Refusal> {
    if count == 0 {
        return Ok(&[]);
    }
    check_array(first, count, size_of::<T>())?;
    // SAFETY: not NULL, aligned, of a possible size; the rest is the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts(first, count) })
}

/// An array to be read and written; (NULL, 0) is an empty one.
///
/// # Safety
/// The caller's promise for `first`, as long as the result lives; all of it is initialised.
pub(super) unsafe fn slice_mut<'a, T: Plain>(
    first: *mut T,
    count: usize,
) -> Result<&'a mut [T], Refusal> {
    if count == 0 {
        return Ok(&mut []);
    }
    check_array(first, count, size_of::<T>())?;
    // SAFETY: not NULL, aligned, of a possible size; the rest is the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts_mut(first, count) })
}

/// An array to be written, which C need not have initialised; (NULL, 0) is an empty one.
///
/// # Safety
/// The caller's promise for `first`, as long as the result lives.
pub(super) unsafe fn slice_out<'a, T: Plain>(
    first: *mut T,
    count: usize,
) -> Result<&'a mut [MaybeUninit<T>], Refusal> {
    if count == 0 {
        return Ok(&mut []);
    }
    check_array(first, count, size_of::<T>())?;
    // SAFETY: not NULL, aligned, of a possible size; the rest is the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts_mut(first.cast(), count) })
}

/// As [`slice_out`], but NULL says that the array is not wanted.
///
/// # Safety
/// The caller's promise for `first`, as long as the result lives.
pub(super) unsafe fn optional_slice_out<'a, T: Plain>(
    first: *mut T,
    count: usize,
) -> Result<Option<&'a mut [MaybeUninit<T>]>, Refusal> {
    if first.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { slice_out(first, count) }.map(Some)
}

/// Writes `values` to the beginning of `target`, which is at least as long.
pub(super) fn write_each<'a, T: Plain + 'a>(
    target: &mut [MaybeUninit<T>],
    values: impl IntoIterator<Item = &'a T>,
) {
    for (place, &value) in target.iter_mut().zip(values) {
        place.write(value);
    }
}

/// Writes `value` to all of `target`, which may be read from then on.
pub(super) fn write_all<T: Plain>(target: &mut [MaybeUninit<T>], value: T) -> &mut [T] {
    target.fill(MaybeUninit::new(value));
    let target: *mut [MaybeUninit<T>] = target;
    // SAFETY: all elements have just been written, and the borrow goes on.
    unsafe { &mut *(target as *mut [T]) }
}

/// A single value to be written, which C need not have initialised.
///
/// # Safety
/// The caller's promise for `at`, as long as the result lives.
pub(super) unsafe fn out<'a, T>(at: *mut T) -> Result<&'a mut MaybeUninit<T>, Refusal> {
    check(at)?;
    // SAFETY: not NULL and aligned; the rest is the caller's promise.
    Ok(unsafe { &mut *at.cast() })
}

/// An object that the library made.
///
/// # Safety
/// The caller's promise: NULL, or what its create function gave and nobody has freed.
pub(super) unsafe fn object<'a, T>(at: *const T) -> Result<&'a T, Refusal> {
    check(at)?;
    // SAFETY: not NULL and aligned; the rest is the caller's promise.
    Ok(unsafe { &*at })
}

/// An object that the library made, to be changed.
///
/// # Safety
/// As for [`object`].
pub(super) unsafe fn object_mut<'a, T>(at: *mut T) -> Result<&'a mut T, Refusal> {
    check(at)?;
    // SAFETY: not NULL and aligned; the rest is the caller's promise.
    Ok(unsafe { &mut *at })
}

/// An array of objects that the library made, to be read.
///
/// # Safety
/// The caller's promise for `first`, and for each element that for an object.
pub(super) unsafe fn objects<'a, T>(
    first: *const *const T,
    count: usize,
) -> Result<&'a [&'a T], Refusal> {
    if count == 0 {
        return Ok(&[]);
    }
    check_array(first, count, size_of::<*const T>())?;
    // SAFETY: not NULL, aligned, of a possible size; the rest is the caller's promise.
    let objects = unsafe { core::slice::from_raw_parts(first, count) };
    for &object in objects {
        check(object)?;
    }
    // SAFETY: a reference has the layout of a pointer; each is checked, and by the caller's promise
    // its object lives.
    Ok(unsafe { core::slice::from_raw_parts(first.cast(), count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct of three versions: 8 bytes at first, now 16.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Grown {
        struct_size: u32,
        first: u32,
        second: f64,
    }
    c_struct!(Grown: 16, grew from 8);

    /// What the next version will look like.
    #[repr(C)]
    struct Next {
        now: Grown,
        third: [u32; 2],
    }

    fn read_as(size: u32, third: [u32; 2]) -> Result<Grown, Refusal> {
        let next = Next { now: Grown { struct_size: size, first: 7, second: 0.5 }, third };
        // SAFETY: every size that the rule lets through is at most the size of `next`.
        unsafe { read((&raw const next).cast()) }
    }

    #[test]
    fn a_shorter_struct_has_zeros_and_a_longer_one_must() {
        let grown = |struct_size, second| Ok(Grown { struct_size, first: 7, second });
        let refused = Err(Refusal(DEMASK_ERR_STRUCT));
        assert_eq!(read_as(16, [1, 1]), grown(16, 0.5));
        assert_eq!(read_as(8, [1, 1]), grown(8, 0.0));
        assert_eq!(read_as(24, [0, 0]), grown(24, 0.5));
        assert_eq!(read_as(24, [0, 1]), refused);
        for size in [0, 4, 7, 9, 12, 17, 4097, 4104, u32::MAX] {
            assert_eq!(read_as(size, [0, 0]), refused, "size {size}");
        }
    }

    #[test]
    fn elements_are_as_far_apart_as_the_caller_says() {
        let element = |first| Grown { struct_size: 0, first, second: 1.0 };
        let mut array =
            [5, 6].map(|first| Next { now: element(first), third: [0, first.saturating_sub(5)] });
        let first = (&raw mut array).cast::<Grown>();
        // SAFETY: two elements of 24 bytes, and six of 8.
        let (longer, shorter) =
            unsafe { (Elements::new(first, 2, 24).unwrap(), Elements::new(first, 6, 8).unwrap()) };
        let read: Vec<_> = longer.read().collect();
        assert_eq!(read, [Ok(element(5)), Err(Refusal(DEMASK_ERR_STRUCT))]);
        let read: Vec<_> = shorter.read().map(|grown| grown.unwrap().first).collect();
        assert_eq!((read[0], read[3]), (5, 6));
        // SAFETY: no element is read.
        let new = |count, size| unsafe { Elements::new(first, count, size) }.err();
        assert_eq!(new(0, 0), None, "an empty array has no element size");
        assert_eq!(new(1, 12), Some(Refusal(DEMASK_ERR_STRUCT)));
        assert_eq!(new(usize::MAX / 8, 8), Some(Refusal(DEMASK_ERR_SHAPE)));
    }

    #[test]
    fn a_filled_struct_has_a_zero_tail_and_nothing_past_it() {
        let value = Grown { struct_size: 8, first: 3, second: 2.0 };
        for (size, expected) in [(8, [8, 3, !0, !0, !0, !0]), (24, [8, 3, 0, 1 << 30, 0, 0])] {
            let mut words = [!0u64; 3];
            // SAFETY: at most 24 bytes are written.
            unsafe { fill(words.as_mut_ptr().cast::<Grown>(), size, &value) }.unwrap();
            let bytes: &[u32] = bytemuck::cast_slice(&words);
            assert_eq!(bytes, expected, "size {size}");
        }
    }

    #[test]
    fn pointers_are_checked() {
        let null = core::ptr::null::<u32>();
        let odd = null.wrapping_byte_add(6);
        // SAFETY: none of them is read.
        let slice = |first, count| unsafe { slice(first, count) };
        assert_eq!(slice(null, 0), Ok(&[][..]));
        assert_eq!(slice(odd, 0), Ok(&[][..]));
        assert_eq!(slice(null, 1), Err(Refusal(DEMASK_ERR_NULL)));
        assert_eq!(slice(odd, 1), Err(Refusal(DEMASK_ERR_ALIGN)));
        assert_eq!(slice(null.wrapping_add(1), usize::MAX / 4), Err(Refusal(DEMASK_ERR_SHAPE)));
        assert_eq!(slice(null.wrapping_add(1), usize::MAX), Err(Refusal(DEMASK_ERR_SHAPE)));
    }
}
