use super::*;
use crate::propose::agent::tools;
use crate::propose::invented;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn every_embedded_prompt_can_be_read_and_differs() {
    let roles = load(&[]).unwrap_or_else(|problems| panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>()));
    let names: Vec<&str> = roles.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["architecture", "data-and-regularisation", "debugger", "generalist", "optimizer-and-schedule", "systems"]);
    assert_eq!(embedded(), roles);
    let seen: BTreeSet<String> = roles.iter().map(|r| format!("{:?} {:?} {:?}", r.surfaces, r.tools, r.sees)).collect();
    assert_eq!(seen.len(), roles.len(), "each has surfaces, tools and sights of its own");
    for role in &roles {
        for tool in ["read_file", "check_edit", "submit", "give_up"] {
            assert!(role.tools.iter().any(|t| t == tool), "{} lacks {tool}", role.name);
        }
        assert!(role.limits.turns >= 10, "{}", role.name);
    }
    let can = |operator| roles.iter().filter(|r| r.operators.contains(&operator)).count();
    use crate::model::Operator::{Ablate, Crossover, Debug, Draft, Improve};
    assert!([Draft, Improve, Debug, Crossover, Ablate].into_iter().all(|o| can(o) >= 2), "every operator has somebody to ask");
}

#[test]
fn prompts_say_what_is_asked_here() {
    let (study, task) = (invented::busy(), invented::task());
    for role in embedded() {
        for operator in role.operators.clone() {
            let parents: &[u32] = if operator == crate::model::Operator::Crossover { &[2, 1] } else { &[2] };
            let text = role.render(&invented::scene(operator, parents, &role.name), &task, &study).unwrap();
            assert!(text.len() < render::LONGEST, "{}: {} bytes", role.name, text.len());
            for needed in
                ["val_loss", "python3 -u train.py", "60 s", "artifact_bytes at most 4000000", "t0002", operator.word(), "`submit`"]
            {
                assert!(text.contains(needed), "{} {operator:?} does not say `{needed}`", role.name);
            }
            assert!(!text.contains("{{") && !text.contains("{%"), "{}", role.name);
            assert!(!text.contains("holdout"), "a proposer does not know of it");
        }
    }
}

#[test]
fn a_prompt_as_a_model_reads_it() {
    let (study, task) = (invented::busy(), invented::task());
    let role = embedded().into_iter().find(|r| r.name == "optimizer-and-schedule").unwrap();
    let scene = invented::scene(crate::model::Operator::Improve, &[2], &role.name);
    insta::assert_snapshot!("optimizer", role.render(&scene, &task, &study).unwrap());
}

#[test]
fn roles_are_bound_by_the_tasks_own_words() {
    let (task, mut free) = (invented::task(), invented::task());
    free.surfaces.clear();
    let on = |task: &crate::task::Task| on_task(&embedded(), task).into_iter().map(|r| (r.name, r.surfaces)).collect::<Vec<_>>();
    let bound = |name: &str, surfaces: &[&str]| (name.to_owned(), surfaces.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        on(&task),
        [
            bound("architecture", &["features"]),
            bound("data-and-regularisation", &["regularisation", "features"]),
            bound("debugger", &[]),
            bound("generalist", &[]),
            bound("optimizer-and-schedule", &["optimizer"]),
        ],
        "systems has nothing to work on in this task"
    );
    assert_eq!(on(&free).len(), 6, "a task without surfaces takes all");
    let role = |name: &str| embedded().into_iter().find(|r| r.name == name).unwrap();
    assert_eq!(role("architecture").allowed(&task), Some(vec!["train.py".to_owned()]));
    assert_eq!(role("generalist").allowed(&task), None);
    assert_eq!(role("architecture").allowed(&free), None);
    let spaced = invented::spaced();
    assert_eq!(role("architecture").allowed(&spaced), Some(vec!["train.py".to_owned(), "cell.yaml".to_owned()]));
}

const HEAD: &str = "+++\n[role]\ntitle = \"T\"\noperators = [\"improve\"]\n+++\n";

#[test]
fn all_problems_come_at_once_with_their_places() {
    for (name, text, want) in [
        ("no head", "You are…", vec!["prompts/mine.md:1:1: there is no head"]),
        ("open head", "+++\n[role]\n", vec!["prompts/mine.md:1:1: there is no head"]),
        ("no section", "+++\n+++\nx", vec!["prompts/mine.md:1:1: [role] is missing"]),
        (
            "words",
            "---\n[role]\ntitel = \"T\"\noperators = [\"improv\"]\ntools = [\"read_fil\", \"submit\"]\nsees = [\"smell\"]\n---\nx",
            vec![
                "prompts/mine.md:3:1: unknown key `titel`",
                "prompts/mine.md:4:14: `improv` is not known in `operators`; did you mean \"improve\"?",
                "prompts/mine.md:5:10: `read_fil` is not known in `tools`; did you mean \"read_file\"?",
                "prompts/mine.md:6:9: `smell` is not known in `sees`; known are curves, resources, log, surfaces",
            ],
        ),
        (
            "limits",
            "+++\n[role]\ntitle = \"T\"\noperators = [\"draft\"]\n[limits]\nturns = 1\n+++\nx",
            vec!["prompts/mine.md:6:9: `turns` must be a whole number from 2"],
        ),
        ("empty", HEAD, vec!["prompts/mine.md:1:1: the prompt is empty"]),
        ("syntax", &format!("{HEAD}{{% if idea %}}x"), vec!["prompts/mine.md:6:"]),
        (
            "variable",
            &format!("{HEAD}a\n b {{{{ task.metrik }}}}"),
            vec!["prompts/mine.md:7:7: there is no variable `task.metrik`; did you mean `task.metric`?"],
        ),
        ("item", &format!("{HEAD}{{% for s in surfaces %}}{{{{ s.nam }}}}{{% endfor %}}"), vec!["prompts/mine.md:6:"]),
        ("part", &format!("{HEAD}{{% include \"parts/rule\" %}}"), vec!["prompts/mine.md:6:"]),
        (
            "endless",
            &format!("{HEAD}{{% for a in range(9999) %}}{{% for b in range(9999) %}}{{% endfor %}}{{% endfor %}}"),
            vec!["prompts/mine.md:6:"],
        ),
        ("long", &format!("{HEAD}{}", "x ".repeat(20_000)), vec!["prompts/mine.md:1:1: the prompt has 40000 bytes, 24000 at most"]),
    ] {
        let problems: Vec<String> = read("mine", text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), want.len(), "{name}: {problems:#?}");
        for (problem, want) in problems.iter().zip(want) {
            assert!(problem.starts_with(want), "{name}: {problem}");
        }
    }
    assert!(read("My Role", "").unwrap_err()[0].message.contains("lower-case"));
}

#[test]
fn texts_of_the_users_replace_and_add() {
    let own = |title: &str| {
        format!("+++\n[role]\ntitle = \"{title}\"\noperators = [\"improve\"]\nsurfaces = [\"loss\"]\n+++\n{{% include \"parts/rules\" %}}")
    };
    let texts = [
        ("systems".to_owned(), own("My systems")),
        ("losses".to_owned(), own("Losses")),
        ("parts/rules".to_owned(), "One rule.".to_owned()),
    ];
    let roles = load(&texts).unwrap();
    assert_eq!(roles.len(), 7);
    let (study, task) = (invented::busy(), invented::task());
    for name in ["systems", "losses"] {
        let role = roles.iter().find(|r| r.name == name).unwrap();
        assert_eq!(role.tools.len(), tools::NAMES.len(), "all tools where none are named");
        assert_eq!(role.render(&invented::scene(crate::model::Operator::Improve, &[0], name), &task, &study).unwrap(), "One rule.\n");
    }
    let broken = load(&[("parts/rules".to_owned(), "{{ nothing }}".to_owned())]).unwrap_err();
    assert_eq!(broken.len(), 1, "one problem of a part, however many include it: {broken:?}");
    assert_eq!(broken[0].file, "prompts/parts/rules.md");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(\\+\\+\\+\n|\\[role\\]\n|title = \"x\"\n|operators = \\[\"draft\"\\]\n|\\{\\{|\\}\\}|\\{%|%\\}| task|\\.|if |\\PC{0,10}|\n){0,20}") {
        let _ = read("any", &text);
    }
}
