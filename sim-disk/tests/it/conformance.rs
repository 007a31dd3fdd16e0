//! The same body on the real file system and on ours must log the same, errno for errno.

use std::fmt::Debug;
use std::io::{self, SeekFrom};

use sim_disk::{DiskConfig, OpenFlags};
use sim_runtime::{Seed, Stream};

use crate::fs::{Fs, Ours, Real};
use crate::harness::Bench;

type Log = Vec<String>;

/// Runs a body on both and compares what it logged.
macro_rules! same_on_both {
    ($name:expr, $body:expr) => {{
        let real = {
            let fs = Real::new($name);
            $body(&fs)
        };
        let bench = Bench::new(1, DiskConfig::default());
        let ours = bench.on_node(|disk| {
            let fs = Ours::new(disk);
            let log = $body(&fs);
            assert!(fs.calls.get() > 0);
            log
        });
        drop(bench.finish());
        compare(&real, &ours);
    }};
}

fn compare(real: &Log, ours: &Log) {
    for (at, (real, ours)) in real.iter().zip(ours).enumerate() {
        assert_eq!(real, ours, "line {at}: the real file system is on the left");
    }
    assert_eq!(real.len(), ours.len());
    assert!(!real.is_empty());
}

fn said<T: Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => match error.raw_os_error() {
            // std refuses some calls itself, without the kernel's number for it.
            Some(libc::EINVAL) => "InvalidInput".to_owned(),
            Some(code) => format!("errno {code}"),
            None => format!("{:?}", error.kind()),
        },
    }
}

fn flags(text: &str) -> OpenFlags {
    OpenFlags {
        read: text.contains('r'),
        write: text.contains('w'),
        append: text.contains('a'),
        truncate: text.contains('t'),
        create: text.contains('c'),
        create_new: text.contains('n'),
        mode: 0o644,
        custom: 0,
    }
}

/// Opens, and closes again; says what came of it.
fn try_open<F: Fs>(fs: &F, path: &str, how: &str) -> String {
    said(fs.open(path, flags(how)).map(|file| fs.close(file)))
}

fn write_all<F: Fs>(fs: &F, path: &str, content: &[u8]) {
    let file = fs.open(path, flags("wct")).unwrap();
    assert_eq!(fs.write(&file, content).unwrap(), content.len());
    fs.close(file);
}

fn small_tree<F: Fs>(fs: &F) {
    fs.create_dir("d").unwrap();
    fs.create_dir("d/e").unwrap();
    fs.create_dir("empty").unwrap();
    write_all(fs, "f", b"content of f");
    write_all(fs, "d/g", b"g");
}

const PATHS: [&str; 22] = [
    "f",
    "f/",
    "f/x",
    "f/.",
    "f/..",
    "d",
    "d/",
    "d/.",
    "d/..",
    "d/e/../g",
    "d//g",
    "d/missing",
    "d/missing/",
    "missing",
    "missing/",
    "missing/x",
    "missing/../f",
    ".",
    "..",
    "",
    "empty",
    "d/g/",
];

#[test]
fn every_combination_of_open_flags() {
    fn body<F: Fs>(fs: &F) -> Log {
        small_tree(fs);
        let mut log = Log::new();
        for bits in 0..64u32 {
            let how: String = "rwatcn"
                .chars()
                .enumerate()
                .filter(|(at, _)| bits >> at & 1 == 1)
                .map(|p| p.1)
                .collect();
            for path in ["f", "new", "d", "d/", "f/", "new/", "missing/x", "d/."] {
                log.push(format!("open {path} {how}: {}", try_open(fs, path, &how)));
                if path == "new" {
                    log.push(said(fs.remove_file(path)));
                }
            }
        }
        log
    }
    same_on_both!("open-flags", body);
}

#[test]
fn every_call_on_odd_paths() {
    fn body<F: Fs>(fs: &F) -> Log {
        let mut log = Log::new();
        for path in PATHS {
            if path == ".." {
                continue;
            }
            small_tree(fs);
            let mut say = |call: &str, what: String| log.push(format!("{call} {path:?}: {what}"));
            say("stat", said(fs.stat(path)));
            say("exists", said(fs.exists(path)));
            say("canonicalize", said(fs.canonicalize(path)));
            say("read_dir", said(fs.read_dir(path)));
            say("mkdir", said(fs.create_dir(path)));
            say("copy", said(fs.copy("f", path)));
            say("copy from", said(fs.copy(path, "copied")));
            say("link", said(fs.hard_link("f", path)));
            say("unlink", said(fs.remove_file(path)));
            say("rmdir", said(fs.remove_dir(path)));
            say("mkdir -p", said(fs.create_dir_all(path)));
            say("tree", tree(fs, "."));
            for name in fs.read_dir(".").unwrap() {
                if fs.stat(&name).unwrap().0 {
                    fs.remove_dir_all(&name).unwrap();
                } else {
                    fs.remove_file(&name).unwrap();
                }
            }
        }
        log
    }
    same_on_both!("odd-paths", body);
}

#[test]
fn rename_and_link_of_everything_onto_everything() {
    fn body<F: Fs>(fs: &F) -> Log {
        let mut log = Log::new();
        for from in PATHS {
            for to in PATHS {
                fs.create_dir("t").unwrap();
                let (from, to) = (format!("t/{from}"), format!("t/{to}"));
                for path in ["d", "d/e", "empty"] {
                    fs.create_dir(&format!("t/{path}")).unwrap();
                }
                write_all(fs, "t/f", b"content of f");
                write_all(fs, "t/d/g", b"g");
                log.push(format!(
                    "link {from:?} {to:?}: {}",
                    said(fs.hard_link(&from, &to))
                ));
                log.push(format!(
                    "rename {from:?} {to:?}: {}",
                    said(fs.rename(&from, &to))
                ));
                log.push(tree(fs, "."));
                for name in fs.read_dir(".").unwrap() {
                    fs.remove_dir_all(&name).unwrap();
                }
            }
        }
        log
    }
    same_on_both!("rename", body);
}

#[test]
fn files_outlive_their_names() {
    fn body<F: Fs>(fs: &F) -> Log {
        let file = fs.open("f", flags("rwc")).unwrap();
        let mut log = Vec::from([said(fs.write(&file, b"still here"))]);
        log.push(said(fs.remove_file("f")));
        log.push(try_open(fs, "f", "r"));
        log.push(said(fs.metadata(&file)));
        log.push(said(fs.pread(&file, 100, 0)));
        log.push(said(fs.write(&file, b", growing")));
        log.push(try_open(fs, "f", "wn"));
        log.push(said(fs.pread(&file, 100, 0)));
        log.push(said(fs.stat("f")));
        fs.close(file);
        log
    }
    same_on_both!("unlink-open", body);
}

#[test]
fn appends_go_to_the_end_whatever_the_position() {
    fn body<F: Fs>(fs: &F) -> Log {
        let one = fs.open("log", flags("rac")).unwrap();
        let two = fs.open("log", flags("a")).unwrap();
        let mut log = Log::new();
        for round in 0..4u8 {
            log.push(said(fs.write(&one, &[round; 3])));
            log.push(said(fs.write(&two, &[round + 10; 5])));
            log.push(said(fs.seek(&one, SeekFrom::Start(1))));
            log.push(said(fs.pwrite(&two, b"!", 0)));
            log.push(said(fs.read(&one, 100)));
        }
        log.push(said(fs.read(&two, 1)));
        fs.close(one);
        fs.close(two);
        log
    }
    same_on_both!("append", body);
}

#[test]
fn holes_and_ends() {
    fn body<F: Fs>(fs: &F) -> Log {
        let file = fs.open("sparse", flags("rwc")).unwrap();
        let mut log = Vec::from([said(fs.pwrite(&file, b"far", 100_000))]);
        log.push(said(fs.pread(&file, 10, 99_995)));
        log.push(said(fs.pread(&file, 10, 100_003)));
        log.push(said(fs.pread(&file, 10, 1 << 40)));
        log.push(said(fs.set_len(&file, 100_001)));
        log.push(said(fs.set_len(&file, 100_010)));
        log.push(said(fs.pread(&file, 20, 99_998)));
        log.push(said(fs.seek(&file, SeekFrom::End(-11))));
        log.push(said(fs.seek(&file, SeekFrom::Current(-1_000_000))));
        log.push(said(fs.read(&file, 100)));
        log.push(said(fs.seek(&file, SeekFrom::End(5))));
        log.push(said(fs.read(&file, 1)));
        log.push(said(fs.write(&file, b"")));
        log.push(said(fs.write(&file, b"x")));
        log.push(said(fs.metadata(&file)));
        log.push(said(fs.pwrite(&file, b"x", u64::MAX)));
        log.push(said(fs.pread(&file, 1, u64::MAX)));
        log.push(said(fs.set_len(&file, u64::MAX)));
        fs.close(file);
        let file = fs.open("sparse", flags("r")).unwrap();
        log.push(said(fs.write(&file, b"no")));
        log.push(said(fs.set_len(&file, 0)));
        fs.close(file);
        let dir = fs.open(".", flags("r")).unwrap();
        log.push(said(fs.read(&dir, 1)));
        log.push(said(fs.pread(&dir, 1, 0)));
        log.push(said(fs.write(&dir, b"x")));
        log.push(said(fs.set_len(&dir, 0)));
        log.push(said(fs.sync(&dir, false)));
        fs.close(dir);
        log
    }
    same_on_both!("holes", body);
}

#[test]
fn names_of_limit_lengths() {
    fn body<F: Fs>(fs: &F) -> Log {
        let mut log = Log::new();
        for len in [254, 255, 256] {
            log.push(try_open(fs, &"n".repeat(len), "wc"));
            log.push(said(fs.stat(&"m".repeat(len))));
        }
        log.push(said(fs.stat(&"./".repeat(2_100))));
        log.push(said(fs.stat("with\0nul")));
        log
    }
    same_on_both!("lengths", body);
}

/// Everything below a directory, with contents.
fn tree<F: Fs>(fs: &F, path: &str) -> String {
    let mut text = String::new();
    for name in fs.read_dir(path).unwrap() {
        let child = format!("{path}/{name}");
        let facts = fs.stat(&child).unwrap();
        if facts.0 {
            text += &format!("{child}: {{{}}} ", tree(fs, &child));
        } else {
            let file = fs.open(&child, flags("r")).unwrap();
            let content = fs.pread(&file, 1 << 18, 0).unwrap();
            fs.close(file);
            let sum = content.iter().fold(7u64, |sum, &byte| {
                sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
            });
            text += &format!("{child}: {facts:?} {sum:x} ");
        }
    }
    text
}

fn random_path(rng: &mut Stream) -> String {
    let mut path = String::new();
    for level in 0..=rng.below(3) {
        if level > 0 {
            path.push('/');
        }
        path += *rng.pick(&["a", "b", "c", "d", "e", "a", "b"]);
    }
    match rng.below(24) {
        0 => path.push('/'),
        1 => path += "/.",
        2 => path += "/../b",
        3 => path.insert_str(0, "./"),
        _ => {}
    }
    path
}

fn random_bytes(rng: &mut Stream) -> Vec<u8> {
    let len = rng.below(9_000) * rng.below(2) + rng.below(40);
    let mut bytes = vec![0; len as usize];
    rng.fill(&mut bytes);
    bytes
}

fn on_file<F: Fs>(fs: &F, file: &F::File, rng: &mut Stream) -> String {
    let is_dir = fs.metadata(file).unwrap().0;
    match rng.below(9) {
        0 => format!("read {}", said(fs.read(file, rng.below(6_000) as usize))),
        1 => format!("write {}", said(fs.write(file, &random_bytes(rng)))),
        2 if !is_dir => {
            let by = rng.below(20_000) as i64 - 5_000;
            let to = [
                SeekFrom::Current(by),
                SeekFrom::End(by),
                SeekFrom::Start(by as u64 >> 1),
            ];
            format!("seek {}", said(fs.seek(file, *rng.pick(&to[..2]))))
        }
        3 => format!("pread {}", said(fs.pread(file, 3_000, rng.below(20_000)))),
        4 => format!(
            "pwrite {}",
            said(fs.pwrite(file, &random_bytes(rng), rng.below(20_000)))
        ),
        5 => format!("sync {}", said(fs.sync(file, rng.chance(1, 2)))),
        6 => format!("set_len {}", said(fs.set_len(file, rng.below(20_000)))),
        _ => format!("metadata {}", said(fs.metadata(file))),
    }
}

fn on_names<F: Fs>(fs: &F, rng: &mut Stream) -> String {
    let (path, other) = (random_path(rng), random_path(rng));
    match rng.below(11) {
        0 | 1 => format!("mkdir {path} {}", said(fs.create_dir(&path))),
        2 => format!("mkdir -p {path} {}", said(fs.create_dir_all(&path))),
        3 => format!("rmdir {path} {}", said(fs.remove_dir(&path))),
        4 => format!("unlink {path} {}", said(fs.remove_file(&path))),
        5 | 6 => format!("rename {path} {other} {}", said(fs.rename(&path, &other))),
        7 => format!("link {path} {other} {}", said(fs.hard_link(&path, &other))),
        8 => format!("copy {path} {other} {}", said(fs.copy(&path, &other))),
        9 => format!(
            "stat {path} {} {}",
            said(fs.stat(&path)),
            said(fs.canonicalize(&path))
        ),
        _ if rng.chance(1, 8) => format!("rm -r {path} {}", said(fs.remove_dir_all(&path))),
        _ => format!("list {path} {}", said(fs.read_dir(&path))),
    }
}

/// Random calls, then the whole tree.
pub(crate) fn random_calls<F: Fs>(fs: &F, seed: u64, calls: usize) -> Log {
    let mut rng = Stream::of(Seed(seed), "conformance", seed);
    let mut log = Log::new();
    let mut files = Vec::new();
    for _ in 0..calls {
        match rng.below(10) {
            0 | 1 => {
                let path = random_path(&mut rng);
                let how = *rng.pick(&["r", "rw", "rwc", "wct", "rac", "rwn", "ac", "wt"]);
                match fs.open(&path, flags(how)) {
                    Ok(file) => files.push(file),
                    Err(error) => log.push(format!("open {path} {how} {}", said::<()>(Err(error)))),
                }
                if files.len() > 6 {
                    fs.close(files.remove(rng.below(6) as usize));
                }
            }
            2..6 if !files.is_empty() => {
                let at = rng.below(files.len() as u64) as usize;
                log.push(on_file(fs, &files[at], &mut rng));
            }
            _ => log.push(on_names(fs, &mut rng)),
        }
    }
    log.push(tree(fs, "."));
    files.into_iter().for_each(|file| fs.close(file));
    log
}

#[test]
fn random_sequences_of_calls() {
    for seed in 1..=12 {
        same_on_both!(&format!("random-{seed}"), |fs| random_calls(
            fs, seed, 2_000
        ));
    }
}
