//! tower's retry, timeout, buffer and rate limit, and tower-http's layers.

use std::cell::OnceCell;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use reqwest::Client;
use tokio::net::TcpListener;
use tower::buffer::Buffer;
use tower::retry::Policy;
use tower::util::BoxService;
use tower::{Service as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::timeout::TimeoutLayer;

use crate::faults::{AnyError, through_faults, two_hosts};

/// Three attempts.
#[derive(Clone)]
struct Attempts(u32);

impl Policy<u32, u32, AnyError> for Attempts {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u32, result: &mut Result<u32, AnyError>) -> Option<Self::Future> {
        let again = result.is_err() && self.0 > 0;
        again.then(|| {
            self.0 -= 1;
            ready(())
        })
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

type Stack = Buffer<u32, <BoxService<u32, u32, AnyError> as tower::Service<u32>>::Future>;

/// Asks the server for the double of a number.
fn stack() -> Stack {
    let http = Client::new();
    let ask = service_fn(move |number: u32| {
        let http = http.clone();
        async move {
            let url = format!("http://server/double/{number}");
            let reply = http.get(url).send().await?.error_for_status()?;
            Ok::<u32, AnyError>(reply.text().await?.parse()?)
        }
    });
    let service = ServiceBuilder::new()
        .rate_limit(20, Duration::from_millis(500))
        .retry(Attempts(3))
        .timeout(Duration::from_millis(80))
        .service(ask);
    Buffer::new(BoxService::new(service), 8)
}

#[landfall::test(seeds = 10)]
async fn towers_stack_gets_through() {
    let (server, client) = two_hosts(|| async {
        let double = |axum::extract::Path(number): axum::extract::Path<u32>| async move {
            if number.is_multiple_of(5) {
                // Slower than tower-http allows, now and then.
                tokio::time::sleep(Duration::from_millis(u64::from(number))).await;
            }
            (number * 2).to_string()
        };
        let limit = Duration::from_millis(30);
        let router = Router::new().route("/double/{number}", get(double)).layer(
            TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limit),
        );
        let listener = TcpListener::bind("0.0.0.0:80")
            .await
            .expect("the port is free");
        axum::serve(listener, router)
            .await
            .expect("it serves until it is killed");
    });
    let made: Rc<OnceCell<Stack>> = Rc::default();
    through_faults(server, client, move |number| {
        let mut service = made.get_or_init(stack).clone();
        async move {
            let double = service.ready().await?.call(number).await?;
            assert_eq!(double, number * 2);
            Ok::<_, AnyError>(())
        }
    })
    .await;
}
