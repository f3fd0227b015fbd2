//! What networks do to terminals: no character is lost, none comes twice.

use super::*;
use opencode_core::ErrorKind;
use opencode_tests::{End, Plan, Proxy, eventually};

fn behind(proxy: &Proxy) -> Client {
    Client::new(options(&shared().server, &proxy.url())).unwrap()
}

/// What a terminal makes of lines that a program prints.
fn printed(lines: &str) -> String {
    lines.replace('\n', "\r\n")
}

#[test]
fn output_survives_cuts_anywhere() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    // Every connection breaks after some more bytes than the one before.
    let next = std::sync::atomic::AtomicU64::new(0);
    proxy.hook(move |asked| {
        if !asked.is("GET */connect*") {
            return Plan::pass();
        }
        let n = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let end = if n.is_multiple_of(2) { End::Reset } else { End::Close };
        if n < 30 {
            Plan::pass().cut_answer(if n == 3 { 100 } else { 2_000 + n * 97 }, end)
        } else {
            Plan::pass()
        }
    });
    let client = behind(&proxy);
    let lines: String = (0..2_000).map(|n| format!("{n} é€😀 line\n")).collect();
    std::fs::write(shared().server.directory().join("lines.txt"), &lines).unwrap();
    // Slowly, so that there are many moments to break.
    let text = "n=0; while read -r line; do echo \"$line\"; n=$((n + 1)); \
                [ $((n % 30)) = 0 ] && sleep 0.1; done < lines.txt; read x; exit 5";
    let mut options = script(text);
    // Most of these connections break before the server has told its position.
    options.server_timeout = LIMIT;
    let pty = client.pty(options).unwrap();
    let shown = until(&pty, "1999 é€😀 line\r\n");
    assert!(shown == printed(&lines), "{} of {} characters", shown.len(), printed(&lines).len());
    assert!(proxy.counters().cuts >= 8, "{:?}", proxy.counters());
    pty.write("x\n").unwrap();
    rest(&pty);
    assert_eq!((pty.exit_code(), pty.is_complete()), (Some(5), true));
}

#[test]
fn a_shell_goes_on_after_a_cut() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy);
    let mut options = program("bash", &["--norc", "--noprofile"]);
    options.env = vec![("PS1".to_owned(), "> ".to_owned())];
    let pty = client.pty(options).unwrap();
    until(&pty, "> ");
    for n in 0..5 {
        // Typed while there can be no connection: it waits for the next one.
        proxy.down().unwrap();
        proxy.cut_all(if n % 2 == 0 { End::Reset } else { End::Close });
        eventually("the loss to be noticed", || (proxy.counters().open == 0).then_some(()));
        pty.write(&format!("echo $(({n} + 100))\n")).unwrap();
        proxy.up().unwrap();
        let shown = until(&pty, &format!("\r{}\r\n", n + 100));
        assert_eq!(shown.matches(&format!("echo $(({n}")).count(), 1, "{shown:?}");
    }
}

#[test]
fn a_full_screen_program_survives_a_cut() {
    let lines: String = (1..=300).map(|n| format!("page line {n}\n")).collect();
    std::fs::write(shared().server.directory().join("pages.txt"), lines).unwrap();
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy);
    let mut options = program("less", &["pages.txt"]);
    options.env = vec![("TERM".to_owned(), "xterm".to_owned())];
    let pty = client.pty(options).unwrap();
    let mut all = until(&pty, "page line 23");
    for end in [200, 100, 300] {
        proxy.cut_all(End::Reset);
        pty.write(&format!("{end}G")).unwrap();
        // Whether the key got through is not certain when the cut was not noticed yet.
        eventually("the page", || {
            let text = pty.read(Some(Duration::from_millis(500))).unwrap().unwrap();
            all.push_str(&text);
            if !all.contains(&format!("page line {end}")) {
                pty.write(&format!("{end}G")).unwrap();
                return None;
            }
            Some(())
        });
    }
    pty.write("q").unwrap();
    all.push_str(&rest(&pty));
    // What a handle without any cut gets is the same to the last character.
    assert_eq!(pty.exit_code(), Some(0));
    assert_eq!(pty.cursor(), all.encode_utf16().count() as i64);
}

#[test]
fn a_character_that_the_replay_splits_comes_whole() {
    let client = super::client();
    // Two units each after an odd start: every piece of the replay ends within one.
    let text =
        "printf x; for i in $(seq 1 100); do printf '😀%.0s' $(seq 1 1000); done; echo end; read x";
    let pty = client.pty(script(text)).unwrap();
    until(&pty, "end\r\n");
    let again = client.pty_connect(pty.id(), PtyOptions::default()).unwrap();
    let shown = until(&again, "end\r\n");
    assert!(shown == format!("x{}end\r\n", "😀".repeat(100_000)), "{} bytes", shown.len());
    assert!(again.is_complete());
}

#[test]
fn a_slow_reader_gets_everything_and_costs_little() {
    let client = super::client();
    // Not before somebody listens: the server keeps two million characters.
    let text = "echo begin; read x; head -c 20000000 /dev/zero | tr '\\0' x; echo END; read x";
    let pty = client.pty(script(text)).unwrap();
    until(&pty, "begin\r\n");
    pty.write("\n").unwrap();
    // Nobody reads for a while.
    std::thread::sleep(Duration::from_secs(2));
    let mut total = 0;
    let mut longest = 0;
    let last = eventually("the end of the output", || {
        let text = pty.read(Some(Duration::from_secs(5))).unwrap().unwrap();
        total += text.len();
        longest = longest.max(text.len());
        text.ends_with("END\r\n").then_some(text)
    });
    assert!(last.ends_with("END\r\n"));
    // What was typed is shown too.
    assert_eq!(total, 2 + 20_000_005);
    assert!(longest < 4 << 20, "{longest} bytes were kept for the reader");
}

#[test]
fn a_gap_is_told() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy);
    let text = "echo begin; read x; head -c 5000000 /dev/zero | tr '\\0' x; echo END; read x";
    let pty = client.pty(script(text)).unwrap();
    until(&pty, "begin");
    let direct = super::client();
    let other = direct.pty_connect(pty.id(), PtyOptions::default()).unwrap();
    proxy.down().unwrap();
    proxy.cut_all(End::Reset);
    other.write("x\n").unwrap();
    until(&other, "END");
    proxy.up().unwrap();
    // The server keeps two million characters.
    let shown = until(&pty, "END\r\n");
    assert!(shown.len() < 3_000_000, "{}", shown.len());
    assert!(!pty.is_complete() && other.is_complete());
    assert_eq!(pty.cursor(), other.cursor());
}

#[test]
fn a_way_that_opens_and_passes_nothing_on_ends_the_terminal() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    // Every connection is made, and breaks before the server has told its position.
    proxy.hook(|asked| match asked.is("GET */connect*") {
        true => Plan::pass().cut_answer(4_000, End::Reset),
        false => Plan::pass(),
    });
    let direct = super::client();
    let pty =
        direct.pty(script("head -c 100000 /dev/zero | tr '\\0' x; echo END; read x")).unwrap();
    until(&pty, "END");
    let mut options = PtyOptions::default();
    options.server_timeout = Duration::from_millis(300);
    let client = behind(&proxy);
    let through = client.pty_connect(pty.id(), options).unwrap();
    let error = eventually("the end", || through.read(Some(Duration::from_secs(1))).err());
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
}

#[test]
fn a_server_that_goes_away_ends_the_terminal() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let mut options = script("echo up; read x");
    options.server_timeout = Duration::from_millis(300);
    let client = behind(&proxy);
    let pty = client.pty(options).unwrap();
    until(&pty, "up");
    proxy.down().unwrap();
    proxy.cut_all(End::Reset);
    let error = pty.read(Some(LIMIT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert_eq!(pty.write("x").unwrap_err().kind(), ErrorKind::Connection);
}

#[test]
fn a_terminal_whose_making_is_cancelled_is_not_left_behind() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    // The server makes it, and its answer is on its way.
    proxy.always("POST /api/pty*", Plan::pass().stall_answer(0, Duration::from_secs(1)));
    let client = behind(&proxy);
    let direct = super::client();
    let is_there =
        || direct.call("v2.pty.list", ()).unwrap().text().unwrap().contains("left behind");
    let mut options = script("sleep 1000");
    options.title = Some("left behind".to_owned());
    let opening = client.start_pty(options).unwrap();
    eventually("it is made", || is_there().then_some(()));
    if let Some(made) = opening.cancel() {
        // The answer was faster.
        made.kill(&Default::default()).unwrap();
    }
    assert!(opening.call().is_done(), "who waits for it is told at once");
    eventually("it is ended", || (!is_there()).then_some(()));
}
