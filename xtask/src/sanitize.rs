//! The C library with AddressSanitizer in the code of Rust: a program of C that is compiled with the same sanitizer sees what is
//! used wrongly on both sides of the border.

use std::path::PathBuf;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use crate::artefact::{self, Profile};
use crate::install::{self, SONAME};
use crate::progress;

/// Has AddressSanitizer look into Rust too. The library of the sanitizer is that of gcc: both compilers speak to one version of it.
const FLAGS: &str = "-Zsanitizer=address";

/// Builds it without TLS and mDNS, which have no unsafe code of ours, and gives its folder.
///
/// # Errors
/// When it cannot be built, or was built without the sanitizer.
pub(crate) fn library() -> Result<PathBuf> {
    let target = artefact::target_of("gnu");
    let folder = workspace().join("target/sanitized");
    let mut cargo = artefact::cargo("build", Profile::Dev);
    // What it is built with is in every stable toolchain, and has no name there but this one.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", &folder);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo.args(["-p", "opencode-c", "--no-default-features", "--target", &target]);
    progress::run("build the C library with AddressSanitizer", &mut cargo)?;
    let built = folder.join(target).join("debug");
    install::link("libopencode.so", &built.join(SONAME))?;
    let library = std::fs::read(built.join("libopencode.so"))?;
    let is_there = library.windows(MARK.len()).any(|part| part == MARK);
    if is_there { Ok(built) } else { Err(Error::new("the C library has no AddressSanitizer")) }
}

const MARK: &[u8] = b"__asan_report_load8";
