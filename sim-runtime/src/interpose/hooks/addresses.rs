//! Socket addresses between Rust and C.
#![expect(unsafe_code, reason = "reads and writes structures of C callers")]

use std::ffi::c_void;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ptr;
use std::slice;

use libc::{sockaddr, sockaddr_in, sockaddr_in6, sockaddr_un, socklen_t};

use crate::sockets::{Address, UnixName};

/// Where the name begins in a `struct sockaddr_un`.
const NAME_AT: usize = mem::offset_of!(sockaddr_un, sun_path);

/// The address that a caller passes; `None` where it is too short or of another family.
///
/// # Safety
///
/// `address` is null or valid for a read of `length` bytes.
pub(super) unsafe fn read(address: *const sockaddr, length: socklen_t) -> Option<Address> {
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
            let port = u16::from_be(address.sin_port);
            Some(Address::Inet(SocketAddr::from((ip, port))))
        }
        libc::AF_INET6 if length >= mem::size_of::<sockaddr_in6>() => {
            // SAFETY: long enough, and any bytes are a value of this structure.
            let address = unsafe { address.cast::<sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            // An IPv4 host by its mapped address.
            let port = u16::from_be(address.sin6_port);
            if let Some(ip) = ip.to_ipv4_mapped() {
                return Some(Address::Inet(SocketAddr::from((ip, port))));
            }
            let (flow, scope) = (address.sin6_flowinfo, address.sin6_scope_id);
            let address = SocketAddrV6::new(ip, port, flow, scope);
            Some(Address::Inet(SocketAddr::V6(address)))
        }
        libc::AF_UNIX if length <= mem::size_of::<sockaddr_un>() => {
            // SAFETY: the caller's promise: so many bytes follow.
            let name = unsafe { address.cast::<u8>().add(NAME_AT) };
            // SAFETY: as above.
            let name = unsafe { slice::from_raw_parts(name, length - NAME_AT) };
            Some(Address::Unix(UnixName(match name.first() {
                // A path ends at its NUL, an abstract name at the address's length.
                Some(first) if *first != 0 => {
                    name.iter().copied().take_while(|byte| *byte != 0).collect()
                }
                _ => name.to_vec(),
            })))
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

/// A Unix socket's name as C has it, and how much of it is used.
fn name_to_c(name: &UnixName) -> (libc::sockaddr_storage, socklen_t) {
    // SAFETY: zeroes are a value of this plain structure.
    let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let place = (&raw mut storage).cast::<sockaddr_un>();
    // SAFETY: the storage is larger and as aligned.
    unsafe { (&raw mut (*place).sun_family).write(libc::AF_UNIX as libc::sa_family_t) };
    // The last byte stays NUL: paths end in one.
    let room = mem::size_of::<sockaddr_un>() - NAME_AT;
    let count = name.0.len().min(room);
    // SAFETY: within the structure.
    let bytes = unsafe { (&raw mut storage).cast::<u8>().add(NAME_AT) };
    // SAFETY: there is room for so many.
    unsafe { ptr::copy_nonoverlapping(name.0.as_ptr(), bytes, count) };
    let is_path = name.0.first().is_some_and(|first| *first != 0);
    let length = NAME_AT + count + usize::from(is_path);
    (storage, length as socklen_t)
}

/// Gives an address to a caller, cut to the room there is, and its whole length.
///
/// # Safety
///
/// Both are null, or `length` is valid for a read and a write, and `out` for a write of as many
/// bytes as it says.
pub(super) unsafe fn write(address: &Address, out: *mut sockaddr, length: *mut socklen_t) {
    if out.is_null() || length.is_null() {
        return;
    }
    let (storage, whole) = match address {
        Address::Inet(address) => to_c(*address),
        Address::Unix(name) => name_to_c(name),
    };
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
