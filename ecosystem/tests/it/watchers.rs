//! notify: a watcher is refused, with the kernel's word for it; looking again after a while works.

use std::io;
use std::path::Path;

use notify::{ErrorKind, RecursiveMode, Watcher as _};

fn watch() -> notify::Result<()> {
    let mut watcher = notify::recommended_watcher(|_| ())?;
    watcher.watch(Path::new("/tmp"), RecursiveMode::NonRecursive)
}

fn is_refused(watched: &notify::Result<()>) -> bool {
    let Err(error) = watched else { return false };
    let ErrorKind::Io(error) = &error.kind else {
        return false;
    };
    error.kind() == io::ErrorKind::Unsupported && error.raw_os_error() == Some(38)
}

#[landfall::test(seeds = 10)]
async fn notify_is_refused_a_watcher() {
    let refused = ["one", "other"].map(|name| {
        let host = landfall::host(name, std::future::pending::<()>);
        landfall::on(host, async || is_refused(&watch()))
    });
    for refused in refused {
        assert!(refused.await.expect("nobody panics"));
    }
}

#[test]
fn notify_watches_outside_a_simulation() {
    watch().expect("the machine's files can be watched");
}
