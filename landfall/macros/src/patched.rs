//! Where a package depends on tokio, what it depends on must be landfall's.

use proc_macro2::TokenStream;
use quote::quote;

/// Names an item that the real tokio has not, if the package that is compiled depends on `tokio`.
pub(crate) fn check() -> TokenStream {
    match depends_on_tokio() {
        true => quote! {
            const _: () = ::tokio::TOKIO_IS_NOT_PATCHED__RUN_CARGO_LANDFALL_INIT;
        },
        false => TokenStream::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "how Cargo talks to macros")]
fn depends_on_tokio() -> bool {
    let Ok(folder) = std::env::var("CARGO_MANIFEST_DIR") else {
        return false;
    };
    let manifest = std::path::Path::new(&folder).join("Cargo.toml");
    std::fs::read_to_string(manifest).is_ok_and(|text| names_tokio(&text))
}

/// Whether a manifest has `tokio` among its dependencies, not for some platforms only, and not as
/// one that may be left out.
fn names_tokio(manifest: &str) -> bool {
    let mut is_dependencies = false;
    manifest.lines().map(str::trim).any(|line| {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default();
            is_dependencies = matches!(section, "dependencies" | "dev-dependencies");
            return matches!(section, "dependencies.tokio" | "dev-dependencies.tokio");
        }
        let named = line.strip_prefix("tokio").is_some_and(|rest| {
            let rest = rest.trim_start();
            rest.starts_with('=') || rest.starts_with('.')
        });
        is_dependencies && named && !line.contains("optional")
    })
}

#[cfg(test)]
mod tests {
    use super::names_tokio;

    #[test]
    fn tokio_is_found_however_it_is_written() {
        for yes in [
            "[dependencies]\ntokio = \"1\"",
            "[dev-dependencies]\n tokio = { version = \"1\" }",
            "[dependencies]\ntokio.workspace = true",
            "[dependencies.tokio]\nversion = \"1\"",
        ] {
            assert!(names_tokio(yes), "{yes}");
        }
        for no in [
            "[dependencies]\ntokio-util = \"1\"",
            "[features]\ntokio = []",
            "[dependencies]\n# tokio = \"1\"",
            "[dependencies]\ntokio = { version = \"1\", optional = true }",
            "[build-dependencies]\ntokio = \"1\"",
        ] {
            assert!(!names_tokio(no), "{no}");
        }
    }
}
