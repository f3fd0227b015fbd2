//! How large what is shipped is.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::artefact::Reach;

/// A product, with and without TLS and mDNS.
struct Product {
    title: &'static str,
    whole: PathBuf,
    /// Without TLS and mDNS.
    small: PathBuf,
}

fn products() -> [Product; 3] {
    let (whole, small) = (Reach::Whole.dist(), Reach::HttpOnly.dist());
    let product =
        |title, path: &str| Product { title, whole: whole.join(path), small: small.join(path) };
    [
        product("C library", "c/libopencode.so"),
        product("Lua module (5.4)", "lua/lua54/libopencode.so"),
        Product {
            title: "Python wheel, compressed",
            whole: wheel(whole.join("python")),
            small: wheel(small.join("python")),
        },
    ]
}

/// The wheel in a folder.
fn wheel(folder: PathBuf) -> PathBuf {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .max()
        .unwrap_or_default()
}

/// The sizes as a table of Markdown.
pub(crate) fn table() -> String {
    let mut text = String::from(
        "### Sizes\n\n| product | with TLS and mDNS, MB | without, MB |\n|---|---:|---:|\n",
    );
    for product in products() {
        let size = |path: &PathBuf| match fs::metadata(path) {
            Ok(file) => format!("{:.2}", file.len() as f64 / 1e6),
            Err(_) => "not built".to_owned(),
        };
        // A String takes everything.
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            product.title,
            size(&product.whole),
            size(&product.small)
        );
    }
    text + "\n"
}
