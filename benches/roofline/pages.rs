//! Memory whose page size is chosen: huge pages where the system has them, or small ones.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

/// A page of 2 MiB, the size of x86-64's huge pages and of AArch64's.
const HUGE_PAGE: usize = 2 << 20;

/// What the system is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PageSize {
    Huge,
    Small,
}

// SAFETY: shared references only read the memory.
unsafe impl Sync for Pages {}

/// Zeroed memory that starts on a page of 2 MiB.
pub(crate) struct Pages {
    start: *mut u64,
    layout: Layout,
}

impl Pages {
    /// At least `bytes` bytes, all of them touched.
    pub(crate) fn new(bytes: usize, size: PageSize) -> Self {
        let bytes = bytes.max(1).next_multiple_of(HUGE_PAGE);
        let layout = Layout::from_size_align(bytes, HUGE_PAGE).expect("a size that can exist");
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        #[cfg(target_os = "linux")]
        {
            let advice = match size {
                PageSize::Huge => libc::MADV_HUGEPAGE,
                PageSize::Small => libc::MADV_NOHUGEPAGE,
            };
            // SAFETY: a hint about memory of ours that nothing has touched yet.
            unsafe { libc::madvise(start.cast(), bytes, advice) };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = size;
        // SAFETY: `bytes` bytes from `start` are ours.
        unsafe { start.write_bytes(0, bytes) };
        Self { start: start.cast(), layout }
    }

    pub(crate) fn words(&self) -> &[u64] {
        // SAFETY: the memory is ours, aligned, and was zeroed.
        unsafe { std::slice::from_raw_parts(self.start, self.layout.size() / 8) }
    }

    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.layout.size() / 8) }
    }

    /// How much of it lies on huge pages, from 0 to 1, if the system tells.
    pub(crate) fn huge_share(&self) -> Option<f64> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let (start, end) = (self.start.addr(), self.start.addr() + self.layout.size());
        let (mut inside, mut huge) = (false, 0);
        for line in maps.lines() {
            let (first, rest) = line.split_once(' ')?;
            if let Some((from, to)) = first.split_once('-') {
                let from = usize::from_str_radix(from, 16).ok()?;
                inside = from < end && usize::from_str_radix(to, 16).ok()? > start;
            } else if inside && first == "AnonHugePages:" {
                huge += rest.trim().trim_end_matches(" kB").parse::<usize>().ok()? << 10;
            }
        }
        Some((huge as f64 / self.layout.size() as f64).min(1.0))
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and not used after this.
        unsafe { dealloc(self.start.cast(), self.layout) };
    }
}
