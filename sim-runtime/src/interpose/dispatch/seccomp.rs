//! The older kernel's way to catch inline system calls: a filter that looks at the address of the
//! instruction.
//!
//! A filter stays until its thread ends and is inherited by threads and children, so it is only
//! put on the thread that a worker's child runs its one simulation on. What can only be done by
//! the caller's own instruction (`clone`, `fork`, `rt_sigreturn`) passes.
#![expect(unsafe_code, reason = "hands a program to prctl(2)")]

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{sock_filter, sock_fprog};

/// Whether a thread of this process has a filter.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Whether a thread of this process has a filter, and with it every program that it would start.
pub(super) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

const PASSED: [libc::c_long; 5] = super::inline::OWN_INSTRUCTION;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ADDRESS_LOW: u32 = 8;
const ADDRESS_HIGH: u32 = 12;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Has the kernel trap every system call of this thread that is not made from `text`, for ever.
/// False: it will not, or the text lies across 4 GiB.
pub(super) fn trap_outside(text: &Range<usize>) -> bool {
    let Some(mut program) = program(text) else {
        return false;
    };
    let program = sock_fprog {
        len: u16::try_from(program.len()).unwrap_or(0),
        filter: program.as_mut_ptr(),
    };
    // SAFETY: changes what this thread may gain by execve, which a seed's thread never does.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return false;
    }
    // SAFETY: the program is a live array of the length that it says; the kernel copies it.
    let answer = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    if answer == 0 {
        IS_ON.store(true, Ordering::Relaxed);
    }
    answer == 0
}

fn program(text: &Range<usize>) -> Option<Vec<sock_filter>> {
    let (start, last) = (text.start as u64, text.end as u64 - 1);
    if start >> 32 != last >> 32 {
        return None;
    }
    let (high, low, end) = ((start >> 32) as u32, start as u32, last as u32);
    let line = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let mut program = vec![line(LOAD, NUMBER, 0, 0)];
    let passed = PASSED.len() as u8;
    for (index, number) in (0..).zip(PASSED) {
        // To the last line but one, which allows.
        program.push(line(IF_EQUAL, number as u32, passed - index - 1 + 5, 0));
    }
    program.push(line(LOAD, ADDRESS_HIGH, 0, 0));
    program.push(line(IF_EQUAL, high, 0, 4));
    program.push(line(LOAD, ADDRESS_LOW, 0, 0));
    program.push(line(IF_AT_LEAST, low, 0, 2));
    program.push(line(IF_AT_LEAST, end.wrapping_add(1), 1, 0));
    program.push(line(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
    program.push(line(RETURN, libc::SECCOMP_RET_TRAP, 0, 0));
    Some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does: true if the call is allowed.
    fn allows(program: &[sock_filter], number: u32, address: u64) -> bool {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let line = program[at];
            at += 1;
            let jump = |taken| usize::from(if taken { line.jt } else { line.jf });
            match line.code {
                LOAD if line.k == NUMBER => loaded = number,
                LOAD if line.k == ADDRESS_LOW => loaded = address as u32,
                LOAD => loaded = (address >> 32) as u32,
                IF_EQUAL => at += jump(loaded == line.k),
                IF_AT_LEAST => at += jump(loaded >= line.k),
                _ => return line.k == libc::SECCOMP_RET_ALLOW,
            }
        }
    }

    #[test]
    fn only_the_text_and_what_needs_its_own_instruction_pass() {
        let text = 0x7fff_1000_0000..0x7fff_1000_2000;
        let program = program(&text).expect("within 4 GiB");
        let at =
            |number: libc::c_long, address: usize| allows(&program, number as u32, address as u64);
        let getpid = libc::SYS_getpid;
        assert!(at(getpid, text.start) && at(getpid, text.end - 1));
        assert!(!at(getpid, text.start - 1) && !at(getpid, text.end));
        assert!(!at(getpid, text.start - (1 << 32)));
        assert!(PASSED.iter().all(|number| at(*number, 0x1000)));
        assert!(super::program(&(0xffff_f000..0x1_0000_1000)).is_none());
    }
}
