//! `txn-kv serve` runs a server; `txn-kv run` is its client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use txn_kv::{Client, Isolation, Step, serve};

/// A small transactional store.
#[derive(Parser)]
#[command(name = "txn-kv")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server until ctrl-c.
    Serve {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// Where the journal is kept.
        #[arg(long)]
        data: PathBuf,
    },
    /// Run one transaction: steps such as `r:x`, `w:x=4`, `a:list=1`.
    Run {
        /// The server as HOST:PORT.
        #[arg(long)]
        server: String,
        /// read-committed, snapshot or serializable.
        #[arg(long, default_value = "serializable")]
        isolation: Isolation,
        /// What it does.
        #[arg(value_parser = step, required = true)]
        steps: Vec<Step>,
    },
}

fn step(text: &str) -> Result<Step, String> {
    let change = |rest: &str| -> Result<(String, i64), String> {
        let (key, value) = rest.split_once('=').ok_or("expected KEY=NUMBER")?;
        let value = value.parse().map_err(|_| format!("{value} is no number"))?;
        Ok((key.to_owned(), value))
    };
    match text.split_once(':') {
        Some(("r", key)) => Ok(Step::Read(key.to_owned())),
        Some(("w", rest)) => change(rest).map(|(key, value)| Step::Write(key, value)),
        Some(("a", rest)) => change(rest).map(|(key, value)| Step::Append(key, value)),
        _ => Err("expected r:KEY, w:KEY=NUMBER or a:KEY=NUMBER".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("txn-kv: {failure}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    match command {
        Command::Serve { listen, data } => {
            let listener = TcpListener::bind(listen).await?;
            tokio::select! {
                ended = serve(listener, &data) => ended?,
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Command::Run {
            server,
            isolation,
            steps,
        } => {
            let mut client = Client::new(server, Duration::from_secs(5));
            let values = client.run(isolation, &steps).await?;
            for (step, value) in steps.iter().zip(values) {
                if let Step::Read(key) = step {
                    let value = value.map_or_else(|| "-".to_owned(), |value| value.to_string());
                    println!("{key} {value}");
                }
            }
        }
    }
    Ok(())
}
