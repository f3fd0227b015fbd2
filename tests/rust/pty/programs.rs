//! What programs do in a terminal.

use super::*;
use opencode_core::{CallOptions, ErrorKind};
use opencode_tests::eventually;
use serde_json::{Value, json};

#[test]
fn an_interactive_shell() {
    let client = client();
    let mut options = program("bash", &["--norc", "--noprofile"]);
    options.env = vec![("PS1".to_owned(), "prompt> ".to_owned())];
    options.size = Some((101, 33));
    let pty = client.pty(options).unwrap();
    until(&pty, "prompt> ");
    pty.write("stty size; echo $((6 * 7))-é€😀\n").unwrap();
    let shown = until(&pty, "42-é€😀");
    assert!(shown.contains("33 101"), "{shown:?}");
    pty.resize(90, 20).unwrap();
    pty.write("stty size\n").unwrap();
    until(&pty, "20 90");
    assert_eq!((pty.exit_code(), pty.is_over()), (None, false));
    pty.write("exit 3\n").unwrap();
    rest(&pty);
    assert_eq!(pty.exit_code(), Some(3));
    assert!(pty.is_over() && pty.is_complete());
    assert_eq!(pty.read(None).unwrap(), None, "the end stays");
    assert_eq!(pty.write("x").unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_full_screen_program_is_resized_and_left() {
    let directory = shared().server.directory();
    let lines: String = (1..=500).map(|n| format!("line {n} of the book\n")).collect();
    std::fs::write(directory.join("book.txt"), lines).unwrap();
    let client = client();
    let mut options = program("less", &["book.txt"]);
    options.size = Some((80, 10));
    options.env = vec![("TERM".to_owned(), "xterm".to_owned())];
    let pty = client.pty(options).unwrap();
    until(&pty, "line 9 of the book");
    pty.write("G").unwrap();
    until(&pty, "line 500 of the book");
    pty.write("g").unwrap();
    until(&pty, "line 1 of the book");
    // A higher window shows more lines.
    pty.resize(80, 30).unwrap();
    until(&pty, "line 29 of the book");
    pty.write("q").unwrap();
    rest(&pty);
    assert_eq!(pty.exit_code(), Some(0));
}

#[test]
fn text_is_edited_in_vim() {
    let client = client();
    let mut options = program("vim", &["-u", "NONE", "-n", "made.txt"]);
    options.env = vec![("TERM".to_owned(), "xterm".to_owned())];
    options.size = Some((60, 12));
    let pty = client.pty(options).unwrap();
    until(&pty, "made.txt");
    pty.write("ihello from vim").unwrap();
    until(&pty, "vim");
    pty.write("\u{1b}:wq\r").unwrap();
    rest(&pty);
    let made = std::fs::read_to_string(shared().server.directory().join("made.txt")).unwrap();
    assert_eq!(made, "hello from vim\n");
}

#[test]
fn another_handle_goes_on_at_a_cursor() {
    let client = client();
    let pty =
        client.pty(script("printf 'é€😀-one;'; read x; printf 'two-%s;' $x; read x")).unwrap();
    until(&pty, "one;");
    let (id, cursor) = (pty.id().to_owned(), pty.cursor());
    assert_eq!(cursor, "é€😀-one;".encode_utf16().count() as i64);
    drop(pty);
    let mut options = PtyOptions::default();
    options.cursor = Some(cursor);
    let second = client.pty_connect(&id, options).unwrap();
    // The terminal echoes what is typed.
    second.write("more\n").unwrap();
    assert_eq!(until(&second, "two-more;"), "more\r\ntwo-more;");
    // All of it, some of it from the middle, and only what comes from now on.
    let all = client.pty_connect(&id, PtyOptions::default()).unwrap();
    assert_eq!(until(&all, "two-more;"), "é€😀-one;more\r\ntwo-more;");
    let mut options = PtyOptions::default();
    options.cursor = Some(-1);
    let none = client.pty_connect(&id, options).unwrap();
    eventually("the position", || (none.cursor() == second.cursor()).then_some(()));
    second.write("end\n").unwrap();
    assert_eq!(rest(&none), "end\r\n");
    assert_eq!(none.exit_code(), Some(0));
}

#[test]
fn a_ticket_takes_the_place_of_the_password() {
    let mut options = script("echo with-ticket; read x");
    options.ticket = true;
    let client = client();
    let pty = client.pty(options).unwrap();
    until(&pty, "with-ticket");
}

#[test]
fn terminals_of_the_older_kind_are_reached_too() {
    let client = client();
    let made: Value = client
        .call("pty.create", json!({ "command": "bash", "args": ["-c", "read x; exit 4"] }))
        .unwrap()
        .json()
        .unwrap();
    let pty = client.pty_connect(made["id"].as_str().unwrap(), PtyOptions::default()).unwrap();
    pty.write("x\n").unwrap();
    rest(&pty);
    assert_eq!(pty.exit_code(), None, "the server does not keep it");
}

#[test]
fn a_text_of_more_than_a_megabyte_is_typed_in_parts() {
    const LENGTH: usize = (1 << 20) + 100_000;
    let client = client();
    let pty = client
        .pty(script(&format!(
            "stty raw -echo; printf ready; head -c {LENGTH} | md5sum; printf end"
        )))
        .unwrap();
    until(&pty, "ready");
    pty.write(&"0123456789".repeat(LENGTH / 10 + 1)[..LENGTH]).unwrap();
    let printed = until(&pty, "end");
    assert!(printed.contains("2cc302ced520f77124e3ff0b47ad1bf1"), "{printed}");
}

#[test]
fn killing_ends_the_program() {
    let client = client();
    let pty = client.pty(script("echo up; sleep 1000")).unwrap();
    until(&pty, "up");
    let other = client.pty_connect(pty.id(), PtyOptions::default()).unwrap();
    until(&other, "up");
    pty.kill(&CallOptions::default()).unwrap();
    rest(&pty);
    rest(&other);
    assert_eq!((pty.exit_code(), other.exit_code()), (None, None));
    assert_eq!(pty.kill(&CallOptions::default()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn mistakes_are_named() {
    let client = client();
    let connect = |id: &str, options| client.pty_connect(id, options);
    // Not waited for, as a server out of reach is.
    let mut patient = PtyOptions::default();
    patient.server_timeout = LIMIT * 10;
    let missing = connect("pty_nobody", patient).unwrap();
    let error = missing.read(Some(LIMIT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("pty_nobody"), "{error}");
    assert_eq!(missing.write("x").unwrap_err().kind(), ErrorKind::NotFound);
    let error = client.pty(program("no-such-program", &[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    let pty = client.pty(script("read x")).unwrap();
    assert_eq!(pty.resize(0, 5).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(
        connect("ses_1", PtyOptions::default()).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    let error = connect(pty.id(), script("x")).unwrap_err();
    assert!(error.message().contains("new terminal"), "{error}");
}

#[test]
fn closing_ends_all_waits_and_the_program_goes_on() {
    let client = client();
    let pty = client.pty(script("echo up; read x; echo got-$x; read x")).unwrap();
    until(&pty, "up");
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| pty.read(None));
        let began = Instant::now();
        client.close();
        assert!(began.elapsed() < Duration::from_secs(1) + LIMIT / 30, "{:?}", began.elapsed());
        assert_eq!(reader.join().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    });
    assert_eq!(pty.write("x").unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.pty(script("true")).unwrap_err().kind(), ErrorKind::Closed);
    let client = super::client();
    let again = client.pty_connect(pty.id(), PtyOptions::default()).unwrap();
    again.write("y\n").unwrap();
    until(&again, "got-y");
}

#[cfg(unix)]
#[test]
fn the_descriptor_of_the_client_tells_of_output() {
    use std::io::Read;
    use std::os::fd::{BorrowedFd, RawFd};
    let client = client();
    let fd = client.fd().unwrap() as RawFd;
    let pty = client.pty(script("read x; echo answer; read x")).unwrap();
    // SAFETY: the descriptor belongs to the client, which outlives this borrow.
    let mut watched =
        std::fs::File::from(unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().unwrap());
    assert_eq!(pty.try_read().unwrap().as_deref(), Some(""));
    let is_readable = |file: &mut std::fs::File| {
        // A byte that is taken here is put back by nobody: looked at once, at the end.
        file.read(&mut [0]).is_ok()
    };
    assert!(!is_readable(&mut watched));
    pty.write("x\n").unwrap();
    eventually("output", || is_readable(&mut watched).then_some(()));
    until(&pty, "answer");
}

#[test]
fn a_program_that_is_not_there_is_named_with_what_to_do() {
    for server in [&shared().server, &opencode_tests::shared_two().server] {
        let client = Client::new(options(server, &server.url())).unwrap();
        let mut missing = program("no-such-program", &[]);
        let error = client.pty(missing.clone()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some("program")), "{error}");
        let words =
            "could not start 'no-such-program': most likely its machine has no such program;";
        assert!(error.message().contains(words), "{error}");
        missing.cwd = Some("/no/such/folder".to_owned());
        let error = client.pty(missing).unwrap_err();
        assert!(error.message().contains("or no directory '/no/such/folder'"), "{error}");
    }
}
