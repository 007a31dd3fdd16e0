//! Violations as pictures.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, FaultWindow, History, Value, check, picture};

use super::random::long;

fn drawn(history: &History, model: ModelKind) -> String {
    let spec = CheckerSpec::Linearizability;
    picture(history, &check(history, &spec, model, &Budget::default()))
}

/// Every tag that opens closes, in order, and nothing but the namespace is from elsewhere.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag that ends");
        let name = |tag: &'_ str| tag.split_whitespace().next().map(str::len);
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !tag.ends_with('/') {
            open.push(&tag[..name(tag).expect("a name")]);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(svg.matches("http").count(), 1);
}

#[test]
fn the_offending_operations_are_lit() {
    let mut history = super::verdicts::history("register-stale-read");
    history.windows.push(FaultWindow {
        fault: "cut <n1> & \"n2\"".to_owned(),
        start_ts: 2,
        end_ts: Some(4),
    });
    let svg = drawn(&history, ModelKind::Register);
    assert_well_formed(&svg);
    assert_eq!(svg.matches("<rect class=\"b\"").count(), 1, "{svg}");
    assert_eq!(svg.matches("<rect class=\"m\"").count(), 2, "{svg}");
    assert_eq!(svg.matches("<rect class=\"w\"").count(), 1, "{svg}");
    assert!(svg.contains("cut &lt;n1&gt; &amp; &quot;n2&quot;"), "{svg}");
    let broken = History {
        windows: Vec::new(),
        ..History::default()
    };
    assert_well_formed(&drawn(&broken, ModelKind::Register));
}

#[test]
fn a_picture_of_the_worst_is_not_too_large() {
    let mut ops = long(3_000, 200, 9, ModelKind::Register);
    let stale = ops[0].input.clone();
    for op in &mut ops {
        op.node_seen = Some("\"&".repeat(5_000));
        op.fault_epoch = vec!["\u{1F600}".repeat(1_000)];
    }
    let read = ops.iter_mut().rev().find(|op| op.op_type.is_read());
    read.expect("a read").output = Some(stale);
    ops[1].input = Value::from("\"".repeat(10_000));
    let windows = (0..1_000).map(|place| FaultWindow {
        fault: "<".repeat(300),
        start_ts: place,
        end_ts: None,
    });
    let windows = windows.collect();
    let svg = drawn(&History { ops, windows }, ModelKind::Register);
    assert_well_formed(&svg);
    assert!(svg.len() <= 512 << 10, "{} bytes", svg.len());
    assert!(svg.contains("class=\"b\""));
}
