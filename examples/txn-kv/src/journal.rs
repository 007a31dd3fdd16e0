//! What survives: a line a commit, with a sum of its own, synced before anybody sees it.

use std::io;
use std::path::Path;

use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncWriteExt;

use crate::protocol::parse_value;
use crate::store::{Outcome, Store};

/// The file of commits.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal of a folder, which is made if it is absent, and what it holds. A torn
    /// last line is cut off.
    ///
    /// # Errors
    /// What the disk answers; `InvalidData` for damage before the last line.
    pub(crate) async fn open(folder: &Path) -> io::Result<(Self, Store)> {
        fs::create_dir_all(folder).await?;
        let path = folder.join("journal");
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        let file = options.open(&path).await?;
        let text = fs::read(&path).await?;
        let mut store = Store::default();
        let mut sound = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(outcome) = parse(line) else {
                let rest = text.len() - sound;
                if rest > line.len() {
                    let message = format!("the journal is damaged at byte {sound}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                }
                break;
            };
            let commit = store.next_commit();
            store.install(commit, &outcome);
            sound += line.len();
        }
        if sound < text.len() {
            file.set_len(sound as u64).await?;
        }
        file.sync_all().await?;
        // The file's name is in the folder.
        File::open(folder).await?.sync_all().await?;
        Ok((Self { file }, store))
    }

    /// Adds a commit. On return it survives the loss of power.
    ///
    /// # Errors
    /// What the disk answers; whether the commit survives is not known then.
    pub(crate) async fn add(&mut self, outcome: &Outcome) -> io::Result<()> {
        let pairs = outcome.iter().map(|(key, value)| format!("{key} {value}"));
        let body = pairs.collect::<Vec<_>>().join(" ");
        let line = format!("{:016x} {body}\n", sum(body.as_bytes()));
        self.file.write_all(line.as_bytes()).await?;
        self.file.flush().await?;
        self.file.sync_data().await
    }
}

fn parse(line: &[u8]) -> Option<Outcome> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (written, body) = line.split_once(' ')?;
    if u64::from_str_radix(written, 16) != Ok(sum(body.as_bytes())) {
        return None;
    }
    let words: Vec<&str> = body.split(' ').collect();
    let pair = |pair: &[&str]| match pair {
        [key, value] => Some(((*key).to_owned(), parse_value(value)??)),
        _ => None,
    };
    words.chunks(2).map(pair).collect()
}

/// FNV-1a, 64 bits.
fn sum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
