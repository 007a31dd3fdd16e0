//! What a guest says of itself, over a sweep.

use landfall::judge::Verdict;
use landfall::render;

use crate::sweeps::{pool, sweep_all};

#[landfall::test(test = false)]
async fn says_of_itself() {
    let seed = landfall::runtime::world().seed().0;
    landfall::always!(seed < 4, "small seeds", "the seed is {seed}");
    landfall::sometimes!(seed == 2, "seed two");
    landfall::sometimes!(seed > 1_000, "seed of thousands");
    if seed > 1_000 {
        landfall::reachable!("beyond a thousand");
    }
}

#[test]
fn a_violation_fails_its_seed_and_what_was_never_met_is_named() {
    let mut pool = pool(2);
    let good = sweep_all(&mut pool, "probes::says_of_itself", 4);
    assert!(good.judgement.verdict.is_pass(), "{:?}", good.judgement);
    let text = render::table(&[good]);
    assert!(!text.contains("seed two"), "{text}");
    for unmet in [
        "sometimes seed of thousands (",
        "reachable beyond a thousand (",
    ] {
        assert!(text.contains(unmet), "{text}");
    }
    let bad = sweep_all(&mut pool, "probes::says_of_itself", 6);
    assert_eq!(bad.judgement.verdict, Verdict::FailReproducible);
    let signatures: Vec<_> = bad.tally.signatures.iter().collect();
    assert_eq!(signatures, [(&"always/small seeds".to_owned(), &2)]);
    let text = render::failure(&bad, &|seed| seed.to_string());
    assert!(text.contains("the seed is 4"), "{text}");
}
