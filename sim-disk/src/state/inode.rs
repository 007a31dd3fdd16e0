//! An inode in its two versions: what the guest sees (cache) and what a power loss leaves (media).

use std::collections::BTreeMap;
use std::rc::Rc;

use super::pages::Pages;
use super::pending::OpId;
use sim_runtime::FaultId;

/// Number of an inode on its volume; never used again on that volume.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct InodeId(pub(crate) u64);

impl InodeId {
    /// The root directory.
    pub(crate) const ROOT: InodeId = InodeId(1);
}

/// A file name: any bytes but `/` and NUL.
pub(crate) type Name = Rc<[u8]>;

/// One of the two versions of an inode.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) kind: Kind,
    /// Permission bits; remembered, not enforced.
    pub(crate) mode: u32,
    /// Directory entries that refer to it.
    pub(crate) links: u32,
    pub(crate) times: Times,
}

/// What the node's wall clock showed, in ns since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Times {
    pub(crate) created_ns: u64,
    /// Set by utimensat(2) alone, as under `noatime`.
    pub(crate) accessed_ns: u64,
    /// The last change of content.
    pub(crate) modified_ns: u64,
    /// The last change of anything.
    pub(crate) changed_ns: u64,
}

impl Times {
    pub(crate) fn at(now_ns: u64) -> Times {
        Times {
            created_ns: now_ns,
            accessed_ns: now_ns,
            modified_ns: now_ns,
            changed_ns: now_ns,
        }
    }

    /// The content changes.
    pub(crate) fn modify(&mut self, now_ns: u64) {
        self.modified_ns = now_ns;
        self.changed_ns = now_ns;
    }
}

/// What an inode is, with its content.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    File {
        size: u64,
        pages: Pages,
    },
    Dir {
        entries: BTreeMap<Name, InodeId>,
        subdirs: u32,
        /// The directory that it was last put into; the root's is the root.
        parent: InodeId,
    },
    /// A symbolic link: where it leads, never changed.
    Symlink {
        target: Name,
    },
}

impl Body {
    /// An empty file.
    pub(crate) fn file(mode: u32, now_ns: u64) -> Body {
        let kind = Kind::File {
            size: 0,
            pages: Pages::default(),
        };
        Body::of(kind, mode, now_ns)
    }

    /// An empty directory.
    pub(crate) fn dir(mode: u32, now_ns: u64) -> Body {
        let kind = Kind::Dir {
            entries: BTreeMap::new(),
            subdirs: 0,
            parent: InodeId::ROOT,
        };
        Body::of(kind, mode, now_ns)
    }

    /// A symbolic link.
    pub(crate) fn symlink(target: &[u8], now_ns: u64) -> Body {
        let target = Name::from(target);
        Body::of(Kind::Symlink { target }, 0o777, now_ns)
    }

    fn of(kind: Kind, mode: u32, now_ns: u64) -> Body {
        Body {
            kind,
            mode,
            links: 0,
            times: Times::at(now_ns),
        }
    }

    pub(crate) fn is_dir(&self) -> bool {
        matches!(self.kind, Kind::Dir { .. })
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File { .. })
    }

    /// Size in bytes; 0 for what is no file.
    pub(crate) fn size(&self) -> u64 {
        match &self.kind {
            Kind::File { size, .. } => *size,
            Kind::Dir { .. } | Kind::Symlink { .. } => 0,
        }
    }

    /// The pages of a file, None for anything else.
    pub(crate) fn pages(&self) -> Option<&Pages> {
        match &self.kind {
            Kind::File { pages, .. } => Some(pages),
            Kind::Dir { .. } | Kind::Symlink { .. } => None,
        }
    }

    /// The entries of a directory, None for anything else.
    pub(crate) fn entries(&self) -> Option<&BTreeMap<Name, InodeId>> {
        match &self.kind {
            Kind::Dir { entries, .. } => Some(entries),
            Kind::File { .. } | Kind::Symlink { .. } => None,
        }
    }

    /// Where a symbolic link leads, None for anything else.
    pub(crate) fn link_target(&self) -> Option<&Name> {
        match &self.kind {
            Kind::Symlink { target } => Some(target),
            Kind::File { .. } | Kind::Dir { .. } => None,
        }
    }

    /// Reads a file up to its size; returns how many bytes that were.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let Kind::File { size, pages } = &self.kind else {
            return 0;
        };
        let len = size.saturating_sub(offset).min(buf.len() as u64) as usize;
        pages.read(offset, &mut buf[..len]);
        len
    }
}

/// An inode with all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Inode {
    pub(crate) cache: Body,
    pub(crate) media: Body,
    /// Pending operations on its content, attributes or entries, in order.
    pub(crate) pending: Vec<OpId>,
    /// Pending operations that give it a name, in order.
    pub(crate) naming: Vec<OpId>,
    /// Open descriptions.
    pub(crate) opens: u32,
    /// What a failed fsync marked clean: visible, and never to reach the media.
    pub(crate) doomed: Vec<Doomed>,
}

/// A range that a failed fsync gave up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Doomed {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) fault: FaultId,
}

impl Inode {
    /// An inode that exists in both versions, without a name in either.
    pub(crate) fn new(body: Body) -> Inode {
        Inode {
            media: body.clone(),
            cache: body,
            pending: Vec::new(),
            naming: Vec::new(),
            opens: 0,
            doomed: Vec::new(),
        }
    }

    /// Nothing that a guest can do reaches it any more.
    pub(crate) fn is_invisible(&self) -> bool {
        self.cache.links == 0 && self.opens == 0
    }
}
