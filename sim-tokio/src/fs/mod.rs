//! Files: on the node's simulated disk inside a simulation, tokio's outside.
//!
//! Inside a simulation every call runs as a task of its own, as tokio runs it on its blocking
//! pool: it takes the disk's latency, goes on when whoever awaits it is dropped, and dies with
//! its process. What `std` does not let anybody make has a type here: [`Metadata`] and
//! [`FileType`].

mod calls;
mod dir;
mod file;
mod inflight;
mod metadata;
mod options;
mod work;

pub use calls::{
    canonicalize, copy, create_dir, create_dir_all, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions, symlink,
    symlink_metadata, try_exists, write,
};
pub use dir::{DirBuilder, DirEntry, ReadDir, read_dir};
pub use file::File;
pub use metadata::{FileType, Metadata};
pub use options::OpenOptions;
#[doc(no_inline)]
pub use tokio_real::fs::FileTimes;
