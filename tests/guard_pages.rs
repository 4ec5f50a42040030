//! Kernels read no float before the first and none after the last: rows that touch an unreadable
//! page on either side, at every length and level. (A stray read ends the process.)

#![cfg(unix)]
#![allow(unsafe_code, reason = "pages are protected by system calls")]

use demask::draw::largest;
use demask::{Constraints, Draw, Key, Level, Logits, LogitsData, RowState, Sampler};

/// Readable memory of a whole number of pages between two pages that are not.
struct Guarded {
    base: *mut libc::c_void,
    page: usize,
    bytes: usize,
}

impl Guarded {
    fn new(floats: usize) -> Self {
        // SAFETY: a question without arguments.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let bytes = (4 * floats).next_multiple_of(page);
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: a new mapping touches no memory that is in use.
        let base =
            unsafe { libc::mmap(core::ptr::null_mut(), bytes + 2 * page, access, kind, -1, 0) };
        assert_ne!(base, libc::MAP_FAILED, "memory for the test");
        for guard in [0, page + bytes] {
            // SAFETY: the first and the last page of the mapping, which nothing refers to.
            let done = unsafe { libc::mprotect(base.byte_add(guard), page, libc::PROT_NONE) };
            assert_eq!(done, 0, "a page can be protected");
        }
        Self { base, page, bytes }
    }

    fn floats(&mut self) -> &mut [f32] {
        // SAFETY: the pages between the guards are readable, writable, zeroed and ours.
        unsafe {
            let first = self.base.byte_add(self.page).cast();
            core::slice::from_raw_parts_mut(first, self.bytes / 4)
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `new`, to which no slice is left.
        unsafe { libc::munmap(self.base, self.bytes + 2 * self.page) };
    }
}

#[test]
fn no_kernel_reads_past_a_row() {
    let lengths = (1..=300).chain([1_023, 1_025, 2_047, 4_095, 4_097, 9_999, 32_001, 131_073]);
    for vocab in lengths {
        let mut memory = Guarded::new(vocab);
        let floats = memory.floats();
        for (i, x) in floats.iter_mut().enumerate() {
            *x = (i * 37 % 251) as f32 / 20.0;
        }
        let ends = [&floats[..vocab], &floats[floats.len() - vocab..]];
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let mut sampler = Sampler::builder(1, 1).level(level).build().expect("a sampler");
            for row in ends {
                let exact = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                assert_eq!(largest(level, row), exact);
                let view = Logits::new(LogitsData::F32(row), 1, vocab, vocab, None);
                let view = view.expect("a view");
                for (temperature, excluded) in [(0.0, None), (1.0, None), (1.0, Some(vocab / 2))] {
                    let excluded = excluded.map(|token| token as u32);
                    for stream in 0..4 {
                        let key = Key { stream, ..Key::default() };
                        let drawn = sampler.draw(
                            &view,
                            &Draw::at(temperature),
                            &Constraints::excluding(excluded),
                            &[key],
                        );
                        let state = drawn.expect("a draw")[0].state;
                        assert!(state == RowState::Drawn || vocab == 1 && excluded.is_some());
                    }
                }
            }
        }
    }
}
