//! Random numbers.

use std::fs::File;
use std::io::Read as _;

use ring::rand::SecureRandom as _;

use crate::probe;

fn filled(fill: impl FnOnce(&mut [u8])) -> String {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    format!("{bytes:02x?}")
}

probe!(10, "rand 0.8", {
    use rand_08::Rng as _;
    let mut rng = rand_08::thread_rng();
    format!("{:?}", [rng.r#gen::<u64>(), rng.r#gen()])
});
probe!(11, "rand 0.9", {
    use rand_09::Rng as _;
    let mut rng = rand_09::rng();
    format!("{:?}", [rng.random::<u64>(), rng.random()])
});
probe!(12, "rand 0.10", {
    use rand_010::RngExt as _;
    let mut rng = rand_010::rng();
    format!("{:?}", [rng.random::<u64>(), rng.random()])
});
probe!(13, "uuid v4", uuid::Uuid::new_v4().to_string());
probe!(14, "uuid v7", {
    let ids = [uuid::Uuid::now_v7(), uuid::Uuid::now_v7()];
    ids.map(|id| id.to_string()).join(" ")
});
probe!(15, "fastrand", {
    format!("{:?}", [fastrand::u64(..), fastrand::u64(..)])
});
probe!(16, "getrandom 0.2", {
    filled(|bytes| getrandom_02::getrandom(bytes).expect("there is entropy"))
});
probe!(17, "getrandom 0.3", {
    filled(|bytes| getrandom_03::fill(bytes).expect("there is entropy"))
});
probe!(18, "getrandom 0.4", {
    filled(|bytes| getrandom_04::fill(bytes).expect("there is entropy"))
});
probe!(19, "rustix getrandom", {
    filled(|bytes| {
        let flags = rustix::rand::GetRandomFlags::empty();
        rustix::rand::getrandom(bytes, flags).expect("there is entropy");
    })
});
probe!(20, "ring SystemRandom", {
    filled(|bytes| {
        let random = ring::rand::SystemRandom::new();
        random.fill(bytes).expect("there is entropy");
    })
});
probe!(21, "/dev/urandom", {
    filled(|bytes| {
        let mut file = File::open("/dev/urandom").expect("it is there");
        file.read_exact(bytes).expect("it never ends");
    })
});
