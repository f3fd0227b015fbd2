//! `include/opencode.h`, from the exported functions of bindings-c.

use std::path::Path;

pub(super) fn file(root: &Path) -> Result<String, String> {
    let folder = root.join("bindings-c");
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new()
        .with_crate(&folder)
        .with_config(config)
        .generate()
        .map_err(|e| format!("cbindgen: {e}"))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).map_err(|e| e.to_string())
}
