//! Building runtimes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sim_runtime::in_simulation;
use tokio_real::runtime::LocalOptions;

use super::made::Made;
use super::{LocalRuntime, Runtime};

/// Builds runtimes; as `tokio::runtime::Builder`. Inside a simulation nothing it is told matters
/// but the name and the kind: there are no threads, and no hook of theirs is called.
#[derive(Debug)]
pub struct Builder {
    name: Option<Arc<str>>,
    is_multi_thread: bool,
    /// `None` inside a simulation: making one draws entropy.
    real: Option<tokio_real::runtime::Builder>,
}

/// Setters that are handed on as they are.
macro_rules! handed_on {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty)?);)*) => {
        $($(#[$doc])*
        pub fn $name(&mut self $(, $arg: $type)?) -> &mut Self {
            if let Some(real) = &mut self.real {
                real.$name($($arg)?);
            }
            self
        })*
    };
}

/// Setters of hooks.
macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        pub fn $name<F>(&mut self, f: F) -> &mut Self
        where
            F: Fn() + Send + Sync + 'static,
        {
            if let Some(real) = &mut self.real {
                real.$name(f);
            }
            self
        })*
    };
}

impl Builder {
    fn new(is_multi_thread: bool, real: fn() -> tokio_real::runtime::Builder) -> Self {
        Self {
            name: None,
            is_multi_thread,
            real: (!in_simulation()).then(real),
        }
    }

    /// For a runtime on the thread that blocks on it.
    #[must_use]
    pub fn new_current_thread() -> Self {
        Self::new(false, tokio_real::runtime::Builder::new_current_thread)
    }

    /// For a runtime with threads of its own.
    #[must_use]
    pub fn new_multi_thread() -> Self {
        Self::new(true, tokio_real::runtime::Builder::new_multi_thread)
    }

    handed_on! {
        /// Enables I/O and time.
        enable_all();
        /// Enables I/O.
        enable_io();
        /// Enables time.
        enable_time();
        /// How many threads run tasks.
        worker_threads(count: usize);
        /// How many threads run blocking closures, at most.
        max_blocking_threads(count: usize);
        /// Stack of a thread in bytes.
        thread_stack_size(bytes: usize);
        /// How long an idle blocking thread stays.
        thread_keep_alive(duration: Duration);
        /// How many polls pass between looks at the global queue.
        global_queue_interval(polls: u32);
        /// How many polls pass between looks at I/O and timers.
        event_interval(polls: u32);
        /// How many I/O events a look takes, at most.
        max_io_events_per_tick(events: usize);
        /// How many I/O events a look takes, at most, while tasks are ready.
        max_io_events_per_busy_tick(events: usize);
        /// Whether the clock stands until it is waited for. A simulation's always does.
        start_paused(start_paused: bool);
    }

    /// Names the runtime.
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        self.name = Some(name.as_str().into());
        if let Some(real) = &mut self.real {
            real.name(name);
        }
        self
    }

    /// Names the threads.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        if let Some(real) = &mut self.real {
            real.thread_name(name);
        }
        self
    }

    /// Names the threads one by one.
    pub fn thread_name_fn<F>(&mut self, f: F) -> &mut Self
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        if let Some(real) = &mut self.real {
            real.thread_name_fn(f);
        }
        self
    }

    hooks! {
        /// Called on each new thread.
        on_thread_start;
        /// Called on each thread that ends.
        on_thread_stop;
        /// Called on a thread that runs out of work.
        on_thread_park;
        /// Called on a thread that has work again.
        on_thread_unpark;
    }

    /// Builds the runtime.
    ///
    /// # Errors
    /// The system gives no threads or descriptors.
    pub fn build(&mut self) -> io::Result<Runtime> {
        if in_simulation() {
            let made = Made::new(self.name.clone(), self.is_multi_thread);
            return Ok(Runtime::of_made(made));
        }
        self.real()?.build().map(Runtime::from_real)
    }

    /// Builds a runtime whose tasks need not be `Send`.
    ///
    /// # Errors
    /// The system gives no descriptors.
    ///
    /// # Panics
    /// When it is to have several threads.
    pub fn build_local(&mut self, options: LocalOptions) -> io::Result<LocalRuntime> {
        if in_simulation() {
            assert!(
                !self.is_multi_thread,
                "multi_thread is not supported for LocalRuntime"
            );
            let made = Made::new(self.name.clone(), false);
            return Ok(LocalRuntime::of_made(made));
        }
        self.real()?
            .build_local(options)
            .map(LocalRuntime::from_real)
    }

    fn real(&mut self) -> io::Result<&mut tokio_real::runtime::Builder> {
        let what = "a builder made inside a simulation builds no real runtime";
        self.real
            .as_mut()
            .ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, what))
    }
}
