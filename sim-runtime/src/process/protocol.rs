//! The frames on a worker's two pipes, version [`VERSION`].
//!
//! Numbers are little-endian.
//!
//! **Commands**, on the worker's standard input: `[u32 length][u32 wall limit in ms]
//! [u32 stall limit in ms][u32 memory limit in MiB, 0 for none][payload]`, the length being that
//! of the payload and at most [`COMMAND_MAX`]. The next command may be sent
//! when the exit of the last one has been read. End of file: the worker exits with 0.
//!
//! **Replies**, on its standard output: `[u8 letter][u32 length][payload]`, the whole of a frame
//! at most [`FRAME_MAX`] bytes, so that the kernel writes it in one piece (`PIPE_BUF`, pipe(7))
//! and a process that is killed leaves no half frame. A longer message is cut: all frames but the
//! last carry the letter in lower case. A message of another kind in between drops what was
//! incomplete: its sender is dead.
//!
//! | letter | sender | message |
//! |---|---|---|
//! | `H` | worker, once, first | `[u32 version][u32 pid][u32 flags]`, see [`Hello`] |
//! | `P` | child, any number | progress, as the handler means it |
//! | `R` | child | the result; the last one counts |
//! | `E` | child or worker | UTF-8: the handler panicked, or could not be called |
//! | `O` | child or worker | the last [`OUTPUT_TAIL_MAX`] bytes of standard output and error |
//! | `W` | worker | what the child was doing when it died, see [`super::last_words`] |
//! | `X` | worker, last of a command | [`ExitFrame`] |

use std::ffi::CStr;
use std::fmt;

/// The version that this crate speaks. The greeting starts with it in every version.
pub const VERSION: u32 = 2;
/// The environment variable that makes a worker of a process. Its value is padding.
pub const VARIABLE: &str = "LANDFALL_WORKER";
pub(crate) const VARIABLE_C: &CStr = c"LANDFALL_WORKER";
/// The longest command in bytes.
pub const COMMAND_MAX: usize = 1 << 20;
/// The longest reply frame in bytes, header included.
pub const FRAME_MAX: usize = 4096;
/// The longest message in bytes that a coordinator puts together.
pub const MESSAGE_MAX: usize = 256 << 20;
/// How much of a child's output is kept, in bytes, counted from its end.
pub const OUTPUT_TAIL_MAX: usize = 32 << 10;

/// Bytes before a command's payload.
pub const COMMAND_HEADER: usize = 16;
const HEADER: usize = 5;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The worker is ready.
    Hello,
    /// News of a command under way.
    Progress,
    /// What came of a command.
    Result,
    /// The handler did not return.
    Error,
    /// The end of what the child printed.
    Output,
    /// What the child was doing when it died.
    LastWords,
    /// The child is gone.
    Exit,
}

impl Kind {
    const ALL: [Kind; 7] = [
        Kind::Hello,
        Kind::Progress,
        Kind::Result,
        Kind::Error,
        Kind::Output,
        Kind::LastWords,
        Kind::Exit,
    ];

    fn letter(self) -> u8 {
        match self {
            Kind::Hello => b'H',
            Kind::Progress => b'P',
            Kind::Result => b'R',
            Kind::Error => b'E',
            Kind::Output => b'O',
            Kind::LastWords => b'W',
            Kind::Exit => b'X',
        }
    }

    fn of(letter: u8) -> Option<Self> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.letter() == letter.to_ascii_uppercase())
    }
}

/// The greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The worker's [`VERSION`].
    pub version: u32,
    /// The worker's process id.
    pub pid: u32,
    /// Its addresses are the same in every process (bit 0).
    pub fixed_addresses: bool,
    /// It had one thread when it began to serve (bit 1).
    pub single_threaded: bool,
}

impl Hello {
    pub(crate) fn encode(self) -> [u8; 12] {
        let flags = u32::from(self.fixed_addresses) | u32::from(self.single_threaded) << 1;
        let mut out = [0; 12];
        out[..4].copy_from_slice(&self.version.to_le_bytes());
        out[4..8].copy_from_slice(&self.pid.to_le_bytes());
        out[8..].copy_from_slice(&flags.to_le_bytes());
        out
    }

    /// The version alone is read of a greeting of another version.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let version = u32_at(payload, 0)?;
        let (pid, flags) = if version == VERSION {
            (u32_at(payload, 4)?, u32_at(payload, 8)?)
        } else {
            (0, 0)
        };
        Some(Self {
            version,
            pid,
            fixed_addresses: flags & 1 != 0,
            single_threaded: flags & 2 != 0,
        })
    }
}

/// Whether a child came to its end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did (0).
    Itself,
    /// The worker killed it because the wall limit was over (1).
    OverLimit,
    /// The worker killed it because its simulation had no event for too long (2).
    Stalled,
}

/// How a child ended: `[u32 wait status][u32 ended][u64 user us][u64 system us]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitFrame {
    /// As wait(2) has it.
    pub wait_status: i32,
    /// Whether by itself.
    pub ended: Ended,
    /// CPU time in user mode, in microseconds.
    pub user_us: u64,
    /// CPU time in the kernel, in microseconds.
    pub system_us: u64,
}

impl ExitFrame {
    pub(crate) fn encode(self) -> [u8; 24] {
        let mut out = [0; 24];
        out[..4].copy_from_slice(&self.wait_status.to_le_bytes());
        out[4..8].copy_from_slice(&(self.ended as u32).to_le_bytes());
        out[8..16].copy_from_slice(&self.user_us.to_le_bytes());
        out[16..].copy_from_slice(&self.system_us.to_le_bytes());
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let u64_at = |at: usize| {
            Some(u64::from_le_bytes(
                payload.get(at..at + 8)?.try_into().ok()?,
            ))
        };
        Some(Self {
            wait_status: u32_at(payload, 0)?.cast_signed(),
            ended: match u32_at(payload, 4)? {
                0 => Ended::Itself,
                1 => Ended::OverLimit,
                _ => Ended::Stalled,
            },
            user_us: u64_at(8)?,
            system_us: u64_at(16)?,
        })
    }
}

/// What a child may use, as a command says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandLimits {
    pub(crate) wall_ms: u32,
    pub(crate) stall_ms: u32,
    pub(crate) memory_mib: u32,
}

/// The header of a command.
pub(crate) fn command_header(length: usize, limits: CommandLimits) -> [u8; COMMAND_HEADER] {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let mut out = [0; COMMAND_HEADER];
    out[..4].copy_from_slice(&length.to_le_bytes());
    out[4..8].copy_from_slice(&limits.wall_ms.to_le_bytes());
    out[8..12].copy_from_slice(&limits.stall_ms.to_le_bytes());
    out[12..].copy_from_slice(&limits.memory_mib.to_le_bytes());
    out
}

/// The payload's length and the limits.
pub(crate) fn parse_command_header(header: [u8; COMMAND_HEADER]) -> (usize, CommandLimits) {
    let number = |at: usize| u32_at(&header, at).unwrap_or(0);
    let limits = CommandLimits {
        wall_ms: number(4),
        stall_ms: number(8),
        memory_mib: number(12),
    };
    (number(0) as usize, limits)
}

/// Cuts a message into frames and hands each to `write`. Allocates nothing.
pub(crate) fn frames<E>(
    kind: Kind,
    payload: &[u8],
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut frame = [0; FRAME_MAX];
    let mut rest = payload;
    loop {
        let (part, later) = rest.split_at(rest.len().min(FRAME_MAX - HEADER));
        let last = later.is_empty();
        frame[0] = if last {
            kind.letter()
        } else {
            kind.letter().to_ascii_lowercase()
        };
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        frame[1..HEADER].copy_from_slice(&length.to_le_bytes());
        frame[HEADER..HEADER + part.len()].copy_from_slice(part);
        write(&frame[..HEADER + part.len()])?;
        if last {
            return Ok(());
        }
        rest = later;
    }
}

/// What can't be a worker's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A frame starts with this byte.
    Letter(u8),
    /// A frame says that it is longer than a frame can be.
    FrameLength(usize),
    /// A message is longer than [`MESSAGE_MAX`].
    MessageLength(usize),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Letter(letter) => {
                write!(f, "a frame starts with {:?}", char::from(*letter))
            }
            Malformed::FrameLength(bytes) => write!(f, "a frame claims {bytes} bytes"),
            Malformed::MessageLength(bytes) => write!(f, "a message has {bytes} bytes or more"),
        }
    }
}

/// Puts messages together from the bytes of a pipe.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    bytes: Vec<u8>,
    read: usize,
    part: Option<(Kind, Vec<u8>)>,
}

impl Assembler {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, `None` if more bytes are needed.
    pub(crate) fn next_message(&mut self) -> Result<Option<(Kind, Vec<u8>)>, Malformed> {
        loop {
            let unread = &self.bytes[self.read..];
            let Some(&letter) = unread.first() else {
                return Ok(None);
            };
            let kind = Kind::of(letter).ok_or(Malformed::Letter(letter))?;
            let Some(length) = u32_at(unread, 1) else {
                return Ok(None);
            };
            let length = length as usize;
            if length > FRAME_MAX - HEADER {
                return Err(Malformed::FrameLength(length));
            }
            let Some(payload) = unread.get(HEADER..HEADER + length) else {
                return Ok(None);
            };
            let mut message = match self.part.take() {
                Some((of, part)) if of == kind => part,
                _ => Vec::new(),
            };
            message.extend_from_slice(payload);
            self.read += HEADER + length;
            if message.len() > MESSAGE_MAX {
                return Err(Malformed::MessageLength(message.len()));
            }
            if letter.is_ascii_uppercase() {
                return Ok(Some((kind, message)));
            }
            self.part = Some((kind, message));
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::{Assembler, Ended, ExitFrame, FRAME_MAX, Hello, Kind, Malformed, VERSION, frames};

    fn wire(messages: &[(Kind, &[u8])]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for (kind, payload) in messages {
            let Ok(()) = frames(*kind, payload, |frame| {
                assert!(frame.len() <= FRAME_MAX);
                out.push(frame.to_vec());
                Ok::<_, Infallible>(())
            });
        }
        out
    }

    #[test]
    fn messages_survive_any_cut_of_the_pipe() {
        let long = vec![7; 3 * FRAME_MAX];
        let sent: [(Kind, &[u8]); 3] = [
            (Kind::Progress, b""),
            (Kind::Result, &long),
            (Kind::Exit, b"abc"),
        ];
        let bytes = wire(&sent).concat();
        for step in [1, 2, 4095, 4096, 5000, bytes.len()] {
            let mut assembler = Assembler::default();
            let mut got = Vec::new();
            for piece in bytes.chunks(step) {
                assembler.push(piece);
                while let Some(message) = assembler.next_message().expect("well-formed") {
                    got.push(message);
                }
            }
            let want: Vec<_> = sent
                .iter()
                .map(|(kind, payload)| (*kind, payload.to_vec()))
                .collect();
            assert_eq!(got, want, "cut every {step} bytes");
        }
    }

    #[test]
    fn a_message_whose_sender_died_is_dropped() {
        let mut pieces = wire(&[(Kind::Result, &[1; 2 * FRAME_MAX])]);
        pieces.truncate(1);
        pieces.extend(wire(&[(Kind::Output, b"bye"), (Kind::Result, b"next")]));
        let mut assembler = Assembler::default();
        assembler.push(&pieces.concat());
        assert_eq!(
            assembler.next_message(),
            Ok(Some((Kind::Output, b"bye".to_vec())))
        );
        assert_eq!(
            assembler.next_message(),
            Ok(Some((Kind::Result, b"next".to_vec())))
        );
        assert_eq!(assembler.next_message(), Ok(None));
    }

    #[test]
    fn what_is_not_a_frame_is_refused() {
        let next = |bytes: &[u8]| {
            let mut assembler = Assembler::default();
            assembler.push(bytes);
            assembler.next_message()
        };
        assert_eq!(next(b"\nrunning 3 tests"), Err(Malformed::Letter(b'\n')));
        assert_eq!(next(b"R\xff\xff\0\0"), Err(Malformed::FrameLength(0xffff)));
    }

    #[test]
    fn fixed_messages_round_trip() {
        let hello = Hello {
            version: VERSION,
            pid: 7,
            fixed_addresses: true,
            single_threaded: false,
        };
        assert_eq!(Hello::decode(&hello.encode()), Some(hello));
        let exit = ExitFrame {
            wait_status: 9,
            ended: Ended::Stalled,
            user_us: 1 << 40,
            system_us: 3,
        };
        assert_eq!(ExitFrame::decode(&exit.encode()), Some(exit));
        assert_eq!(
            Hello::decode(&99u32.to_le_bytes()).map(|hello| hello.version),
            Some(99)
        );
        assert_eq!(ExitFrame::decode(&exit.encode()[..23]), None);
    }
}
