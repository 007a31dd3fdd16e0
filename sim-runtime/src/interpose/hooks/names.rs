//! `getaddrinfo(3)`: hosts of the simulation by name.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_int};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use libc::addrinfo;

use super::addresses;
use super::real::Real;
use crate::interpose::hatch;
use crate::{fiber, world};

type Get = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;
type Free = unsafe extern "C" fn(*mut addrinfo);

// SAFETY: the type is that of the function's manual page.
static GETADDRINFO: Real<Get> = unsafe { Real::new(c"getaddrinfo") };
// SAFETY: as above.
static FREEADDRINFO: Real<Free> = unsafe { Real::new(c"freeaddrinfo") };

/// One answer and its address, in one piece of memory. The first field is what callers see.
#[repr(C)]
struct Answer {
    info: addrinfo,
    address: libc::sockaddr_storage,
}

/// The first answers of lists that were given out and not taken back.
static GIVEN: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// A text that a caller passes, if it is one.
///
/// # Safety
///
/// `text` is null or ends in NUL.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by the contract.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// The addresses of a host, by the simulation. Names of services are numbers.
fn look_up(
    host: Option<&str>,
    service: Option<&str>,
    flags: c_int,
) -> Result<Vec<SocketAddr>, c_int> {
    let port = match service {
        None | Some("") => 0,
        Some(service) => service.parse().map_err(|_| libc::EAI_SERVICE)?,
    };
    let ips = match host {
        None if flags & libc::AI_PASSIVE != 0 => vec![IpAddr::from([0, 0, 0, 0])],
        None => vec![IpAddr::from([127, 0, 0, 1])],
        Some(host) if flags & libc::AI_NUMERICHOST != 0 => {
            vec![host.parse().map_err(|_| libc::EAI_NONAME)?]
        }
        Some(host) => {
            let takes = world::with(|world| Ok(world.sockets()?.resolve_takes(host)));
            let takes = takes.map_err(|_: std::io::Error| libc::EAI_NONAME)?;
            if !takes.is_zero() {
                let end = world::with(|world| world.clock() + takes);
                fiber::wait_for(Some(end), |_| false);
            }
            let found = world::with(|world| world.sockets()?.resolve(host));
            found.map_err(|error| match error.kind() {
                ErrorKind::TimedOut => libc::EAI_AGAIN,
                _ => libc::EAI_NONAME,
            })?
        }
    };
    Ok(ips
        .into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .collect())
}

/// The list that answers a question: for each address each kind of socket that was asked for.
fn list(addresses: &[SocketAddr], family: c_int, kind: c_int) -> *mut addrinfo {
    let kinds = [
        (libc::SOCK_STREAM, libc::IPPROTO_TCP),
        (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
    ];
    let wanted = |place: &(c_int, c_int)| kind == 0 || kind == place.0;
    let mut next = ptr::null_mut();
    for address in addresses.iter().rev() {
        let own = match address {
            SocketAddr::V4(_) => libc::AF_INET,
            SocketAddr::V6(_) => libc::AF_INET6,
        };
        if family != libc::AF_UNSPEC && family != own {
            continue;
        }
        for (kind, protocol) in kinds.iter().rev().filter(|place| wanted(place)) {
            let (storage, length) = addresses::to_c(*address);
            let answer = Box::into_raw(Box::new(Answer {
                info: addrinfo {
                    ai_flags: 0,
                    ai_family: own,
                    ai_socktype: *kind,
                    ai_protocol: *protocol,
                    ai_addrlen: length,
                    ai_addr: ptr::null_mut(),
                    ai_canonname: ptr::null_mut(),
                    ai_next: next,
                },
                address: storage,
            }));
            // SAFETY: just made, and nobody else's yet.
            unsafe { (*answer).info.ai_addr = (&raw mut (*answer).address).cast() };
            next = answer.cast::<addrinfo>();
        }
    }
    next
}

/// `getaddrinfo(3)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getaddrinfo(
    host: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    out: *mut *mut addrinfo,
) -> c_int {
    if hatch::is_suspended() || !crate::in_simulation() {
        return match GETADDRINFO.get() {
            // SAFETY: the caller's promise, passed on.
            Some(getaddrinfo) => unsafe { getaddrinfo(host, service, hints, out) },
            None => libc::EAI_FAIL,
        };
    }
    let (family, kind, flags) = match hints.is_null() {
        true => (libc::AF_UNSPEC, 0, 0),
        false => {
            // SAFETY: the caller's promise.
            let hints = unsafe { &*hints };
            (hints.ai_family, hints.ai_socktype, hints.ai_flags)
        }
    };
    // SAFETY: the caller's promise.
    let (host, service) = unsafe { (text(host), text(service)) };
    let addresses = match look_up(host, service, flags) {
        Ok(addresses) => addresses,
        Err(code) => return code,
    };
    let first = list(&addresses, family, kind);
    if first.is_null() {
        return libc::EAI_NONAME;
    }
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    given.insert(first as usize);
    drop(given);
    // SAFETY: the caller's promise.
    unsafe { out.write(first) };
    0
}

/// `freeaddrinfo(3)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour for its own lists.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn freeaddrinfo(first: *mut addrinfo) {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_ours = given.remove(&(first as usize));
    drop(given);
    if !is_ours {
        if let Some(freeaddrinfo) = FREEADDRINFO.get() {
            // SAFETY: the caller's promise, passed on.
            unsafe { freeaddrinfo(first) };
        }
        return;
    }
    let mut next = first;
    while !next.is_null() {
        // SAFETY: every entry of a list of ours is a box of an `Answer`.
        let answer = unsafe { Box::from_raw(next.cast::<Answer>()) };
        next = answer.info.ai_next;
    }
}
