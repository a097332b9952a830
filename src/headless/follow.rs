//! Follows a study until it is over: prints facts as they come, draws the live area, and turns interrupts into wishes.

use super::{
    closing::{closing, summary},
    facts::{Before, Line, line, opening},
    finish::{Ending, Finish, exit_code},
    paint::{Paint, Tone},
    screen::Screen,
    status::area,
    words::{fit, safe},
};
use crate::client::{Incoming, Link, LinkState, Mirror, Request, read_study};
use crate::model::conversation::Thought;
use crate::model::{Event, Millis, Record, StudyState, printable, printable_json};
use crate::protocol::{Command, Signal, Snapshot};
use std::{
    io::{self, Write},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

/// Where and how to print.
pub struct Output {
    /// Results: lines for people, or JSON.
    pub out: Box<dyn Write + Send>,
    /// Messages, where `out` is JSON.
    pub err: Box<dyn Write + Send>,
    /// One JSON object a line.
    pub json: bool,
    /// `out` is a terminal: a live area is drawn.
    pub terminal: bool,
    /// Colours may be used.
    pub color: bool,
    /// Columns of the terminal now.
    pub width: Box<dyn Fn() -> usize + Send>,
    /// What every further command needs, for instance ` --studies DIR`; may be empty.
    pub suffix: String,
}

/// What the person at the keyboard wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Ctrl-C or SIGTERM: once ends the study after the running runs, twice kills them.
    Interrupt,
    /// `d`: leave, and let the study go on.
    Detach,
}

/// Between two drawings of the clock.
const TICK: Duration = Duration::from_millis(500);
/// The engine unseals the holdout and says goodbye after the end; an engine that stays is not waited for.
const LAST_FACTS: Duration = Duration::from_secs(2);

/// Follows a study to its end and prints the closing table. `study_dir` is read for that table alone.
///
/// Errors: of the places to print to.
pub async fn follow(study_dir: &Path, mut link: Link, output: Output, mut keys: mpsc::Receiver<Key>) -> io::Result<Finish> {
    let mut printer = Printer::new(output);
    let mut interrupts = 0;
    let mut keys_open = true;
    let mut deadline: Option<Instant> = None;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ending = loop {
        tokio::select! {
            biased;
            key = keys.recv(), if keys_open => match key {
                Some(Key::Detach) => break Ending::Detached,
                // The engine hears nobody: there is nothing to wait for.
                Some(Key::Interrupt) if interrupts >= 2 => break Ending::Detached,
                Some(Key::Interrupt) => {
                    interrupts += 1;
                    let now = interrupts > 1;
                    printer.message(if now {
                        "killing what runs; once more leaves at once"
                    } else {
                        "the study ends once the running runs have ended; once more kills them"
                    })?;
                    let stop = Request::Command(interrupts, Command::Stop { now });
                    if link.requests.try_send(stop).is_err() {
                        printer.message("the engine cannot be told: it takes no messages")?;
                    }
                }
                None => keys_open = false,
            },
            incoming = link.incoming.recv() => match incoming {
                None => break Ending::Lost,
                Some(incoming) => {
                    let lost = incoming == Incoming::Link(LinkState::Cold);
                    let fact = matches!(incoming, Incoming::Update(_) | Incoming::Snapshot(_));
                    printer.take(incoming)?;
                    if let Some(header) = printer.mirror.header.as_ref() {
                        let over = matches!(header.state, StudyState::Finished | StudyState::Failed);
                        if over && !header.engine_live {
                            break Ending::Over;
                        }
                        if fact {
                            deadline = over.then(|| Instant::now() + LAST_FACTS);
                        }
                    }
                    if lost {
                        break Ending::Lost;
                    }
                }
            },
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => break Ending::Over,
            _ = tick.tick() => {}
        }
        printer.draw()?;
    };
    let dir = study_dir.to_owned();
    let study = tokio::task::spawn_blocking(move || read_study(&dir)).await.map_err(io::Error::other)?.map_err(io::Error::other)?;
    // An engine that went in good order just before it could say so.
    let ending = if ending == Ending::Lost && study.is_over() { Ending::Over } else { ending };
    let finish = Finish::of(&study, ending);
    printer.close(&study, &finish)?;
    Ok(finish)
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

struct Printer {
    screen: Screen,
    err: Box<dyn Write + Send>,
    json: bool,
    terminal: bool,
    paint: Paint,
    width: Box<dyn Fn() -> usize + Send>,
    suffix: String,
    mirror: Mirror,
    before: Before,
    /// The last line of the setup's log.
    setup_log: String,
    opened: bool,
    was_lost: bool,
}

impl Printer {
    fn new(output: Output) -> Self {
        let Output { out, err, json, terminal, color, width, suffix } = output;
        let terminal = terminal && !json;
        Self {
            screen: Screen::new(out, terminal),
            err,
            json,
            terminal,
            paint: Paint { color: color && !json },
            width,
            suffix,
            mirror: Mirror::default(),
            before: Before::default(),
            setup_log: String::new(),
            opened: false,
            was_lost: false,
        }
    }

    fn take(&mut self, incoming: Incoming) -> io::Result<()> {
        let before = (self.mirror.header.is_some()).then_some(self.mirror.seq);
        // The link leaves no gaps.
        self.mirror.take(&incoming);
        match incoming {
            Incoming::Snapshot(snapshot) => self.snapshot(&snapshot, before),
            Incoming::Update(update) if before.is_some_and(|seq| update.record.seq > seq) => self.fact(&update.record),
            Incoming::Link(LinkState::Reconnecting { why }) => {
                self.was_lost = true;
                self.message(&format!("{why}; looking for the engine"))
            }
            Incoming::Link(LinkState::Live { .. }) if std::mem::take(&mut self.was_lost) => self.message("the engine is back"),
            Incoming::Acked(_, Err(why)) => self.message(&safe(&why)),
            Incoming::Signal(Signal::SetupLog { last, .. }) => {
                self.setup_log = last;
                Ok(())
            }
            // What a server does to whoever asks it is no fact, but who looks on wants to know why nothing comes.
            Incoming::Signal(Signal::Thought { proposal, thought: Thought::Note { text } }) if !self.json => {
                self.say(&Line::new(Tone::Warning, format!("{proposal}  trouble"), safe(&text)))
            }
            Incoming::Update(_) | Incoming::Signal(_) | Incoming::Acked(..) | Incoming::Answered(..) | Incoming::Link(_) => Ok(()),
        }
    }

    /// What happened before this client came, or while it was away.
    fn snapshot(&mut self, snapshot: &Snapshot, before: Option<u64>) -> io::Result<()> {
        if !self.opened {
            self.opened = true;
            let first = opening(&snapshot.header);
            if self.json { self.message(&first)? } else { self.screen.line(&self.paint.tone(Tone::Strong, &first))? }
        }
        let records = missed(&snapshot.recent, before);
        if let (Some(before), Some(first)) = (before, records.first())
            && first.seq > before + 1
        {
            self.message(&format!("{} facts are not shown here; the journal has them", first.seq - before - 1))?;
        }
        for record in records {
            self.fact(record)?;
        }
        Ok(())
    }

    fn fact(&mut self, record: &Record) -> io::Result<()> {
        if self.json {
            let text = serde_json::to_string(record).map_err(io::Error::other)?;
            return self.screen.line(&printable_json(&text));
        }
        let Some(header) = self.mirror.header.as_ref() else { return Ok(()) };
        let said = line(record, header, |id| self.mirror.row(id).cloned(), &self.before);
        self.before.know(&record.event);
        match said {
            Some(said) => self.say(&said),
            None => Ok(()),
        }
    }

    fn say(&mut self, said: &Line) -> io::Result<()> {
        let width = if self.terminal { (self.width)().saturating_sub(1) } else { usize::MAX };
        let subject = fit(&said.subject, width);
        let rest = width.saturating_sub(unicode_width::UnicodeWidthStr::width(subject.as_str()) + 1);
        let line = format!("{} {}", self.paint.tone(said.tone, &subject), fit(&said.text, rest));
        self.screen.line(line.trim_end())
    }

    /// Something about the client itself; beside JSON it goes to the other stream.
    fn message(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            writeln!(self.err, "{}", printable(text))?;
            return self.err.flush();
        }
        self.screen.line(&self.paint.tone(Tone::Warning, text))
    }

    fn draw(&mut self) -> io::Result<()> {
        let Some(header) = self.mirror.header.as_ref().filter(|_| self.terminal) else { return Ok(()) };
        let lines = area(header, &self.mirror.rows, &self.setup_log, now(), (self.width)(), self.paint);
        self.screen.area(lines)
    }

    fn close(&mut self, study: &crate::model::Study, finish: &Finish) -> io::Result<()> {
        self.screen.area(Vec::new())?;
        let name = safe(&study.name);
        match finish.ending {
            Ending::Detached => {
                let suffix = self.suffix.clone();
                return self.message(&format!("detached; the study goes on: trialdeck attach {name}{suffix}"));
            }
            Ending::Lost => {
                let suffix = self.suffix.clone();
                self.message(&format!("the engine is gone and the study is not over: trialdeck resume {name}{suffix}"))?;
            }
            Ending::Over => {}
        }
        if self.json {
            return self.screen.line(&printable_json(&summary(study, now(), exit_code(finish)).to_string()));
        }
        self.screen.line("")?;
        let width = if self.terminal { (self.width)() } else { usize::MAX };
        for line in closing(study, now(), &self.suffix, width) {
            self.screen.line(&line)?;
        }
        Ok(())
    }
}

/// The facts to print with a snapshot: those since the last one printed; at first, those of the engine that lives.
fn missed(recent: &[Record], before: Option<u64>) -> &[Record] {
    let from = match before {
        Some(seq) => recent.iter().position(|r| r.seq > seq).unwrap_or(recent.len()),
        None => {
            let started = |r: &Record| matches!(r.event, Event::EngineStarted { .. });
            let last = recent.iter().rposition(started).unwrap_or(0);
            let earlier = recent.get(..last).unwrap_or_default();
            // A new study is told from its first fact on.
            if earlier.first().is_some_and(|r| r.seq == 1) && !earlier.iter().any(started) { 0 } else { last }
        }
    };
    recent.get(from..).unwrap_or_default()
}
