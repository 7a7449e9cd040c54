//! `hbctl metrics --http`: one request of a Prometheus, on a connection that systemd has accepted
//! (hbd-metrics.socket).
//!
//! Owns what is read of a request and what is answered. Never listens: a server that nobody asks is not there, and
//! hbd itself serves no web. The limits on connections and on time are those of the units.

use std::io::{self, BufRead, Read};

/// More than any scraper sends as the head of its request.
const LONGEST_HEAD: u64 = 16 * 1024;

/// Reads a request and gives the answer, with the metrics if they are what was asked for.
///
/// # Errors
///
/// The connection broke before the request was whole, or the request is too long.
pub(super) fn answer(input: &mut impl BufRead, metrics: impl FnOnce() -> String) -> io::Result<String> {
    let mut head = input.take(LONGEST_HEAD);
    let mut request = String::new();
    head.read_line(&mut request)?;
    let mut line = String::new();
    // What follows until the empty line is of no interest, and is read so that the scraper is not cut off.
    while line != "\r\n" && line != "\n" {
        line.clear();
        if head.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "this is no HTTP request"));
        }
    }
    let mut words = request.split_whitespace();
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default();
    Ok(match (method, path) {
        ("GET", "/metrics") => response("200 OK", &metrics()),
        ("HEAD", "/metrics") => response("200 OK", ""),
        ("GET" | "HEAD", _) => response("404 Not Found", "hbd's metrics are at /metrics\n"),
        _ => response("405 Method Not Allowed", "GET /metrics is all that there is\n"),
    })
}

fn response(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Allow: GET, HEAD\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(request: &str) -> io::Result<String> {
        answer(&mut request.as_bytes(), || "hbd_up 1\n".to_owned())
    }

    #[test]
    fn a_scraper_gets_the_metrics_and_others_a_reason() {
        let whole = asked("GET /metrics?a=b HTTP/1.1\r\nHost: nodea\r\n\r\n").unwrap();
        assert!(whole.starts_with("HTTP/1.1 200 OK\r\n") && whole.ends_with("\r\n\r\nhbd_up 1\n"), "{whole}");
        assert!(whole.contains("Content-Length: 9\r\n"), "{whole}");
        assert!(asked("HEAD /metrics HTTP/1.0\n\n").unwrap().ends_with("\r\n\r\n"));
        assert!(asked("GET / HTTP/1.1\r\n\r\n").unwrap().starts_with("HTTP/1.1 404 "));
        assert!(asked("POST /metrics HTTP/1.1\r\n\r\n").unwrap().starts_with("HTTP/1.1 405 "));
    }

    #[test]
    fn what_is_no_request_gets_no_answer() {
        for broken in ["", "GET /metrics HTTP/1.1\r\n", "\u{1}\u{2}"] {
            assert!(asked(broken).is_err(), "{broken:?}");
        }
        assert!(asked(&format!("GET /metrics HTTP/1.1\r\n{}\r\n\r\n", "x".repeat(20_000))).is_err());
    }
}
