//! Every function that a test binary imports has been thought of: `interpose/symbols.txt` says what
//! a simulation makes of it.
#![expect(unsafe_code, reason = "asks the dynamic linker for a name")]
#![expect(clippy::disallowed_types, reason = "tells the newest of several files")]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const TABLE: &str = include_str!("../../src/interpose/symbols.txt");

/// The class of what this crate defines.
const HOOKED: &str = "hooked";

/// Each name of the table with its class. Panics where the table breaks its own rules.
fn classes() -> BTreeMap<&'static str, &'static str> {
    let mut classes = BTreeMap::new();
    let (mut class, mut last) = ("", "");
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some(heading) = line.strip_prefix("== ") {
            let (name, meaning) = heading
                .split_once(": ")
                .expect("a class says what it means");
            assert!(!meaning.is_empty(), "{name}");
            (class, last) = (name, "");
            continue;
        }
        for name in line.split_whitespace() {
            assert!(last < name, "{class}: {last} stands before {name}");
            last = name;
            let before = classes.insert(name, class);
            assert_eq!(before, None, "{name} is {class}");
        }
    }
    classes
}

/// The dynamic symbols of an executable.
#[derive(Default)]
struct Symbols {
    imported: BTreeSet<String>,
    /// Functions only.
    defined: BTreeSet<String>,
}

/// An executable of this machine's kind, read a piece at a time.
struct Elf(File);

/// Sections of type `SHT_DYNSYM`.
const DYNAMIC_SYMBOLS: u32 = 11;
/// Symbols of type `STT_FUNC`.
const FUNCTION: u8 = 2;
/// The size of a section's header, and of a symbol.
const SECTION: u64 = 64;
const SYMBOL: usize = 24;

impl Elf {
    fn bytes(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    fn word(&self, at: u64) -> io::Result<u64> {
        let bytes = self.bytes(at, 8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// Where a section's contents are, and how long.
    fn contents(&self, section: u64) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.word(section + 32)?).expect("fits in memory");
        self.bytes(self.word(section + 24)?, length)
    }

    /// `None`: it is no ELF file, or one without dynamic symbols.
    fn symbols(&self) -> io::Result<Option<Symbols>> {
        let Ok(head) = self.bytes(0, 64) else {
            return Ok(None);
        };
        if !head.starts_with(b"\x7fELF\x02\x01") {
            return Ok(None);
        }
        let first = self.word(40)?;
        let count = u64::from(u16::from_le_bytes([head[60], head[61]]));
        for section in (0..count).map(|index| first + index * SECTION) {
            // The name's offset and the type share a word.
            if (self.word(section)? >> 32) as u32 == DYNAMIC_SYMBOLS {
                let names = first + (self.word(section + 40)? & 0xffff_ffff) * SECTION;
                let symbols = parse(&self.contents(section)?, &self.contents(names)?);
                return Ok(Some(symbols));
            }
        }
        Ok(None)
    }
}

fn parse(table: &[u8], names: &[u8]) -> Symbols {
    let mut symbols = Symbols::default();
    for symbol in table.chunks_exact(SYMBOL).skip(1) {
        let start = u32::from_le_bytes([symbol[0], symbol[1], symbol[2], symbol[3]]) as usize;
        let name = names[start..].split(|byte| *byte == 0).next();
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let is_defined = symbol[6..8] != [0, 0];
        if !is_defined {
            symbols.imported.insert(name);
        } else if symbol[4] & 0xf == FUNCTION {
            symbols.defined.insert(name);
        }
    }
    symbols
}

fn symbols_of(path: &Path) -> Option<Symbols> {
    let file = File::open(path).ok()?;
    Elf(file).symbols().expect("it is a whole file")
}

fn this() -> PathBuf {
    env::current_exe().expect("this binary has a path")
}

/// The newest executable of each name beside this one: a target directory keeps old ones.
fn beside() -> Vec<PathBuf> {
    let this = this();
    let mut newest: BTreeMap<String, (SystemTime, PathBuf)> = BTreeMap::new();
    for entry in fs::read_dir(this.parent().expect("a directory")).expect("it can be read") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let Some((stem, _hash)) = name.rsplit_once('-').filter(|_| !name.contains('.')) else {
            continue;
        };
        // Another build may be at work here: what is gone again is no test binary to look at.
        let Ok(time) = path.metadata().and_then(|metadata| metadata.modified()) else {
            continue;
        };
        let stem = stem.to_owned();
        let known = newest.get(&stem).is_some_and(|(other, _)| *other >= time);
        if !known {
            newest.insert(stem, (time, path));
        }
    }
    newest.into_values().map(|(_, path)| path).collect()
}

/// What of it no class has. Rust's own names, of a program with a shared std, need none.
fn unclassified(symbols: &Symbols) -> Vec<String> {
    let classes = classes();
    let of_rust = |name: &str| name.starts_with("_R") || name.starts_with("_ZN");
    let imported = symbols.imported.iter().cloned();
    imported
        .filter(|name| !classes.contains_key(name.as_str()) && !of_rust(name))
        .collect()
}

#[test]
fn every_imported_symbol_is_classified() {
    let mut unknown: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    let mut looked_at = 0;
    for path in beside().into_iter().chain([this()]) {
        let Some(symbols) = symbols_of(&path) else {
            continue;
        };
        looked_at += 1;
        let names = unclassified(&symbols);
        if !names.is_empty() {
            unknown.insert(path, names);
        }
    }
    assert!(looked_at >= 1);
    assert!(
        unknown.is_empty(),
        "nobody has said in sim-runtime/src/interpose/symbols.txt what these are: {unknown:#?}"
    );
}

#[test]
fn an_import_that_nobody_classified_is_seen() {
    let mut symbols = symbols_of(&this()).expect("this is an ELF file");
    for name in ["memcpy", "malloc", "pthread_self"] {
        assert!(symbols.imported.contains(name), "{name}");
    }
    assert!(!symbols.imported.contains("clock_gettime"), "it is hooked");
    symbols.imported.insert("read_the_stars".to_owned());
    symbols.imported.insert("_RNvNtCs_3std4time".to_owned());
    assert_eq!(unclassified(&symbols), ["read_the_stars"]);
}

#[test]
fn what_is_hooked_is_what_the_executable_defines() {
    let hooked: BTreeSet<_> = classes()
        .into_iter()
        .filter(|(_, class)| *class == HOOKED)
        .map(|(name, _)| name.to_owned())
        .filter(|name| is_in_this_c_library(name))
        .collect();
    let defined = symbols_of(&this()).expect("this is an ELF file").defined;
    let missing: Vec<_> = hooked.difference(&defined).collect();
    let extra: Vec<_> = defined.difference(&hooked).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "interpose/symbols.txt calls {missing:?} hooked, which the executable does not define; it \
         defines {extra:?}"
    );
}

/// A hook is exported only where the C library that the executable is linked with has the name:
/// an older one lacks some.
fn is_in_this_c_library(name: &str) -> bool {
    let name = CString::new(name).expect("a name without NUL");
    // SAFETY: the name ends in NUL, and the handle asks for any library's definition.
    !unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.is_null()
}
