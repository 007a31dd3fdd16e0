//! Socket addresses between Rust and C.
#![expect(unsafe_code, reason = "reads and writes structures of C callers")]

use std::ffi::c_void;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ptr;

use libc::{sockaddr, sockaddr_in, sockaddr_in6, socklen_t};

/// The address that a caller passes; `None` where it is too short or of another family.
///
/// # Safety
///
/// `address` is null or valid for a read of `length` bytes.
pub(super) unsafe fn read(address: *const sockaddr, length: socklen_t) -> Option<SocketAddr> {
    let length = length as usize;
    if address.is_null() || length < mem::size_of::<libc::sa_family_t>() {
        return None;
    }
    // SAFETY: not null and long enough.
    let family = unsafe { (&raw const (*address).sa_family).read_unaligned() };
    match i32::from(family) {
        libc::AF_INET if length >= mem::size_of::<sockaddr_in>() => {
            // SAFETY: long enough, and any bytes are a value of this structure.
            let address = unsafe { address.cast::<sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            Some(SocketAddr::from((ip, u16::from_be(address.sin_port))))
        }
        libc::AF_INET6 if length >= mem::size_of::<sockaddr_in6>() => {
            // SAFETY: long enough, and any bytes are a value of this structure.
            let address = unsafe { address.cast::<sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            // An IPv4 host by its mapped address.
            if let Some(ip) = ip.to_ipv4_mapped() {
                return Some(SocketAddr::from((ip, u16::from_be(address.sin6_port))));
            }
            let port = u16::from_be(address.sin6_port);
            let (flow, scope) = (address.sin6_flowinfo, address.sin6_scope_id);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)))
        }
        _ => None,
    }
}

/// An address as C has it, and how much of it is used.
pub(super) fn to_c(address: SocketAddr) -> (libc::sockaddr_storage, socklen_t) {
    // SAFETY: zeroes are a value of this plain structure.
    let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let place = &raw mut storage;
    let length = match address {
        SocketAddr::V4(address) => {
            let value = sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from(*address.ip()).to_be(),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is larger and as aligned.
            unsafe { place.cast::<sockaddr_in>().write(value) };
            mem::size_of::<sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            let value = sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: address.ip().octets(),
                },
                sin6_scope_id: address.scope_id(),
            };
            // SAFETY: the storage is larger and as aligned.
            unsafe { place.cast::<sockaddr_in6>().write(value) };
            mem::size_of::<sockaddr_in6>()
        }
    };
    (storage, length as socklen_t)
}

/// Gives an address to a caller, cut to the room there is, and its whole length.
///
/// # Safety
///
/// Both are null, or `length` is valid for a read and a write, and `out` for a write of as many
/// bytes as it says.
pub(super) unsafe fn write(address: SocketAddr, out: *mut sockaddr, length: *mut socklen_t) {
    if out.is_null() || length.is_null() {
        return;
    }
    let (storage, whole) = to_c(address);
    // SAFETY: by the contract.
    let room = unsafe { length.read() };
    let bytes = room.min(whole) as usize;
    // SAFETY: by the contract; the storage is not shorter.
    unsafe { ptr::copy_nonoverlapping((&raw const storage).cast::<u8>(), out.cast(), bytes) };
    // SAFETY: by the contract.
    unsafe { length.write(whole) };
}

/// Gives bytes to a caller, cut to the room there is, and how many they are then.
///
/// # Safety
///
/// As for [`write`].
pub(super) unsafe fn write_bytes(bytes: &[u8], out: *mut c_void, length: *mut socklen_t) {
    if out.is_null() || length.is_null() {
        return;
    }
    // SAFETY: by the contract.
    let room = unsafe { length.read() } as usize;
    let count = room.min(bytes.len());
    // SAFETY: by the contract.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), out.cast(), count) };
    // SAFETY: by the contract.
    unsafe { length.write(count as socklen_t) };
}
