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

/// What `cargo landfall init` writes to begin with: no crate's test.
pub(crate) const EXAMPLE: &str = "a_client_gets_an_answer_although_the_server_is_killed_once";

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
        not_covered: "generated code (the codec is written by hand), TLS",
    },
    Row {
        test: "grpc::tonic_streams_from_the_client_and_both_ways",
        crates: &["tonic", "h2"],
        ran: "a client stream, and a stream both ways in lockstep",
        not_covered: "generated code, TLS, compression",
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
        test: "databases::tokio_postgres_commits_and_rolls_back",
        crates: &["tokio-postgres"],
        ran: "transactions, prepared statements, a rollback, against a small server that speaks \
              the wire protocol",
        not_covered: "TLS, copy, notifications, passwords, a real server",
    },
    Row {
        test: "databases::sqlx_commits_and_rolls_back",
        crates: &["sqlx", "sqlx-postgres"],
        ran: "the same through sqlx's pool, a transaction dropped half-way",
        not_covered: "TLS, migrations, macros that look at a database, a real server",
    },
    Row {
        test: "sqlite::sqlite_keeps_what_it_committed_when_it_is_killed",
        crates: &["sqlx", "sqlx-sqlite", "libsqlite3-sys"],
        ran: "SQLite's C code with a write-ahead log on the simulated disk, behind axum; killed",
        not_covered: "shared memory (the connection is exclusive), several connections",
    },
    Row {
        test: "sqlite::sqlite_keeps_what_it_committed_when_the_power_goes",
        crates: &["sqlx", "sqlx-sqlite", "libsqlite3-sys"],
        ran: "the same, and the machine loses power: torn and lost writes",
        not_covered: "the rollback journal",
    },
    Row {
        test: "quic::quinn_echoes_over_streams",
        crates: &["quinn", "quinn-udp", "rustls"],
        ran: "streams of 20 kB echoed over UDP, TLS 1.3 by ring, `sendmsg` and `recvmsg`",
        not_covered: "segmentation offload (off), 0-RTT, migration, datagrams",
    },
    Row {
        test: "mqtt::rumqttc_hears_what_it_published",
        crates: &["rumqttc"],
        ran: "published at least once and heard by a subscription of its own, against a small \
              broker",
        not_covered: "MQTT 5, TLS, exactly once",
    },
    Row {
        test: "mqtt::rumqttd_passes_on_what_rumqttc_published",
        crates: &["rumqttd", "rumqttc"],
        ran: "the same through rumqttd: a router's thread, and a server's with a runtime of its \
              own",
        not_covered: "its console, bridge and metrics, MQTT 5, TLS, websockets",
    },
    Row {
        test: "messaging::async_nats_asks_and_is_answered",
        crates: &["async-nats"],
        ran: "requests and replies between two clients of a small server, on three hosts",
        not_covered: "JetStream, headers, TLS, a real server",
    },
    Row {
        test: "names::hickory_resolves_by_its_own_socket",
        crates: &["hickory-resolver"],
        ran: "addresses, and names that do not exist, over UDP from a small name server",
        not_covered: "TCP, DNSSEC, DNS over TLS and HTTPS, `/etc/resolv.conf`",
    },
    Row {
        test: "raft::openraft_keeps_what_it_acknowledged",
        crates: &["openraft"],
        ran: "one node grows to three by snapshot and membership change, over TCP and files; \
              what was acknowledged is read back while the leader is cut off and loses power",
        not_covered: "shrinking; one file a change, as no real store does it",
    },
    Row {
        test: "watchers::notify_is_refused_a_watcher",
        crates: &["notify"],
        ran: "refused: `ENOSYS` and a message that names node and task; two hosts, no faults",
        not_covered: "its `PollWatcher`",
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
