//! Frames on TCP: magic, length, checksum, then one bincode value.

use std::io;

use bincode::Options as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::checksum::crc32;

/// The longest payload either side will send or take.
pub(crate) const FRAME_BYTES_MAX: usize = 4 << 20;

/// What room a frame is given at first.
const FRAME_BYTES_USUAL: usize = 256;

const MAGIC: [u8; 4] = *b"rkv1";
const HEADER: usize = 12;

/// Writes one value; on an error the connection is of no further use.
pub(crate) async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> io::Result<()> {
    // Written once, behind room for the header: with a limit the codec would go through the value
    // twice, the first time for its size.
    let mut frame = Vec::with_capacity(FRAME_BYTES_USUAL);
    frame.extend_from_slice(&MAGIC);
    frame.resize(HEADER, 0);
    let unlimited = bincode::DefaultOptions::new();
    unlimited
        .serialize_into(&mut frame, value)
        .map_err(invalid)?;
    let length = frame.len() - HEADER;
    if length > FRAME_BYTES_MAX {
        return Err(too_long(length));
    }
    let checksum = crc32(&[&frame[HEADER..]]);
    frame[4..8].copy_from_slice(&(length as u32).to_le_bytes());
    frame[8..HEADER].copy_from_slice(&checksum.to_le_bytes());
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Reads one value; `UnexpectedEof` when the other side closed. Not cancel-safe.
pub(crate) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<T> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let word = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if header[..4] != MAGIC {
        return Err(invalid("not a raft-kv frame"));
    }
    let length = word(4) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(too_long(length));
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    if crc32(&[&payload]) != word(8) {
        return Err(invalid("frame checksum differs"));
    }
    codec().deserialize(&payload).map_err(invalid)
}

fn too_long(length: usize) -> io::Error {
    invalid(format!("frame of {length} bytes exceeds the limit"))
}

fn codec() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_limit(FRAME_BYTES_MAX as u64)
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ClientRequest, Op, PeerRequest, Request, RequestRef, VoteRequest};

    #[tokio::test]
    async fn a_value_survives_the_wire() {
        let mut wire = Vec::new();
        write(&mut wire, &("key", 7_u64)).await.unwrap();
        write(&mut wire, &("next", 8_u64)).await.unwrap();
        let mut rest = wire.as_slice();
        assert_eq!(
            read::<(String, u64)>(&mut rest).await.unwrap(),
            ("key".into(), 7)
        );
        assert_eq!(
            read::<(String, u64)>(&mut rest).await.unwrap(),
            ("next".into(), 8)
        );
        let end = read::<(String, u64)>(&mut rest).await.unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn what_is_sent_from_where_it_is_reads_as_its_own() {
        let (op, mut wire) = (Op::Get { key: "k".into() }, Vec::new());
        let asked = ClientRequest {
            client: 1,
            seq: 2,
            op,
        };
        write(&mut wire, &RequestRef::Client(&asked)).await.unwrap();
        let said = PeerRequest::Vote(VoteRequest {
            pre: true,
            term: 3,
            last_index: 4,
            last_term: 2,
        });
        let (from, request) = (7, &said);
        write(&mut wire, &RequestRef::Peer { from, request })
            .await
            .unwrap();
        let mut rest = wire.as_slice();
        let first: Request = read(&mut rest).await.unwrap();
        assert_eq!(first, Request::Client(asked.clone()));
        let second: Request = read(&mut rest).await.unwrap();
        let request = said.clone();
        assert_eq!(second, Request::Peer { from, request });
    }

    #[tokio::test]
    async fn damage_and_excess_are_refused() {
        let mut wire = Vec::new();
        write(&mut wire, &"value").await.unwrap();
        for at in 0..wire.len() {
            let mut damaged = wire.clone();
            damaged[at] ^= 0x40;
            assert!(
                read::<String>(&mut damaged.as_slice()).await.is_err(),
                "byte {at}"
            );
        }
        let mut huge = MAGIC.to_vec();
        huge.extend_from_slice(&u32::MAX.to_le_bytes());
        huge.extend_from_slice(&[0; 4]);
        let refused = read::<String>(&mut huge.as_slice()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }
}
