//! hyper 1 by itself and hyper-util's client and server.

use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

use crate::faults::{AnyError, through_faults, two_hosts};

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::from_static(b"cut short"),
    };
    Ok(Response::new(Full::new(body)))
}

#[landfall::test(seeds = 10)]
async fn hyper_serves_and_asks_over_connections_of_its_own() {
    let (server, client) = two_hosts(|| async {
        let listener = TcpListener::bind("0.0.0.0:80")
            .await
            .expect("the port is free");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(echo));
            tokio::spawn(serving);
        }
    });
    through_faults(server, client, |operation| async move {
        let stream = TcpStream::connect("server:80").await?;
        let io = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        let driver = tokio::spawn(connection);
        let text = format!("operation {operation}");
        let request = Request::post("/")
            .header("host", "server")
            .body(Full::new(Bytes::from(text.clone())))?;
        let reply = sender
            .send_request(request)
            .await?
            .into_body()
            .collect()
            .await?;
        assert_eq!(reply.to_bytes(), text);
        driver.abort();
        Ok::<_, AnyError>(())
    })
    .await;
}

#[landfall::test(seeds = 10)]
async fn hyper_utils_pooled_client_asks_its_server() {
    let (server, client) = two_hosts(|| async {
        let listener = TcpListener::bind("0.0.0.0:80")
            .await
            .expect("the port is free");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder
                    .serve_connection(TokioIo::new(stream), service_fn(echo))
                    .await
            });
        }
    });
    let pool: Rc<std::cell::OnceCell<Client<HttpConnector, Full<Bytes>>>> = Rc::default();
    through_faults(server, client, move |operation| {
        let make = || Client::builder(TokioExecutor::new()).build_http();
        let pool = pool.get_or_init(make).clone();
        async move {
            let text = format!("operation {operation}");
            let request =
                Request::post("http://server/").body(Full::new(Bytes::from(text.clone())))?;
            let reply = pool.request(request).await?.into_body().collect().await?;
            assert_eq!(reply.to_bytes(), text);
            Ok::<_, AnyError>(())
        }
    })
    .await;
}
