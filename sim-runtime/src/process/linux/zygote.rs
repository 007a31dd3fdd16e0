//! The worker: a process with one thread that forks a child for each command.
#![expect(unsafe_code, reason = "runs before `main` and forks")]

use std::ffi::{CStr, c_char, c_int};
use std::io::{self, Write as _};

use super::watch::{self, End, Watched};
use super::{child, environment, sys};
use crate::process::black_box::{self, BlackBox};
use crate::process::handler;
use crate::process::last_words;
use crate::process::protocol::{
    self, COMMAND_HEADER, COMMAND_MAX, CommandLimits, Ended, ExitFrame, Hello, Kind,
    OUTPUT_TAIL_MAX, VARIABLE_C, VERSION,
};

/// In the environment after the worker has started itself anew.
pub(super) const ANEW: &CStr = c"LANDFALL_WORKER_ANEW";
const ANEW_ENTRY: &CStr = c"LANDFALL_WORKER_ANEW=1";
/// In the environment to fill it up.
const EVEN: &CStr = c"LANDFALL_WORKER_EVEN";
/// Where the worker's descriptors go, out of the way of those that a guest opens.
const DESCRIPTORS_FROM: c_int = 900;
/// The longest last words in bytes: all the tasks that a black box keeps, and more.
const LAST_WORDS_MAX: usize = 160 << 10;
/// Exit code of a worker that can't work.
const BROKEN: c_int = 70;

/// Whether this process is to become a worker. Works before std does.
pub(crate) fn is_worker_to_be() -> bool {
    sys::has_variable(VARIABLE_C)
}

/// Becomes a worker if the environment says so, and then does not return.
///
/// # Safety
///
/// Called once, before `main`, with the lists that the C library has for it, and with one thread.
pub(crate) unsafe fn run_if_worker(argv: *mut *mut c_char, envp: *mut *mut c_char) {
    if !is_worker_to_be() {
        return;
    }
    if !sys::has_fixed_addresses() && !sys::has_variable(ANEW) && sys::fix_layout(false) {
        // SAFETY: the lists are those of the process.
        let error = unsafe { sys::start_anew(argv, envp, ANEW_ENTRY) };
        eprintln!("landfall worker: can't start anew with fixed addresses: {error}");
    }
    // A process that the guest starts is not a worker.
    sys::remove_variable(VARIABLE_C);
    sys::remove_variable(ANEW);
    sys::remove_variable(EVEN);
    sys::remove_variable(environment::TUNABLES);
    sys::ignore_broken_pipes();
    let code = match Zygote::open().and_then(|mut zygote| zygote.serve()) {
        Ok(()) => 0,
        // Nobody reads the replies any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            eprintln!("landfall worker: {error}");
            BROKEN
        }
    };
    sys::exit_now(code)
}

/// The worker's pipes and buffers, all made before the first fork, as is what was prepared.
struct Zygote {
    commands: c_int,
    replies: c_int,
    output: c_int,
    command: Box<[u8]>,
    tail: Box<[u8]>,
    words: Box<[u8]>,
    black_box: &'static BlackBox,
}

impl Zygote {
    /// Takes the pipes from 0 and 1 and puts `/dev/null` there.
    fn open() -> io::Result<Self> {
        let commands = sys::move_descriptor(0, DESCRIPTORS_FROM)?;
        let replies = sys::move_descriptor(1, DESCRIPTORS_FROM + 1)?;
        let null = sys::open_null()?;
        sys::duplicate_onto(null, 0)?;
        sys::duplicate_onto(null, 1)?;
        if null > 1 {
            sys::close(null);
        }
        handler::prepare();
        let output = sys::memory_file(c"landfall-output")?;
        let output = sys::move_descriptor(output, DESCRIPTORS_FROM + 2)?;
        Ok(Self {
            commands,
            replies,
            output,
            command: vec![0; COMMAND_MAX].into_boxed_slice(),
            tail: vec![0; OUTPUT_TAIL_MAX].into_boxed_slice(),
            words: vec![0; LAST_WORDS_MAX].into_boxed_slice(),
            black_box: shared_black_box()?,
        })
    }

    fn serve(&mut self) -> io::Result<()> {
        let hello = Hello {
            version: VERSION,
            pid: sys::pid().cast_unsigned(),
            fixed_addresses: sys::has_fixed_addresses(),
            single_threaded: is_single_threaded(),
        };
        self.send(Kind::Hello, &hello.encode())?;
        while let Some((length, limits)) = self.read_command()? {
            self.black_box.reset();
            let exit = self.run(length, limits)?;
            self.send(Kind::Exit, &exit.encode())?;
        }
        Ok(())
    }

    /// The next command's length, `None` when there will be none.
    fn read_command(&mut self) -> io::Result<Option<(usize, CommandLimits)>> {
        let mut header = [0; COMMAND_HEADER];
        if !sys::read_all(self.commands, &mut header)? {
            return Ok(None);
        }
        let (length, limits) = protocol::parse_command_header(header);
        let Some(command) = self.command.get_mut(..length) else {
            self.send(Kind::Error, b"the command is longer than a worker reads")?;
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        };
        Ok(sys::read_all(self.commands, command)?.then_some((length, limits)))
    }

    /// Forks a child for the command in the buffer and waits for its end.
    fn run(&mut self, length: usize, limits: CommandLimits) -> io::Result<ExitFrame> {
        let parent = sys::pid();
        // SAFETY: the process has one thread; constructors that started others break the
        // promise that the greeting reports on, and with it the worker's use.
        match unsafe { sys::fork() } {
            Ok(None) => {
                sys::close(self.commands);
                let pipes = child::Pipes {
                    replies: self.replies,
                    output: self.output,
                };
                let command = &self.command[..length];
                child::run(command, &pipes, parent, limits.memory_mib)
            }
            Ok(Some(child)) => self.wait(child, limits),
            Err(error) => {
                let mut message = [0; 64];
                let room = message.len();
                let mut cursor = &mut message[..];
                // An errno has fewer digits than there is room for.
                let _complete = write!(
                    cursor,
                    "fork failed, errno {}",
                    error.raw_os_error().unwrap_or(0)
                );
                let used = room - cursor.len();
                self.send(Kind::Error, &message[..used])?;
                // Exit code 70, as wait(2) has it.
                Ok(ExitFrame {
                    wait_status: BROKEN << 8,
                    ended: Ended::Itself,
                    user_us: 0,
                    system_us: 0,
                })
            }
        }
    }

    fn wait(&mut self, child: sys::pid_t, limits: CommandLimits) -> io::Result<ExitFrame> {
        sys::lead_group(child);
        let watched = Watched {
            child,
            replies: self.replies,
            output: self.output,
            black_box: self.black_box,
        };
        let end = watch::wait_for_end(&watched, limits);
        if !matches!(end, End::Itself) {
            sys::kill_group(child);
        }
        let reaped = sys::reap(child);
        if matches!(end, End::NobodyReads) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        if reaped.wait_status != 0 || !self.black_box.is_done() {
            let length = sys::read_tail(self.output, &mut self.tail);
            self.send(Kind::Output, &self.tail[..length])?;
            let scratch = self.output;
            let mut read = |address, out: &mut [u8]| sys::copy_from(address, scratch, out);
            let length = last_words::encode(self.black_box, &mut self.words, &mut read);
            self.send(Kind::LastWords, &self.words[..length])?;
        }
        Ok(ExitFrame {
            // The low bits are the signal, as wait(2) has it.
            wait_status: match end {
                End::Dying(signal) => signal,
                _ => reaped.wait_status,
            },
            ended: match end {
                End::Must(ended) => ended,
                _ => Ended::Itself,
            },
            user_us: reaped.user_us,
            system_us: reaped.system_us,
        })
    }

    fn send(&self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        protocol::frames(kind, payload, |frame| sys::write_all(self.replies, frame))
    }
}

/// The black box of all children, one after the other.
fn shared_black_box() -> io::Result<&'static BlackBox> {
    let place = sys::map(size_of::<BlackBox>(), libc::MAP_SHARED);
    // SAFETY: null, or zeroed memory of its size that is never unmapped, aligned to a page; all
    // its fields are atomic integers.
    let shared = unsafe { place.cast::<BlackBox>().as_ref() };
    let shared = shared.ok_or_else(io::Error::last_os_error)?;
    black_box::share(shared);
    Ok(shared)
}

/// Whether the kernel lists one task for this process.
fn is_single_threaded() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Two links for the directory itself, and one for each task.
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 3)
}
