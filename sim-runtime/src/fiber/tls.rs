//! The base of this kernel thread's thread-locals.
#![expect(
    unsafe_code,
    reason = "exchanges the register that thread-locals hang on"
)]

use std::arch::asm;
use std::sync::OnceLock;

use crate::interpose::hooks::real;

const ARCH_SET_FS: usize = 0x1002;
/// Of `AT_HWCAP2`: user code may write the register.
const FSGSBASE: u64 = 1 << 1;

/// Where thread-locals are. The first word there is its own address.
#[inline]
pub(super) fn base() -> usize {
    let base;
    // SAFETY: on this target every thread has that word.
    unsafe { asm!("mov {}, fs:0", out(reg) base, options(nostack, preserves_flags)) };
    base
}

/// Whether the register can be written without the kernel's help.
pub(super) fn is_direct() -> bool {
    static DIRECT: OnceLock<bool> = OnceLock::new();
    *DIRECT.get_or_init(|| {
        // SAFETY: asks for a number.
        let flags = unsafe { libc::getauxval(libc::AT_HWCAP2) };
        flags & FSGSBASE != 0
    })
}

/// Makes `base` the place of thread-locals.
///
/// # Safety
///
/// `base` is that of a thread that is parked, or this kernel thread's own; and the caller's frames
/// use no thread-local until it is put back.
#[inline]
pub(super) unsafe fn switch(base: usize, direct: bool) {
    if direct {
        // SAFETY: the processor has the instruction; the rest is the caller's promise.
        unsafe { asm!("wrfsbase {}", in(reg) base, options(nostack, preserves_flags)) };
        return;
    }
    if let Some(syscall) = real::SYSCALL.get() {
        // SAFETY: the caller's promise.
        unsafe { syscall(libc::SYS_arch_prctl, ARCH_SET_FS, base, 0, 0, 0, 0) };
    }
}
