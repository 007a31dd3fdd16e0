//! Processes: tokio's outside a simulation, refused inside, where a node is one process and the
//! machine's programs are no part of the world.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::path::Path;
use std::process::{Command as StdCommand, ExitStatus, Output, Stdio};

use sim_runtime::in_simulation;
#[doc(no_inline)]
pub use tokio_real::process::{Child, ChildStderr, ChildStdin, ChildStdout};

/// Builds and starts a process; as `tokio::process::Command`.
#[derive(Debug)]
pub struct Command(pub(crate) tokio_real::process::Command);

/// Setters.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident
        $(<$($generic:ident: $bound:path),*>)? ($($arg:ident: $type:ty),*);)*) => {
        $($(#[$doc])*
        pub fn $name $(<$($generic: $bound),*>)? (&mut self $(, $arg: $type)*) -> &mut Self {
            self.0.$name($($arg),*);
            self
        })*
    };
}

impl Command {
    /// A process that runs `program`.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        Self(tokio_real::process::Command::new(program))
    }

    /// The command of std.
    #[must_use]
    pub fn as_std(&self) -> &StdCommand {
        self.0.as_std()
    }

    /// The command of std.
    pub fn as_std_mut(&mut self) -> &mut StdCommand {
        self.0.as_std_mut()
    }

    /// The command of std, which keeps nothing that is tokio's alone.
    #[must_use]
    pub fn into_std(self) -> StdCommand {
        self.0.into_std()
    }

    setters! {
        /// Adds an argument.
        arg<S: AsRef<OsStr>>(arg: S);
        /// Takes a variable out of the environment.
        env_remove<K: AsRef<OsStr>>(key: K);
        /// Takes every variable out of the environment.
        env_clear();
        /// Where it runs.
        current_dir<P: AsRef<Path>>(dir: P);
        /// What it reads.
        stdin<T: Into<Stdio>>(cfg: T);
        /// Where it writes to.
        stdout<T: Into<Stdio>>(cfg: T);
        /// Where it complains.
        stderr<T: Into<Stdio>>(cfg: T);
        /// Whether it is killed when its handle is dropped.
        kill_on_drop(kill_on_drop: bool);
        /// Whose it is.
        uid(id: u32);
        /// Which group's it is.
        gid(id: u32);
        /// Its process group.
        process_group(pgroup: i32);
    }

    /// What it is told to be called.
    pub fn arg0<S>(&mut self, arg: S) -> &mut Self
    where
        S: AsRef<OsStr>,
    {
        self.0.arg0(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.0.args(args);
        self
    }

    /// Sets a variable of its environment.
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.0.env(key, val);
        self
    }

    /// Sets variables of its environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.0.envs(vars);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// As fork(2) and execve(2); inside a simulation, `Unsupported`.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    pub fn spawn(&mut self) -> io::Result<Child> {
        if in_simulation() {
            return Err(self.refused());
        }
        self.0.spawn()
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async {
            let mut child = child?;
            // A child that reads or writes a pipe that nobody uses would wait for ever.
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
            child.wait().await
        }
    }

    /// Runs it to its end and gathers what it writes.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn();
        async { child?.wait_with_output().await }
    }

    /// Whether it is killed when its handle is dropped.
    #[must_use]
    pub fn get_kill_on_drop(&self) -> bool {
        self.0.get_kill_on_drop()
    }

    fn refused(&self) -> io::Error {
        let program = self.as_std().get_program().to_string_lossy();
        let what = format!("{program}: a simulated node cannot start processes");
        io::Error::new(io::ErrorKind::Unsupported, what)
    }
}

impl From<StdCommand> for Command {
    fn from(std: StdCommand) -> Self {
        Self(std.into())
    }
}
