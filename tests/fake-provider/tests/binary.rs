//! The program around the model.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn it_says_where_it_listens_and_ends_with_its_input() {
    let mut model = Command::new(env!("CARGO_BIN_EXE_opencode-fake-provider"))
        .arg("--exit-with-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(model.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on http://").unwrap().trim();
    let address = address.strip_suffix("/v1").unwrap();
    TcpStream::connect(address).unwrap();
    let port = address.rsplit(':').next().unwrap();
    let taken =
        Command::new(env!("CARGO_BIN_EXE_opencode-fake-provider")).args(["--port", port]).output();
    assert_eq!(taken.unwrap().status.code(), Some(1));
    drop(model.stdin.take());
    assert!(model.wait().unwrap().success());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_wrong_argument_is_explained() {
    for arguments in [&["--port"][..], &["--port", "x"], &["--what"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_opencode-fake-provider"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage:"));
    }
}
