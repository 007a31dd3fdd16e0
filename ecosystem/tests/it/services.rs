//! axum asked by reqwest, by host name: JSON, and multipart.

use std::cell::OnceCell;
use std::rc::Rc;

use axum::extract::{Multipart, Path};
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Client;
use reqwest::multipart::Form;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::faults::{through_faults, two_hosts};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Greeting {
    to: String,
    number: u32,
}

async fn greet(Path((to, number)): Path<(String, u32)>) -> Json<Greeting> {
    Json(Greeting { to, number })
}

async fn lengths(mut parts: Multipart) -> Result<String, axum::extract::multipart::MultipartError> {
    let mut said = String::new();
    while let Some(part) = parts.next_field().await? {
        let name = part.name().unwrap_or_default().to_owned();
        let length = part.bytes().await?.len();
        said.push_str(&format!("{name} {length};"));
    }
    Ok(said)
}

async fn serve() {
    let router = Router::new()
        .route("/greet/{to}/{number}", get(greet))
        .route("/lengths", post(lengths));
    let listener = TcpListener::bind("0.0.0.0:80")
        .await
        .expect("the port is free");
    axum::serve(listener, router)
        .await
        .expect("it serves until it is killed");
}

#[landfall::test(seeds = 10)]
async fn axum_answers_reqwest_by_host_name() {
    let (server, client) = two_hosts(serve);
    let http: Rc<OnceCell<Client>> = Rc::default();
    through_faults(server, client, move |number| {
        let http = http.get_or_init(Client::new).clone();
        async move {
            let url = format!("http://server/greet/ann/{number}");
            let greeting: Greeting = http.get(url).send().await?.json().await?;
            assert_eq!(
                greeting,
                Greeting {
                    to: "ann".to_owned(),
                    number
                }
            );
            Ok::<_, reqwest::Error>(())
        }
    })
    .await;
}

#[landfall::test(seeds = 10)]
async fn axum_takes_multipart_of_reqwest() {
    let (server, client) = two_hosts(serve);
    let http: Rc<OnceCell<Client>> = Rc::default();
    through_faults(server, client, move |number| {
        let http = http.get_or_init(Client::new).clone();
        async move {
            let large = "x".repeat(40_000 + number as usize);
            let form = Form::new().text("small", "a").text("large", large);
            let reply = http
                .post("http://server/lengths")
                .multipart(form)
                .send()
                .await?;
            let text = reply.error_for_status()?.text().await?;
            assert_eq!(text, format!("small 1;large {};", 40_000 + number));
            Ok::<_, reqwest::Error>(())
        }
    })
    .await;
}
