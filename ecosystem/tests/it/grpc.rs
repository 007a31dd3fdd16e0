//! tonic, unary and streaming, with a codec of bytes: no generated code, the same transport.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::task::{Context, Poll};

use axum::http;
use bytes::{Buf as _, BufMut as _};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use http::uri::PathAndQuery;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{
    ClientStreamingService, Grpc as ServerGrpc, NamedService, ServerStreamingService,
    StreamingService, UnaryService,
};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::faults::{through_faults, two_hosts};

/// Numbers as four bytes.
#[derive(Default)]
struct Numbers;

impl Codec for Numbers {
    type Encode = u32;
    type Decode = u32;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Numbers {
    type Item = u32;
    type Error = Status;

    fn encode(&mut self, item: u32, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_u32(item);
        Ok(())
    }
}

impl Decoder for Numbers {
    type Item = u32;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<u32>, Status> {
        Ok((from.remaining() >= 4).then(|| from.get_u32()))
    }
}

#[derive(Clone)]
struct Arithmetic;

impl UnaryService<u32> for Arithmetic {
    type Response = u32;
    type Future = BoxFuture<'static, Result<Response<u32>, Status>>;

    fn call(&mut self, request: Request<u32>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner() * 2)) })
    }
}

impl ServerStreamingService<u32> for Arithmetic {
    type Response = u32;
    type ResponseStream = BoxStream<'static, Result<u32, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<u32>) -> Self::Future {
        let numbers = futures::stream::iter(0..request.into_inner())
            .map(Ok)
            .boxed();
        Box::pin(async move { Ok(Response::new(numbers)) })
    }
}

impl ClientStreamingService<u32> for Arithmetic {
    type Response = u32;
    type Future = BoxFuture<'static, Result<Response<u32>, Status>>;

    fn call(&mut self, request: Request<Streaming<u32>>) -> Self::Future {
        let sum = request
            .into_inner()
            .try_fold(0, |sum, number| async move { Ok(sum + number) });
        Box::pin(async move { Ok(Response::new(sum.await?)) })
    }
}

impl StreamingService<u32> for Arithmetic {
    type Response = u32;
    type ResponseStream = BoxStream<'static, Result<u32, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<u32>>) -> Self::Future {
        let squares = request.into_inner().map_ok(|number| number * number);
        Box::pin(async move { Ok(Response::new(squares.boxed())) })
    }
}

impl NamedService for Arithmetic {
    const NAME: &'static str = "test.Arithmetic";
}

impl tower::Service<http::Request<Body>> for Arithmetic {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = ServerGrpc::new(Numbers);
            Ok(match request.uri().path() {
                "/test.Arithmetic/Double" => grpc.unary(Arithmetic, request).await,
                "/test.Arithmetic/Count" => grpc.server_streaming(Arithmetic, request).await,
                "/test.Arithmetic/Sum" => grpc.client_streaming(Arithmetic, request).await,
                "/test.Arithmetic/Square" => grpc.streaming(Arithmetic, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

async fn serve() {
    let address = "0.0.0.0:80".parse().expect("an address");
    let serving = Server::builder().add_service(Arithmetic).serve(address);
    serving.await.expect("it serves until it is killed");
}

#[landfall::test(seeds = 10)]
async fn tonic_calls_and_streams() {
    let (server, client) = two_hosts(serve);
    let channel: Rc<OnceCell<Channel>> = Rc::default();
    through_faults(server, client, move |number| {
        let connect = || Endpoint::from_static("http://server:80").connect_lazy();
        let mut grpc = Grpc::new(channel.get_or_init(connect).clone());
        async move {
            let path = PathAndQuery::from_static("/test.Arithmetic/Double");
            let ready = |error: tonic::transport::Error| Status::unavailable(error.to_string());
            grpc.ready().await.map_err(ready)?;
            let double = grpc.unary(Request::new(number), path, Numbers).await?;
            assert_eq!(double.into_inner(), number * 2);
            let path = PathAndQuery::from_static("/test.Arithmetic/Count");
            grpc.ready().await.map_err(ready)?;
            let stream = grpc
                .server_streaming(Request::new(number), path, Numbers)
                .await?;
            let counted: Vec<_> = stream.into_inner().collect().await;
            let counted: Result<Vec<u32>, Status> = counted.into_iter().collect();
            assert_eq!(counted?, (0..number).collect::<Vec<_>>());
            Ok::<_, Status>(())
        }
    })
    .await;
}

/// Numbers that the client sends one after the other, each when the last was answered: a stream
/// in both directions at once.
async fn squares(grpc: &mut Grpc<Channel>, numbers: u32) -> Result<(), Status> {
    let path = PathAndQuery::from_static("/test.Arithmetic/Square");
    let (send, receive) = tokio::sync::mpsc::channel(1);
    let sent = Request::new(ReceiverStream::new(receive));
    let mut squares = grpc.streaming(sent, path, Numbers).await?.into_inner();
    for number in 0..numbers {
        let gone = |_| Status::unavailable("the call is over");
        send.send(number).await.map_err(gone)?;
        assert_eq!(squares.message().await?, Some(number * number));
    }
    drop(send);
    assert_eq!(squares.message().await?, None);
    Ok(())
}

#[landfall::test(seeds = 10)]
async fn tonic_streams_from_the_client_and_both_ways() {
    let (server, client) = two_hosts(serve);
    let channel: Rc<OnceCell<Channel>> = Rc::default();
    through_faults(server, client, move |number| {
        let connect = || Endpoint::from_static("http://server:80").connect_lazy();
        let mut grpc = Grpc::new(channel.get_or_init(connect).clone());
        async move {
            let ready = |error: tonic::transport::Error| Status::unavailable(error.to_string());
            grpc.ready().await.map_err(ready)?;
            let path = PathAndQuery::from_static("/test.Arithmetic/Sum");
            let numbers = Request::new(futures::stream::iter(0..number));
            let sum = grpc.client_streaming(numbers, path, Numbers).await?;
            assert_eq!(sum.into_inner(), (0..number).sum::<u32>());
            grpc.ready().await.map_err(ready)?;
            squares(&mut grpc, number.min(8)).await
        }
    })
    .await;
}
