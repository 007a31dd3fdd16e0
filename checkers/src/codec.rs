//! The binary format, and the only module that names bincode.
//!
//! A frame is: eight bytes of magic, the kind (four bytes), the version of the kind (`u32`), the
//! length of the payload (`u64`), its FNV-1a checksum (`u64`), the payload; integers little-endian.
//! The checksum finds damage, not malice.

use std::fmt;

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::history::History;

/// What every frame begins with.
pub const MAGIC: [u8; 8] = *b"landfall";
/// Bytes before the payload.
pub const HEADER_LEN: usize = 32;
/// The largest payload that is written or read, bytes.
pub const PAYLOAD_MAX: u64 = 1 << 32;
/// The kind of frame that holds a history.
pub const HISTORY: Kind = Kind {
    tag: *b"hist",
    version: 1,
};

/// What a frame holds, and in which version of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Four letters.
    pub tag: [u8; 4],
    /// Raised when the layout changes.
    pub version: u32,
}

/// Why bytes could not be encoded or decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// Fewer bytes than the header or the payload needs.
    Truncated,
    /// Bytes after the payload.
    Trailing,
    /// The magic is missing: not one of our frames.
    NotAFrame,
    /// A frame of another kind.
    WrongKind([u8; 4]),
    /// A version that this build does not read.
    WrongVersion(u32),
    /// A payload larger than [`PAYLOAD_MAX`].
    TooLarge(u64),
    /// The checksum does not match.
    Damaged,
    /// The payload does not hold what its kind says.
    Payload(String),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Truncated => f.write_str("the frame is truncated"),
            CodecError::Trailing => f.write_str("bytes follow the frame"),
            CodecError::NotAFrame => f.write_str("not a landfall frame"),
            CodecError::WrongKind(tag) => {
                write!(f, "a frame of kind `{}`", tag.escape_ascii())
            }
            CodecError::WrongVersion(version) => write!(f, "version {version} is not known"),
            CodecError::TooLarge(length) => write!(f, "a payload of {length} bytes is too large"),
            CodecError::Damaged => f.write_str("the checksum does not match the payload"),
            CodecError::Payload(why) => write!(f, "the payload is not valid: {why}"),
        }
    }
}

impl std::error::Error for CodecError {}

/// Encodes a history.
///
/// # Errors
/// [`CodecError::TooLarge`] past [`PAYLOAD_MAX`].
pub fn encode(history: &History) -> Result<Vec<u8>, CodecError> {
    encode_as(HISTORY, history)
}

/// Decodes a history and validates it.
///
/// # Errors
/// Anything in [`CodecError`]; a history that contradicts itself is [`CodecError::Payload`].
pub fn decode(bytes: &[u8]) -> Result<History, CodecError> {
    let history: History = decode_as(HISTORY, bytes)?;
    history.validate().map_err(CodecError::Payload)?;
    Ok(history)
}

/// Encodes any value as a frame of the given kind.
///
/// # Errors
/// [`CodecError::TooLarge`] past [`PAYLOAD_MAX`], [`CodecError::Payload`] when the value's own
/// serialisation fails.
pub fn encode_as<T: Serialize>(kind: Kind, value: &T) -> Result<Vec<u8>, CodecError> {
    let options = options();
    let length = options.serialized_size(value).map_err(payload_error)?;
    if length > PAYLOAD_MAX {
        return Err(CodecError::TooLarge(length));
    }
    let payload = options.serialize(value).map_err(payload_error)?;
    let mut frame = Vec::with_capacity(HEADER_LEN + payload.len());
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&kind.tag);
    frame.extend_from_slice(&kind.version.to_le_bytes());
    frame.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    frame.extend_from_slice(&checksum(&payload).to_le_bytes());
    frame.extend_from_slice(&payload);
    Ok(frame)
}

/// Decodes a frame of the given kind. Allocates no more than a small multiple of `bytes`.
///
/// # Errors
/// Anything in [`CodecError`].
pub fn decode_as<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, CodecError> {
    let (header, payload) = bytes
        .split_at_checked(HEADER_LEN)
        .ok_or(CodecError::Truncated)?;
    let (magic, header) = header.split_at(8);
    let (tag, header) = header.split_at(4);
    let (version, header) = header.split_at(4);
    let (length, sum) = header.split_at(8);
    if magic != MAGIC {
        return Err(CodecError::NotAFrame);
    }
    let tag: [u8; 4] = tag.try_into().expect("split at four bytes");
    if tag != kind.tag {
        return Err(CodecError::WrongKind(tag));
    }
    let version = u32::from_le_bytes(version.try_into().expect("split at four bytes"));
    if version != kind.version {
        return Err(CodecError::WrongVersion(version));
    }
    let length = u64::from_le_bytes(length.try_into().expect("split at eight bytes"));
    if length > PAYLOAD_MAX {
        return Err(CodecError::TooLarge(length));
    }
    match (payload.len() as u64).cmp(&length) {
        std::cmp::Ordering::Less => return Err(CodecError::Truncated),
        std::cmp::Ordering::Greater => return Err(CodecError::Trailing),
        std::cmp::Ordering::Equal => {}
    }
    if u64::from_le_bytes(sum.try_into().expect("split at eight bytes")) != checksum(payload) {
        return Err(CodecError::Damaged);
    }
    options().deserialize(payload).map_err(payload_error)
}

/// Fixed-width little-endian integers; trailing bytes are an error.
fn options() -> impl Options + Copy {
    bincode::DefaultOptions::new()
        .with_limit(PAYLOAD_MAX)
        .with_fixint_encoding()
        .with_little_endian()
        .reject_trailing_bytes()
}

#[expect(clippy::boxed_local, reason = "bincode's errors are boxed")]
fn payload_error(error: bincode::Error) -> CodecError {
    match *error {
        bincode::ErrorKind::SizeLimit => CodecError::TooLarge(PAYLOAD_MAX),
        other => CodecError::Payload(other.to_string()),
    }
}

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
