//! The walls of the house: which room may know which, what may be touched where, and how large a file may grow.
//!
//! Reads the source as text, so a wall that is broken fails here with file and line. A deviation is either mended or
//! entered below with its reason. ARCHITECTURE.md says what the rooms are for.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a broken wall ends the test")]

mod source;

use source::{File, Named};
use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

/// Every room with the rooms that it may import. Arrows run downward only; rooms of one layer do not know each other.
const ROOMS: &[(&str, &[&str])] = &[
    // 0: the vocabulary
    ("model", &[]),
    // 1: pure choices and pure data
    ("task", &["model"]),
    ("search", &["model"]),
    ("decide", &["model"]),
    ("review", &["model"]),
    ("analysis", &["model"]),
    ("protocol", &["model"]),
    ("import", &["model"]),
    // 2: one contact with the world each
    ("beneath", &[]),
    ("journal", &["model"]),
    ("lineage", &["model", "beneath"]),
    ("propose", &["model", "task"]),
    ("run", &["model", "task"]),
    ("watch", &["model", "beneath"]),
    ("evaluate", &["model", "task", "run"]),
    // between 2 and 3: what the engine and cold clients answer alike
    ("archive", &["model", "search", "protocol", "journal", "lineage", "watch", "task", "run"]),
    // 3: the engine
    (
        "engine",
        &[
            "model", "task", "search", "decide", "review", "analysis", "protocol", "journal", "lineage", "propose", "run", "watch",
            "evaluate", "archive", "import",
        ],
    ),
    // 4: a client's side; journal and lineage for reading only
    ("client", &["model", "protocol", "journal", "lineage", "archive"]),
    // 5: what people and programs see
    ("tui", &["model", "protocol", "client", "analysis"]),
    ("headless", &["model", "protocol", "client"]),
    ("report", &["model", "protocol", "client", "analysis"]),
];

/// The room that wires all others together.
const WIRING: &str = "cli";

/// Parts that do no IO and read no clock, environment or source of randomness.
const PURE: &[&str] = &[
    "src/model/",
    "src/search/",
    "src/decide/",
    "src/review/",
    "src/analysis/",
    "src/import/",
    "src/report/",
    "src/engine/machine/",
    "src/propose/digest/",
    "src/propose/draft/",
    "src/propose/role/",
    "src/propose/samplers/",
    "src/tui/update/",
    "src/tui/project.rs",
    "src/tui/view.rs",
    "src/tui/panes/",
    "src/tui/modal/",
];

/// What a pure part does not name.
const WORLD: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "io"],
    &["std", "net"],
    &["std", "os"],
    &["std", "env"],
    &["std", "thread"],
    &["std", "time", "SystemTime"],
    &["SystemTime", "now"],
    &["std", "time", "Instant"],
    &["Instant", "now"],
    &["jiff", "Timestamp", "now"],
    &["jiff", "Zoned", "now"],
    &["tokio"],
    &["rustix"],
    &["fastrand", "Rng", "new"],
    &["fastrand", "seed"],
];

/// A way out into the world, and the rooms that may take it.
struct Door {
    what: &'static str,
    paths: &'static [&'static [&'static str]],
    rooms: &'static [&'static str],
    /// Single files that may, each with its reason.
    files: &'static [(&'static str, &'static str)],
}

const DOORS: &[Door] = &[
    Door { what: "the terminal", paths: &[&["ratatui"], &["crossterm"], &["ratatui_textarea"]], rooms: &["tui"], files: &[] },
    Door { what: "git", paths: &[&["git2"]], rooms: &["lineage"], files: &[] },
    Door {
        what: "HTTP",
        paths: &[&["reqwest"], &["hyper"], &["ureq"], &["async_openai"], &["std", "net", "TcpStream"], &["tokio", "net", "TcpStream"]],
        rooms: &["propose"],
        files: &[],
    },
    Door {
        what: "starting processes",
        paths: &[
            &["std", "process", "Command"],
            &["process", "Command"],
            &["tokio", "process"],
            &["std", "os", "unix", "process", "CommandExt"],
            &["Command", "new"],
        ],
        rooms: &["run", "lineage", "propose", WIRING],
        files: &[],
    },
    Door {
        what: "the environment",
        paths: &[&["std", "env"], &["env", "var"], &["env", "vars"], &["env", "args"]],
        rooms: &[WIRING],
        files: &[],
    },
    Door {
        what: "printing",
        paths: &[
            &["std", "io", "stdout"],
            &["std", "io", "stderr"],
            &["io", "stdout"],
            &["io", "stderr"],
            &["tokio", "io", "stdout"],
            &["tokio", "io", "stderr"],
            &["rustix", "stdio", "stdout"],
            &["rustix", "stdio", "stderr"],
        ],
        rooms: &[],
        files: &[
            ("src/cli/mod.rs", "where every result and message is written, through the last wall before a terminal"),
            ("src/cli/attach.rs", "hands both streams to `headless`, whose screen is such a wall"),
            ("src/cli/host.rs", "asks whether they are terminals, and how wide"),
            ("src/cli/doctor/terminal.rs", "asks how wide it is"),
            ("src/engine/log.rs", "the engine's own log is its standard error"),
            ("src/run/sandbox/forbidden.rs", "its answers go to the process that tries a sandbox"),
            ("src/run/shim/mod.rs", "the shim's own log is its standard error"),
            ("src/tui/terminal.rs", "the cockpit is drawn on standard output"),
        ],
    },
];

/// Macros that print.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Names that say nothing.
const EMPTY_WORDS: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "misc"];

/// Lines of a file at most.
const LONGEST: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Fails with all violations at once.
fn hold(rule: &str, violations: impl IntoIterator<Item = String>) {
    let list = violations.into_iter().fold(String::new(), |mut list, violation| {
        let _ = write!(list, "\n  {violation}");
        list
    });
    assert!(list.is_empty(), "{rule}:{list}");
}

fn spelled(named: &Named) -> String {
    named.path.join("::")
}

#[test]
fn arrows_run_downward_only() {
    let allowed = |room: &str| ROOMS.iter().find(|(name, _)| *name == room).map(|(_, may)| *may);
    let rooms: Vec<&str> = ROOMS.iter().map(|(name, _)| *name).chain([WIRING]).collect();
    let mut violations = Vec::new();
    for file in source::files(root()) {
        let Some(room) = file.room() else { continue };
        if room == WIRING {
            continue;
        }
        let Some(may) = allowed(room) else {
            violations.push(format!("{}: `{room}` is no room of the table in this test", file.name));
            continue;
        };
        for named in &file.paths {
            if let Some(target) = file.target(named).filter(|t| *t != room && !may.contains(t) && (rooms.contains(t))) {
                violations.push(format!("{}:{}: `{room}` may not know `{target}` ({})", file.name, named.line, spelled(named)));
            }
        }
    }
    hold("arrows run downward only", violations);
}

#[test]
fn the_table_of_rooms_has_no_way_up() {
    let mut below = BTreeSet::new();
    for (room, may) in ROOMS {
        assert!(may.iter().all(|m| below.contains(m)), "`{room}` imports a room that stands later in the table");
        below.insert(room);
    }
}

#[test]
fn pure_parts_do_not_touch_the_world() {
    let touches = |named: &Named| WORLD.iter().any(|w| named.starts_with(w));
    let pure = |file: &File| PURE.iter().any(|p| file.name.starts_with(p));
    hold(
        "no IO, clock, environment or randomness",
        source::files(root()).iter().filter(|f| pure(f)).flat_map(|file| {
            file.paths.iter().filter(|n| touches(n)).map(|n| format!("{}:{}: {}", file.name, n.line, spelled(n))).collect::<Vec<_>>()
        }),
    );
}

#[test]
fn the_world_is_entered_by_its_doors() {
    let mut violations = Vec::new();
    for file in source::files(root()) {
        for door in DOORS {
            let open = file.room().is_some_and(|room| door.rooms.contains(&room)) || door.files.iter().any(|(name, _)| *name == file.name);
            let found = file.paths.iter().filter(|n| !open && door.paths.iter().any(|p| n.starts_with(p)));
            violations.extend(found.map(|n| format!("{}:{}: {} ({})", file.name, n.line, door.what, spelled(n))));
            if door.what == "printing" && !open {
                let macros = file.tokens.windows(2).filter(|w| PRINTING.contains(&w[0].text.as_str()) && w[1].text == "!");
                violations.extend(macros.map(|w| format!("{}:{}: printing ({}!)", file.name, w[0].line, w[0].text)));
            }
        }
    }
    hold("terminal, git, HTTP, processes, environment and printing only in their rooms", violations);
    for (file, reason) in DOORS.iter().flat_map(|d| d.files) {
        assert!(root().join(file).is_file() && !reason.is_empty(), "{file} is an exception of this test and does not exist");
    }
}

/// Every file that belongs to the repository, from its root.
fn repository() -> Vec<(String, Vec<u8>)> {
    let walk = ignore::WalkBuilder::new(root()).hidden(false).require_git(false).filter_entry(|e| e.file_name() != ".git").build();
    let files = walk.map(Result::unwrap).filter(|e| e.file_type().is_some_and(|t| t.is_file()));
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    files.map(|e| (relative(e.path()), fs::read(e.path()).unwrap())).collect()
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut violations = Vec::new();
    for (name, bytes) in repository().into_iter().filter(|(name, _)| name.ends_with(".rs")) {
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().count();
        if lines > LONGEST {
            violations.push(format!("{name}: {lines} lines, {LONGEST} at most"));
        }
        let tests = name.split('/').any(|part| part == "tests" || part.ends_with("tests.rs"));
        if !(text.starts_with("//!") || tests && name.starts_with("src/")) {
            violations.push(format!("{name}: does not begin with a `//!` that says what it is"));
        }
        let part_of = |name: &str| name.split(['/', '_', '.']).any(|word| EMPTY_WORDS.contains(&word));
        if part_of(&name) {
            violations.push(format!("{name}: the name says nothing"));
        }
        let tokens = source::tokens(&text);
        let modules = tokens.windows(3).filter(|w| w[0].text == "mod" && w[2].text == "{" && part_of(&w[1].text));
        violations.extend(modules.map(|w| format!("{name}:{}: the name `{}` says nothing", w[1].line, w[1].text)));
    }
    hold("one idea a file, and its name and first line say which", violations);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let roots = ["home", "work", "root", "Users"].map(|dir| format!("/{dir}/"));
    let mut violations = Vec::new();
    for (name, bytes) in repository() {
        let Ok(text) = String::from_utf8(bytes) else { continue };
        for (number, line) in text.lines().enumerate() {
            for place in &roots {
                // `name/work/` and `$X/work/` are no absolute paths, and `work/slot-0` lies in every study.
                let inside = |at: usize| line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}>)*/".contains(c));
                let absolute = |at: usize| !inside(at) && !line[at + place.len()..].starts_with("slot-");
                if line.match_indices(place.as_str()).any(|(at, _)| absolute(at)) {
                    violations.push(format!("{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    hold("no absolute path of one machine", violations);
}

#[test]
fn tasks_and_themes_parse() {
    use trialdeck::{task, tui};
    let names = |dir: &str| fs::read_dir(root().join(dir)).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    for dir in names("tasks") {
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(task::embedded::names().contains(&name.as_str()), "tasks/{name} is not in the binary");
        let text = fs::read_to_string(dir.join("task.toml")).unwrap();
        task::parse(&text, &format!("tasks/{name}/task.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    }
    for file in names("themes") {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(tui::Theme::shipped().contains(&name), "themes/{name}.toml is not in the binary");
        let text = fs::read_to_string(&file).unwrap();
        for depth in [tui::ColorDepth::TrueColor, tui::ColorDepth::Ansi256, tui::ColorDepth::Ansi16] {
            let theme = tui::Theme::parse(&name, &text, depth).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(theme.warnings, Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rooms: BTreeSet<String> = source::files(root()).iter().filter_map(|f| f.room().map(str::to_owned)).collect();
    hold("ARCHITECTURE.md leaves out", rooms.into_iter().filter(|room| !map.contains(&format!("`{room}`"))));
}

#[test]
fn the_reader_of_source_sees_what_it_should() {
    let text = r##"
        //! crate::hidden::a
        /* crate::hidden::b /* nested */ crate::hidden::c */
        use crate::{journal::{self, Head as H}, model, task::{read::x, *}};
        use std::{env, process::{Command, id}};
        fn f<'a>(x: &'a str) -> char {
            let s = "crate::hidden::d \" crate::hidden::e";
            let r = r#"crate::hidden::f " "#;
            let c = ('"', '\'', '\n', b'"');
            super::super::lineage::Store::open(env!("X"), r.r#type);
            'x'
        }
        #[cfg(test)]
        #[expect(unused)]
        mod tests { use crate::hidden::g; fn f() { [1; 2]; } }
        #[cfg(test)]
        pub(crate) mod played;
        fn after() { tokio::process::spawn() }
    "##;
    let (tokens, tests) = source::without_tests(&source::tokens(text));
    assert_eq!(tests.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["tests", "played"]);
    let paths = source::paths(&tokens);
    let file = File { name: String::new(), module: vec!["cli".into(), "run".into()], tokens: Vec::new(), paths: Vec::new() };
    let rooms: Vec<_> = paths.iter().filter_map(|p| file.target(p)).collect();
    assert_eq!(rooms, ["journal", "journal", "model", "task", "task", "lineage"]);
    let words: Vec<_> = paths.iter().map(|p| format!("{}:{}", p.line, spelled(p))).collect();
    for expected in ["4:crate::journal", "5:std::env", "5:std::process::Command", "5:std::process::id", "18:tokio::process::spawn"] {
        assert!(words.iter().any(|w| w == expected), "{expected} in {words:?}");
    }
}
