//! What a plan can require to be observable, of that which a run leaves behind.

/// What is meant by one thing of *Observability required*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observable {
    /// A line of a guest's log with this text, in small letters.
    Line(String),
    /// The operations of clients; with the node that answered, where that is asked for.
    Histories {
        /// Whether it is.
        with_node: bool,
    },
    /// Ids of requests in the guests' logs.
    Correlation,
    /// Metrics that the guests tell.
    Metrics,
    /// The guests' logs.
    Logs,
    /// Who led, and when.
    Elections,
    /// Counters of faults.
    Faults,
}

/// What is captured of each run, for those who ask for something else.
pub const CAPTURED: &str = "captured are histories, logs, metrics and correlation ids in events of \
                            tracing, elections, and counters of faults";

impl Observable {
    /// The things that a plan's wording lists.
    pub fn items(wording: &str) -> impl Iterator<Item = &str> {
        let items = wording.split([',', ';']).map(str::trim);
        items.filter(|item| !item.is_empty())
    }

    /// What an item means; `None`: nothing that is captured, but by the name of a fault's counter.
    #[must_use]
    pub fn of(item: &str) -> Option<Self> {
        let lower = item.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if let Some(quoted) = lower.split(['"', '“', '”']).nth(1) {
            return Some(Self::Line(quoted.to_owned()));
        }
        if has(&["histor"]) {
            let with_node = has(&["node", "server", "answered"]);
            return Some(Self::Histories { with_node });
        }
        const IDS: &[&str] = &[
            "correlation",
            "request id",
            "request-id",
            "trace id",
            "tracing",
        ];
        let all: [(&[&str], Self); 5] = [
            (IDS, Self::Correlation),
            (&["span"], Self::Correlation),
            (&["metric", "gauge", "histogram"], Self::Metrics),
            (&["log"], Self::Logs),
            (&["election", "leader", "term"], Self::Elections),
        ];
        let said = all.into_iter().find(|(words, _)| has(words));
        let of_faults = has(&["counter", "fault", "ledger", "clock", "disk", "network"]);
        said.map(|(_, what)| what)
            .or(of_faults.then_some(Self::Faults))
    }

    /// Whether an item names a counter of the ledger: `packets dropped by fault`.
    #[must_use]
    pub fn names(item: &str, counter: &str) -> bool {
        let lower = item.to_lowercase();
        counter.split('-').all(|word| lower.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::Observable as O;

    #[test]
    fn items_mean_what_is_captured() {
        let items: Vec<_> = O::items("client histories; request ids, ,node logs").collect();
        assert_eq!(items, ["client histories", "request ids", "node logs"]);
        for (item, means) in [
            (
                "log line \"Taking over\"",
                Some(O::Line("taking over".to_owned())),
            ),
            ("client histories", Some(O::Histories { with_node: false })),
            (
                "histories with the node that answered",
                Some(O::Histories { with_node: true }),
            ),
            ("request ids in logs", Some(O::Correlation)),
            ("per-tenant metrics", Some(O::Metrics)),
            ("server logs", Some(O::Logs)),
            ("leader of each term", Some(O::Elections)),
            ("iptables counters", Some(O::Faults)),
            ("smoke signals", None),
        ] {
            assert_eq!(O::of(item), means, "{item}");
        }
        assert!(O::names("Packets dropped by fault", "packets-dropped"));
        assert!(!O::names("packets", "packets-dropped"));
    }
}
