//! The way to the server: certificates, proxies, and connections that are never made.

use crate::pty::tls::terminate;
use opencode_core::{Client, ClientOptions, Error, ErrorKind};
use opencode_tests::{Answer, Directory, Fake, LIMIT};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd,
};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn to(url: &str, ca_file: Option<PathBuf>) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.ca_file = ca_file;
    options.max_retries = 0;
    Client::new(options).unwrap()
}

fn fails(url: &str, ca_file: Option<PathBuf>) -> Error {
    to(url, ca_file).call("session.list", ()).unwrap_err()
}

/// As `openssl req -x509` makes it: an authority that signed itself.
fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> (Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

#[test]
fn a_self_signed_certificate_works_when_it_is_named() {
    let fake = Fake::start(|_| Answer::json(200, &json!([]))).unwrap();
    let folder = Directory::new("certificates").unwrap();
    let mut written = 0;
    let mut file = |cert: &Certificate| {
        written += 1;
        let path = folder.path().join(format!("{written}.pem"));
        std::fs::write(&path, cert.pem()).unwrap();
        path
    };
    let (good, key) = self_signed("localhost", |_| {});
    let url = terminate(&fake.url(), &good, &key);
    let good = file(&good);
    to(&url, Some(good.clone())).call("session.list", ()).unwrap();
    let seen = fake.requests().len();
    let (other, _) = self_signed("localhost", |_| {});
    let other = file(&other);
    let (misnamed, key) = self_signed("elsewhere", |_| {});
    let misnamed = (terminate(&fake.url(), &misnamed, &key), file(&misnamed));
    let (expired, key) =
        self_signed("localhost", |params| params.not_after = date_time_ymd(2001, 1, 1));
    let expired = (terminate(&fake.url(), &expired, &key), file(&expired));
    for (url, ca_file, words) in [
        (&url, None, "name the file with it"),
        (&url, Some(&other), "neither in ca_file"),
        (&misnamed.0, Some(&misnamed.1), "does not name 'localhost'"),
        (&expired.0, Some(&expired.1), "has expired"),
    ] {
        let error = fails(url, ca_file.cloned());
        assert_eq!((error.kind(), error.code()), (ErrorKind::Connection, Some("tls")), "{error}");
        assert!(!error.is_sent() && !error.is_retryable(), "{error}");
        assert!(error.message().contains(words), "{error}");
        if let Some(file) = ca_file {
            assert!(error.message().contains(file.to_str().unwrap()), "{error}");
        }
        let error = to(url, ca_file.cloned()).ask("hello").unwrap_err();
        assert!(!error.is_sent() && error.message().contains(words), "{error}");
        assert!(!error.message().contains("out of reach"), "{error}");
    }
    assert_eq!(fake.requests().len(), seen, "nothing reached the server");
    // Without TLS to a port that speaks it, and the other way round.
    let error = fails(&url.replace("https", "http"), None);
    assert!(error.message().contains("speaks TLS; write https://"), "{error}");
    let error = fails(&plain().replace("http", "https"), Some(good));
    assert!(error.message().contains("does not speak TLS; write http://"), "{error}");
    assert!(!error.is_sent(), "{error}");
}

/// A port that answers whatever comes as a web server without TLS does.
fn plain() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 64]);
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            // What it did not read would make a reset of the end.
            let _ = client.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = client.read_to_end(&mut Vec::new());
        }
    });
    url
}

#[test]
fn a_dead_proxy_is_named_and_this_machine_needs_none() {
    const PROXY: &str = "http://127.0.0.1:1";
    const NAME: &str = "network::a_dead_proxy_is_named_and_this_machine_needs_none";
    if std::env::var("HTTP_PROXY").as_deref() != Ok(PROXY) {
        // The environment of a process is for all its threads: a process of its own gets the variable.
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        for name in ["ALL_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("HTTP_PROXY", PROXY).env_remove("http_proxy");
        let done = command.args(["--exact", NAME, "--nocapture"]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{done:?}");
        return;
    }
    let error = fails("http://example.test:4096", None);
    assert!(error.message().contains("the proxy 127.0.0.1:1 (HTTP_PROXY"), "{error}");
    assert!(!error.is_sent() && error.is_retryable(), "{error}");
    let error = fails("https://example.test:4096", None);
    assert!(!error.message().contains("proxy"), "that is for http alone: {error}");
    let fake = Fake::start(|_| Answer::json(200, &json!([]))).unwrap();
    let port = fake.url().rsplit(':').next().unwrap().to_owned();
    for host in ["localhost.", "127.1", "2130706433"] {
        to(&format!("http://{host}:{port}"), None).call("session.list", ()).unwrap();
    }
}

#[test]
fn a_proxy_that_speaks_tls_or_does_not_is_named() {
    const NAME: &str = "network::a_proxy_that_speaks_tls_or_does_not_is_named";
    const MARK: &str = "OPENCODE_TESTS_PROXY";
    if let Ok(proxy) = std::env::var(MARK) {
        let error = fails("http://example.test:4096", None);
        let (scheme, place) = proxy.split_once("://").unwrap();
        let words = match scheme {
            "https" => "does not speak TLS; write http:// before it",
            _ => "speaks TLS; write https:// before it",
        };
        let words = format!("the proxy {place} (HTTP_PROXY, HTTPS_PROXY or ALL_PROXY) {words}");
        assert!(error.message().contains(&words), "{error}");
        assert!(!error.message().contains("base_url"), "{error}");
        assert!(!error.is_sent() && !error.is_retryable(), "{error}");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Connection, Some("tls")), "{error}");
        return;
    }
    let (cert, key) = self_signed("localhost", |_| {});
    let secured = terminate(&plain(), &cert, &key);
    for proxy in [plain().replace("http", "https"), secured.replace("https", "http")] {
        // The environment of a process is for all its threads: a process of its own gets the variable.
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        for name in ["ALL_PROXY", "HTTPS_PROXY", "NO_PROXY", "HTTP_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("HTTP_PROXY", &proxy).env(MARK, &proxy);
        let done = command.args(["--exact", NAME, "--nocapture"]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{done:?}");
    }
}

#[test]
fn a_connection_that_is_never_made_does_not_hold_up_a_close() {
    // Nobody accepts, and the queue is full: what knocks hears nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let knock = |_| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    let waiting: Vec<_> = (0..400).map_while(knock).collect();
    let is_full = TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err();
    assert!(is_full, "{} connections wait", waiting.len());
    let mut all = Duration::ZERO;
    for _ in 0..3 {
        // They are at different points of whatever an attempt consists of.
        let clients: Vec<_> = (0..8).map(|_| knocking(address)).collect();
        let ends = clients.into_iter().map(|client| {
            let other = client.clone();
            let end = std::thread::spawn(move || other.call("session.list", ()).unwrap_err());
            std::thread::sleep(Duration::from_millis(100));
            (client, end)
        });
        let ends: Vec<_> = ends.collect();
        let began = Instant::now();
        ends.iter().for_each(|(client, _)| drop(client.close()));
        for (_, end) in ends {
            assert_eq!(end.join().unwrap().kind(), ErrorKind::Closed);
        }
        all += began.elapsed();
    }
    // Each would take the five seconds of a connection that is waited for.
    assert!(all < LIMIT / 12, "the closes took {all:?}");
}

fn knocking(address: SocketAddr) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = format!("http://{address}");
    options.connect_timeout = Duration::from_secs(30);
    Client::new(options).unwrap()
}
