//! The simulation, on one node.

use sim_net::BACKLOG;
use sim_runtime::Fd;

use super::*;
use crate::lab::{Tcp, net, recv_from, settle, the_world};

#[derive(Clone)]
pub(super) struct Simulated;

fn close(fd: Fd) {
    the_world().close(fd).expect("it is open");
}

impl Kernel for Simulated {
    type Listener = Fd;
    type Stream = Tcp;
    type Udp = Fd;

    fn listen(&self, addr: SocketAddr) -> io::Result<Fd> {
        net().tcp_listen(addr, BACKLOG)
    }

    fn listener_addr(&self, listener: &Fd) -> SocketAddr {
        net().local_addr(*listener).expect("it is bound")
    }

    async fn accept(&self, listener: &Fd) -> io::Result<Tcp> {
        Ok(lab::accept(*listener).await)
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Tcp> {
        Tcp::connect(to).await
    }

    async fn send(&self, stream: &Tcp, bytes: &[u8]) -> io::Result<usize> {
        stream.send(bytes).await
    }

    fn try_send(&self, stream: &Tcp, bytes: &[u8]) -> io::Result<usize> {
        net().send(stream.0, bytes)
    }

    async fn recv(&self, stream: &Tcp, into: &mut [u8]) -> io::Result<usize> {
        stream.recv(into).await
    }

    fn try_recv(&self, stream: &Tcp, into: &mut [u8]) -> io::Result<usize> {
        net().recv(stream.0, into, false)
    }

    async fn peek(&self, stream: &Tcp, into: &mut [u8]) -> io::Result<usize> {
        lab::ready(stream.0, sim_net::Interest::READABLE).await?;
        net().recv(stream.0, into, true)
    }

    fn shutdown(&self, stream: &Tcp, how: Shutdown) -> io::Result<()> {
        stream.shutdown(how)
    }

    fn take_error(&self, stream: &Tcp) -> io::Result<Option<io::Error>> {
        net().take_error(stream.0)
    }

    fn peer(&self, stream: &Tcp) -> io::Result<SocketAddr> {
        net().peer_addr(stream.0)
    }

    fn reset(&self, stream: Tcp) {
        let zero = Some(Duration::ZERO);
        net()
            .set_options(stream.0, |options| options.linger = zero)
            .expect("it is open");
        stream.close();
    }

    fn close(&self, stream: Tcp) {
        stream.close();
    }

    fn close_listener(&self, listener: Fd) {
        close(listener);
    }

    fn udp(&self, addr: SocketAddr) -> io::Result<Fd> {
        net().udp_bind(addr)
    }

    fn udp_addr(&self, udp: &Fd) -> SocketAddr {
        net().local_addr(*udp).expect("it is bound")
    }

    fn udp_connect(&self, udp: &Fd, to: SocketAddr) -> io::Result<()> {
        net().udp_connect(*udp, to)
    }

    fn udp_send(&self, udp: &Fd, bytes: &[u8]) -> io::Result<usize> {
        net().send(*udp, bytes)
    }

    fn send_to(&self, udp: &Fd, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        net().send_to(*udp, bytes, to)
    }

    async fn recv_from(&self, udp: &Fd, into: &mut [u8]) -> io::Result<usize> {
        recv_from(*udp, into).await.map(|(count, _)| count)
    }

    async fn settle(&self) {
        settle().await;
    }
}
