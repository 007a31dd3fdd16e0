//! How a file is opened.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sim_disk::{OpKind, OpenFlags};
use sim_runtime::in_simulation;

use super::file::File;
use super::work::perform_at;
use crate::fd::SimFd;

/// How a file is opened; as `tokio::fs::OpenOptions`.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    real: tokio_real::fs::OpenOptions,
    /// `None` when it was made from std's, which cannot be read.
    flags: Option<OpenFlags>,
}

/// A setter of one flag.
macro_rules! flag {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])*
        pub fn $name(&mut self, $name: bool) -> &mut Self {
            self.real.$name($name);
            if let Some(flags) = &mut self.flags {
                flags.$name = $name;
            }
            self
        })*
    };
}

impl OpenOptions {
    /// Nothing is allowed yet.
    #[must_use]
    pub fn new() -> Self {
        let flags = OpenFlags {
            read: false,
            ..OpenFlags::reading()
        };
        Self {
            real: tokio_real::fs::OpenOptions::new(),
            flags: Some(flags),
        }
    }

    flag! {
        /// Allows reading.
        read
        /// Allows writing.
        write
        /// Writes go to the end.
        append
        /// What is there is dropped.
        truncate
        /// The file is made if it is missing.
        create
        /// The file is made, and must be missing.
        create_new
    }

    /// Permission bits of a new file.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.real.mode(mode);
        if let Some(flags) = &mut self.flags {
            flags.mode = mode;
        }
        self
    }

    /// Flags of open(2) that have no method.
    pub fn custom_flags(&mut self, custom: i32) -> &mut Self {
        self.real.custom_flags(custom);
        if let Some(flags) = &mut self.flags {
            flags.custom = custom;
        }
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    /// As open(2).
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        if !in_simulation() {
            return self.real.open(path).await.map(File::from_real);
        }
        let Some(flags) = self.flags else {
            let what = "options made from std's are not simulated";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        };
        // The descriptor is owned from the first moment: whoever waits may go away meanwhile.
        let open = perform_at(OpKind::Open, path, move |disk, path| {
            Ok(Arc::new(SimFd::new(disk.open(path, flags)?)))
        });
        open.await.map(File::from_sim)
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> Self {
        Self {
            real: options.into(),
            flags: None,
        }
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}
