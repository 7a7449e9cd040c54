//! The runner against services that hang, lie, flap, close at once and are slow: real sockets, nothing else.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use zbus::connection::Builder;

use super::command::{reason, result as result_of, unit_name};
use super::runner::{Prober, run};
use super::{CheckCommand, CheckReport, CheckResult};
use crate::config::{CheckProbe, CheckPurpose, CheckRule, HttpProbe, ServiceCheck};
use crate::units::{ActiveState, UnitError, Verb};

/// A time limit in which a local service answers also on a busy machine.
const PATIENT: Duration = Duration::from_secs(10);
/// One that a service which hangs does not keep.
const SHORT: Duration = Duration::from_millis(300);

/// A service on a port of its own: `serve` gets each connection and its number, on a thread of its own.
fn service(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (Ok(stream), serve) = (stream, Arc::clone(&serve)) else { return };
            thread::spawn(move || serve(stream, number));
        }
    });
    address
}

/// Reads a request up to its blank line, and gives it.
fn request(stream: &mut impl Read) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A web server that answers every request with this.
fn web(answer: &'static str) -> SocketAddr {
    service(move |mut stream, _| {
        request(&mut stream);
        let _ = stream.write_all(answer.as_bytes());
    })
}

const WELL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nall is wel";

fn http(address: SocketAddr) -> HttpProbe {
    HttpProbe {
        address,
        tls: false,
        verify: false,
        host: "service.example".into(),
        authority: "service.example:81".into(),
        path: "/health?x=1".into(),
        status: vec![200..=399],
        text: None,
    }
}

fn check(probe: CheckProbe, timeout: Duration) -> ServiceCheck {
    let purpose = CheckPurpose::Service;
    let rule = CheckRule { group: 0, name: "x".into(), purpose, fall: 3, rise: 2, restart: 0 };
    ServiceCheck { rule, probe, interval: Duration::from_millis(20), timeout }
}

/// The runner with its channels.
struct Bench {
    commands: UnboundedSender<CheckCommand>,
    reports: UnboundedReceiver<CheckReport>,
}

impl Bench {
    async fn next(&mut self) -> CheckReport {
        timeout(Duration::from_secs(30), self.reports.recv()).await.unwrap().unwrap()
    }

    fn order(&self, check: usize, run: Option<u64>) {
        self.commands.send(CheckCommand { check, run }).unwrap();
    }
}

/// Plays `story` beside a runner of these checks.
fn with<F: Future<Output = ()>>(checks: Vec<ServiceCheck>, story: impl FnOnce(Bench) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (commands, orders) = unbounded_channel();
        let (sender, reports) = unbounded_channel();
        let nowhere = || Builder::address("unix:path=/nonexistent/bus");
        let prober = Prober::new(nowhere, vec!["hbd-check-x-1.service".into(); checks.len()], Vec::new());
        let report = Arc::new(move |report| drop(sender.send(report)));
        let runner = run(checks, Arc::new(prober), orders, report);
        tokio::select! {
            () = runner => panic!("the runner ended"),
            () = story(Bench { commands, reports }) => {}
        }
    });
}

/// The first result of a check.
fn result(probe: CheckProbe, timeout: Duration) -> CheckResult {
    let mut found = None;
    with(vec![check(probe, timeout)], async |mut bench| {
        bench.order(0, Some(1));
        found = Some(bench.next().await.result);
    });
    found.unwrap()
}

#[track_caller]
fn fails(result: CheckResult, text: &str) {
    match result {
        CheckResult::Failed(reason) => assert!(reason.contains(text), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_port_passes_if_something_listens() {
    let address = service(|_, _| {});
    assert_eq!(result(CheckProbe::Tcp(address), PATIENT), CheckResult::Passed);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fails(result(CheckProbe::Tcp(free), PATIENT), "connection refused");
}

#[test]
fn a_web_server_passes_by_its_status_and_is_asked_politely() {
    let (sender, requests) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let address = service(move |mut stream, _| {
        let _ = sender.lock().unwrap().send(request(&mut stream));
        let _ = stream.write_all(WELL.as_bytes());
    });
    assert_eq!(result(CheckProbe::Http(http(address)), PATIENT), CheckResult::Passed);
    let asked = requests.recv().unwrap().to_lowercase();
    for line in ["get /health?x=1 http/1.1\r\n", "host: service.example:81\r\n", "user-agent: hbd/"] {
        assert!(asked.contains(line), "{asked}");
    }
}

#[test]
fn a_service_that_lies_fails() {
    let probe = |answer, change: fn(&mut HttpProbe)| {
        let mut probe = http(web(answer));
        change(&mut probe);
        result(CheckProbe::Http(probe), PATIENT)
    };
    fails(probe("HTTP/1.1 503 Service Unavailable\r\n\r\n", |_| {}), "status 503");
    fails(probe(WELL, |probe| probe.status = vec![204..=204, 301..=302]), "status 200");
    fails(probe(WELL, |probe| probe.text = Some("welcome".into())), "does not contain the text `welcome`");
    assert_eq!(probe(WELL, |probe| probe.text = Some("is wel".into())), CheckResult::Passed);
    fails(probe("SSH-2.0-OpenSSH_9.2\r\n", |_| {}), "no HTTP answer");
    fails(
        probe("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nx", |probe| probe.text = Some("y".into())),
        "breaks off",
    );
}

#[test]
fn a_text_is_found_where_two_packets_meet() {
    let address = service(|mut stream, _| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nall \r\n");
        thread::sleep(Duration::from_millis(50));
        let _ = stream.write_all(b"7\r\nis well\r\n0\r\n\r\n");
    });
    let probe = HttpProbe { text: Some("all is".into()), ..http(address) };
    assert_eq!(result(CheckProbe::Http(probe), PATIENT), CheckResult::Passed);
}

#[test]
fn a_service_that_hangs_fails_when_its_time_is_over() {
    // As after SIGSTOP: the kernel accepts the connection, and nobody answers.
    let hangs = service(|stream, _| {
        thread::sleep(Duration::from_secs(60));
        drop(stream);
    });
    let begun = Instant::now();
    fails(result(CheckProbe::Http(http(hangs)), SHORT), "no answer within 0.3 s");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // One that answers a byte now and then is no better.
    let slow = service(|mut stream, _| {
        for byte in WELL.bytes() {
            thread::sleep(Duration::from_millis(100));
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    fails(result(CheckProbe::Http(http(slow)), SHORT), "no answer within 0.3 s");
}

#[test]
fn a_service_that_closes_at_once_fails() {
    fails(result(CheckProbe::Http(http(service(|_, _| {}))), PATIENT), "no HTTP answer");
}

#[test]
fn a_service_that_flaps_is_told_each_time() {
    let address = service(|mut stream, number| {
        request(&mut stream);
        let answer = if number.is_multiple_of(2) { WELL } else { "HTTP/1.1 500 Oh\r\n\r\n" };
        let _ = stream.write_all(answer.as_bytes());
    });
    with(vec![check(CheckProbe::Http(http(address)), PATIENT)], async |mut bench| {
        bench.order(0, Some(1));
        for number in 0..6 {
            let passed = bench.next().await.result == CheckResult::Passed;
            assert_eq!(passed, number % 2 == 0, "{number}");
        }
    });
}

#[test]
fn one_that_hangs_does_not_keep_another_waiting() {
    let hangs = service(|stream, _| {
        thread::sleep(Duration::from_secs(60));
        drop(stream);
    });
    let checks = vec![
        check(CheckProbe::Http(http(hangs)), Duration::from_secs(3600)),
        check(CheckProbe::Http(http(web(WELL))), PATIENT),
    ];
    with(checks, async |mut bench| {
        bench.order(0, Some(1));
        bench.order(1, Some(7));
        for _ in 0..5 {
            assert_eq!(bench.next().await, CheckReport { check: 1, run: 7, result: CheckResult::Passed });
        }
    });
}

#[test]
fn what_was_begun_before_says_nothing_of_what_runs_now() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // The first request hangs until its limit; the others are answered.
    let address = service(move |mut stream, number| {
        count.fetch_add(1, Ordering::SeqCst);
        if number > 0 {
            request(&mut stream);
            let _ = stream.write_all(WELL.as_bytes());
        } else {
            thread::sleep(Duration::from_secs(60));
        }
    });
    with(vec![check(CheckProbe::Http(http(address)), SHORT)], async |mut bench| {
        bench.order(0, Some(1));
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        bench.order(0, None);
        bench.order(0, Some(2));
        let first = bench.next().await;
        assert_eq!((first.run, first.result), (2, CheckResult::Passed), "the failure of run 1 is not told");
    });
}

#[test]
fn a_check_that_was_ended_is_silent() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = service(move |mut stream, _| {
        count.fetch_add(1, Ordering::SeqCst);
        request(&mut stream);
        let _ = stream.write_all(WELL.as_bytes());
    });
    with(vec![check(CheckProbe::Http(http(address)), PATIENT)], async |mut bench| {
        bench.order(0, Some(1));
        bench.next().await;
        bench.order(0, None);
        // What was under way when it was ended may still come.
        while timeout(SHORT, bench.reports.recv()).await.is_ok() {}
        let before = asked.load(Ordering::SeqCst);
        assert!(timeout(SHORT, bench.reports.recv()).await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), before);
    });
}

#[test]
fn a_certificate_is_looked_at_only_if_that_is_wanted() {
    let certificate = CertificateDer::from(include_bytes!("testdata/certificate.der").as_slice());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(include_bytes!("testdata/key.der").as_slice()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let address = service(move |mut stream, _| {
        let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut stream);
        request(&mut stream);
        let _ = stream.write_all(WELL.as_bytes());
    });
    let probe = HttpProbe { tls: true, text: Some("all is".into()), ..http(address) };
    assert_eq!(result(CheckProbe::Http(probe.clone()), PATIENT), CheckResult::Passed);
    fails(result(CheckProbe::Http(HttpProbe { verify: true, ..probe }), PATIENT), "TLS");
}

#[test]
fn without_systemd_a_command_says_nothing_of_the_service() {
    match result(CheckProbe::Command(vec!["/bin/true".into()]), PATIENT) {
        CheckResult::NotRun(reason) => assert!(!reason.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_reason_of_a_command_is_what_it_said_last() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.output");
    assert_eq!(reason("exit-code", &file), "it failed");
    std::fs::write(&file, format!("{}\nno response\x1b[2J\n\n", "noise\n".repeat(5000))).unwrap();
    assert_eq!(reason("exit-code", &file), "it failed: no response\\u{1b}[2J");
    assert_eq!(reason("signal", &file), "it was killed by a signal: no response\\u{1b}[2J");
    std::fs::write(&file, "x".repeat(100_000)).unwrap();
    assert_eq!(reason("exit-code", &file).chars().count(), "it failed: ".len() + 200);
}

#[test]
fn a_command_that_could_not_be_run_says_nothing_of_the_service() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("x.output");
    let judged = |outcome| result_of(Err(outcome), PATIENT, &output, CheckPurpose::Service);
    let unit = || "hbd-check-web-1.service".to_owned();
    let failed = |result: &str| UnitError::Failed {
        unit: unit(),
        verb: Verb::Start,
        job: "failed".into(),
        active: ActiveState::Failed,
        sub: "failed".into(),
        result: result.into(),
    };
    for outcome in [failed("resources"), failed(""), UnitError::NotExecuted { unit: unit(), status: 203 }] {
        let result = judged(outcome);
        assert!(matches!(result, CheckResult::NotRun(_)), "{result:?}");
    }
    let missing = UnitError::NotExecuted { unit: unit(), status: 203 };
    let result = result_of(Err(missing), PATIENT, &output, CheckPurpose::Ready);
    assert!(matches!(result, CheckResult::Failed(_)), "a node is ready if the program says so: {result:?}");
    for word in ["exit-code", "signal", "timeout"] {
        let result = judged(failed(word));
        assert!(matches!(result, CheckResult::Failed(_)), "{result:?}");
    }
}

#[test]
fn units_are_named_after_the_group_and_the_check() {
    assert_eq!(unit_name("10.0.0.1/24/eth0", 0), "hbd-check-10.0.0.1_24_eth0-1.service");
    assert!(unit_name(&"x".repeat(500), 11).len() < 200);
}
