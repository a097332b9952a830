//! A study made by applying facts, an engine that answers questions about it, and a desk that types.

use crate::client::{Incoming, LinkState, Mirror};
use crate::model::*;
use crate::protocol::document::trial_document;
use crate::protocol::{
    self, Ack, Answer, ConversationPart, Curve, FileText, KeySummary, LogPart, Query, Signal, Snapshot, TrialDetail, Update,
};
use crate::tui::msg::{Msg, UiEffect};
use crate::tui::project::{ViewModel, project};
use crate::tui::state::UiState;
use crate::tui::theme::{ColorDepth, Theme};
use crate::tui::view::{Brush, view};
use crate::tui::{Options, update};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// The first moment of all fixtures.
pub const START: i64 = 1_760_000_000_000;

/// A study that grows by facts.
pub struct Maker {
    pub study: Study,
    pub records: Vec<Record>,
    pub at: i64,
}

pub fn settings() -> Settings {
    Settings {
        task: "quickstart".into(),
        title: "Which package is this line from?".into(),
        metric: "error_rate".into(),
        seed: 1,
        autonomy: Autonomy::Ask,
        limits: Limits { trials: Some(20), ..Limits::default() },
        wall_secs: 4.0,
        ..sample::settings()
    }
}

impl Maker {
    pub fn new(name: &str, settings: Settings) -> Self {
        let record = Record {
            seq: 1,
            at: Millis(START),
            event: Event::StudyCreated {
                format: FORMAT,
                study: name.into(),
                settings: Box::new(settings),
                commit: "c0ffee".into(),
                tree: "tree0".into(),
                source: "tasks/quickstart at 1f3a9c2".into(),
                evaluator: None,
            },
        };
        let study = create(&record).unwrap();
        let mut maker = Self { study, records: vec![record], at: START };
        let slots = (0..2).map(|n| SlotInfo { name: format!("CPU {n}"), gpus: vec![], threads: 1 }).collect();
        maker.now(Event::EngineStarted { pid: 4242, host: "bench".into(), version: "0.1.0".into(), slots });
        maker
    }

    pub fn after(&mut self, millis: i64, event: Event) {
        self.at += millis;
        let record = Record { seq: self.study.seq + 1, at: Millis(self.at), event };
        apply(&mut self.study, &record);
        self.records.push(record);
    }

    pub fn now(&mut self, event: Event) {
        self.after(10, event);
    }

    pub fn start(&mut self, trial: u32, run: u32, kind: RunKind, slot: u32) {
        let id = TrialId(trial).run(RunNo(run));
        self.now(Event::RunScheduled { run: id, kind, seed: u64::from(run), slot, tree: "t".into(), retry_of: None, gpus: 0 });
        self.now(Event::RunStarted { run: id, pid: 100 + trial });
    }

    pub fn end(&mut self, trial: u32, run: u32, score: Result<f64, (Label, &str)>) {
        let id = TrialId(trial).run(RunNo(run));
        let failure = score.err().map(|(label, detail)| Failure::new(label, detail));
        let seconds = 2.5 + f64::from(trial % 3) * 0.4;
        let event = Event::RunEnded { run: id, seconds, peak_memory_bytes: 143 << 20, self_reported: None, failure, artifacts: None };
        self.after((seconds * 1000.0) as i64, event);
        if let Ok(score) = score {
            let metrics = BTreeMap::from([("train_error".to_owned(), score * 0.8)]);
            let mut scores = self.study.trial(TrialId(trial)).unwrap().scores();
            scores.push(score);
            let trial_score = Some(scores.iter().sum::<f64>() / scores.len() as f64);
            self.after(120, Event::RunScored { run: id, score: Some(score), metrics, gates: vec![], failure: None, trial_score });
        }
    }

    pub fn baseline(&mut self) {
        for (run, score) in [(1, 0.4127), (2, 0.4171), (3, 0.4098)] {
            self.start(0, run, RunKind::Baseline, (run - 1) % 2);
            self.end(0, run, Ok(score));
        }
        self.now(Event::NoiseMeasured { noise: Noise::Measured { sd: 0.0037, nu: 2 } });
    }

    /// A proposal that waits; returns its number.
    pub fn propose(&mut self, parent: u32, proposer: &str, operator: Operator, surface: &str, hypothesis: &str) -> u32 {
        let (proposal, trial) = (self.study.next_proposal(), self.study.next_trial());
        let parents = vec![TrialId(parent)];
        let decision = self.study.decisions;
        self.now(Event::ProposalAsked {
            proposal,
            proposer: proposer.into(),
            parents: parents.clone(),
            operator,
            decision,
            assignment: None,
        });
        self.now(Event::Proposed {
            proposal,
            trial,
            proposer: proposer.into(),
            parents,
            operator,
            hypothesis: hypothesis.into(),
            surface: Some(surface.into()),
            expected: Some(0.008),
            knobs: BTreeMap::from([("learning_rate".to_owned(), KnobValue::Float(0.031))]),
            accepted: false,
            basis: self.study.seq,
        });
        let (commit, tree) = (format!("{:07x}", trial.0 * 7919), format!("tree{}", trial.0));
        let diff = DiffStat { files: 1, added: 2, removed: 2 };
        self.now(Event::Checked { trial, revision: 1, commit, tree, diff, surface: Some(surface.into()), flags: vec![] });
        trial.0
    }

    pub fn review(&mut self, trial: u32, decision: Decision, reason: Option<&str>) {
        let tree = self.study.trial(TrialId(trial)).unwrap().tree.clone();
        self.now(Event::Reviewed { trial: TrialId(trial), by: Reviewer::Human, decision, reason: reason.map(Into::into), tree });
    }

    pub fn judge(&mut self, trial: u32, verdict: Verdict, failure: Option<Failure>) {
        let score = self.study.trial(TrialId(trial)).unwrap().score;
        let against = self.study.incumbent;
        let reference = self.study.trial(against).unwrap().score.unwrap_or(0.4132);
        let comparison = score.map(|candidate| {
            Box::new(Comparison {
                against,
                candidate,
                reference,
                gain: reference - candidate,
                n_candidate: 2,
                n_reference: 3,
                sd: Some(0.0037),
                nu: 4,
                t: Some((reference - candidate) / 0.0034),
                needed: Some(2.13),
            })
        });
        self.now(Event::Judged { trial: TrialId(trial), verdict, verified: false, comparison, failure });
        if verdict == Verdict::Keep {
            self.now(Event::IncumbentMoved { trial: TrialId(trial), from: against });
            let score = score.unwrap();
            let gain = 0.4132 - score;
            let gain_interval = Some([gain - 0.0081, gain + 0.0081]);
            self.now(Event::BestChanged { trial: TrialId(trial), score, verified: false, gain, gain_interval });
        }
    }

    /// One whole trial.
    pub fn trial(&mut self, parent: u32, proposer: &str, what: &str, score: Result<f64, (Label, &str)>, verdict: Verdict) -> u32 {
        let t = self.propose(parent, proposer, Operator::Improve, "optimizer", what);
        self.review(t, Decision::Accept, None);
        self.start(t, 1, RunKind::Screen, t % 2);
        self.end(t, 1, score);
        if verdict == Verdict::Keep {
            self.start(t, 2, RunKind::Confirm, t % 2);
            self.end(t, 2, score.map(|s| s + 0.0011));
        }
        let failure = score.err().map(|(l, d)| Failure::new(l, d));
        self.judge(t, verdict, failure);
        t
    }
}

/// A study in the middle: two kept, three failed, one vetoed, two running, two waiting.
pub fn busy() -> Maker {
    let mut m = Maker::new("quickstart-1", settings());
    m.baseline();
    m.trial(0, "knobs/tpe", "A learning rate of 0.05 instead of 0.2: the loss still swings at the end", Ok(0.4019), Verdict::Revert);
    let first = m.trial(0, "knobs/tpe", "Twice the epochs: the curve still falls when the run ends", Ok(0.3871), Verdict::Keep);
    m.trial(
        first,
        "knobs/tpe",
        "A hidden layer of 512 units",
        Err((Label::OutOfMemory, "MemoryError: 4.1G over the limit of 4G")),
        Verdict::Revert,
    );
    m.trial(first, "knobs/random", "Momentum 0.99", Err((Label::Diverged, "train_loss became nan at step 118")), Verdict::Revert);
    let second = m.trial(
        first,
        "researcher",
        "Character trigrams beside the words: names of modules are told by their parts",
        Ok(0.3522),
        Verdict::Keep,
    );
    m.trial(second, "knobs/tpe", "Weight decay 1e-4 against overfitting of rare words", Ok(0.3540), Verdict::Undecided);
    let vetoed = m.propose(second, "knobs/random", Operator::Improve, "data", "Half of the training lines");
    m.review(vetoed, Decision::Veto, Some("less data cannot be the answer here"));
    m.trial(second, "knobs/tpe", "Batches of 8", Err((Label::TimedOut, "over the budget of 4s")), Verdict::Revert);
    for (n, what) in ["Cosine decay of the learning rate", "Smoothing of the counts by 0.3"].iter().enumerate() {
        let t = m.propose(second, "knobs/tpe", Operator::Improve, "schedule", what);
        m.review(t, Decision::Accept, None);
        m.start(t, 1, RunKind::Screen, n as u32);
    }
    m.propose(second, "knobs/tpe", Operator::Improve, "optimizer", "Learning rate 0.031 and momentum 0.85: both kept trials lie there");
    m.propose(second, "knobs/random", Operator::Improve, "architecture", "Two layers of 64 units instead of one of 128");
    m.after(
        1_700,
        Event::ProposalAsked {
            proposal: m.study.next_proposal(),
            proposer: "knobs/tpe".into(),
            parents: vec![TrialId(second)],
            operator: Operator::Improve,
            decision: 40,
            assignment: None,
        },
    );
    m
}

pub fn empty() -> Maker {
    Maker::new("quickstart-1", settings())
}

/// A study with names in other scripts.
pub fn cjk() -> Maker {
    let mut m = Maker::new("風力予測", Settings { title: "短期風力発電予測".into(), metric: "平均誤差".into(), ..settings() });
    m.baseline();
    m.trial(0, "知識/提案者", "学習率を半分にする：損失がまだ振動している 🙂", Ok(0.39), Verdict::Keep);
    m.propose(1, "知識/提案者", Operator::Improve, "最適化", "正則化を強くする");
    m
}

/// Many trials, three levels.
pub fn many(count: u32) -> Maker {
    let mut m = Maker::new("night", Settings { limits: Limits::default(), ..settings() });
    m.baseline();
    let mut parent = 0;
    for n in 1..=count {
        let keep = n % 97 == 0;
        let score = if n % 11 == 0 { Err((Label::Crashed, "ValueError: bad shape")) } else { Ok(0.41 - f64::from(n) * 0.0001) };
        let verdict = if keep && score.is_ok() { Verdict::Keep } else { Verdict::Revert };
        let t = m.trial(if n % 5 == 0 { n / 2 } else { parent }, "knobs/tpe", &format!("change number {n}"), score, verdict);
        if verdict == Verdict::Keep {
            parent = t;
        }
    }
    m
}

pub fn diff() -> Diff {
    use LineKind::{Added, Context, Removed};
    let l = |kind, text: &str, old, new| DiffLine { kind, text: text.into(), old_no: old, new_no: new, no_newline: false };
    Diff {
        files: vec![
            FileDiff {
                path: "train.py".into(),
                old_path: None,
                status: FileStatus::Modified,
                added: 3,
                removed: 2,
                binary: false,
                hunks: vec![
                    Hunk {
                        header: "@@ -12,6 +12,6 @@ EPOCHS = 4".into(),
                        old_start: 12,
                        old_lines: 6,
                        new_start: 12,
                        new_lines: 6,
                        lines: vec![
                            l(Context, "EPOCHS = 4", Some(12), Some(12)),
                            l(Removed, "LEARNING_RATE = 0.2", Some(13), None),
                            l(Removed, "MOMENTUM = 0.9", Some(14), None),
                            l(Added, "LEARNING_RATE = 0.031", None, Some(13)),
                            l(Added, "MOMENTUM = 0.85", None, Some(14)),
                            l(Context, "HIDDEN = 128", Some(15), Some(15)),
                        ],
                    },
                    Hunk {
                        header: "@@ -88,2 +88,3 @@ def step(model, batch):".into(),
                        old_start: 88,
                        old_lines: 2,
                        new_start: 88,
                        new_lines: 3,
                        lines: vec![
                            l(Context, "    loss = model.loss(batch)", Some(88), Some(88)),
                            l(Added, "    loss = loss + DECAY * model.norm()  # against rare words", None, Some(89)),
                            l(Context, "    return loss", Some(89), Some(90)),
                        ],
                    },
                ],
            },
            FileDiff {
                path: "features/trigrams.py".into(),
                old_path: None,
                status: FileStatus::Added,
                added: 2,
                removed: 0,
                binary: false,
                hunks: vec![Hunk {
                    header: "@@ -0,0 +1,2 @@".into(),
                    old_start: 0,
                    old_lines: 0,
                    new_start: 1,
                    new_lines: 2,
                    lines: vec![
                        l(Added, "def trigrams(word):", None, Some(1)),
                        l(Added, "    return [word[i:i + 3] for i in range(len(word) - 2)]", None, Some(2)),
                    ],
                }],
            },
        ],
        stat: DiffStat { files: 2, added: 5, removed: 2 },
        patch: "diff --git a/train.py b/train.py\n…".into(),
        truncated: false,
    }
}

pub fn train_py() -> String {
    let mut lines: Vec<String> = (1..=95).map(|n| format!("line {n}")).collect();
    for (at, text) in [
        (12, "EPOCHS = 4"),
        (13, "LEARNING_RATE = 0.031"),
        (14, "MOMENTUM = 0.85"),
        (15, "HIDDEN = 128"),
        (88, "    loss = model.loss(batch)"),
        (89, "    loss = loss + DECAY * model.norm()  # against rare words"),
        (90, "    return loss"),
    ] {
        lines[at - 1] = text.into();
    }
    lines.join("\n") + "\n"
}

/// What the engine would answer.
pub fn answer(study: &Study, query: &Query, nan: bool) -> Result<Box<Answer>, String> {
    let answer = match query {
        Query::Trial { trial } => {
            let t = study.trial(*trial).ok_or("no such trial")?;
            let reasoning = "modelled 9 trials, 3 of them good\nlearning_rate  0.2 → 0.031   density good/rest 3.1\nmomentum       0.9 → 0.85    density good/rest 1.8";
            let reasoning = if t.proposer.starts_with("agents/") {
                "Words that never occurred in training all look alike.\n\nTrigrams tell `torch_geometric` from `torchvision` by their parts."
            } else {
                reasoning
            };
            Answer::Trial {
                detail: Box::new(TrialDetail {
                    document: trial_document(t),
                    request: t.proposal.and_then(|p| study.proposals.get(&p)).cloned(),
                    draft: (!t.parents.is_empty()).then(|| Draft {
                        hypothesis: t.hypothesis.clone(),
                        surface: t.surface.clone(),
                        expected: t.expected,
                        edits: vec![],
                        knobs: t.knobs.clone(),
                        reasoning: reasoning.into(),
                    }),
                    comparison: t.comparison.clone(),
                }),
            }
        }
        Query::Diff { .. } => Answer::Diff { diff: diff() },
        Query::Files { paths, .. } => {
            let trigrams = "def trigrams(word):\n    return [word[i:i + 3] for i in range(len(word) - 2)]\n";
            let all = [("train.py", train_py()), ("features/trigrams.py", trigrams.to_owned())];
            let files = all
                .into_iter()
                .filter(|(p, _)| paths.is_empty() || paths.iter().any(|x| x == p))
                .map(|(path, text)| FileText { path: path.into(), text: Some(text) })
                .collect();
            Answer::Files { files }
        }
        Query::Editable { .. } => Answer::Editable { paths: vec!["features/words.py".into(), "train.py".into()] },
        Query::Log { run, offset, .. } => {
            let mut text = String::new();
            for step in (0..40).map(|n| n * 10) {
                text += &format!("step {step:>4}  train_loss {:.4}  {run}\n", 2.3 / (1.0 + f64::from(step) / 60.0));
            }
            let total = text.len() as u64;
            let from = if *offset < 0 { total.saturating_sub(offset.unsigned_abs()) } else { *offset as u64 };
            Answer::Log { part: LogPart { offset: from, next: total, total, text: text.get(from as usize..).unwrap_or("").into() } }
        }
        Query::Series { run, width, .. } => {
            let points = (*width).min(120);
            let steps: Vec<f64> = (0..points).map(|n| f64::from(n) * 10.0).collect();
            let slope = 40.0 + f64::from(run.trial.0) * 6.0;
            let value = |n: f64| 0.34 + 1.9 / (1.0 + n / slope) + (n * 0.7).sin() * 0.02;
            let values = steps.iter().map(|s| (!nan || (*s as u32 / 100) % 3 != 1).then(|| value(*s))).collect();
            Answer::Series { curve: Curve { steps, values, total: u64::from(points) } }
        }
        Query::Arms => Answer::Arms { rows: crate::search::standing(study) },
        Query::SeriesKeys { .. } => {
            let key = |key: &str| KeySummary { key: key.into(), count: 120, last: Some(0.4) };
            Answer::SeriesKeys { keys: vec![key("train_loss"), key("val_error")] }
        }
        Query::Conversation { proposal, .. } => Answer::Conversation { part: conversation(*proposal) },
    };
    Ok(Box::new(answer))
}

/// What is recorded: nothing, but of the second request.
fn conversation(proposal: ProposalId) -> ConversationPart {
    use conversation::{Answered, Finish, Message, ToolCall, Turn};
    if proposal != ProposalId(2) {
        return ConversationPart::default();
    }
    let answer = |reasoning: &str, text: &str, calls: Vec<ToolCall>| Turn::Answered {
        model: "qwen3-coder".into(),
        answer: Answered {
            text: text.into(),
            reasoning: reasoning.into(),
            calls,
            opaque: vec![],
            finish: Finish::Stop,
            spend: Spend::default(),
            first_token_secs: None,
        },
    };
    let call = |name: &str, arguments: &str| ToolCall { id: "c1".into(), name: name.into(), arguments: arguments.into() };
    let turns = vec![
        Turn::Told { message: Message::System { text: "You are an architect.\nChange one thing.".into() } },
        Turn::Told { message: Message::User { text: "The task:\nwhich package is this line from?\nNoise: 0.0037".into() } },
        answer("Which words does it never see?", "", vec![call("read_file", r#"{"path":"features/words.py"}"#)]),
        Turn::Told { message: Message::Tool { call: "c1".into(), name: "read_file".into(), text: "a\nb\nc".into(), failed: false } },
        Turn::Retried { why: "429: slow down".into(), wait_secs: 8.0 },
        answer("Names are told by their parts.", "I submit trigrams.", vec![call("submit", r#"{"hypothesis":"Character trigrams"}"#)]),
    ];
    let total = turns.len() as u64;
    ConversationPart { offset: 0, next: total, total, turns, trouble: None }
}

pub fn telemetry(n: u64, gpu: bool) -> Telemetry {
    Telemetry {
        at: Millis(START + n as i64 * 1000),
        host: "bench".into(),
        cpu_pct: 40.0 + ((n * 13) % 50) as f32,
        cpus: 16,
        load_1: 3.25,
        mem_used_bytes: (22 << 30) + (n << 26),
        mem_total_bytes: 128 << 30,
        disk_free_bytes: 411 << 30,
        disk_total_bytes: 960 << 30,
        net_rx_bytes_per_sec: 15_000 + n * 900,
        net_tx_bytes_per_sec: 2_100,
        gpus: if gpu {
            vec![GpuMeter {
                index: 0,
                uuid: "GPU-1".into(),
                name: "NVIDIA H100".into(),
                util_pct: Some(87),
                mem_used_bytes: Some(61 << 30),
                mem_total_bytes: Some(80 << 30),
                temp_c: Some(64),
                power_w: Some(512.0),
                power_limit_w: Some(700.0),
                processes: vec![GpuProcess { pid: 991, mem_bytes: Some(60 << 30), run: Some(TrialId(9).run(RunNo(1))) }],
            }]
        } else {
            vec![]
        },
        gpu_note: (!gpu).then(|| "no NVIDIA driver found; runs share the processor".into()),
    }
}

/// A cockpit with somebody in front of it and an engine behind it.
pub struct Desk {
    pub maker: Maker,
    pub mirror: Mirror,
    pub state: UiState,
    pub sent: Vec<UiEffect>,
    pub nan: bool,
}

impl Desk {
    pub fn new(maker: Maker, size: (u16, u16)) -> Self {
        Self::with(maker, size, &Options::default())
    }

    pub fn with(maker: Maker, size: (u16, u16), options: &Options) -> Self {
        let now = Millis(maker.at + 600);
        let mut desk = Self { state: UiState::new(options, size, now), maker, mirror: Mirror::default(), sent: vec![], nan: false };
        desk.hear(Incoming::Link(LinkState::Live { pid: 4242 }));
        let study = &desk.maker.study;
        let snapshot = Snapshot {
            seq: study.seq,
            header: protocol::header(study),
            rows: study.trials.iter().filter_map(|t| protocol::row(study, t.id)).collect(),
            recent: desk.maker.records.iter().rev().take(60).rev().cloned().collect(),
        };
        desk.hear(Incoming::Snapshot(Box::new(snapshot)));
        desk
    }

    pub fn meters(mut self, gpu: bool) -> Self {
        for n in 0..40 {
            self.hear(Incoming::Signal(Signal::Telemetry { telemetry: Box::new(telemetry(n, gpu)) }));
        }
        self
    }

    pub fn hear(&mut self, incoming: Incoming) {
        assert!(self.mirror.take(&incoming));
        self.tell(Msg::Incoming(Box::new(incoming)));
    }

    /// A new fact.
    pub fn fact(&mut self, event: Event) {
        self.maker.now(event);
        let record = self.maker.records.last().unwrap().clone();
        let rows = record.event.trial().and_then(|t| protocol::row(&self.maker.study, t)).into_iter().collect();
        self.hear(Incoming::Update(Box::new(Update { record, header: protocol::header(&self.maker.study), rows })));
    }

    /// Takes a message and answers its questions until there are none.
    pub fn tell(&mut self, msg: Msg) {
        let mut effects = update(&mut self.state, &self.mirror, msg);
        while !effects.is_empty() {
            let mut next = Vec::new();
            for effect in effects {
                if let UiEffect::Ask(id, query) = effect {
                    let answer = answer(&self.maker.study, &query, self.nan);
                    let msg = Msg::Incoming(Box::new(Incoming::Answered(id, answer)));
                    next.extend(update(&mut self.state, &self.mirror, msg));
                } else {
                    self.sent.push(effect);
                }
            }
            effects = next;
        }
    }

    /// Keys as the keymap writes them, with spaces between; `"…"` types text.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys;
        while let Some(start) = rest.trim_start().chars().next() {
            rest = rest.trim_start();
            if start == '"' {
                let end = rest[1..].find('"').unwrap() + 1;
                for c in rest[1..end].chars() {
                    self.tell(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
                }
                rest = &rest[end + 1..];
                continue;
            }
            let (key, tail) = rest.split_once(' ').unwrap_or((rest, ""));
            rest = tail;
            self.tell(Msg::Key(parse(key)));
        }
        self
    }

    /// The engine says yes to the last wish.
    pub fn ack(&mut self) {
        let Some(UiEffect::Send(id, _)) = self.sent.iter().rev().find(|e| matches!(e, UiEffect::Send(..))) else { return };
        self.tell(Msg::Incoming(Box::new(Incoming::Acked(*id, Ok(Ack { seq: 99, trial: None, proposal: None })))));
    }

    pub fn vm(&self) -> ViewModel {
        project(&self.mirror, &self.state, self.state.now, self.state.size)
    }

    pub fn screen(&self) -> String {
        text(&paint(&self.vm(), self.state.size, "default", true))
    }
}

pub fn parse(key: &str) -> KeyEvent {
    let (name, mods) = match key.strip_prefix("ctrl-") {
        Some(name) => (name, KeyModifiers::CONTROL),
        None => (key, KeyModifiers::NONE),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "backtab" => KeyCode::BackTab,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "backspace" => KeyCode::Backspace,
        one => KeyCode::Char(one.chars().next().unwrap()),
    };
    KeyEvent::new(code, mods)
}

pub fn paint(vm: &ViewModel, (w, h): (u16, u16), theme: &str, unicode: bool) -> Buffer {
    let area = Rect::new(0, 0, w, h);
    let mut buffer = Buffer::empty(area);
    let theme = Theme::named(theme, ColorDepth::TrueColor).unwrap();
    view(vm, Brush { theme: &theme, unicode }, area, &mut buffer);
    buffer
}

/// The cells as text; the right half of a wide character is not a cell of its own.
pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = crate::tui::ink::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
