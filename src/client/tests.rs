use super::link::{Pace, open_at};
use super::{Caller, ConnectError, Incoming, Link, LinkState, Mirror, OpenOptions, Request, studies};
use crate::engine::server::played::{Played, noted, proposed, socket_of};
use crate::model::{Event, TrialId};
use crate::protocol::{Command, Query};
use std::{fs, path::Path, time::Duration};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);

/// An engine that is lost is not waited for longer than a moment.
const BRISK: Pace = Pace {
    comes_back: Duration::from_millis(100),
    retry: Duration::from_millis(10),
    slowest: Duration::from_millis(20),
    look: Duration::from_millis(20),
};

/// An engine that is lost is waited for as long as the test may take.
const PATIENT: Pace = Pace { comes_back: DEADLINE, ..BRISK };

/// A client with its mirror, as a screen would have it.
struct Screen {
    link: Link,
    mirror: Mirror,
}

impl Screen {
    fn open(dir: &Path, pace: Pace) -> Self {
        let options = OpenOptions { socket: socket_of(dir), watch: false, signals: false };
        Self { link: open_at(dir, options, pace), mirror: Mirror::default() }
    }

    async fn next(&mut self) -> Incoming {
        let incoming = timeout(DEADLINE, self.link.incoming.recv()).await.expect("the link says something").expect("the link stands");
        assert!(self.mirror.take(&incoming), "the link leaves no gaps: {incoming:?}");
        incoming
    }

    /// Reads on until the mirror is as wanted; returns what came last.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Mirror) -> bool) -> Incoming {
        let reading = async {
            loop {
                let incoming = self.next().await;
                if wanted(&self.mirror) {
                    return incoming;
                }
            }
        };
        let Ok(incoming) = timeout(DEADLINE, reading).await else { panic!("never came: {what}") };
        incoming
    }

    async fn ask(&self, request: Request) {
        self.link.requests.send(request).await.unwrap();
    }
}

fn live(mirror: &Mirror) -> bool {
    matches!(mirror.link, LinkState::Live { .. }) && mirror.header.is_some()
}

fn cold(mirror: &Mirror) -> bool {
    mirror.link == LinkState::Cold && mirror.header.is_some()
}

#[tokio::test]
async fn a_living_study() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (_stop, _serving) = played.serve().await;
    let mut screen = Screen::open(dir.path(), PATIENT);
    assert!(matches!(screen.next().await, Incoming::Link(LinkState::Live { .. })));
    assert!(matches!(screen.next().await, Incoming::Snapshot(s) if s.seq == 2));
    played.record(proposed(1, 0, "a larger step"));
    screen.next().await;
    assert_eq!(screen.mirror.row(TrialId(1)).unwrap().title, "a larger step");
    screen.ask(Request::Command(7, Command::Pause)).await;
    assert_eq!(played.grant().await, Command::Pause);
    assert!(matches!(screen.next().await, Incoming::Update(_)));
    assert!(matches!(screen.next().await, Incoming::Acked(7, Ok(ack)) if ack.seq == 4));
    screen.ask(Request::Query(8, Query::Trial { trial: TrialId(1) })).await;
    assert!(matches!(screen.next().await, Incoming::Answered(8, Ok(_))));
}

#[tokio::test]
async fn without_an_engine_the_directory_speaks_until_one_comes() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let mut screen = Screen::open(dir.path(), BRISK);
    screen.until("the cold study", cold).await;
    assert_eq!(screen.mirror.feed.len(), 2);
    screen.ask(Request::Command(1, Command::Pause)).await;
    assert!(matches!(screen.next().await, Incoming::Acked(1, Err(why)) if why.contains("no engine runs this study")));
    screen.ask(Request::Query(2, Query::Trial { trial: TrialId(0) })).await;
    assert!(matches!(screen.next().await, Incoming::Answered(2, Ok(_))));

    // An engine that cannot be reached from here still writes its journal.
    played.record(proposed(1, 0, "a larger step"));
    assert!(matches!(screen.until("the new fact", |m| m.seq == 3).await, Incoming::Update(_)));
    assert_eq!(screen.mirror.rows.len(), 2);
    for n in 0..150 {
        played.record(noted(&format!("note {n}")));
    }
    screen.until("many facts", |m| m.seq == 153).await;

    let (_stop, _serving) = played.serve().await;
    screen.until("the living study", live).await;
    assert!(matches!(screen.next().await, Incoming::Snapshot(s) if s.seq == 153));
    played.record(noted("live"));
    assert!(matches!(screen.until("a fact", |m| m.seq == 154).await, Incoming::Update(_)));
}

#[tokio::test]
async fn a_killed_engine_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (_stop, serving) = played.serve().await;
    let mut screen = Screen::open(dir.path(), PATIENT);
    screen.until("the living study", live).await;
    screen.ask(Request::Command(1, Command::Pause)).await;
    let unanswered = played.wish().await;
    serving.abort();
    assert!(matches!(screen.next().await, Incoming::Acked(1, Err(why)) if why.contains("not known")));
    assert!(matches!(screen.next().await, Incoming::Link(LinkState::Reconnecting { .. })));
    assert_eq!(screen.mirror.seq, 2, "what was shown stays");
    screen.ask(Request::Command(2, Command::Unpause)).await;
    assert!(matches!(screen.next().await, Incoming::Acked(2, Err(why)) if why.contains("nothing was sent")));
    screen.ask(Request::Query(3, Query::Trial { trial: TrialId(0) })).await;
    drop(unanswered);
    drop(played);

    let mut played = Played::resume(dir.path());
    played.record(noted("while nobody could hear"));
    let (_stop, _serving) = played.serve().await;
    assert!(matches!(screen.next().await, Incoming::Link(LinkState::Live { .. })));
    let (mut snapshot, mut answer) = (false, false);
    while !(snapshot && answer) {
        match screen.next().await {
            Incoming::Snapshot(s) => snapshot = s.seq == 4,
            // A question can wait; nothing else is sent again.
            Incoming::Answered(3, Ok(_)) => answer = true,
            other => panic!("{other:?}"),
        }
    }
    screen.ask(Request::Command(4, Command::Unpause)).await;
    assert_eq!(played.grant().await, Command::Unpause);
}

#[tokio::test]
async fn a_lost_engine_leaves_a_cold_study() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (_stop, serving) = played.serve().await;
    let mut screen = Screen::open(dir.path(), BRISK);
    screen.until("the living study", live).await;
    serving.abort();
    assert!(matches!(screen.next().await, Incoming::Link(LinkState::Reconnecting { .. })));
    played.record(noted("the last fact"));
    screen.until("the cold study", |m| cold(m) && m.seq == 3).await;
    drop(played);
    let played = Played::resume(dir.path());
    let (_stop, _serving) = played.serve().await;
    screen.until("the living study", |m| live(m) && m.seq == 4).await;
}

#[tokio::test]
async fn an_engine_that_says_goodbye_is_not_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut played = Played::create(dir.path());
    let (stop, serving) = played.serve().await;
    let mut screen = Screen::open(dir.path(), PATIENT);
    screen.until("the living study", live).await;
    played.record(Event::EngineStopped);
    drop(stop);
    assert!(matches!(screen.next().await, Incoming::Update(update) if update.record.event == Event::EngineStopped));
    assert_eq!(screen.next().await, Incoming::Link(LinkState::Cold));
    serving.await.unwrap();
}

#[tokio::test]
async fn a_study_that_cannot_be_read_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut screen = Screen::open(dir.path(), BRISK);
    let Incoming::Link(LinkState::Reconnecting { why }) = screen.next().await else { panic!("a reason comes first") };
    assert!(why.contains("not a study's directory"), "{why}");
    drop(Played::create(dir.path()));
    screen.until("the cold study", cold).await;
}

#[tokio::test]
async fn an_engine_with_another_environment_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let played = Played::create(dir.path());
    let (_stop, _serving) = played.serve().await;
    let elsewhere = dir.path().join("elsewhere.sock");
    let caller = Caller::connect(dir.path(), &elsewhere).await.unwrap();
    assert_eq!(caller.pid(), std::process::id());
}

#[tokio::test]
async fn one_errand() {
    let dir = tempfile::tempdir().unwrap();
    let socket = socket_of(dir.path());
    let mut played = Played::create(dir.path());
    assert!(matches!(Caller::connect(dir.path(), &socket).await, Err(ConnectError::Absent)));
    let (stop, serving) = played.serve().await;
    let mut caller = Caller::connect(dir.path(), &socket).await.unwrap();
    let wish = Command::Steer { text: "smaller".into(), to: None };
    let (acknowledged, granted) = tokio::join!(caller.command(wish.clone()), played.grant());
    assert_eq!((acknowledged.unwrap().seq, granted), (3, wish));
    assert_eq!(caller.next_update().await.unwrap().record.seq, 3, "what came in between is kept");
    let why = caller.query(Query::Trial { trial: TrialId(1) }).await.unwrap_err();
    assert!(why.contains("t0001"), "{why}");
    let title = |m: &Mirror| m.row(TrialId(1)).map(|row| row.title.clone());
    let ((), found) = tokio::join!(
        async {
            played.record(noted("not yet"));
            played.record(proposed(1, 0, "a larger step"));
        },
        timeout(DEADLINE, caller.wait_until(title))
    );
    assert_eq!(found.unwrap().unwrap(), "a larger step");
    assert_eq!(caller.wait_until(title).await.unwrap(), "a larger step", "what has come about is not waited for");
    drop(stop);
    let lost = timeout(DEADLINE, caller.wait_until(|m| (m.seq > 99).then_some(()))).await.unwrap();
    assert_eq!(lost, Err("the engine has left".into()));
    serving.await.unwrap();
}

#[test]
fn studies_by_name() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(studies::list(&home.path().join("none")), []);
    for name in ["wind-1", "quickstart-1"] {
        let dir = home.path().join(name);
        fs::create_dir(&dir).unwrap();
        drop(Played::create(&dir));
    }
    fs::create_dir(home.path().join("no-study")).unwrap();
    fs::create_dir(home.path().join("broken")).unwrap();
    fs::write(home.path().join("broken/journal.jsonl"), "rubbish\n").unwrap();
    let living = Played::resume(&home.path().join("wind-1"));
    let listed = studies::list(home.path());
    let names: Vec<(&str, bool, bool)> = listed.iter().map(|l| (l.name.as_str(), l.live, l.head.is_ok())).collect();
    assert_eq!(names, [("wind-1", true, true), ("quickstart-1", false, true), ("broken", false, false)]);
    drop(living);

    assert_eq!(studies::find(home.path(), "wind-1"), Ok(home.path().join("wind-1")));
    for (name, want) in [
        ("wind1", "did you mean `wind-1`?"),
        ("quikstart-1", "did you mean `quickstart-1`?"),
        ("zzz", "`trialdeck ls` shows the 3 that there are"),
        ("no-study", "there is no study `no-study`"),
        ("../wind-1", "is not the name of a study"),
        ("", "is not the name of a study"),
    ] {
        let told = studies::find(home.path(), name).unwrap_err().to_string();
        assert!(told.contains(want), "{name}: {told}");
    }
    let empty = studies::find(&home.path().join("none"), "x").unwrap_err().to_string();
    assert!(empty.contains("holds no studies yet"), "{empty}");
}
