//! Everything also goes through TLS, with an authority of one's own.

use super::*;
use opencode_core::ErrorKind;
use opencode_tests::Directory;
use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Speaks TLS to clients and passes everything on to the server. Its threads end with their connections.
fn terminator(target: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (terminate(target, &made.cert, &made.signing_key), made.cert.pem())
}

/// The same with a certificate that was made before.
pub(crate) fn terminate(target: &str, cert: &rcgen::Certificate, key: &rcgen::KeyPair) -> String {
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let target = target.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (config, target) = (Arc::clone(&config), target.clone());
            std::thread::spawn(move || pass(client, &TcpStream::connect(target).unwrap(), config));
        }
    });
    url
}

fn pass(client: TcpStream, mut server: &TcpStream, config: Arc<rustls::ServerConfig>) {
    client.set_nonblocking(true).unwrap();
    server.set_nonblocking(true).unwrap();
    let connection = rustls::ServerConnection::new(config).unwrap();
    let mut tls = rustls::StreamOwned::new(connection, client);
    let mut piece = [0; 16 << 10];
    loop {
        let mut is_idle = true;
        for inwards in [true, false] {
            let read = if inwards { tls.read(&mut piece) } else { server.read(&mut piece) };
            let n = match read {
                Ok(0) => return,
                Ok(n) => n,
                Err(error) if error.kind() == IoKind::WouldBlock => continue,
                Err(_) => return,
            };
            is_idle = false;
            let mut rest = &piece[..n];
            while !rest.is_empty() {
                let wrote = if inwards { server.write(rest) } else { tls.write(rest) };
                match wrote {
                    Ok(n) => rest = &rest[n..],
                    Err(error) if error.kind() == IoKind::WouldBlock => std::thread::yield_now(),
                    Err(_) => return,
                }
            }
        }
        // What TLS could not get rid of at once.
        let _ = tls.flush();
        if is_idle {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn requests_runs_and_terminals_through_tls() {
    let server = &shared().server;
    let (url, certificate) = terminator(&server.url());
    let folder = Directory::new("tls").unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, certificate).unwrap();
    let stranger = Client::new(options(server, &url)).unwrap();
    let error = stranger.call("global.health", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    let mut trusting = options(server, &url);
    trusting.ca_file = Some(path.clone());
    let client = Client::new(trusting).unwrap();
    assert!(!client.ask("Say pong").unwrap().text.is_empty());
    let text = "stty -echo; echo up; while read x; do echo \"got-$x\"; done; head -c 300000 /dev/zero | tr '\\0' z";
    let pty = client.pty(script(text)).unwrap();
    until(&pty, "up");
    // Back and forth: reading and writing share one TLS session.
    for n in 0..50 {
        pty.write(&format!("{n}-é😀\n")).unwrap();
        until(&pty, &format!("got-{n}-é😀\r\n"));
    }
    pty.write("\u{4}").unwrap();
    let all = rest(&pty);
    assert_eq!(all.matches('z').count(), 300_000);
    assert_eq!(pty.exit_code(), Some(0));
    std::fs::write(&path, "no certificate").unwrap();
    let mut wrong = options(server, &url);
    wrong.ca_file = Some(path);
    assert!(Client::new(wrong).unwrap_err().message().contains("no certificate in it"));
}
