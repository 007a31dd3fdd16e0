//! Socket options by the numbers of Linux.

use std::io;
use std::time::Duration;

use sim_runtime::Fd;

use crate::calls::unknown_option;
use crate::errno::fail;
use crate::options::SocketOptions;
use crate::socket::Socket;

/// Offloads: a guest that asks for them does without.
const SOL_UDP: i32 = 17;

pub(crate) fn bytes(value: i32) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

fn size(bytes_: usize) -> Vec<u8> {
    // The kernel counts its own overhead, too: twice what was asked for.
    bytes(i32::try_from(bytes_.saturating_mul(2)).unwrap_or(i32::MAX))
}

pub(crate) fn int(value: &[u8]) -> io::Result<i32> {
    match value.first_chunk() {
        Some(bytes) => Ok(i32::from_ne_bytes(*bytes)),
        None => fail(libc::EINVAL),
    }
}

/// A number from 1 to `most` (`MAX_TCP_KEEPIDLE` and the like).
fn within(value: &[u8], most: i32) -> io::Result<u32> {
    match int(value)? {
        number if (1..=most).contains(&number) => Ok(number.unsigned_abs()),
        _ => fail(libc::EINVAL),
    }
}

fn seconds(value: &[u8]) -> io::Result<Duration> {
    within(value, 32_767).map(|seconds| Duration::from_secs(seconds.into()))
}

/// A `struct timeval`; zero is no limit.
pub(crate) fn limit(value: &[u8]) -> io::Result<Option<Duration>> {
    let (Some(seconds), Some(micros)) = (value.first_chunk::<8>(), value.last_chunk::<8>()) else {
        return fail(libc::EINVAL);
    };
    let seconds = i64::from_ne_bytes(*seconds);
    let micros = i64::from_ne_bytes(*micros);
    if !(0..1_000_000).contains(&micros) {
        return fail(libc::EDOM);
    }
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let limit = Duration::from_secs(seconds) + Duration::from_micros(micros.unsigned_abs());
    Ok((!limit.is_zero()).then_some(limit))
}

pub(crate) fn of_limit(limit: Option<Duration>) -> Vec<u8> {
    let limit = limit.unwrap_or_default();
    let mut bytes = limit.as_secs().to_ne_bytes().to_vec();
    bytes.extend(u64::from(limit.subsec_micros()).to_ne_bytes());
    bytes
}

fn of_linger(linger: Option<Duration>) -> Vec<u8> {
    let seconds = linger.map_or(0, |linger| linger.as_secs());
    let mut value = bytes(i32::from(linger.is_some()));
    value.extend(bytes(i32::try_from(seconds).unwrap_or(i32::MAX)));
    value
}

/// `getsockopt(2)`.
pub(crate) fn get(socket: &Socket, fd: Fd, option: (i32, i32)) -> io::Result<Vec<u8>> {
    let net = &socket.net;
    if option == (libc::SOL_SOCKET, libc::SO_ERROR) {
        let pending = net.take_error(fd)?;
        let code = pending.and_then(|error| error.raw_os_error());
        return Ok(bytes(code.unwrap_or(0)));
    }
    let options = net.options(fd)?;
    let flag = |set: bool| Ok(bytes(i32::from(set)));
    let seconds = |time: Duration| Ok(bytes(i32::try_from(time.as_secs()).unwrap_or(i32::MAX)));
    match option {
        (libc::SOL_SOCKET, libc::SO_TYPE) => Ok(bytes(net.type_of(fd)?)),
        (libc::SOL_SOCKET, libc::SO_DOMAIN) => Ok(bytes(match socket.manner.is_v6.get() {
            Some(true) => libc::AF_INET6,
            _ => libc::AF_INET,
        })),
        (libc::SOL_SOCKET, libc::SO_PROTOCOL) => Ok(bytes(match net.type_of(fd)? {
            libc::SOCK_DGRAM => libc::IPPROTO_UDP,
            _ => libc::IPPROTO_TCP,
        })),
        (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => flag(net.is_listener(fd)?),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => flag(options.keepalive),
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => flag(options.reuse_address),
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => flag(options.reuse_port),
        (libc::SOL_SOCKET, libc::SO_BROADCAST) => flag(options.broadcast),
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => Ok(size(options.send_buffer)),
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => Ok(size(options.receive_buffer)),
        (libc::SOL_SOCKET, libc::SO_LINGER) => Ok(of_linger(options.linger)),
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO) => Ok(of_limit(socket.manner.receive_timeout.get())),
        (libc::SOL_SOCKET, libc::SO_SNDTIMEO) => Ok(of_limit(socket.manner.send_timeout.get())),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => flag(options.nodelay),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => seconds(options.keepalive_idle),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => seconds(options.keepalive_interval),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => Ok(bytes(options.keepalive_probes.cast_signed())),
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => {
            let limit = options.user_timeout.unwrap_or_default();
            Ok(bytes(i32::try_from(limit.as_millis()).unwrap_or(i32::MAX)))
        }
        (libc::IPPROTO_IP, libc::IP_TTL) => Ok(bytes(options.ttl.cast_signed())),
        (SOL_UDP, _) => unknown_option(),
        _ => {
            let others = socket.manner.others.borrow();
            Ok(others.get(&option).cloned().unwrap_or_else(|| bytes(0)))
        }
    }
}

/// `setsockopt(2)`. What the simulation has no use for is remembered.
pub(crate) fn set(socket: &Socket, fd: Fd, option: (i32, i32), value: &[u8]) -> io::Result<()> {
    let change =
        |change: &dyn Fn(&mut SocketOptions)| socket.net.set_options(fd, |options| change(options));
    let flag = || int(value).map(|value| value != 0);
    let size = || int(value).map(|value| usize::try_from(value).unwrap_or(0).max(4_096));
    match option {
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => {
            let on = flag()?;
            change(&|options| options.keepalive = on)
        }
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => {
            let on = flag()?;
            change(&|options| options.reuse_address = on)
        }
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => {
            let on = flag()?;
            change(&|options| options.reuse_port = on)
        }
        (libc::SOL_SOCKET, libc::SO_BROADCAST) => {
            let on = flag()?;
            change(&|options| options.broadcast = on)
        }
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => {
            let size = size()?;
            change(&|options| options.send_buffer = size)
        }
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => {
            let size = size()?;
            change(&|options| options.receive_buffer = size)
        }
        (libc::SOL_SOCKET, libc::SO_LINGER) => {
            let (on, seconds) = (int(value)?, int(value.get(4..).unwrap_or_default())?);
            let seconds = u64::try_from(seconds).unwrap_or(0);
            let linger = (on != 0).then(|| Duration::from_secs(seconds));
            change(&|options| options.linger = linger)
        }
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO) => {
            socket.manner.receive_timeout.set(limit(value)?);
            Ok(())
        }
        (libc::SOL_SOCKET, libc::SO_SNDTIMEO) => {
            socket.manner.send_timeout.set(limit(value)?);
            Ok(())
        }
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => {
            let on = flag()?;
            change(&|options| options.nodelay = on)
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => {
            let idle = seconds(value)?;
            change(&|options| options.keepalive_idle = idle)
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => {
            let interval = seconds(value)?;
            change(&|options| options.keepalive_interval = interval)
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => {
            let probes = within(value, 127)?;
            change(&|options| options.keepalive_probes = probes)
        }
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => {
            let Ok(millis) = u64::try_from(int(value)?) else {
                return fail(libc::EINVAL);
            };
            let limit = (millis > 0).then(|| Duration::from_millis(millis));
            change(&|options| options.user_timeout = limit)
        }
        (libc::IPPROTO_IP, libc::IP_TTL) => {
            let ttl = int(value)?.cast_unsigned();
            change(&|options| options.ttl = ttl)
        }
        (SOL_UDP, _) => unknown_option(),
        _ => {
            let mut others = socket.manner.others.borrow_mut();
            others.insert(option, value.to_vec());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_goes_to_and_fro() {
        for limit_ in [None, Some(Duration::new(3, 250_000_000))] {
            assert_eq!(limit(&of_limit(limit_)).unwrap(), limit_);
        }
        let mut bad = of_limit(None);
        bad[8..].copy_from_slice(&1_000_000_u64.to_ne_bytes());
        assert_eq!(limit(&bad).unwrap_err().raw_os_error(), Some(libc::EDOM));
    }
}
