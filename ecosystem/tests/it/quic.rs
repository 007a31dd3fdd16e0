//! quinn: streams over UDP, by `sendmsg` and `recvmsg`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::faults::{AnyError, through_faults, two_hosts};

const LENGTH: usize = 20_000;

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.enable_segmentation_offload(false);
    Arc::new(transport)
}

async fn echo(connection: Connection) -> Result<(), AnyError> {
    loop {
        let (mut send, mut receive) = connection.accept_bi().await?;
        let bytes = receive.read_to_end(LENGTH).await?;
        send.write_all(&bytes).await?;
        send.finish()?;
    }
}

async fn serve(certificate: CertificateDer<'static>, key: Vec<u8>) {
    let key = PrivateKeyDer::Pkcs8(key.into());
    let config = ServerConfig::with_single_cert(vec![certificate], key);
    let mut config = config.expect("a certificate with its key");
    config.transport_config(transport());
    let address = "0.0.0.0:443".parse().expect("an address");
    let endpoint = Endpoint::server(config, address).expect("the port is free");
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move { echo(incoming.await?).await });
    }
}

/// An endpoint of the client's, made where it runs.
fn endpoint(certificate: &CertificateDer<'static>) -> Result<Endpoint, AnyError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(transport());
    let mut endpoint = Endpoint::client("0.0.0.0:0".parse()?)?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

async fn ask(connection: &Connection, number: u32) -> Result<(), AnyError> {
    let (mut send, mut receive) = connection.open_bi().await?;
    let sent = vec![number as u8; LENGTH];
    send.write_all(&sent).await?;
    send.finish()?;
    assert_eq!(receive.read_to_end(LENGTH).await?, sent);
    Ok(())
}

#[landfall::test(seeds = 10)]
async fn quinn_echoes_over_streams() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["server".to_owned()]).expect("a certificate");
    let certificate = cert.der().clone();
    let key = KeyPair::serialize_der(&signing_key);
    let served = certificate.clone();
    let (server, client) = two_hosts(move || serve(served.clone(), key.clone()));
    let held: Rc<RefCell<Option<(Endpoint, Connection)>>> = Rc::default();
    through_faults(server, client, move |number| {
        let (held, certificate) = (Rc::clone(&held), certificate.clone());
        async move {
            // One that is lost on the way is not kept.
            let taken = held.borrow_mut().take();
            let (endpoint, connection) = match taken {
                Some((endpoint, open)) if open.close_reason().is_none() => (endpoint, open),
                _ => {
                    let endpoint = endpoint(&certificate)?;
                    let mut found = tokio::net::lookup_host("server:443").await?;
                    let address = found.next().ok_or("it has no address")?;
                    let connection = endpoint.connect(address, "server")?.await?;
                    (endpoint, connection)
                }
            };
            ask(&connection, number).await?;
            *held.borrow_mut() = Some((endpoint, connection));
            Ok::<_, AnyError>(())
        }
    })
    .await;
}
