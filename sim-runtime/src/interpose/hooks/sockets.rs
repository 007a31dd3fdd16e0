//! Sockets of code that opens them by itself: std, `socket2`, C libraries.
//!
//! A call on a simulated number goes to the network device, which never blocks; where the guest's
//! socket does, the fiber or task waits here. What is neither an internet nor a Unix socket is the
//! kernel's.
#![expect(unsafe_code, reason = "reads and writes what C callers point to")]

use std::ffi::{c_int, c_long, c_void};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::slice;

use libc::{iovec, msghdr, size_t, sockaddr, socklen_t};

use super::addresses;
use super::files::{answer, ask};
use crate::ids::SimInstant;
use crate::interpose::hatch;
use crate::sockets::{Address, SocketCalls};
use crate::{Fd, fiber, world};

fn error(code: c_int) -> io::Error {
    io::Error::from_raw_os_error(code)
}

/// Calls the socket behind a simulated number; `None` where the kernel must answer.
pub(super) fn on<T>(
    fd: c_int,
    call: impl FnOnce(&dyn SocketCalls) -> io::Result<T>,
) -> Option<io::Result<T>> {
    ask(fd, |_, description| match description.as_socket() {
        Some(socket) => call(socket),
        None => Err(error(libc::ENOTSOCK)),
    })
}

/// Whether a simulated number is a socket.
pub(super) fn is_socket(fd: c_int) -> bool {
    let asked = ask(fd, |_, description| Ok(description.as_socket().is_some()));
    matches!(asked, Some(Ok(true)))
}

/// Tries, and waits while the answer is `EAGAIN` and the socket blocks.
pub(super) fn retry<T>(
    fd: c_int,
    (writing, dont_wait): (bool, bool),
    mut call: impl FnMut(&dyn SocketCalls) -> io::Result<T>,
) -> Option<io::Result<T>> {
    let mut deadline = None;
    loop {
        let tried = on(fd, |socket| {
            let result = call(socket);
            let blocks = !dont_wait && !socket.is_nonblocking();
            Ok((result, blocks.then(|| socket.timeout(writing))))
        })?;
        let (result, blocks) = match tried {
            Ok(tried) => tried,
            Err(error) => return Some(Err(error)),
        };
        let is_early = matches!(&result, Err(e) if e.raw_os_error() == Some(libc::EAGAIN));
        let (true, Some(timeout)) = (is_early, blocks) else {
            return Some(result);
        };
        let after = |limit| world::with(|world| world.clock() + limit);
        let end = *deadline.get_or_insert_with(|| timeout.map(after));
        if !wait(fd, writing, end) {
            return Some(result);
        }
    }
}

/// Waits until a socket is ready; false if the time is over, or nothing can wait here.
fn wait(fd: c_int, writing: bool, deadline: Option<SimInstant>) -> bool {
    let waited = fiber::wait_for(deadline, |waker| {
        // A socket that is gone says so at the next try.
        let polled = on(fd, |socket| socket.poll(Fd(fd), !writing, writing, waker));
        !matches!(polled, Some(Ok(false)))
    });
    matches!(waited, fiber::Waited::Woken)
}

/// A socket's last descriptor is about to be closed: waits as its `SO_LINGER` says. So does the
/// kernel, whether or not the socket blocks.
pub(super) fn linger(fd: c_int) {
    if !Fd::is_simulated(fd) || !world::try_with(|w| w.is_last_of(Fd(fd))).unwrap_or(false) {
        return;
    }
    let asked = on(fd, |socket| Ok(socket.lingers(Fd(fd))));
    if let Some(Ok(Some(limit))) = asked {
        let end = world::with(|world| world.clock() + limit);
        fiber::wait_for(Some(end), |waker| {
            let flushed = on(fd, |socket| socket.poll_flushed(Fd(fd), waker));
            !matches!(flushed, Some(Ok(false)))
        });
    }
}

/// Urgent data goes over streams alone, and is not simulated: who sends it is refused as where a
/// socket knows none, and who asks for it learns that none came.
fn refuse_urgent(fd: c_int, flags: c_int, receives: bool) -> io::Result<()> {
    if flags & libc::MSG_OOB == 0 {
        return Ok(());
    }
    let kind = on(fd, |socket| {
        socket.option(Fd(fd), libc::SOL_SOCKET, libc::SO_TYPE)
    });
    let is_stream = matches!(kind, Some(Ok(kind)) if kind == libc::SOCK_STREAM.to_ne_bytes());
    match (receives, is_stream) {
        (true, true) => Err(error(libc::EINVAL)),
        _ => Err(error(libc::EOPNOTSUPP)),
    }
}

/// Sets `O_NONBLOCK` on a socket that was just opened.
pub(super) fn make_nonblocking(fd: c_int) {
    on(fd, |socket| {
        socket.set_nonblocking(true);
        Ok(())
    });
}

/// `socket(2)`; `None` where the kernel must answer.
pub(super) fn serve_socket(domain: c_int, kind: c_int, protocol: c_int) -> Option<c_long> {
    if hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    if !matches!(domain, libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX) {
        return None;
    }
    let opened = world::with(|world| {
        let sockets = world.sockets()?;
        sockets.open(domain, kind & !FLAGS, protocol)
    });
    if let (Ok(Fd(fd)), true) = (&opened, kind & libc::SOCK_NONBLOCK != 0) {
        make_nonblocking(*fd);
    }
    Some(answer(opened.map(|Fd(number)| number as usize)))
}

/// What a socket's type may carry besides it.
pub(super) const FLAGS: c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

/// `connect(2)`.
pub(super) fn serve_connect(fd: c_int, to: Option<Address>) -> Option<c_long> {
    let address = || to.clone().ok_or_else(|| error(libc::EAFNOSUPPORT));
    let begun = on(fd, |socket| {
        let result = socket.connect(Fd(fd), address()?);
        let timeout = socket.timeout(true);
        Ok((result, !socket.is_nonblocking(), timeout))
    })?;
    let (result, blocks, timeout) = match begun {
        Ok(begun) => begun,
        Err(error) => return Some(answer(Err(error))),
    };
    let in_progress =
        |e: &io::Error| matches!(e.raw_os_error(), Some(libc::EINPROGRESS | libc::EALREADY));
    let result = match result {
        Err(begun) if blocks && in_progress(&begun) => {
            let end = timeout.map(|limit| world::with(|world| world.clock() + limit));
            match wait(fd, true, end) {
                // Asked again, the socket says what came of it: a later connect is EISCONN, or
                // starts anew.
                true => {
                    let again = on(fd, |socket| socket.connect(Fd(fd), address()?));
                    again.unwrap_or(Ok(()))
                }
                false => Err(begun),
            }
        }
        // A Unix socket's listener has no room: it is waited for.
        Err(full) if blocks && full.raw_os_error() == Some(libc::EAGAIN) => {
            let again = retry(fd, (true, false), |socket| {
                socket.connect(Fd(fd), address()?)
            });
            again.unwrap_or(Err(full))
        }
        result => result,
    };
    Some(answer(result.map(|()| 0)))
}

/// Sends pieces; `None` where the kernel must.
///
/// # Safety
///
/// `pieces` is valid for `count` entries, each valid for a read of its length; `to` as for
/// [`addresses::read`].
pub(super) unsafe fn serve_send(
    fd: c_int,
    (pieces, count): (*const iovec, usize),
    flags: c_int,
    (to, length): (*const sockaddr, socklen_t),
) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    if let Err(refused) = refuse_urgent(fd, flags, false) {
        return Some(answer(Err(refused)));
    }
    let slices: Vec<IoSlice<'_>> = (0..count)
        .map(|index| {
            // SAFETY: by the contract.
            let piece = unsafe { pieces.add(index).read() };
            match piece.iov_len {
                0 => IoSlice::new(&[]),
                // SAFETY: by the contract; it lives until this call returns.
                length => IoSlice::new(unsafe {
                    slice::from_raw_parts(piece.iov_base.cast::<u8>(), length)
                }),
            }
        })
        .collect();
    // SAFETY: by the contract.
    let address = unsafe { addresses::read(to, length) };
    if !to.is_null() && address.is_none() {
        return Some(answer(Err(error(libc::EAFNOSUPPORT))));
    }
    let whole: usize = slices.iter().map(|slice| slice.len()).sum();
    let mut sent = 0;
    let result = retry(fd, (true, flags & libc::MSG_DONTWAIT != 0), |socket| {
        // A blocking stream takes everything before it answers.
        let mut rest: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        let mut left = &mut rest[..];
        IoSlice::advance_slices(&mut left, sent);
        sent += socket.send(Fd(fd), left, address.as_ref())?;
        match sent < whole && !socket.is_nonblocking() && flags & libc::MSG_DONTWAIT == 0 {
            true => Err(error(libc::EAGAIN)),
            false => Ok(sent),
        }
    })?;
    Some(answer(match result {
        Err(_) if sent > 0 => Ok(sent),
        result => result,
    }))
}

/// Receives into pieces; `None` where the kernel must.
///
/// # Safety
///
/// `pieces` is valid for `count` entries, each valid for a write of its length; `from` and `length`
/// as for [`addresses::write`].
pub(super) unsafe fn serve_recv(
    fd: c_int,
    (pieces, count): (*const iovec, usize),
    flags: c_int,
    (from, length): (*mut sockaddr, *mut socklen_t),
) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    if let Err(refused) = refuse_urgent(fd, flags, true) {
        return Some(answer(Err(refused)));
    }
    let whole: usize = (0..count)
        // SAFETY: by the contract.
        .map(|index| unsafe { (&raw const (*pieces.add(index)).iov_len).read() })
        .sum();
    let mut bytes = vec![0; whole];
    let peek = flags & libc::MSG_PEEK != 0;
    let wants_all = flags & libc::MSG_WAITALL != 0 && !peek;
    let mut got = 0;
    let result = retry(fd, (false, flags & libc::MSG_DONTWAIT != 0), |socket| {
        let (n, sender) = socket.recv(Fd(fd), &mut bytes[got..], peek)?;
        got += n;
        match wants_all && n > 0 && got < whole {
            true => Err(error(libc::EAGAIN)),
            false => Ok(sender),
        }
    })?;
    let sender = match result {
        Ok(sender) => sender,
        Err(_) if got > 0 => None,
        Err(error) => return Some(answer(Err(error))),
    };
    let mut rest = &bytes[..got];
    for index in 0..count {
        // SAFETY: by the contract.
        let piece = unsafe { pieces.add(index).read() };
        let (now, later) = rest.split_at(piece.iov_len.min(rest.len()));
        // SAFETY: by the contract; not longer than the piece.
        unsafe { std::ptr::copy_nonoverlapping(now.as_ptr(), piece.iov_base.cast(), now.len()) };
        rest = later;
    }
    match sender {
        // SAFETY: by the contract.
        Some(sender) => unsafe { addresses::write(&sender, from, length) },
        None if !length.is_null() => {
            // SAFETY: by the contract: a stream names no sender.
            unsafe { length.write(0) };
        }
        None => {}
    }
    Some(answer(Ok(got)))
}

pub(super) fn serve_shutdown(fd: c_int, how: c_int) -> Option<c_long> {
    let result = on(fd, |socket| {
        let how = match how {
            libc::SHUT_RD => Shutdown::Read,
            libc::SHUT_WR => Shutdown::Write,
            libc::SHUT_RDWR => Shutdown::Both,
            _ => return Err(error(libc::EINVAL)),
        };
        socket.shutdown(Fd(fd), how)
    })?;
    Some(answer(result.map(|()| 0)))
}

/// # Safety
///
/// As for [`addresses::read`].
pub(super) unsafe fn serve_bind(
    fd: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> Option<c_long> {
    // SAFETY: by the contract.
    let address = unsafe { addresses::read(address, length) };
    let bound = on(fd, |socket| {
        socket.bind(Fd(fd), address.ok_or_else(|| error(libc::EINVAL))?)
    })?;
    Some(answer(bound.map(|()| 0)))
}

/// # Safety
///
/// As for [`addresses::write`].
pub(super) unsafe fn serve_accept(
    fd: c_int,
    out: *mut sockaddr,
    length: *mut socklen_t,
    flags: c_int,
) -> Option<c_long> {
    let accepted = retry(fd, (false, false), |socket| socket.accept(Fd(fd)))?;
    let accepted = accepted.map(|(Fd(accepted), peer)| {
        // SAFETY: by the contract.
        unsafe { addresses::write(&peer, out, length) };
        if flags & libc::SOCK_NONBLOCK != 0 {
            make_nonblocking(accepted);
        }
        accepted as usize
    });
    Some(answer(accepted))
}

/// # Safety
///
/// As for [`addresses::write`].
pub(super) unsafe fn serve_name(
    fd: c_int,
    out: *mut sockaddr,
    length: *mut socklen_t,
    is_peer: bool,
) -> Option<c_long> {
    let address = on(fd, |socket| match is_peer {
        true => socket.peer_addr(Fd(fd)),
        false => socket.local_addr(Fd(fd)),
    })?;
    Some(answer(address.map(|address| {
        // SAFETY: by the contract.
        unsafe { addresses::write(&address, out, length) };
        0
    })))
}

/// # Safety
///
/// As for [`addresses::write_bytes`].
pub(super) unsafe fn serve_getsockopt(
    (fd, level, name): (c_int, c_int, c_int),
    out: *mut c_void,
    length: *mut socklen_t,
) -> Option<c_long> {
    let value = on(fd, |socket| socket.option(Fd(fd), level, name))?;
    Some(answer(value.map(|bytes| {
        // SAFETY: by the contract.
        unsafe { addresses::write_bytes(&bytes, out, length) };
        0
    })))
}

/// # Safety
///
/// `value` is null or valid for a read of `length` bytes.
pub(super) unsafe fn serve_setsockopt(
    (fd, level, name): (c_int, c_int, c_int),
    value: *const c_void,
    length: socklen_t,
) -> Option<c_long> {
    let bytes = match value.is_null() {
        true => &[][..],
        // SAFETY: by the contract.
        false => unsafe { slice::from_raw_parts(value.cast::<u8>(), length as usize) },
    };
    let set = on(fd, |socket| socket.set_option(Fd(fd), level, name, bytes))?;
    Some(answer(set.map(|()| 0)))
}

/// `sendmsg(2)`; control messages are not looked at.
///
/// # Safety
///
/// `message` is valid, with all that it points to.
pub(super) unsafe fn serve_sendmsg(
    fd: c_int,
    message: *mut msghdr,
    flags: c_int,
) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    // SAFETY: by the contract.
    let message = unsafe { message.read() };
    let pieces = (message.msg_iov.cast_const(), message.msg_iovlen);
    let to = (
        message.msg_name.cast::<sockaddr>().cast_const(),
        message.msg_namelen,
    );
    // SAFETY: by the contract.
    unsafe { serve_send(fd, pieces, flags, to) }
}

/// `recvmsg(2)`, with no control messages.
///
/// # Safety
///
/// `message` is valid, with all that it points to.
pub(super) unsafe fn serve_recvmsg(
    fd: c_int,
    message: *mut msghdr,
    flags: c_int,
) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    // SAFETY: by the contract.
    let mut header = unsafe { message.read() };
    let pieces = (header.msg_iov.cast_const(), header.msg_iovlen);
    let length = &raw mut header.msg_namelen;
    let from = (header.msg_name.cast::<sockaddr>(), length);
    // SAFETY: by the contract; the length is live.
    let got = unsafe { serve_recv(fd, pieces, flags, from) };
    header.msg_controllen = 0;
    header.msg_flags = 0;
    // SAFETY: by the contract.
    unsafe { message.write(header) };
    got
}

/// `sendmmsg(2)` and `recvmmsg(2)`: as many as go without waiting after the first.
///
/// # Safety
///
/// `messages` is valid for `count` entries, each with all that it points to.
pub(super) unsafe fn serve_many(
    fd: c_int,
    (messages, count): (*mut libc::mmsghdr, libc::c_uint),
    flags: c_int,
    serve: unsafe fn(c_int, *mut msghdr, c_int) -> Option<c_long>,
) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    let mut done = 0;
    while done < count as usize {
        // SAFETY: by the contract.
        let entry = unsafe { messages.add(done) };
        let flags = match done {
            0 => flags & !libc::MSG_WAITFORONE,
            _ => flags | libc::MSG_DONTWAIT,
        };
        // SAFETY: by the contract.
        let n = unsafe { serve(fd, &raw mut (*entry).msg_hdr, flags) }?;
        if n < 0 {
            return Some(if done > 0 { done as c_long } else { n });
        }
        // SAFETY: by the contract.
        unsafe { (&raw mut (*entry).msg_len).write(n as libc::c_uint) };
        done += 1;
    }
    Some(done as c_long)
}

/// `ioctl(2)` on a simulated socket: `FIONBIO`, `FIONREAD`; a file has none.
///
/// # Safety
///
/// `argument` is what the request asks for.
pub(super) unsafe fn serve_ioctl(
    fd: c_int,
    request: libc::c_ulong,
    argument: *mut c_int,
) -> Option<c_long> {
    if Fd::is_simulated(fd) && !is_socket(fd) {
        let none = match request {
            libc::FIOCLEX => Ok(0),
            _ => Err(error(libc::ENOTTY)),
        };
        return Some(answer(none));
    }
    let result = on(fd, |socket| match request {
        libc::FIONBIO => {
            // SAFETY: the request takes a number.
            socket.set_nonblocking(unsafe { argument.read() } != 0);
            Ok(0)
        }
        libc::FIONREAD => {
            let mut bytes = vec![0; 64 << 10];
            let there = match socket.recv(Fd(fd), &mut bytes, true) {
                Ok((there, _)) => there,
                Err(_) => 0,
            };
            // SAFETY: the request gives a number.
            unsafe { argument.write(c_int::try_from(there).unwrap_or(c_int::MAX)) };
            Ok(0)
        }
        libc::FIOCLEX => Ok(0),
        _ => Err(error(libc::ENOTTY)),
    })?;
    Some(answer(result))
}

/// A piece of memory as a list of one.
pub(super) const fn piece(bytes: *const c_void, length: size_t) -> iovec {
    iovec {
        iov_base: bytes.cast_mut(),
        iov_len: length,
    }
}

pub(super) fn serve_listen(fd: c_int, backlog: c_int) -> Option<c_long> {
    let backlog = u32::try_from(backlog).unwrap_or(0);
    let listening = on(fd, |socket| socket.listen(Fd(fd), backlog))?;
    Some(answer(listening.map(|()| 0)))
}

/// # Safety
///
/// As for [`serve_send`].
pub(super) unsafe fn sendto_one(
    (fd, flags): (c_int, c_int),
    one: iovec,
    to: *const sockaddr,
    length: socklen_t,
) -> Option<c_long> {
    // SAFETY: the caller's promise.
    unsafe { serve_send(fd, (&raw const one, 1), flags, (to, length)) }
}

/// # Safety
///
/// As for [`serve_recv`].
pub(super) unsafe fn recv_one(
    (fd, flags): (c_int, c_int),
    one: iovec,
    from: *mut sockaddr,
    length: *mut socklen_t,
) -> Option<c_long> {
    // SAFETY: the caller's promise.
    unsafe { serve_recv(fd, (&raw const one, 1), flags, (from, length)) }
}
