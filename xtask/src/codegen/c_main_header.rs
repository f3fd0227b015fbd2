//! `include/opencode.h`, from the exported functions of bindings-c.

use std::path::Path;

use super::option_regions;
use super::options::Options;

pub(super) fn file(root: &Path, options: &Options) -> Result<String, String> {
    let text = generated(&root.join("bindings-c"))?;
    option_regions::c(&versioned(&text, env!("CARGO_PKG_VERSION"))?, options)
}

#[cfg(feature = "generate")]
fn generated(folder: &Path) -> Result<String, String> {
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new()
        .with_crate(folder)
        .with_config(config)
        .generate()
        .map_err(|e| format!("cbindgen: {e}"))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).map_err(|e| e.to_string())
}

#[cfg(not(feature = "generate"))]
fn generated(folder: &Path) -> Result<String, String> {
    Err(format!("{}: this xtask was built for the demo alone", folder.display()))
}

/// What cbindgen leaves to us: the version, and what C89 does not know.
fn versioned(text: &str, version: &str) -> Result<String, String> {
    let numbers: Vec<&str> = version.split(['.', '-', '+']).take(3).collect();
    let [major, minor, patch] = numbers[..] else {
        return Err(format!("'{version}' is no version of three numbers"));
    };
    let macros = format!(
        "#define OPENCODE_VERSION \"{version}\"\n#define OPENCODE_VERSION_MAJOR {major}\n\
         #define OPENCODE_VERSION_MINOR {minor}\n#define OPENCODE_VERSION_PATCH {patch}"
    );
    let mark = "@VERSION@";
    if !text.contains(mark) {
        return Err(format!("bindings-c/cbindgen.toml lacks {mark}"));
    }
    let text = plain_enums(&text.replace(mark, &macros).replace(",\n}", "\n}"))?;
    let text = text.replace("OPENCODE_API\nOPENCODE_WARN", "OPENCODE_API OPENCODE_WARN");
    // A comment of two slashes is none in C89.
    let lines =
        text.lines().map(|line| match line.split_once("  // ").or(line.split_once(" // ")) {
            Some((code, note)) if code.starts_with(['#', '}']) => format!("{code} /* {note} */\n"),
            _ => format!("{line}\n"),
        });
    Ok(lines.collect())
}

/// Enums as numbers of 32 bits and their names: the same for every compiler, whatever it makes of small enums, and free of
/// the preprocessor, which most readers of headers in other languages lack.
fn plain_enums(text: &str) -> Result<String, String> {
    let mut parts = text.split("\nenum ");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let pieces = part.split_once('\n').and_then(|(name, rest)| {
            let (_, rest) = rest.split_once(" {\n")?;
            let (body, rest) = rest.split_once("\n};\n")?;
            let (types, rest) = rest.split_once("// __cplusplus\n")?;
            types.starts_with("#ifndef __cplusplus").then_some((name, body, rest))
        });
        let (name, body, rest) = pieces.ok_or("cbindgen writes enums in another way now")?;
        made.push_str(&format!("\ntypedef int32_t {name};\nenum {{\n{body}\n}};\n{rest}"));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_needs_no_preprocessor_for_its_types() {
        let text = "@VERSION@\n/** x */\nenum A\n#if defined(__cplusplus) || B\n  : int32_t\n#endif // B\n {\n    \
                    A_B = 1,\n};\n#ifndef __cplusplus\ntypedef int32_t A;\n#endif // __cplusplus\n\nint a;\n";
        let made = versioned(text, "1.2.3").unwrap();
        assert!(
            made.starts_with(
                "#define OPENCODE_VERSION \"1.2.3\"\n#define OPENCODE_VERSION_MAJOR 1\n"
            )
        );
        assert!(
            made.ends_with("\n/** x */\ntypedef int32_t A;\nenum {\n    A_B = 1\n};\n\nint a;\n"),
            "{made}"
        );
    }
}
