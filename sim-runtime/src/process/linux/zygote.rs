//! The worker: a process with one thread that forks a child for each command.
#![expect(unsafe_code, reason = "runs before `main` and forks")]

use std::ffi::{CStr, c_char, c_int};
use std::io::{self, Write as _};
use std::time::Duration;

use super::{child, sys};
use crate::process::protocol::{
    self, COMMAND_HEADER, COMMAND_MAX, ExitFrame, Hello, Kind, OUTPUT_TAIL_MAX, VARIABLE_C, VERSION,
};

/// In the environment after the worker has started itself anew.
pub(super) const ANEW: &CStr = c"LANDFALL_WORKER_ANEW";
const ANEW_ENTRY: &CStr = c"LANDFALL_WORKER_ANEW=1";
/// In the environment to fill it up.
const EVEN: &CStr = c"LANDFALL_WORKER_EVEN";
/// Where the worker's descriptors go, out of the way of those that a guest opens.
const DESCRIPTORS_FROM: c_int = 900;
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

/// The worker's pipes and buffers, all made before the first fork.
struct Zygote {
    commands: c_int,
    replies: c_int,
    output: c_int,
    command: Box<[u8]>,
    tail: Box<[u8]>,
}

/// What to wait for at most.
struct Limit {
    wall_ms: u32,
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
        let output = sys::memory_file(c"landfall-output")?;
        let output = sys::move_descriptor(output, DESCRIPTORS_FROM + 2)?;
        Ok(Self {
            commands,
            replies,
            output,
            command: vec![0; COMMAND_MAX].into_boxed_slice(),
            tail: vec![0; OUTPUT_TAIL_MAX].into_boxed_slice(),
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
        while let Some((length, limit)) = self.read_command()? {
            let exit = self.run(length, &limit)?;
            self.send(Kind::Exit, &exit.encode())?;
        }
        Ok(())
    }

    /// The next command's length, `None` when there will be none.
    fn read_command(&mut self) -> io::Result<Option<(usize, Limit)>> {
        let mut header = [0; COMMAND_HEADER];
        if !sys::read_all(self.commands, &mut header)? {
            return Ok(None);
        }
        let (length, wall_ms) = protocol::parse_command_header(header);
        let Some(command) = self.command.get_mut(..length) else {
            self.send(Kind::Error, b"the command is longer than a worker reads")?;
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        };
        Ok(sys::read_all(self.commands, command)?.then_some((length, Limit { wall_ms })))
    }

    /// Forks a child for the command in the buffer and waits for its end.
    fn run(&mut self, length: usize, limit: &Limit) -> io::Result<ExitFrame> {
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
                child::run(&self.command[..length], &pipes, parent)
            }
            Ok(Some(child)) => self.wait(child, limit),
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
                    timed_out: false,
                    user_us: 0,
                    system_us: 0,
                })
            }
        }
    }

    fn wait(&mut self, child: sys::pid_t, limit: &Limit) -> io::Result<ExitFrame> {
        sys::lead_group(child);
        let end = wait_for_end(child, self.replies, limit);
        if !matches!(end, End::Itself) {
            sys::kill_group(child);
        }
        let reaped = sys::reap(child);
        if matches!(end, End::NobodyReads) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        if reaped.wait_status != 0 {
            let length = sys::read_tail(self.output, &mut self.tail);
            self.send(Kind::Output, &self.tail[..length])?;
        }
        Ok(ExitFrame {
            wait_status: reaped.wait_status,
            timed_out: matches!(end, End::OverLimit),
            user_us: reaped.user_us,
            system_us: reaped.system_us,
        })
    }

    fn send(&self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        protocol::frames(kind, payload, |frame| sys::write_all(self.replies, frame))
    }
}

/// Why the worker stopped waiting.
enum End {
    Itself,
    OverLimit,
    NobodyReads,
}

/// Waits until the child is dead, over its limit, or not worth going on with.
fn wait_for_end(child: sys::pid_t, replies: c_int, limit: &Limit) -> End {
    let Some(process) = sys::process_descriptor(child) else {
        // An old kernel: `reap` waits, and the coordinator watches the limit.
        return End::Itself;
    };
    let mut fds = [
        sys::pollfd {
            fd: process,
            events: sys::POLLIN,
            revents: 0,
        },
        // Asks for nothing: an error is told anyway, and means that the other end is closed.
        sys::pollfd {
            fd: replies,
            events: 0,
            revents: 0,
        },
    ];
    let polled = sys::poll(&mut fds, Some(Duration::from_millis(limit.wall_ms.into())));
    sys::close(process);
    match polled {
        Ok(false) => End::OverLimit,
        Ok(true) if fds[0].revents == 0 && fds[1].revents & sys::POLLERR != 0 => End::NobodyReads,
        _ => End::Itself,
    }
}

/// Whether the kernel lists one task for this process.
fn is_single_threaded() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Two links for the directory itself, and one for each task.
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 3)
}
