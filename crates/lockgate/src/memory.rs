//! The allocator. Batches and requests are many short-lived values.
#![expect(unsafe_code, reason = "the allocator's options are set through its C interface")]

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3.
const PURGE_DELAY: mi_option_t = 15;

/// Free memory goes back to the system half a second after it was last used, not at once: each
/// batch uses what the one before has freed, and giving it back in between costs a page fault for
/// every 4 KiB.
pub fn keep_for_a_while() {
    // SAFETY: sets an integer option; no pointer is passed.
    unsafe { mi_option_set(PURGE_DELAY, 500) }
}
