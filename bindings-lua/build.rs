//! Keeps the module in memory once it is loaded: its threads may outlive the Lua state that loaded it. What is shipped
//! goes without symbols: cargo forgets to strip a package that has an optimisation of its own.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        if std::env::var("PROFILE").as_deref() == Ok("release") {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-s");
        }
    }
}
