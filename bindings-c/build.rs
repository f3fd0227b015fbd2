//! The name under which programs look for the library: its number is OPENCODE_ABI_VERSION. What is shipped goes without
//! symbols: cargo forgets to strip a package that has an optimisation of its own.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if !matches!(system.as_str(), "windows" | "macos" | "ios") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libopencode.so.1");
    }
    if system == "linux" && std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-s");
    }
}
