use super::*;
use crate::model::{DiffLine, Hunk};

/// The diff of `@ path` followed by lines with ` `, `-` or `+`.
fn diff(text: &str) -> Diff {
    let mut files: Vec<FileDiff> = Vec::new();
    let (mut old_no, mut new_no) = (0, 0);
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("@ ") {
            (old_no, new_no) = (0, 0);
            let hunk = Hunk { header: String::new(), old_start: 1, old_lines: 0, new_start: 1, new_lines: 0, lines: vec![] };
            files.push(FileDiff {
                path: path.into(),
                old_path: None,
                status: FileStatus::Modified,
                added: 0,
                removed: 0,
                binary: false,
                hunks: vec![hunk],
            });
            continue;
        }
        let mut chars = line.chars();
        let kind = match chars.next() {
            Some('+') => LineKind::Added,
            Some('-') => LineKind::Removed,
            _ => LineKind::Context,
        };
        old_no += u32::from(kind != LineKind::Added);
        new_no += u32::from(kind != LineKind::Removed);
        files.last_mut().unwrap().hunks[0].lines.push(DiffLine {
            kind,
            text: chars.as_str().into(),
            old_no: (kind != LineKind::Added).then_some(old_no),
            new_no: (kind != LineKind::Removed).then_some(new_no),
            no_newline: false,
        });
    }
    Diff { files, ..Diff::default() }
}

fn task() -> TaskFacts {
    TaskFacts {
        metric: "val_loss".into(),
        seeds: vec!["SEED".into()],
        evaluator: ["evaluate.py", "prepare.py", "truth.npy", "data/hidden/labels.csv"].map(str::to_owned).to_vec(),
    }
}

fn told(edit: &str) -> String {
    let word = |f: &Flag| format!("{}{}", f.flag.word(), if f.only { "!" } else { "" });
    flags(&diff(edit), &task()).iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_table_of_edits() {
    let mut wrong = Vec::new();
    let all = || corpus::GUILTY.iter().chain(corpus::INNOCENT).chain(corpus::LATER);
    for (name, edit, want) in all() {
        let got = told(edit);
        if got != *want {
            wrong.push(format!("{name}: {got:?}, not {want:?}: {:?}", flags(&diff(edit), &task())));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), all().count(), wrong.join("\n"));
    let innocent = all().filter(|(.., want)| want.is_empty()).count();
    assert!(innocent * 5 > all().count() * 2, "about half of the table is innocent");
}

#[test]
fn evidence_says_file_and_line_and_stays_short() {
    for (name, edit, _) in corpus::GUILTY.iter().chain(corpus::LATER) {
        for flag in flags(&diff(edit), &task()) {
            let (place, _) = flag.evidence.split_once(' ').unwrap();
            let path = edit.lines().find_map(|l| l.strip_prefix("@ ")).unwrap();
            assert!(place.starts_with(path) || edit.contains(&format!("@ {}", place.split(':').next().unwrap())), "{name}: {flag:?}");
            assert!(flag.evidence.len() < 180, "{name}: {flag:?}");
        }
    }
    let long = format!("@ {}/train.py\n-SEED = 1\n+SEED = {}", "deep".repeat(60), "9\u{1b}[2J".repeat(90));
    let flag = flags(&diff(&long), &task()).remove(0);
    assert!(flag.evidence.len() < 180 && !flag.evidence.contains('\u{1b}') && flag.evidence.starts_with('…'), "{flag:?}");
    let seed = &flags(&diff(corpus::GUILTY[0].1), &task())[0];
    assert_eq!(seed.evidence, "train.py:2 has `SEED = 1337` now");
}

#[test]
fn what_only_holds_no_idea_is_empty() {
    for (edit, want) in [
        ("@ t.py\n-SEED = 1\n+SEED = 2", true),
        ("@ t.py\n-SEED = 1\n-TIME_LIMIT = 3\n+SEED = 2\n+TIME_LIMIT = 4\n+print(\"val_loss\", 1)", true),
        ("@ t.py\n-SEED = 1\n-VAL_SPLIT = 0.1\n+SEED = 2\n+VAL_SPLIT = 0.2", false),
        ("@ t.py\n-SEED = 1\n+SEED = 2\n-lr = 1\n+lr = 2", false),
        ("@ t.py\n-SEED = 1\n+SEED = 2\n+time.time = lambda: 0", false),
        ("@ t.py\n-lr = 1\n+lr = 2", false),
    ] {
        assert_eq!(is_empty_edit(&flags(&diff(edit), &task())), want, "{edit}");
    }
    let cut = Diff { truncated: true, ..diff("@ t.py\n-SEED = 1\n+SEED = 2") };
    assert!(!is_empty_edit(&flags(&cut, &task())), "what was left out may be an idea");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Any text in any kind of file: no panic, and an edit of nothing has no flag.
    #[test]
    fn any_text_is_read(
        name in "(a\\.py|b\\.yaml|c\\.sh|d\\.json|e\\.toml|f\\.rs|Makefile|x)",
        text in "(?s)([ +-](seed|lr|time\\.time|print|train|[\\(\\)\\[\\]\\{\\}=:,\"'#\\\\ .]|[0-9]|\u{e9}){0,8}\n){0,12}"
    ) {
        let edit = format!("@ {name}\n{text}");
        let _ = flags(&diff(&edit), &task());
        let same: String = text.lines().map(|l| format!(" {}\n", l.get(1..).unwrap_or_default())).collect();
        let unchanged = diff(&format!("@ {name}\n{same}"));
        proptest::prop_assert!(flags(&unchanged, &task()).is_empty());
    }
}
