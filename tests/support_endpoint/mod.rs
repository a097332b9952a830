//! A model server on loopback for tests: scripted, paced, and as badly behaved as wanted.
//!
//! A closure sees each request and says what comes back, piece by piece: chunks of both APIs, raw bytes, a gate that the test
//! opens, a cut, a line that falls silent. Every request is kept for the test to look at. Nothing in here sleeps.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "support of several test targets"
)]

pub mod mind;

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for what it names.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a client asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// `/v1/chat/completions`.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Null where there was none.
    pub body: Value,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Everything that a model would read of it, one text after the other, whichever API.
    pub fn said(&self) -> String {
        fn texts(value: &Value, out: &mut String) {
            match value {
                Value::String(text) => {
                    out.push_str(text);
                    out.push('\n');
                }
                Value::Array(items) => items.iter().for_each(|i| texts(i, out)),
                Value::Object(map) => ["content", "text", "output", "arguments", "function", "tool_calls"]
                    .iter()
                    .filter_map(|k| map.get(*k))
                    .for_each(|v| texts(v, out)),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        let mut out = String::new();
        ["messages", "input"].iter().filter_map(|k| self.body.get(*k)).for_each(|v| texts(v, &mut out));
        out
    }

    /// The last message of the user's or of a tool.
    pub fn last(&self) -> String {
        let list = self.body["messages"].as_array().or_else(|| self.body["input"].as_array());
        let last = list.and_then(|l| l.last()).cloned().unwrap_or_default();
        Request { body: json!({ "messages": [last] }), ..self.clone() }.said()
    }
}

/// Something that a test opens.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets those who wait go on.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open, or a test would have failed long ago.
    pub fn wait(&self) {
        let _ = self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), DEADLINE, |open| !*open).unwrap();
    }
}

/// A piece of an answer.
#[derive(Debug, Clone)]
pub enum Step {
    /// An event with this data.
    Event(Value),
    /// These bytes.
    Raw(String),
    /// Nothing until the test opens it.
    Wait(Gate),
    /// Nothing until the client leaves.
    Stall,
    /// The connection breaks in the middle of a piece.
    Cut,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Of HTTP; 0 closes the connection without a word.
    pub status: u16,
    /// Beside those of HTTP itself.
    pub headers: Vec<(String, String)>,
    /// In this order.
    pub steps: Vec<Step>,
    /// The body ends with the connection, not with a mark.
    pub until_closed: bool,
}

/// The first chunk of an answer of the chat API, or any other.
pub fn chunk(delta: Value) -> Step {
    Step::Event(json!({ "id": "c", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }))
}

/// The last one.
pub fn finish(reason: &str) -> Step {
    Step::Event(json!({ "id": "c", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] }))
}

/// The count that comes after it.
pub fn usage(prompt: u64, completion: u64) -> Step {
    Step::Event(json!({ "id": "c", "choices": [], "usage": { "prompt_tokens": prompt, "completion_tokens": completion } }))
}

/// The end of a stream.
pub fn done() -> Step {
    Step::Raw("data: [DONE]\n\n".into())
}

impl Reply {
    /// A stream of these pieces.
    pub fn stream(steps: Vec<Step>) -> Self {
        Self { status: 200, headers: vec![("content-type".into(), "text/event-stream".into())], steps, until_closed: false }
    }

    /// A body in one piece.
    pub fn plain(status: u16, kind: &str, body: &str) -> Self {
        Self { status, headers: vec![("content-type".into(), kind.into())], steps: vec![Step::Raw(body.into())], until_closed: false }
    }

    /// An error in the form that most servers use.
    pub fn error(status: u16, message: &str) -> Self {
        Self::plain(status, "application/json", &json!({ "error": { "message": message, "type": "error", "code": null } }).to_string())
    }

    /// The connection is closed without an answer.
    pub fn hang_up() -> Self {
        Self { status: 0, headers: Vec::new(), steps: Vec::new(), until_closed: true }
    }

    /// A whole answer of the chat API, word by word, with a thought before it.
    pub fn chat(thought: &str, text: &str) -> Self {
        let mut steps: Vec<Step> =
            thought.split_inclusive(' ').filter(|p| !p.is_empty()).map(|p| chunk(json!({ "reasoning_content": p }))).collect();
        steps.extend(text.split_inclusive(' ').filter(|p| !p.is_empty()).map(|p| chunk(json!({ "content": p }))));
        steps.extend([finish("stop"), usage(100, 20), done()]);
        Self::stream(steps)
    }

    /// Calls of tools by the chat API, their arguments in pieces.
    pub fn calls(thought: &str, calls: &[(&str, Value)]) -> Self {
        let mut steps: Vec<Step> =
            thought.split_inclusive(' ').filter(|p| !p.is_empty()).map(|p| chunk(json!({ "reasoning_content": p }))).collect();
        for (index, (name, arguments)) in calls.iter().enumerate() {
            let call = |function: Value| chunk(json!({ "tool_calls": [{ "index": index, "function": function }] }));
            let id = format!("c{index}_{name}");
            steps.push(chunk(
                json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": "" } }] }),
            ));
            let text = arguments.to_string();
            let half = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            steps.extend([call(json!({ "arguments": &text[..half] })), call(json!({ "arguments": &text[half..] }))]);
        }
        steps.extend([finish("tool_calls"), usage(100, 20), done()]);
        Self::stream(steps)
    }

    /// A whole answer of the responses API: a thought, a text, calls.
    pub fn responses(thought: &str, text: &str, calls: &[(&str, Value)]) -> Self {
        let mut output = Vec::new();
        let mut steps = vec![Step::Event(json!({ "type": "response.created", "response": { "id": "r" } }))];
        if !thought.is_empty() {
            steps.extend(
                thought.split_inclusive(' ').map(|p| Step::Event(json!({ "type": "response.reasoning_summary_text.delta", "delta": p }))),
            );
            output.push(json!({ "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": thought }], "encrypted_content": "opaque==" }));
        }
        if !text.is_empty() {
            steps.extend(text.split_inclusive(' ').map(|p| Step::Event(json!({ "type": "response.output_text.delta", "delta": p }))));
            output
                .push(json!({ "type": "message", "id": "m_1", "role": "assistant", "content": [{ "type": "output_text", "text": text }] }));
        }
        for (n, (name, arguments)) in calls.iter().enumerate() {
            output.push(json!({ "type": "function_call", "id": format!("fc_{n}"), "call_id": format!("c{n}_{name}"), "name": name, "arguments": arguments.to_string() }));
        }
        for (index, item) in output.iter().enumerate() {
            let mut begun = item.clone();
            if begun["type"] == "function_call" {
                begun["arguments"] = "".into();
                steps.push(Step::Event(json!({ "type": "response.output_item.added", "output_index": index, "item": begun })));
                steps.push(Step::Event(
                    json!({ "type": "response.function_call_arguments.delta", "output_index": index, "delta": item["arguments"] }),
                ));
            }
            steps.push(Step::Event(json!({ "type": "response.output_item.done", "output_index": index, "item": item })));
        }
        let usage = json!({ "input_tokens": 100, "input_tokens_details": { "cached_tokens": 40 }, "output_tokens": 20 });
        steps.push(Step::Event(
            json!({ "type": "response.completed", "response": { "id": "r", "status": "completed", "output": output, "usage": usage } }),
        ));
        for (number, step) in steps.iter_mut().enumerate() {
            if let Step::Event(event) = step {
                event["sequence_number"] = number.into();
            }
        }
        Self::stream(steps)
    }

    /// With one header more.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body ends with the connection, without a mark.
    pub fn until_closed(mut self) -> Self {
        self.until_closed = true;
        self
    }
}

type Script = dyn Fn(usize, &Request) -> Reply + Send + Sync;

struct Inner {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    came: Condvar,
    failed: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// The server. Ends when it is dropped.
pub struct Endpoint {
    inner: Arc<Inner>,
    at: SocketAddr,
    listening: Option<thread::JoinHandle<()>>,
}

impl Endpoint {
    /// Starts one on a free port. `script` gets the number of the request, from 0, and the request.
    pub fn start(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), script)
    }

    /// Starts one where another one was.
    pub fn start_at(at: SocketAddr, script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let began = Instant::now();
        let listener = loop {
            match TcpListener::bind(at) {
                Ok(listener) => break listener,
                Err(e) => assert!(began.elapsed() < DEADLINE, "{at} stays taken: {e}"),
            }
            thread::yield_now();
        };
        let at = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            script: Box::new(script),
            requests: Mutex::default(),
            came: Condvar::new(),
            failed: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let server = Arc::clone(&inner);
        let listening = thread::spawn(move || {
            for connection in listener.incoming() {
                if server.over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(connection) = connection else { continue };
                let server = Arc::clone(&server);
                thread::spawn(move || {
                    let _ = serve(&server, connection);
                });
            }
        });
        Self { inner, at, listening: Some(listening) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// What stands in a configuration as `base_url`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.at)
    }

    /// Everything that was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap().clone()
    }

    /// Waits until what was asked is as wanted.
    pub fn wait_for(&self, what: &str, is: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let requests = self.inner.requests.lock().unwrap();
        let (requests, late) = self.inner.came.wait_timeout_while(requests, DEADLINE, |r| !is(r)).unwrap();
        assert!(!late.timed_out(), "never saw {what}; {} requests came", requests.len());
        requests.clone()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.inner.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.at);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
        let failed = self.inner.failed.lock().unwrap().clone();
        assert!(failed.is_empty() || thread::panicking(), "the script failed: {failed:#?}");
    }
}

fn serve(server: &Inner, mut connection: TcpStream) -> std::io::Result<()> {
    let Some(request) = read(&connection)? else { return Ok(()) };
    let number = {
        let mut requests = server.requests.lock().unwrap();
        requests.push(request.clone());
        requests.len() - 1
    };
    server.came.notify_all();
    // A script that fails is told as a refusal that nobody repeats, and again when the server is dropped.
    let reply = catch_unwind(AssertUnwindSafe(|| (server.script)(number, &request))).unwrap_or_else(|cause| {
        let said = cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        let said = said.unwrap_or_default();
        server.failed.lock().unwrap().push(said.clone());
        Reply::error(400, &format!("the script failed: {said}"))
    });
    if reply.status == 0 {
        return connection.shutdown(Shutdown::Both);
    }
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", reply.status);
    reply.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    head += if reply.until_closed { "\r\n" } else { "transfer-encoding: chunked\r\n\r\n" };
    connection.write_all(head.as_bytes())?;
    let send = |connection: &mut TcpStream, text: &str| {
        let framed = if reply.until_closed { text.to_owned() } else { format!("{:x}\r\n{text}\r\n", text.len()) };
        connection.write_all(framed.as_bytes()).and_then(|()| connection.flush())
    };
    for step in &reply.steps {
        match step {
            Step::Event(data) => send(&mut connection, &format!("data: {data}\n\n"))?,
            Step::Raw(text) if text.is_empty() => {}
            Step::Raw(text) => send(&mut connection, text)?,
            Step::Wait(gate) => gate.wait(),
            // The client's leaving ends the read.
            Step::Stall => return connection.read(&mut [0; 64]).map(drop),
            Step::Cut => {
                connection.write_all(b"40\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"in mid-wo")?;
                return connection.shutdown(Shutdown::Both);
            }
        }
    }
    if !reply.until_closed {
        connection.write_all(b"0\r\n\r\n")?;
    }
    connection.shutdown(Shutdown::Write)
}

fn read(connection: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let (name, value) = (name.to_lowercase(), value.trim().to_owned());
        if name == "content-length" {
            length = value.parse().unwrap_or(0);
        }
        headers.push((name, value));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, headers, body: serde_json::from_slice(&body).unwrap_or_default() }))
}
