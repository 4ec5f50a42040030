//! Kernels read no element before the first and none after the last: rows that touch an unreadable
//! page on either side, at every length and level, of every type and under every filter. (A stray
//! read ends the process.)

#![cfg(unix)]
#![allow(unsafe_code, reason = "pages are protected by system calls")]

use demask::draw::largest;
use demask::policy::FilterOrder;
use demask::{
    AllowedTokens, Constraints, Draw, Key, Level, Logits, LogitsData, RowOutputs, RowState,
    RowStatistics, Sampler, Statistics, bf16, f16,
};

/// Readable memory of a whole number of pages between two pages that are not.
struct Guarded {
    base: *mut libc::c_void,
    page: usize,
    bytes: usize,
}

impl Guarded {
    /// At least so many bytes.
    fn new(bytes: usize) -> Self {
        // SAFETY: a question without arguments.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let bytes = bytes.next_multiple_of(page);
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

    /// All of it, as elements for which every bit pattern is a value.
    fn elements<T: Pattern>(&mut self) -> &mut [T] {
        // SAFETY: the pages between the guards are readable, writable, zeroed and ours, and aligned
        // for every `T`, which may hold any bits.
        unsafe {
            let first = self.base.byte_add(self.page).cast();
            core::slice::from_raw_parts_mut(first, self.bytes / size_of::<T>())
        }
    }
}

/// A type for which every bit pattern is a value.
trait Pattern: Copy {}
impl Pattern for f32 {}
impl Pattern for f16 {}
impl Pattern for bf16 {}
impl Pattern for u32 {}

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
        let mut memory = Guarded::new(4 * vocab);
        let floats = memory.elements::<f32>();
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

/// Draws from the elements that touch the guard on either side.
fn draw_at_both_ends<T: Pattern>(
    vocab: usize,
    element: fn(f32) -> T,
    data: for<'a> fn(&'a [T]) -> LogitsData<'a>,
) {
    let (mut memory, mut words) = (Guarded::new(2 * 4 * vocab), Guarded::new(vocab.div_ceil(8)));
    let elements = memory.elements::<T>();
    for (i, x) in elements.iter_mut().enumerate() {
        *x = element((i * 37 % 251) as f32 / 20.0);
    }
    let (width, words) = (vocab.div_ceil(32), words.elements::<u32>());
    words.fill(u32::MAX);
    let words = &words[words.len() - width..];
    let plain = Draw::at(1.0);
    let filters = [
        plain,
        Draw::at(0.0),
        Draw { top_k: 5, ..plain },
        Draw { top_k: 40, top_p: 0.8, min_p: 0.01, ..plain },
        Draw { top_p: 0.7, ..plain },
        Draw { min_p: 0.1, ..plain },
        Draw { top_p: 0.9, filter_order: FilterOrder::BeforeTemperature, ..Draw::at(2.0) },
    ];
    let allowed = Some(AllowedTokens { words, stride: 0 });
    let constraints = [Constraints::NONE, Constraints { allowed, ..Constraints::NONE }];
    let (first, last) = (&elements[..vocab], &elements[elements.len() - vocab..]);
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let builder = Sampler::builder(40, 1).level(level).vocab(vocab);
        let mut sampler = builder.build().expect("a sampler");
        let view = |row| Logits::new(data(row), 1, vocab, vocab, None).expect("a view");
        let guided = view(first).guided(&view(last), 1.5).expect("a guide that fits");
        for logits in [view(first), view(last), guided] {
            for draw in &filters {
                for constraints in &constraints {
                    for draws in [1, 33] {
                        let key = [Key::default()];
                        let drawn = sampler.draw_many(&logits, draw, constraints, &key, draws);
                        let drawn = drawn.expect("a draw");
                        assert!(drawn.iter().all(|drawn| drawn.state == RowState::Drawn));
                    }
                    let mut statistics = [RowStatistics::BAD];
                    let into = RowOutputs { statistics: &mut statistics, top: &mut [] };
                    let (wanted, key) =
                        (Statistics { filtered: true, ..Statistics::default() }, [Key::default()]);
                    sampler
                        .draw_with_statistics(&logits, draw, constraints, &key, &wanted, into)
                        .expect("a draw");
                    assert!(statistics[0].probability > 0.0);
                }
            }
        }
    }
}

#[test]
fn no_filter_reads_past_a_row_of_any_type() {
    for vocab in (1..=70).chain([127, 129, 255, 257, 511, 513, 1_025, 4_097, 9_999, 33_001]) {
        draw_at_both_ends(vocab, |x| x, |row| LogitsData::F32(row));
        draw_at_both_ends(vocab, f16::from_f32, |row| LogitsData::F16(row));
        draw_at_both_ends(vocab, bf16::from_f32, |row| LogitsData::Bf16(row));
    }
}
