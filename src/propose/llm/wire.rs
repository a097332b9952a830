//! The way to a server: one HTTP client an endpoint, without redirects, and the layer under async-openai that sets the key
//! and keeps what the library would lose: the status and words of a refusal, and answers that are no stream.
//!
//! A key is put on a request here and nowhere else, after its address was compared with the endpoint's.

use super::{
    endpoint::{Endpoint, Secret},
    retry,
};
use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use futures::{StreamExt, future::BoxFuture};
use reqwest::{
    Response, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

/// Bytes of a refusal that are read.
const LARGEST_REFUSAL: usize = 64 << 10;
/// Bytes of an answer in one piece.
const LARGEST_ANSWER: usize = 16 << 20;
/// Bytes of a stream, whatever stands in it: a server could send one line without end.
const LARGEST_STREAM: usize = 256 << 20;

/// What came in place of a stream.
#[derive(Debug, Clone)]
pub(super) enum Instead {
    /// A status that is no success, or a page for people; what it said; when to come back.
    Refusal { status: u16, after: Option<Duration>, body: String },
    /// The whole answer at once.
    Answer(String),
    /// No answer at all.
    Away(Away),
}

/// Why there is no answer at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Away {
    /// Nobody listens there, or the name is not known.
    Connect(String),
    /// No connection in time.
    ConnectTimeout,
    /// A connection, and then nothing.
    Silent,
    /// The connection broke.
    Broken(String),
    /// The address or a header cannot be sent.
    Request(String),
}

/// Makes the client of an endpoint.
///
/// Errors: in words, what of the endpoint no client can be made of.
pub(super) fn client(endpoint: &Endpoint) -> Result<reqwest::Client, String> {
    // The provider of all TLS of this process; that it stands already is no trouble.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let patience = &endpoint.patience;
    let mut builder = reqwest::Client::builder()
        .connect_timeout(patience.connect)
        .read_timeout(patience.idle)
        // A key goes to the address that the user wrote and to no other.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("trialdeck/", env!("CARGO_PKG_VERSION")));
    if endpoint.is_near() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|e| format!("no HTTP client can be made: {}", causes(&e)))
}

/// The headers of every request, the key's among them.
pub(super) fn headers(endpoint: &Endpoint, key: Option<&Secret>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
            .map_err(|_| "its key holds a letter that no header can".to_owned())?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for (name, value) in &endpoint.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not the name of a header"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| format!("the header `{name}` holds a letter that no header can"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

/// The layer. One for each try; `instead` is where it leaves what is no stream.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) headers: HeaderMap,
    pub(super) instead: Arc<Mutex<Option<Instead>>>,
}

impl Wire {
    /// What came in place of a stream.
    pub(super) fn take(&self) -> Option<Instead> {
        self.instead.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn send(self, factory: HttpRequestFactory) -> Result<Response, OpenAIError> {
        let instead = |what: Instead| {
            *self.instead.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
            OpenAIError::InvalidArgument("see what came instead".into())
        };
        let mut request = factory.build().await?;
        request.headers_mut().remove(AUTHORIZATION);
        let url = request.url();
        if (url.scheme(), url.host(), url.port_or_known_default())
            != (self.base.scheme(), self.base.host(), self.base.port_or_known_default())
        {
            return Err(instead(Instead::Away(Away::Request("the address of the request is not the endpoint's".into()))));
        }
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let mut response = self.http.execute(request).await.map_err(|e| instead(Instead::Away(away(&e))))?;
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
        let page = kind.contains("html");
        if !status.is_success() || page {
            let after =
                response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| retry::after(v, jiff::Timestamp::now()));
            let body = read(&mut response, LARGEST_REFUSAL).await.unwrap_or_default();
            return Err(instead(Instead::Refusal { status: status.as_u16(), after, body }));
        }
        if kind.contains("json") && !kind.contains("stream") && !kind.contains("ndjson") {
            return Err(match read(&mut response, LARGEST_ANSWER).await {
                Ok(body) => instead(Instead::Answer(body)),
                Err(e) => instead(Instead::Away(away(&e))),
            });
        }
        Ok(self.bounded(response))
    }

    /// The stream with a bound, its trouble kept, and an empty line after its end: some servers leave the last one out.
    fn bounded(&self, response: Response) -> Response {
        let instead = Arc::clone(&self.instead);
        let mut left = LARGEST_STREAM;
        let pieces = response.bytes_stream().map(move |piece| {
            let trouble = match piece {
                Ok(piece) if piece.len() <= left => {
                    left -= piece.len();
                    return Ok(piece);
                }
                Ok(_) => Away::Broken(format!("more than {} MiB came", LARGEST_STREAM >> 20)),
                Err(e) => away(&e),
            };
            *instead.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instead::Away(trouble));
            Err(std::io::Error::other("see what came instead"))
        });
        let end = futures::stream::iter([Ok("\n\n".into())]);
        http::Response::new(reqwest::Body::wrap_stream(pieces.chain(end))).into()
    }
}

impl tower_service::Service<HttpRequestFactory> for Wire {
    type Response = Response;
    type Error = OpenAIError;
    type Future = BoxFuture<'static, Result<Response, OpenAIError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        Box::pin(self.clone().send(factory))
    }
}

/// Reads so many bytes at most; what comes after them is left.
async fn read(response: &mut Response, largest: usize) -> Result<String, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= largest {
            bytes.truncate(largest);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn away(error: &reqwest::Error) -> Away {
    if error.is_connect() {
        return if error.is_timeout() { Away::ConnectTimeout } else { Away::Connect(causes(error)) };
    }
    if error.is_timeout() {
        return Away::Silent;
    }
    if error.is_builder() { Away::Request(causes(error)) } else { Away::Broken(causes(error)) }
}

/// The innermost cause, which says most; the address is ours to say.
fn causes(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    let text = inner.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
