//! hickory-resolver with a socket of its own, against a small name server.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType, rdata::A};
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver};
use tokio::net::UdpSocket;

use crate::faults::{AnyError, through_faults, two_hosts};

async fn serve() {
    let socket = UdpSocket::bind("0.0.0.0:53")
        .await
        .expect("the port is free");
    let mut bytes = [0; 512];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut bytes).await else {
            continue;
        };
        let answer = answer(&bytes[..length]).expect("a question");
        // Whoever asked may be gone.
        let _ = socket.send_to(&answer, from).await;
    }
}

/// `host7.test.` is at 10.9.0.7, and no other name is anywhere.
fn answer(question: &[u8]) -> Result<Vec<u8>, AnyError> {
    let asked = Message::from_vec(question)?;
    let mut answer = asked.clone().into_response();
    for query in &asked.queries {
        let name = query.name().to_ascii();
        let number = name
            .strip_prefix("host")
            .and_then(|rest| rest.strip_suffix(".test."));
        match (
            number.and_then(|number| number.parse().ok()),
            query.query_type(),
        ) {
            (Some(number), RecordType::A) => {
                let data = RData::A(A(Ipv4Addr::new(10, 9, 0, number)));
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
            }
            (Some(_), _) => {}
            (None, _) => answer.metadata.response_code = ResponseCode::NXDomain,
        }
    }
    Ok(answer.to_vec()?)
}

async fn resolver() -> Result<TokioResolver, AnyError> {
    let mut found = tokio::net::lookup_host("server:53").await?;
    let server = found.next().ok_or("it has no address")?;
    let servers = vec![NameServerConfig::udp(server.ip())];
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    Ok(Resolver::builder_with_config(config, TokioRuntimeProvider::default()).build()?)
}

#[landfall::test(seeds = 10)]
async fn hickory_resolves_by_its_own_socket() {
    let (server, client) = two_hosts(serve);
    let held: Rc<OnceCell<TokioResolver>> = Rc::default();
    through_faults(server, client, move |number| {
        let held = Rc::clone(&held);
        async move {
            let resolver = match held.get() {
                Some(resolver) => resolver,
                None => {
                    let fresh = resolver().await?;
                    held.get_or_init(|| fresh)
                }
            };
            let found = resolver.lookup_ip(format!("host{number}.test.")).await?;
            let found: Vec<IpAddr> = found.iter().collect();
            assert_eq!(found, [IpAddr::V4(Ipv4Addr::new(10, 9, 0, number as u8))]);
            let absent = resolver.lookup_ip(format!("other{number}.test.")).await;
            match absent {
                Err(error) if error.is_no_records_found() => Ok::<_, AnyError>(()),
                Err(error) => Err(error.into()),
                Ok(found) => panic!("there is no such host: {found:?}"),
            }
        }
    })
    .await;
}
