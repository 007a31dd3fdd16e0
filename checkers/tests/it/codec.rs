//! The binary frame: what goes in comes out, and damage is found.

use checkers::codec::{
    CodecError, HEADER_LEN, HISTORY, Kind, decode, decode_as, encode, encode_as,
};
use checkers::{FaultWindow, History};

use super::random::long;

fn sample() -> History {
    let ops = long(40, 3, 5, checkers::spec::ModelKind::Log);
    let window = FaultWindow {
        fault: "cut-1".to_owned(),
        start_ts: 3,
        end_ts: None,
    };
    History {
        ops,
        windows: vec![window],
    }
}

#[test]
fn a_history_comes_back() {
    let frame = encode(&sample()).expect("a small history");
    assert_eq!(decode(&frame), Ok(sample()));
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let frame = encode(&sample()).expect("a small history");
    for byte in 0..frame.len() {
        let mut damaged = frame.clone();
        damaged[byte] ^= 1 << (byte % 8);
        assert!(decode(&damaged).is_err(), "byte {byte}");
        assert_eq!(decode(&frame[..byte]), Err(CodecError::Truncated));
    }
    let mut longer = frame.clone();
    longer.push(0);
    assert_eq!(decode(&longer), Err(CodecError::Trailing));
}

#[test]
fn kind_and_version_are_checked() {
    let other = Kind {
        tag: *b"misc",
        version: 1,
    };
    let frame = encode_as(other, &7_u64).expect("a number");
    assert_eq!(decode_as::<u64>(other, &frame), Ok(7));
    assert_eq!(decode(&frame), Err(CodecError::WrongKind(*b"misc")));
    let newer = Kind {
        version: 2,
        ..HISTORY
    };
    let frame = encode_as(newer, &sample()).expect("a small history");
    assert_eq!(decode(&frame), Err(CodecError::WrongVersion(2)));
    assert_eq!(
        decode(b"not a frame, but as long as one"),
        Err(CodecError::Truncated)
    );
    assert_eq!(decode(&[7; HEADER_LEN]), Err(CodecError::NotAFrame));
}

#[test]
fn a_history_that_contradicts_itself_is_refused() {
    let mut history = sample();
    history.ops[1].op_id = history.ops[0].op_id;
    let frame = encode(&history).expect("a small history");
    assert!(matches!(decode(&frame), Err(CodecError::Payload(why)) if why.contains("twice")));
}
