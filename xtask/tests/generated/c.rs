use std::fs;
use std::process::Command;

use super::{installed, output, root, samples, scratch};

const PROGRAM: &str = "#include \"opencode_operations.h\"
OpencodeStatus use(OpencodeClient *client, OpencodeReply **reply);
OpencodeStatus use(OpencodeClient *client, OpencodeReply **reply) {
    return opencode_session_update(client, \"{}\", reply);
}
";

fn compiles(compilers: &[&str], standards: &[&str], language: &str) {
    let folder = scratch(&format!("header-{language}"));
    fs::copy(samples().join("stub.h"), folder.join("opencode.h")).expect("the stub is there");
    fs::copy(root().join("include/opencode_operations.h"), folder.join("opencode_operations.h"))
        .expect("the header is generated");
    fs::write(folder.join("program"), PROGRAM).expect("the target folder can be written");
    for compiler in installed(compilers) {
        for standard in standards {
            let (is_clean, text) = output(
                Command::new(compiler)
                    .args(["-Wall", "-Wextra", "-pedantic", "-Werror"])
                    .args(["-fsyntax-only", "-I.", &format!("-std={standard}"), "-x", language])
                    .arg("program")
                    .current_dir(&folder),
            );
            assert!(is_clean, "{compiler} -std={standard}: {text}");
        }
    }
}

#[test]
fn the_header_is_clean_c() {
    compiles(&["gcc", "clang"], &["c99", "c11"], "c");
}

#[test]
fn the_header_is_clean_cpp() {
    compiles(&["g++", "clang++"], &["c++11", "c++17", "c++20"], "c++");
}
