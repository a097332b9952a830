use super::played::{BEHIND, Played, noted, proposed, socket_of};
use super::{Bound, PATIENCE, Patience, ServeError};
use crate::model::conversation::Thought;
use crate::model::{Event, ProposalId, Telemetry, TrialId};
use crate::protocol::{Answer, Command, Query, Signal, ToClient, ToEngine, VERSION, decode, encode, lines::read_line};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// A client that says what the test tells it to.
struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Client {
    async fn silent(dir: &Path) -> Self {
        let (read, write) = UnixStream::connect(socket_of(dir)).await.unwrap().into_split();
        Self { read: BufReader::new(read), write }
    }

    /// A client that has got its snapshot; with its number.
    async fn greeted(dir: &Path, watch: bool, signals: bool) -> (Self, u64) {
        let mut client = Self::silent(dir).await;
        client.say(&ToEngine::Hello { version: VERSION, watch, signals }).await;
        assert!(matches!(client.hear().await, ToClient::Hello { version: VERSION, .. }));
        match client.hear().await {
            ToClient::Snapshot(snapshot) => (client, snapshot.seq),
            other => panic!("a snapshot comes first, not {other:?}"),
        }
    }

    async fn say(&mut self, message: &ToEngine) {
        self.raw(&encode(message).unwrap()).await;
    }

    async fn raw(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).await.unwrap();
    }

    /// The next message; none when the server has closed.
    async fn next(&mut self) -> Option<ToClient> {
        let mut line = Vec::new();
        let more = timeout(DEADLINE, read_line(&mut self.read, 1 << 24, &mut line)).await.expect("the server says something");
        // A server that closes with requests of ours unread resets the connection.
        more.unwrap_or(false).then(|| decode(&line).unwrap())
    }

    async fn hear(&mut self) -> ToClient {
        self.next().await.expect("the connection stands")
    }

    /// The last message before the server closes.
    async fn last(&mut self) -> Option<ToClient> {
        let mut last = None;
        while let Some(message) = self.next().await {
            last = Some(message);
        }
        last
    }

    async fn fact(&mut self) -> u64 {
        match self.hear().await {
            ToClient::Update(update) => update.record.seq,
            other => panic!("a fact, not {other:?}"),
        }
    }
}

fn reason(message: Option<ToClient>) -> String {
    match message {
        Some(ToClient::Bye { reason }) => reason,
        other => panic!("a farewell with a reason, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_hear_every_fact_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (stop, serving) = played.serve().await;
    let last = 2 + 60;
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let dir = dir.path().to_owned();
            tokio::spawn(async move {
                let (mut client, mut seq) = Client::greeted(&dir, false, false).await;
                while seq < last {
                    match client.hear().await {
                        ToClient::Update(update) => {
                            assert_eq!(update.record.seq, seq + 1);
                            seq += 1;
                        }
                        // Twenty clients on two cores may well lag behind sixteen facts.
                        ToClient::Lagged => {}
                        ToClient::Snapshot(snapshot) => {
                            assert!(snapshot.seq > seq);
                            assert_eq!(snapshot.recent.last().unwrap().seq, snapshot.seq);
                            seq = snapshot.seq;
                        }
                        other => panic!("{other:?}"),
                    }
                }
                seq
            })
        })
        .collect();
    for n in 0..60 {
        played.record(noted(&format!("note {n}")));
        tokio::task::yield_now().await;
    }
    for client in clients {
        assert_eq!(timeout(DEADLINE, client).await.unwrap().unwrap(), last);
    }
    drop(stop);
    serving.await.unwrap();
    assert!(!socket_of(dir.path()).exists(), "nothing is left behind");
}

#[tokio::test]
async fn wishes_and_questions_are_answered_under_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (_stop, _serving) = played.serve().await;
    let (mut client, _) = Client::greeted(dir.path(), false, false).await;
    client.say(&ToEngine::Command { id: 5, command: Box::new(Command::Pause) }).await;
    assert_eq!(played.grant().await, Command::Pause);
    assert_eq!(client.fact().await, 3, "the fact comes before its acknowledgement");
    assert!(matches!(client.hear().await, ToClient::Acked { id: 5, result: Ok(ack) } if ack.seq == 3));
    for (id, trial) in [(6, TrialId(0)), (7, TrialId(9))] {
        client.say(&ToEngine::Query { id, query: Query::Trial { trial } }).await;
    }
    let mut answers = [client.hear().await, client.hear().await];
    answers.sort_by_key(|answer| matches!(answer, ToClient::Answered { id: 7, .. }));
    let [ToClient::Answered { id: 6, result: Ok(answer) }, ToClient::Answered { id: 7, result: Err(why) }] = &answers else {
        panic!("{answers:?}")
    };
    assert!(matches!(&**answer, Answer::Trial { detail } if detail.document.proposer == "baseline"));
    assert!(why.contains("no trial t0009"), "{why}");
    client.say(&ToEngine::Refresh).await;
    assert!(matches!(client.hear().await, ToClient::Snapshot(snapshot) if snapshot.seq == 3 && snapshot.recent.len() == 3));
}

#[tokio::test]
async fn a_slow_client_is_told_and_gets_a_new_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (_stop, _serving) = played.serve().await;
    let (mut client, seq) = Client::greeted(dir.path(), false, false).await;
    // The server's task runs on this thread and so cannot send anything in between.
    for n in 0..BEHIND + 5 {
        played.record(noted(&format!("note {n}")));
    }
    played.record(proposed(1, 0, "a"));
    assert_eq!(client.hear().await, ToClient::Lagged);
    let ToClient::Snapshot(snapshot) = client.hear().await else { panic!("a snapshot follows") };
    assert_eq!((snapshot.seq, snapshot.rows.len()), (seq + BEHIND as u64 + 6, 2));
    played.record(noted("after"));
    assert_eq!(client.fact().await, snapshot.seq + 1);
}

#[tokio::test]
async fn a_stuck_client_is_dropped_and_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (_stop, _serving) = played.serve_with(Patience { write: Duration::from_millis(50), ..PATIENCE }).await;
    let (mut stuck, _) = Client::greeted(dir.path(), false, false).await;
    let (mut other, mut seq) = Client::greeted(dir.path(), false, false).await;
    // More than the socket holds, taken by one client and not by the other.
    for n in 0..300 {
        played.record(noted(&"x".repeat(3_000)));
        if n % 8 == 0 {
            while seq < played.seq() {
                seq = other.fact().await;
            }
        }
    }
    let mut heard = 0;
    while stuck.next().await.is_some() {
        heard += 1;
    }
    assert!(heard < 300, "the connection was closed in between");
}

#[tokio::test]
async fn who_watches_cannot_change_anything() {
    let dir = tempfile::tempdir().unwrap();
    let played = Played::create(dir.path());
    let (_stop, _serving) = played.serve().await;
    let (mut client, _) = Client::greeted(dir.path(), true, false).await;
    client.say(&ToEngine::Command { id: 1, command: Box::new(Command::Stop { now: true }) }).await;
    assert!(matches!(client.hear().await, ToClient::Acked { id: 1, result: Err(why) } if why.contains("only watches")));
    client.say(&ToEngine::Query { id: 2, query: Query::Trial { trial: TrialId(0) } }).await;
    assert!(matches!(client.hear().await, ToClient::Answered { id: 2, result: Ok(_) }));
}

#[tokio::test]
async fn nonsense_is_answered_with_a_reason_and_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (_stop, _serving) = played.serve_with(Patience { hello: Duration::from_millis(200), ..PATIENCE }).await;
    let (mut witness, _) = Client::greeted(dir.path(), false, false).await;
    let newer = format!("{{\"type\":\"hello\",\"version\":{},\"colour\":[1]}}\n", VERSION + 1);
    let long = [b'x'; 8192];
    for (what, bytes, want) in [
        ("rubbish", &b"\xff\x00rubbish\n"[..], "not a message"),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n", "not a message"),
        ("an array", b"[]\n", "says hello first"),
        ("no hello", b"{\"type\":\"refresh\"}\n", "says hello first"),
        ("silence", b"", "says hello first"),
        ("a line without end", &long, "a line of more than"),
        ("another version", newer.as_bytes(), "speaks version 1 of the protocol and the client version 2"),
        ("no version", b"{\"type\":\"hello\"}\n", "an unknown version"),
    ] {
        let mut client = Client::silent(dir.path()).await;
        client.raw(bytes).await;
        let told = reason(client.last().await);
        assert!(told.contains(want), "{what}: {told}");
    }
    let (mut client, _) = Client::greeted(dir.path(), false, false).await;
    client.raw(b"{\"type\":\"command\",\"id\":1,\"command\":{\"command\":\"explode\"}}\n").await;
    assert!(reason(client.last().await).contains("explode"));
    played.record(noted("still here"));
    assert_eq!(witness.fact().await, 3, "the others do not notice");
}

#[tokio::test]
async fn signals_go_to_who_asked_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (_stop, _serving) = played.serve().await;
    let (mut plain, _) = Client::greeted(dir.path(), false, false).await;
    let (mut keen, _) = Client::greeted(dir.path(), false, true).await;
    let signal = Signal::Telemetry { telemetry: Box::new(Telemetry { host: "here".into(), ..Telemetry::default() }) };
    played.handle.aloud.signals.send(Arc::new(signal.clone())).unwrap();
    assert_eq!(keen.hear().await, ToClient::Signal(signal));
    played.record(noted("a fact"));
    assert_eq!((plain.fact().await, keen.fact().await), (3, 3));
}

#[tokio::test]
async fn who_attaches_late_hears_what_was_said_before() {
    let dir = tempfile::tempdir().unwrap();
    let played = Played::create(dir.path());
    let (_stop, _serving) = played.serve().await;
    let say = |text: &str| Thought::Reasoning { text: text.into() };
    let voice = played.handle.aloud.begin(ProposalId(4), 2);
    voice.say(say("first "));
    voice.say(say("thoughts"));
    let (_plain, _) = Client::greeted(dir.path(), false, false).await;
    let (mut late, _) = Client::greeted(dir.path(), true, true).await;
    let so_far = Signal::Heard { proposal: ProposalId(4), revision: 2, lost: 0, thoughts: vec![say("first thoughts")] };
    assert_eq!(late.hear().await, ToClient::Signal(so_far));
    voice.say(say("and more"));
    assert_eq!(late.hear().await, ToClient::Signal(Signal::Thought { proposal: ProposalId(4), thought: say("and more") }));
    drop(voice);
    let (mut later, _) = Client::greeted(dir.path(), false, true).await;
    let _next = played.handle.aloud.begin(ProposalId(5), 1);
    for client in [&mut late, &mut later] {
        // What was said to its end is asked for from the record.
        let beginning = Signal::Heard { proposal: ProposalId(5), revision: 1, lost: 0, thoughts: Vec::new() };
        assert_eq!(client.hear().await, ToClient::Signal(beginning));
    }
}

#[tokio::test]
async fn who_is_too_slow_for_the_pieces_hears_them_together() {
    let dir = tempfile::tempdir().unwrap();
    let played = Played::create(dir.path());
    let (_stop, _serving) = played.serve().await;
    let voice = played.handle.aloud.begin(ProposalId(4), 1);
    let (mut slow, _) = Client::greeted(dir.path(), false, true).await;
    let so_far = Signal::Heard { proposal: ProposalId(4), revision: 1, lost: 0, thoughts: Vec::new() };
    assert_eq!(slow.hear().await, ToClient::Signal(so_far));
    // Without a turn for the writer in between, so that most of them are gone when it comes to them.
    let words: Vec<String> = (0..3 * BEHIND).map(|n| format!("{n} ")).collect();
    words.iter().for_each(|word| voice.say(Thought::Reasoning { text: word.clone() }));
    let all = Signal::Heard { proposal: ProposalId(4), revision: 1, lost: 0, thoughts: vec![Thought::Reasoning { text: words.concat() }] };
    assert_eq!(slow.hear().await, ToClient::Signal(all), "no sentence without its middle");
    voice.say(Thought::Reasoning { text: "and on".into() });
    let next = Signal::Thought { proposal: ProposalId(4), thought: Thought::Reasoning { text: "and on".into() } };
    assert_eq!(slow.hear().await, ToClient::Signal(next));
}

#[tokio::test]
async fn the_last_words_are_heard() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (stop, serving) = played.serve().await;
    let (mut client, _) = Client::greeted(dir.path(), false, false).await;
    client.say(&ToEngine::Command { id: 1, command: Box::new(Command::Stop { now: false }) }).await;
    let wish = played.wish().await;
    played.record(Event::EngineStopped);
    drop(stop);
    tokio::task::yield_now().await;
    drop(wish.reply);
    let mut heard = Vec::new();
    while let Some(message) = client.next().await {
        heard.push(message);
    }
    assert!(heard.iter().any(|m| matches!(m, ToClient::Update(u) if u.record.event == Event::EngineStopped)), "{heard:?}");
    assert!(heard.iter().any(|m| matches!(m, ToClient::Acked { id: 1, result: Err(why) } if why.contains("not known"))), "{heard:?}");
    assert!(matches!(heard.last(), Some(ToClient::Bye { .. })), "{heard:?}");
    serving.await.unwrap();
}

#[tokio::test]
async fn a_socket_is_private_and_has_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("own/x.sock");
    let bound = Bound::new(dir.path(), &socket).await.unwrap();
    assert_eq!(fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(crate::protocol::socket::announced(dir.path()), Some(socket.clone()));
    assert!(matches!(Bound::new(dir.path(), &socket).await, Err(ServeError::Answered { .. })));
    drop(bound);
    assert!(!socket.exists() && crate::protocol::socket::announced(dir.path()).is_none());

    // What a killed engine leaves.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let bound = Bound::new(dir.path(), &socket).await.unwrap();
    // Another one took its place: it is not ours to remove.
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "").unwrap();
    drop(bound);
    assert!(socket.exists());
    assert!(matches!(Bound::new(dir.path(), &socket).await, Err(ServeError::InTheWay { .. })));

    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let linked = dir.path().join("linked");
    std::os::unix::fs::symlink(socket.parent().unwrap(), &linked).unwrap();
    for bad in [&open, &linked] {
        let refused = Bound::new(dir.path(), &bad.join("x.sock")).await;
        assert!(matches!(refused, Err(ServeError::NotPrivate { .. })), "{}: {refused:?}", bad.display());
    }
    let long = dir.path().join("x".repeat(120));
    assert!(matches!(Bound::new(dir.path(), &long).await, Err(ServeError::TooLong { .. })));
}
