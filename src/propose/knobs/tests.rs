use super::*;
use proptest::prelude::*;

fn tree(source: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("train.py".to_owned(), source.to_owned())])
}

fn found(source: &str) -> Vec<Knob> {
    discover(&tree(source), &[]).knobs
}

fn named<'k>(knobs: &'k [Knob], name: &str) -> &'k Knob {
    knobs.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("{name} is not among {:?}", names(knobs)))
}

fn names(knobs: &[Knob]) -> Vec<&str> {
    knobs.iter().map(|k| k.name.as_str()).collect()
}

const SCRIPT: &str = r#"
import argparse
from dataclasses import dataclass, field

LEARNING_RATE = 1e-3
EPOCHS: int = 3
SEED = 1
LOG_EVERY = 10
DATA_PATH = "x.csv"
__version__ = 2
AREA = 2 * 14
OPTIMIZER = "adam"
best = 0.0
lr_min = 0.01
step = 0
step += 1
opt = {"lr": 0.1, "sgd": {"momentum": 0.9, "nesterov": True}, "seed": 3}
extra = dict(dropout=0.1)
codes = {"alpha_code": 17, "beta_code": 18}

@dataclass
class Config:
    dropout: float = 0
    n_layer: int = 6
    betas: tuple = (0.9, 0.99)
    weight_decay: float = field(default=0.0)
    random_state: int = 7

class Phase(enum.IntEnum):
    WARMUP = 1

def train(batch_size=32, verbose=True):
    pass

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning-rate", "-l", type=float, default=3e-4)
    parser.add_argument("--hidden", type=int, default=1_024)
    parser.add_argument("--act", default="relu", choices=["relu", "gelu"])
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--label-smoothing", dest="smooth", type=float, default=.1)
"#;

#[test]
fn knobs_of_a_script() {
    let knobs = found(SCRIPT);
    assert_eq!(
        names(&knobs),
        [
            "LEARNING_RATE",
            "EPOCHS",
            "AREA",
            "lr_min",
            "opt.lr",
            "opt.sgd.momentum",
            "opt.sgd.nesterov",
            "extra.dropout",
            "Config.dropout",
            "Config.n_layer",
            "Config.betas.0",
            "Config.betas.1",
            "Config.weight_decay",
            "train.batch_size",
            "learning_rate",
            "hidden",
            "act",
            "amp",
            "smooth",
        ]
    );
    for (name, kind) in [
        ("LEARNING_RATE", Kind::Float { lo: 3.33e-5, hi: 0.03, log: true }),
        ("EPOCHS", Kind::Int { lo: 1, hi: 3, log: false }),
        ("opt.sgd.momentum", Kind::Float { lo: 0.0, hi: 0.99, log: false }),
        ("Config.dropout", Kind::Float { lo: 0.0, hi: 0.6, log: false }),
        ("Config.weight_decay", Kind::Float { lo: 1e-6, hi: 0.1, log: true }),
        ("train.batch_size", Kind::Int { lo: 4, hi: 256, log: true }),
        ("hidden", Kind::Int { lo: 256, hi: 4096, log: true }),
        ("act", Kind::Choice(vec![KnobValue::Choice("relu".into()), KnobValue::Choice("gelu".into())])),
        ("amp", Kind::Bool),
    ] {
        assert_eq!(named(&knobs, name).kind, kind, "{name}");
    }
    assert!(named(&knobs, "Config.weight_decay").zero);
    assert!(named(&knobs, "hidden").powers_of_two && named(&knobs, "train.batch_size").powers_of_two);
    assert_eq!(named(&knobs, "EPOCHS").line, 6);
    assert_eq!(named(&knobs, "amp").value, KnobValue::Bool(false));
}

#[test]
fn rewrites_keep_the_style() {
    for (source, value, want) in [
        ("LR = 1e-3\n", KnobValue::Float(0.0005), "LR = 5e-4\n"),
        ("LR = 1.0E-03 # x\n", KnobValue::Float(0.02), "LR = 2.0E-02 # x\n"),
        ("LR = 1e-3\n", KnobValue::Float(0.0), "LR = 0.0\n"),
        ("LR = 0.1\n", KnobValue::Float(2.0), "LR = 2.0\n"),
        ("LR = 0.01\n", KnobValue::Float(0.00002), "LR = 2e-5\n"),
        ("LR = .5\n", KnobValue::Float(0.25), "LR = .25\n"),
        ("DROPOUT = 0\n", KnobValue::Float(0.25), "DROPOUT = 0.25\n"),
        ("STEPS = 10_000\n", KnobValue::Int(2500), "STEPS = 2_500\n"),
        ("OFFSET = -0.5\n", KnobValue::Float(-0.25), "OFFSET = -0.25\n"),
        ("OFFSET = - 0.5\n", KnobValue::Float(0.0), "OFFSET = 0.0\n"),
        ("USE_BIAS = True\n", KnobValue::Bool(false), "USE_BIAS = False\n"),
        ("LR = 0.1\r\nX = 'é'\r\n", KnobValue::Float(0.2), "LR = 0.2\r\nX = 'é'\r\n"),
        ("\u{feff}LR = 0.1\n", KnobValue::Float(0.2), "\u{feff}LR = 0.2\n"),
        ("s = 'größe 漢字'; LR = 0.1", KnobValue::Float(0.2), "s = 'größe 漢字'; LR = 0.2"),
        ("if True:\n\tpass\nLR\t=\t(0.1)\n", KnobValue::Float(0.2), "if True:\n\tpass\nLR\t=\t(0.2)\n"),
        ("p.add_argument('--amp', action='store_true')\n", KnobValue::Bool(true), "p.add_argument('--amp', action='store_false')\n"),
        (
            "p.add_argument('--act', default='relu', choices=('relu', \"gelu\"))\n",
            KnobValue::Choice("gelu".into()),
            "p.add_argument('--act', default='gelu', choices=('relu', \"gelu\"))\n",
        ),
    ] {
        let knobs = found(source);
        assert_eq!(knobs.len(), 1, "{source:?}");
        assert_eq!(rewrite(source, &[(&knobs[0], value)]).as_deref(), Ok(want), "{source:?}");
    }
}

#[test]
fn rewrites_that_cannot_be_are_refused() {
    let source = "LR = 0.1\nEPOCHS = 3\n";
    let knobs = found(source);
    let refused = |changes: &[(&Knob, KnobValue)], source: &str| rewrite(source, changes).unwrap_err().to_string();
    assert_eq!(refused(&[(&knobs[0], KnobValue::Bool(true))], source), "`LR` is written `0.1` and cannot become `true`");
    assert_eq!(refused(&[(&knobs[0], KnobValue::Float(0.2))], "# moved\nLR = 0.1\n"), "`LR` is no longer at line 1: `0.1` is not there");
    let twice = [(&knobs[0], KnobValue::Float(0.2)), (&knobs[0], KnobValue::Float(0.3))];
    assert_eq!(refused(&twice, source), "`LR` is changed twice");
    // A whole number in place of an int, a float would change the type.
    assert!(rewrite(source, &[(&knobs[1], KnobValue::Float(2.5))]).is_ok_and(|s| s.contains("EPOCHS = 2.5")));
}

#[test]
fn bounds_rule() {
    let bound = |name: &str| Bound { name: name.into(), ..Bound::default() };
    let sources = tree(SCRIPT);
    let excluded = discover(&sources, &[Bound { exclude: true, ..bound("EPOCHS") }]);
    assert!(!names(&excluded.knobs).contains(&"EPOCHS") && excluded.knobs.len() == 18);
    // Listed ones are the only ones, though the name looks like no knob; the end of a name is enough where it is unique.
    let listed = discover(
        &sources,
        &[
            Bound { range: Some((0.0, 0.5)), kind: Some(BoundKind::Float), ..bound("momentum") },
            Bound { range: Some((1.0, 9.0)), ..bound("SEED") },
            Bound { choices: vec![KnobValue::Choice("adam".into()), KnobValue::Choice("sgd".into())], ..bound("OPTIMIZER") },
            bound("dropout"),
            bound("nothing"),
            Bound { kind: Some(BoundKind::Bool), ..bound("EPOCHS") },
        ],
    );
    assert_eq!(names(&listed.knobs), ["SEED", "OPTIMIZER", "opt.sgd.momentum"]);
    assert_eq!(named(&listed.knobs, "opt.sgd.momentum").kind, Kind::Float { lo: 0.0, hi: 0.5, log: false });
    let reasons: Vec<&str> = listed.unmatched.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "fits extra.dropout, Config.dropout: write one of them in full",
            "no literal of that name in the editable files",
            "line 6: `3` is neither True nor False",
        ]
    );
}

#[test]
fn same_names_are_told_apart() {
    let sources: BTreeMap<String, String> =
        [("a.py", "LR = 0.1\nX = {'lr': 0.1, 'lr': 0.2}\n"), ("b.py", "LR = 0.2\n"), ("c.txt", "LR = 0.3\n")]
            .map(|(p, s)| (p.to_owned(), s.to_owned()))
            .into();
    assert_eq!(names(&discover(&sources, &[]).knobs), ["a.py:LR", "X.lr", "X.lr#2", "b.py:LR"]);
}

#[test]
fn broken_and_deep_files_yield_a_reason_or_nothing() {
    let broken = discover(&tree("LR = 0.1\ndef f(:\n"), &[]);
    assert!(broken.knobs.is_empty());
    assert!(broken.skipped[0].1.starts_with("not valid Python, line 2: "), "{:?}", broken.skipped);
    for deep in [
        "(".repeat(20_000),
        format!("x = {}1", "-".repeat(20_000)),
        format!("x = 1{}", " + 1".repeat(20_000)),
        format!("x = {{{}", "'a':{".repeat(9_000)),
    ] {
        assert!(found(&deep).is_empty());
    }
    let huge = discover(&tree(&"x = 1\n".repeat(200_000)), &[]);
    assert!(huge.skipped[0].1.contains("bytes"), "{:?}", huge.skipped);
}

proptest! {
    #[test]
    fn discovery_never_panics(text in "\\PC*|([A-Za-z_]{1,6}( |\t)?=( |\t)?(-?[0-9_.e+-]{1,8}|True|'[a-z\\\\]*'|\\{\"lr\": [0-9.]+\\})(\n|\r\n|;)){0,8}") {
        let knobs = found(&text);
        for knob in &knobs {
            prop_assert_eq!(text.get(knob.place.clone()), Some(knob.text.as_str()));
        }
    }

    #[test]
    fn a_rewrite_touches_its_literals_alone(
        lr in 1e-6f64..10.0, epochs in 1i64..1_000_000, before in "[a-zé漢 ]{0,12}", crlf: bool, new_lr in 1e-6f64..10.0, new_epochs in 1i64..1_000_000,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let source = |lr: &str, epochs: &str| format!("# {before}{end}A = '{before}'; LR = {lr}{end}cfg = {{'epochs': {epochs},  # {before}{end}}}{end}");
        let text = source(&lr.to_string(), &epochs.to_string());
        let knobs = found(&text);
        let changes = [(named(&knobs, "LR"), KnobValue::Float(new_lr)), (named(&knobs, "cfg.epochs"), KnobValue::Int(new_epochs))];
        let out = rewrite(&text, &changes).unwrap();
        let again = found(&out);
        let (l, e) = (named(&again, "LR"), named(&again, "cfg.epochs"));
        prop_assert_eq!(&l.value, &KnobValue::Float(new_lr));
        prop_assert_eq!(&e.value, &KnobValue::Int(new_epochs));
        prop_assert_eq!(out, source(&l.text, &e.text));
    }
}
