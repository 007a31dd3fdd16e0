//! What can be an address, and looking names up.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sim_runtime::in_simulation;

/// What can be turned into socket addresses without blocking; as `tokio::net::ToSocketAddrs`,
/// for the same types. Sealed.
pub trait ToSocketAddrs: sealed::Target {}

impl<T: sealed::Target + ?Sized> ToSocketAddrs for T {}

pub(crate) mod sealed {
    use super::Wanted;

    /// Says what is to be looked up.
    pub trait Target {
        /// An owned copy, so that nothing is borrowed while the look-up waits.
        fn wanted(&self) -> Wanted;
    }
}

/// What is to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: an address is there.
    One(SocketAddr),
    /// Nothing: addresses are there.
    Many(Vec<SocketAddr>),
    /// A host by name, and the port.
    Host(String, u16),
    /// Not an address at all; what is wrong with it.
    Invalid(&'static str),
}

macro_rules! one_address {
    ($($type:ty),*) => {
        $(impl sealed::Target for $type {
            fn wanted(&self) -> Wanted {
                Wanted::One(SocketAddr::from(*self))
            }
        })*
    };
}

one_address! {
    SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16)
}

impl<T: sealed::Target + ?Sized> sealed::Target for &T {
    fn wanted(&self) -> Wanted {
        (**self).wanted()
    }
}

impl sealed::Target for &[SocketAddr] {
    fn wanted(&self) -> Wanted {
        Wanted::Many(self.to_vec())
    }
}

impl sealed::Target for (&str, u16) {
    fn wanted(&self) -> Wanted {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(ip) => Wanted::One((ip, port).into()),
            Err(_) => Wanted::Host(host.to_owned(), port),
        }
    }
}

impl sealed::Target for (String, u16) {
    fn wanted(&self) -> Wanted {
        (self.0.as_str(), self.1).wanted()
    }
}

impl sealed::Target for str {
    fn wanted(&self) -> Wanted {
        if let Ok(addr) = self.parse() {
            return Wanted::One(addr);
        }
        let Some((host, port)) = self.rsplit_once(':') else {
            return Wanted::Invalid("invalid socket address");
        };
        match port.parse() {
            Ok(port) => Wanted::Host(host.to_owned(), port),
            Err(_) => Wanted::Invalid("invalid port value"),
        }
    }
}

impl sealed::Target for String {
    fn wanted(&self) -> Wanted {
        self.as_str().wanted()
    }
}

/// Looks up what `target` names. The target is read before the first wait.
pub(crate) fn resolve<T: ToSocketAddrs>(
    target: T,
) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
    let wanted = target.wanted();
    async move {
        match wanted {
            Wanted::One(addr) => Ok(vec![addr]),
            Wanted::Many(addrs) => Ok(addrs),
            Wanted::Invalid(what) => Err(io::Error::new(io::ErrorKind::InvalidInput, what)),
            Wanted::Host(host, port) if in_simulation() => {
                let takes = sim_net::net()?.lookup_takes(&host);
                if !takes.is_zero() {
                    sim_runtime::time::sleep(takes).await;
                }
                let addrs = sim_net::net()?.resolve(&host)?;
                Ok(addrs.into_iter().map(|ip| (ip, port).into()).collect())
            }
            Wanted::Host(host, port) => {
                Ok(tokio_real::net::lookup_host((host, port)).await?.collect())
            }
        }
    }
}

/// The error when there was no address to try.
pub(crate) fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "could not resolve to any address",
    )
}

/// Looks a host up: in the simulated network inside a simulation, by the system outside.
///
/// # Errors
/// The name is not known, or no address.
pub async fn lookup_host<T>(host: T) -> io::Result<impl Iterator<Item = SocketAddr>>
where
    T: ToSocketAddrs,
{
    Ok(resolve(host).await?.into_iter())
}

#[cfg(test)]
mod tests {
    use super::sealed::Target;
    use super::*;

    #[test]
    fn text_is_an_address_a_host_or_wrong() {
        let one = |text: &str| Wanted::One(text.parse().unwrap());
        assert_eq!("1.2.3.4:5".wanted(), one("1.2.3.4:5"));
        assert_eq!("[::1]:5".wanted(), one("[::1]:5"));
        assert_eq!(("::1", 5).wanted(), one("[::1]:5"));
        assert_eq!("node-1:80".wanted(), Wanted::Host("node-1".to_owned(), 80));
        assert_eq!("node-1".wanted(), Wanted::Invalid("invalid socket address"));
        assert_eq!(
            "node-1:http".wanted(),
            Wanted::Invalid("invalid port value")
        );
    }
}
