//! The coordinator's end of a worker.
#![expect(unsafe_code, reason = "sets up the worker between fork and exec")]

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{environment, sys, wait, watch, zygote};
use crate::interpose::floor;
use crate::process::exit::{ChildExit, ChildStatus, Limits, WorkerCommand, WorkerError};
use crate::process::last_words::LastWords;
use crate::process::protocol::{
    self, Assembler, COMMAND_MAX, CommandLimits, Ended, ExitFrame, Hello, Kind, VARIABLE, VERSION,
};

/// How long a worker may take until it greets.
const GREETING_LIMIT: Duration = Duration::from_secs(30);
/// How much later than the worker the coordinator gives up on a child.
const GRACE: Duration = Duration::from_secs(15);
const NS_PER_MS: u64 = 1_000_000;

/// A worker process. It is killed, with its child, when this is dropped.
#[derive(Debug)]
pub struct Worker {
    command: WorkerCommand,
    /// `None` after it died; the next command starts another.
    process: Option<Process>,
    running: Option<Running>,
    progress: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    commands: ChildStdin,
    replies: ChildStdout,
    assembler: Assembler,
    hello: Hello,
}

/// What is known of the command under way.
#[derive(Debug, Default)]
struct Running {
    /// When the coordinator kills the worker, in nanoseconds of the monotonic clock.
    deadline_ns: u64,
    result: Option<Vec<u8>>,
    error: Option<String>,
    output: Vec<u8>,
    last_words: Option<Box<LastWords>>,
}

impl Worker {
    /// Starts a worker and waits for its greeting, which takes some milliseconds.
    pub fn spawn(command: &WorkerCommand) -> Result<Self, WorkerError> {
        let process = Process::spawn(command)?;
        Ok(Self {
            command: command.clone(),
            process: Some(process),
            running: None,
            progress: Vec::new(),
        })
    }

    /// Runs one command to its end, calling `on_progress` with each of the child's reports.
    pub fn run(
        &mut self,
        command: &[u8],
        limits: impl Into<Limits>,
        on_progress: &mut dyn FnMut(&[u8]),
    ) -> Result<ChildExit, WorkerError> {
        self.start(command, limits)?;
        loop {
            let ended = wait::wait_one(self);
            for report in self.take_progress() {
                on_progress(&report);
            }
            if let Some(exit) = ended.transpose() {
                return exit;
            }
        }
    }

    /// Sends a command and returns; [`Worker::on_readable`] or [`wait_any`](super::wait_any) get
    /// what comes of it. A worker that died is started anew first.
    ///
    /// A child that is over one of the limits is killed.
    pub fn start(&mut self, command: &[u8], limits: impl Into<Limits>) -> Result<(), WorkerError> {
        let limits = limits.into();
        if self.running.is_some() {
            return Err(WorkerError::Busy);
        }
        if command.len() > COMMAND_MAX {
            return Err(WorkerError::CommandTooLong(command.len()));
        }
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(Process::spawn(&self.command)?),
        };
        // poll(2) counts milliseconds in an int, which are 24 days.
        let ms = |limit: Duration| limit.as_millis().min(i32::MAX as u128) as u32;
        let limit_ms = ms(limits.wall);
        let limits = CommandLimits {
            wall_ms: limit_ms,
            stall_ms: ms(limits.stall),
            memory_mib: limits.memory_mib,
        };
        let header = protocol::command_header(command.len(), limits);
        let fd = process.commands.as_raw_fd();
        let sent = sys::write_all(fd, &header).and_then(|()| sys::write_all(fd, command));
        if let Err(error) = sent {
            return Err(match error.kind() {
                io::ErrorKind::BrokenPipe => WorkerError::Died(self.bury()),
                _ => WorkerError::Io(error),
            });
        }
        let grace_ns = GRACE.as_nanos() as u64;
        let wall_ns = u64::from(limit_ms) * NS_PER_MS * watch::STARVED_MAX;
        let deadline_ns = sys::now_ns() + wall_ns + grace_ns;
        self.progress.clear();
        self.running = Some(Running {
            deadline_ns,
            ..Running::default()
        });
        Ok(())
    }

    /// Whether a command is under way.
    pub fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// The descriptor that polls readable when [`Worker::on_readable`] has something to do;
    /// `None` if the worker died. It changes when a worker is started anew.
    pub fn fd(&self) -> Option<i32> {
        self.process
            .as_ref()
            .map(|process| process.replies.as_raw_fd())
    }

    /// The worker's process id; `None` if it died.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.child.id())
    }

    /// Whether the worker's addresses are the same in every process; false if it died.
    pub fn has_fixed_addresses(&self) -> bool {
        self.process
            .as_ref()
            .is_some_and(|process| process.hello.fixed_addresses)
    }

    /// How long the coordinator may sleep until [`Worker::on_deadline`] must be called; `None`
    /// without a command.
    pub fn deadline_in(&self) -> Option<Duration> {
        let running = self.running.as_ref()?;
        Some(Duration::from_nanos(
            running.deadline_ns.saturating_sub(sys::now_ns()),
        ))
    }

    /// The child's reports since the last call, oldest first.
    pub fn take_progress(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.progress)
    }

    /// Reads what the worker has sent, without blocking. `Some` when the child has ended. After
    /// an error the worker is dead, and the next command starts another.
    pub fn on_readable(&mut self) -> Result<Option<ChildExit>, WorkerError> {
        let exit = self.read();
        if exit.is_err() {
            self.bury();
        }
        exit
    }

    /// Gives up on a worker that does not end its child itself: `Some` if the deadline is over.
    pub fn on_deadline(&mut self) -> Option<ChildExit> {
        if self.deadline_in()? > Duration::ZERO {
            return None;
        }
        let running = self.running.take()?;
        self.bury();
        Some(running.exit(ChildStatus::TimedOut, 0, 0))
    }

    fn read(&mut self) -> Result<Option<ChildExit>, WorkerError> {
        let Some(process) = &mut self.process else {
            return Err(WorkerError::Died(None));
        };
        let open = process.receive()?;
        while let Some((kind, payload)) = process
            .assembler
            .next_message()
            .map_err(WorkerError::Protocol)?
        {
            let Some(running) = &mut self.running else {
                return Err(WorkerError::Unexpected("a reply to no command"));
            };
            match kind {
                Kind::Hello => return Err(WorkerError::Unexpected("a second greeting")),
                Kind::Progress => self.progress.push(payload),
                Kind::Result => running.result = Some(payload),
                Kind::Error => {
                    running.error = Some(String::from_utf8_lossy(&payload).into_owned());
                }
                Kind::Output => running.output = payload,
                Kind::LastWords => {
                    running.last_words = Some(Box::new(LastWords::decode(&payload)));
                }
                Kind::Exit => {
                    let frame = ExitFrame::decode(&payload)
                        .ok_or(WorkerError::Unexpected("a short exit frame"))?;
                    return Ok(self.running.take().map(|running| running.end(frame)));
                }
            }
        }
        if open {
            Ok(None)
        } else {
            Err(WorkerError::Died(self.bury()))
        }
    }

    /// Kills and reaps the process, if there is one, and forgets the command.
    fn bury(&mut self) -> Option<ExitStatus> {
        self.running = None;
        self.process.take()?.kill()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.bury();
    }
}

impl Running {
    fn end(self, frame: ExitFrame) -> ChildExit {
        let status = ExitStatus::from_raw(frame.wait_status);
        let status = match (frame.ended, status.code(), status.signal()) {
            (Ended::OverLimit, ..) => ChildStatus::TimedOut,
            (Ended::Stalled, ..) => ChildStatus::Stalled,
            (Ended::Itself, Some(code), _) => ChildStatus::Code(code),
            (Ended::Itself, None, signal) => ChildStatus::Signal(signal.unwrap_or(0)),
        };
        self.exit(status, frame.user_us, frame.system_us)
    }

    fn exit(self, status: ChildStatus, user_us: u64, system_us: u64) -> ChildExit {
        ChildExit {
            result: self.result,
            error: self.error,
            output_tail: String::from_utf8_lossy(&self.output).into_owned(),
            status,
            last_words: self.last_words,
            user_us,
            system_us,
        }
    }
}

impl Process {
    fn spawn(worker: &WorkerCommand) -> Result<Self, WorkerError> {
        #[expect(clippy::disallowed_methods, reason = "the worker's own variable")]
        let nested = env::var_os(VARIABLE).is_some();
        if nested {
            return Err(WorkerError::Nested);
        }
        let failed = |error| WorkerError::Spawn(worker.exe.clone(), error);
        let exe = worker.exe.canonicalize().map_err(failed)?;
        let variables = environment::of(worker, exe.as_os_str());
        let without = variables.get(OsStr::new(floor::WITHOUT_VARIABLE));
        let randomised = without.is_some_and(|names| floor::is_listed(names, "fixed-addresses"));
        let mut command = Command::new(&exe);
        command
            .env_clear()
            .envs(variables)
            .current_dir(&worker.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .process_group(0);
        if randomised {
            // As if it had been started anew already.
            command.env(zygote::ANEW.to_string_lossy().as_ref(), "1");
        }
        let set_up = move || {
            sys::fix_layout(randomised);
            sys::leave_no_core();
            sys::close_on_exec_from(3);
            Ok(())
        };
        // SAFETY: between fork and exec only async-signal-safe functions may be called, and
        // `set_up` makes system calls on values of its own, and nothing else.
        unsafe { command.pre_exec(set_up) };
        let mut child = command.spawn().map_err(failed)?;
        let (Some(commands), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both pipes were asked for");
        };
        let hello = Hello {
            version: 0,
            pid: 0,
            fixed_addresses: false,
            single_threaded: false,
        };
        let mut process = Self {
            child,
            commands,
            replies,
            assembler: Assembler::default(),
            hello,
        };
        match process.greet(worker) {
            Ok(hello) => {
                process.hello = hello;
                Ok(process)
            }
            Err(error) => {
                process.kill();
                Err(error)
            }
        }
    }

    fn greet(&mut self, worker: &WorkerCommand) -> Result<Hello, WorkerError> {
        let stranger = |why: String| WorkerError::NotAWorker(worker.exe.clone(), why);
        let fd = self.replies.as_raw_fd();
        sys::set_nonblocking(fd).map_err(WorkerError::Io)?;
        loop {
            let mut fds = [sys::pollfd {
                fd,
                events: sys::POLLIN,
                revents: 0,
            }];
            if !sys::poll(&mut fds, Some(GREETING_LIMIT)).map_err(WorkerError::Io)? {
                return Err(stranger(format!("no greeting within {GREETING_LIMIT:?}")));
            }
            let open = self.receive()?;
            match self
                .assembler
                .next_message()
                .map_err(|error| stranger(error.to_string()))?
            {
                Some((Kind::Hello, payload)) => {
                    let hello = Hello::decode(&payload)
                        .ok_or_else(|| stranger("its greeting is too short".to_owned()))?;
                    return if hello.version == VERSION {
                        Ok(hello)
                    } else {
                        Err(WorkerError::Version(hello.version))
                    };
                }
                Some(_) => return Err(stranger("it does not greet first".to_owned())),
                None if open => {}
                None => return Err(stranger("it ended without a greeting".to_owned())),
            }
        }
    }

    /// Takes what the pipe has, up to a MiB; false at its end.
    fn receive(&mut self) -> Result<bool, WorkerError> {
        let mut buffer = [0; 1 << 16];
        for _ in 0..16 {
            match sys::read_some(self.replies.as_raw_fd(), &mut buffer) {
                Ok(0) => return Ok(false),
                Ok(length) => self.assembler.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(WorkerError::Io(error)),
            }
        }
        Ok(true)
    }

    fn kill(mut self) -> Option<ExitStatus> {
        // Already reaped or not: `wait` says how it ended, and nothing else can be done.
        sys::kill_group(self.child.id().cast_signed());
        self.child.wait().ok()
    }
}
