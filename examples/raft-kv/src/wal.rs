//! What survives a crash: term, vote and log, in one append-only file.
//!
//! The file is a sequence of frames: magic, checksum, sequence number, length, then the records
//! of one batch, padded to whole 512-byte sectors. A batch is synced before the next is written
//! and before anything it contains is promised to anyone, and no write touches a sector that an
//! earlier one filled. So a crash can damage the last frame only, and that frame was promised to
//! nobody: it ends the log. A damaged frame with a sound one behind it is corruption, an error.
//!
//! Recovery writes what it found to a fresh file and renames it into place. This drops the torn
//! tail and superseded records, and makes durable what a failed fsync may have left readable in
//! the page cache only.

use std::io;
use std::path::{Path, PathBuf};

use bincode::Options as _;
use serde::{Deserialize, Serialize};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tracing::info;

use crate::checksum::crc32;
use crate::message::Entry;

const SECTOR: usize = 512;
const MAGIC: [u8; 4] = *b"rkvW";
const HEADER: usize = 20;
/// How many entries recovery puts into one frame.
const FRAME_ENTRIES: usize = 256;

/// What Raft must never forget, beside the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HardState {
    pub(crate) term: u64,
    pub(crate) voted_for: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Record {
    Hard(HardState),
    /// Every entry after `last` is void.
    Truncate {
        last: u64,
    },
    Entry(Entry),
}

/// What changed since the last write.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) hard: Option<HardState>,
    pub(crate) truncate_after: Option<u64>,
    pub(crate) entries: Vec<Entry>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.hard.is_none() && self.truncate_after.is_none() && self.entries.is_empty()
    }
}

/// What recovery found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) hard: HardState,
    pub(crate) entries: Vec<Entry>,
    pub(crate) torn_tail: bool,
}

/// The open file, positioned at its end.
#[derive(Debug)]
pub(crate) struct Wal {
    file: File,
    next_seq: u64,
}

impl Wal {
    /// Recovers the log in `dir`, which is made if absent.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the log is damaged before its tail; else what the file system says.
    pub(crate) async fn open(dir: &Path) -> io::Result<(Self, Recovered)> {
        fs::create_dir_all(dir).await?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent).await?;
        }
        let path = dir.join("wal");
        let recovered = match fs::read(&path).await {
            Ok(bytes) => decode(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Recovered::default(),
            Err(error) => return Err(error),
        };
        let wal = Self::rewrite(dir, path, &recovered).await?;
        info!(
            "wal recovered entries={} term={} torn_tail={}",
            recovered.entries.len(),
            recovered.hard.term,
            recovered.torn_tail
        );
        Ok((wal, recovered))
    }

    /// Writes what was recovered to a new file, and has it take the old one's place.
    async fn rewrite(dir: &Path, path: PathBuf, recovered: &Recovered) -> io::Result<Self> {
        let fresh = dir.join("wal.new");
        // Left by a recovery that was cut short. It is unlinked, not overwritten: where a rename
        // may survive a crash by half, both names may be those of the one file.
        match fs::remove_file(&fresh).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut wal = Self {
            file: File::create(&fresh).await?,
            next_seq: 1,
        };
        wal.write(&[Record::Hard(recovered.hard)]).await?;
        for chunk in recovered.entries.chunks(FRAME_ENTRIES) {
            wal.write(&chunk.iter().cloned().map(Record::Entry).collect::<Vec<_>>())
                .await?;
        }
        wal.file.sync_all().await?;
        fs::rename(&fresh, &path).await?;
        sync_dir(dir).await?;
        Ok(wal)
    }

    /// Makes a batch durable; on return it survives the loss of power.
    ///
    /// # Errors
    ///
    /// After an error nobody knows what the file holds: the node must stop, and recover.
    pub(crate) async fn append(&mut self, batch: Batch) -> io::Result<()> {
        let sync = !cfg!(feature = "bug-wal-not-synced") || batch.hard.is_some();
        let mut records = Vec::new();
        records.extend(batch.hard.map(Record::Hard));
        records.extend(batch.truncate_after.map(|last| Record::Truncate { last }));
        records.extend(batch.entries.into_iter().map(Record::Entry));
        self.write(&records).await?;
        if sync {
            self.file.sync_data().await?;
        }
        Ok(())
    }

    async fn write(&mut self, records: &[Record]) -> io::Result<()> {
        self.file
            .write_all(&encode(self.next_seq, records)?)
            .await?;
        self.next_seq += 1;
        self.file.flush().await
    }
}

async fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir).await?.sync_all().await
}

fn encode(seq: u64, records: &[Record]) -> io::Result<Vec<u8>> {
    let payload = bincode::DefaultOptions::new()
        .serialize(records)
        .map_err(io::Error::other)?;
    let length = u32::try_from(payload.len())
        .map_err(io::Error::other)?
        .to_le_bytes();
    let seq = seq.to_le_bytes();
    let mut frame = Vec::with_capacity((HEADER + payload.len()).next_multiple_of(SECTOR));
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&crc32(&[&seq, &length, &payload]).to_le_bytes());
    frame.extend_from_slice(&seq);
    frame.extend_from_slice(&length);
    frame.extend_from_slice(&payload);
    frame.resize(frame.len().next_multiple_of(SECTOR), 0);
    Ok(frame)
}

/// A frame whose checksum holds.
struct Frame<'a> {
    seq: u64,
    payload: &'a [u8],
}

fn frame_at(bytes: &[u8]) -> Option<Frame<'_>> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    if header[..4] != MAGIC {
        return None;
    }
    let crc = u32::from_le_bytes(header[4..8].try_into().ok()?);
    let length = u32::from_le_bytes(header[16..20].try_into().ok()?);
    let payload = rest.get(..length as usize)?;
    if crc32(&[&header[8..16], &header[16..20], payload]) != crc {
        return None;
    }
    Some(Frame {
        seq: u64::from_le_bytes(header[8..16].try_into().ok()?),
        payload,
    })
}

fn decode(bytes: &[u8]) -> io::Result<Recovered> {
    let mut recovered = Recovered::default();
    let mut at = 0;
    let mut seq = 1;
    while at < bytes.len() {
        let Some(frame) = frame_at(&bytes[at..]) else {
            let mut later = (at + SECTOR..bytes.len()).step_by(SECTOR);
            if let Some(sound) = later.find(|later| frame_at(&bytes[*later..]).is_some()) {
                return Err(corrupt(format!(
                    "damaged at {at}, but sound again at {sound}"
                )));
            }
            recovered.torn_tail = true;
            break;
        };
        if frame.seq != seq {
            return Err(corrupt(format!("frame {} where {seq} belongs", frame.seq)));
        }
        let records: Vec<Record> = bincode::DefaultOptions::new()
            .with_limit(frame.payload.len() as u64)
            .deserialize(frame.payload)
            .map_err(|error| corrupt(error.to_string()))?;
        records
            .into_iter()
            .try_for_each(|record| replay(&mut recovered, record))?;
        at += (HEADER + frame.payload.len()).next_multiple_of(SECTOR);
        seq += 1;
    }
    Ok(recovered)
}

fn replay(recovered: &mut Recovered, record: Record) -> io::Result<()> {
    match record {
        Record::Hard(hard) => recovered.hard = hard,
        Record::Truncate { last } => recovered.entries.truncate(last as usize),
        Record::Entry(entry) => {
            let expected = recovered.entries.len() as u64 + 1;
            if entry.index != expected {
                return Err(corrupt(format!(
                    "entry {} where {expected} belongs",
                    entry.index
                )));
            }
            recovered.entries.push(entry);
        }
    }
    Ok(())
}

fn corrupt(what: String) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("write-ahead log: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ClientRequest, Command, Op};

    fn entry(index: u64, bytes: usize) -> Record {
        let op = Op::Put {
            key: "k".into(),
            value: "v".repeat(bytes),
        };
        let command = Command::Apply(ClientRequest {
            client: 1,
            seq: index,
            op,
        });
        Record::Entry(Entry {
            index,
            term: 2,
            command,
        })
    }

    fn file(frames: &[Vec<Record>]) -> Vec<u8> {
        let frame = |(records, seq)| encode(seq, records).unwrap();
        frames
            .iter()
            .zip(1_u64..)
            .flat_map(|(f, s)| frame((f.as_slice(), s)))
            .collect()
    }

    fn sample() -> Vec<Vec<Record>> {
        let hard = HardState {
            term: 2,
            voted_for: Some(3),
        };
        vec![
            vec![Record::Hard(hard), entry(1, 10)],
            vec![entry(2, 1500), entry(3, 10)],
            vec![Record::Truncate { last: 2 }, entry(3, 700)],
        ]
    }

    #[test]
    fn records_replay_in_order() {
        let recovered = decode(&file(&sample())).unwrap();
        assert_eq!(
            recovered.hard,
            HardState {
                term: 2,
                voted_for: Some(3)
            }
        );
        assert_eq!(recovered.entries.len(), 3);
        assert!(!recovered.torn_tail);
        assert!(matches!(&entry(3, 700), Record::Entry(last) if recovered.entries[2] == *last));
    }

    #[test]
    fn any_torn_last_frame_ends_the_log() {
        let whole = file(&sample());
        let before = file(&sample()[..2]).len();
        for length in before + 1..before + HEADER + 700 {
            let recovered = decode(&whole[..length]).unwrap();
            assert!(recovered.torn_tail, "cut at {length}");
            assert_eq!(
                recovered.entries.len(),
                3,
                "truncation and entry are one unit"
            );
            assert!(matches!(&entry(3, 10), Record::Entry(old) if recovered.entries[2] == *old));
        }
        for sector in (before..whole.len()).step_by(SECTOR) {
            let mut torn = whole.clone();
            torn[sector..sector + SECTOR].fill(0);
            assert!(decode(&torn).unwrap().torn_tail, "sector at {sector} lost");
        }
    }

    #[test]
    fn damage_before_the_tail_is_an_error() {
        let whole = file(&sample());
        for at in [0, 30, SECTOR + 5, 2 * SECTOR + 9] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            let error = decode(&damaged).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "byte {at}");
        }
    }
}
