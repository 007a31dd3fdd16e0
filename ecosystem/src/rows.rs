//! What each test is about.

/// A row of the table.
pub(crate) struct Row {
    /// The test's name in the sweep.
    pub(crate) test: &'static str,
    /// The crates that do the work.
    pub(crate) crates: &'static [&'static str],
    /// The work.
    pub(crate) ran: &'static str,
    /// What of them nobody has looked at.
    pub(crate) not_covered: &'static str,
}

/// Every row, in the order of the table.
pub(crate) const ROWS: &[Row] = &[
    Row {
        test: "http::hyper_serves_and_asks_over_connections_of_its_own",
        crates: &["hyper"],
        ran: "HTTP/1 server and client on connections made by hand, bodies echoed",
        not_covered: "upgrades; HTTP/2 is run by tonic",
    },
    Row {
        test: "http::hyper_utils_pooled_client_asks_its_server",
        crates: &["hyper-util", "hyper"],
        ran: "the pooled client by host name against the auto server",
        not_covered: "proxies, graceful shutdown",
    },
    Row {
        test: "services::axum_answers_reqwest_by_host_name",
        crates: &["axum", "reqwest"],
        ran: "JSON and path parameters, asked by host name through the pool",
        not_covered: "TLS, cookies, redirects",
    },
    Row {
        test: "services::axum_takes_multipart_of_reqwest",
        crates: &["axum", "reqwest"],
        ran: "multipart forms of 40 kB",
        not_covered: "streamed bodies",
    },
    Row {
        test: "websockets::tungstenite_talks_to_axum",
        crates: &["tokio-tungstenite", "axum"],
        ran: "axum's websocket upgrade, four messages there and back, close",
        not_covered: "fragments, TLS",
    },
    Row {
        test: "middleware::towers_stack_gets_through",
        crates: &["tower", "tower-http"],
        ran: "buffer over rate limit over retry over timeout; tower-http's timeout in the server",
        not_covered: "balance, hedge, load shedding; tower-http's other layers",
    },
    Row {
        test: "grpc::tonic_calls_and_streams",
        crates: &["tonic", "h2"],
        ran: "a unary call and a server stream an operation, over one lazy channel",
        not_covered: "generated code (the codec is written by hand), client streams, TLS",
    },
    Row {
        test: "calls::tarpc_calls_get_through",
        crates: &["tarpc"],
        ran: "generated client and server, three calls a connection, JSON over TCP",
        not_covered: "cancellation by deadline",
    },
    Row {
        test: "stores::redis_reads_what_it_wrote",
        crates: &["redis"],
        ran: "a connection manager that reconnects, SET and GET, against a small RESP server",
        not_covered: "cluster, sentinel, publish and subscribe, a real server",
    },
    Row {
        test: "stores::bb8_lends_connections_that_work",
        crates: &["bb8"],
        ran: "a pool of three, each connection tried before it is lent",
        not_covered: "reaping of idle connections",
    },
    Row {
        test: "stores::deadpool_lends_connections_that_work",
        crates: &["deadpool"],
        ran: "a pool of three, each connection recycled before it is lent",
        not_covered: "its own time limits",
    },
    Row {
        test: "codecs::frames_of_tokio_util_come_back_whole",
        crates: &["tokio-util", "tokio-stream"],
        ran: "length-delimited frames of up to 69 kB; connections as a stream",
        not_covered: "`LocalPoolHandle` and `TaskTracker` (built, not run)",
    },
    Row {
        test: "codecs::delays_expire_in_order_and_ticks_are_merged",
        crates: &["tokio-util", "tokio-stream"],
        ran: "DelayQueue, CancellationToken, merged intervals; one host, no faults",
        not_covered: "the watch and broadcast wrappers",
    },
];
