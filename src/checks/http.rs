//! A check that asks a web server (RFC 9110, RFC 9112): one request on a connection of its own.
//!
//! Follows no redirect, asks no name server: the configuration says which address is asked.

use std::sync::{Arc, OnceLock};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::connect::connect_words;
use super::tls;
use crate::config::HttpProbe;

/// So much of a body is searched for the text; what comes after that is not read.
const BODY_LIMIT: usize = 1 << 20;

/// Why a web server does not pass.
#[derive(Debug, Error)]
pub(super) enum HttpFailure {
    /// No connection.
    #[error("{}", connect_words(.0))]
    Connect(#[source] std::io::Error),
    /// No TLS.
    #[error("TLS fails: {0}")]
    Tls(#[source] std::io::Error),
    /// TLS cannot even be tried.
    #[error("TLS cannot be used: {0}")]
    NoTls(#[source] rustls::Error),
    /// The URL's host cannot be asked for.
    #[error("`{0}` is no name for TLS")]
    Name(String),
    /// The request cannot be written.
    #[error("the request cannot be made: {0}")]
    Request(#[source] hyper::http::Error),
    /// The connection ends, or what comes is no HTTP.
    #[error("no HTTP answer: {0}")]
    Answer(#[source] hyper::Error),
    /// It answers with a status that does not pass.
    #[error("it answers with status {0}")]
    Status(StatusCode),
    /// The body ends too early.
    #[error("its answer breaks off: {0}")]
    Body(#[source] hyper::Error),
    /// The body does not contain the text.
    #[error("its answer does not contain the text `{0}`")]
    Text(String),
}

/// TLS with and without a look at certificates, made when it is first needed.
#[derive(Default)]
pub(super) struct TlsClients {
    trusting: OnceLock<Arc<rustls::ClientConfig>>,
    verifying: OnceLock<Arc<rustls::ClientConfig>>,
}

impl TlsClients {
    fn client(&self, verify: bool) -> Result<Arc<rustls::ClientConfig>, HttpFailure> {
        let place = if verify { &self.verifying } else { &self.trusting };
        if let Some(client) = place.get() {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(tls::client(verify).map_err(HttpFailure::NoTls)?);
        Ok(Arc::clone(place.get_or_init(|| client)))
    }
}

/// Asks once; passes if the status and the text are as they should be. Takes as long as the server does.
pub(super) async fn ask(probe: &HttpProbe, tls: &TlsClients) -> Result<(), HttpFailure> {
    let stream = TcpStream::connect(probe.address).await.map_err(HttpFailure::Connect)?;
    if !probe.tls {
        return ask_on(stream, probe).await;
    }
    let connector = TlsConnector::from(tls.client(probe.verify)?);
    let name = ServerName::try_from(probe.host.clone()).map_err(|_| HttpFailure::Name(probe.host.clone()))?;
    let stream = connector.connect(name, stream).await.map_err(HttpFailure::Tls)?;
    ask_on(stream, probe).await
}

async fn ask_on<S>(stream: S, probe: &HttpProbe) -> Result<(), HttpFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(HttpFailure::Answer)?;
    // Ends with this function, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::get(&probe.path)
        .header("host", &probe.authority)
        .header("user-agent", concat!("hbd/", env!("CARGO_PKG_VERSION"), " (check)"))
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(HttpFailure::Request)?;
    let answer = sender.send_request(request).await.map_err(HttpFailure::Answer)?;
    if !probe.status.iter().any(|range| range.contains(&answer.status().as_u16())) {
        return Err(HttpFailure::Status(answer.status()));
    }
    match &probe.text {
        None => Ok(()),
        Some(text) => find(answer, text).await,
    }
}

/// Reads the body until the text is found.
async fn find(mut answer: Response<Incoming>, text: &str) -> Result<(), HttpFailure> {
    let mut body = Vec::new();
    let mut searched = 0_usize;
    while let Some(frame) = answer.frame().await {
        let frame = frame.map_err(HttpFailure::Body)?;
        let Some(data) = frame.data_ref() else { continue };
        body.extend_from_slice(data);
        let from = searched.saturating_sub(text.len());
        if text.is_empty() || body[from..].windows(text.len()).any(|window| window == text.as_bytes()) {
            return Ok(());
        }
        searched = body.len();
        if searched >= BODY_LIMIT {
            break;
        }
    }
    Err(HttpFailure::Text(text.to_owned()))
}
