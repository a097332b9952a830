//! Knobs of every format: found where they stand, and rewritten without a byte changed beside the value.

use super::*;
use proptest::prelude::*;

fn tree(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn around(command: &str) -> Around<'_> {
    Around { command: Some(command), fixed: BTreeMap::new() }
}

fn names(found: &Discovery) -> Vec<&str> {
    found.knobs.iter().map(|k| k.name.as_str()).collect()
}

fn named<'k>(found: &'k Discovery, name: &str) -> &'k Knob {
    found.knobs.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("{name} is not among {:?}", names(found)))
}

fn reason<'d>(found: &'d Discovery, name: &str) -> &'d str {
    found.aside.iter().find(|a| a.name == name).map_or("", |a| a.reason.as_str())
}

#[test]
fn every_format_is_rewritten_in_its_own_style() {
    let text = |t: &str| KnobValue::Choice(t.into());
    let float = KnobValue::Float;
    for (path, source, name, value, want) in [
        ("a.yaml", "opt:\r\n  lr: 0.001   # why\r\n  é: ü", "opt.lr", float(0.00002), "opt:\r\n  lr: 2.0e-5   # why\r\n  é: ü"),
        ("a.yaml", "lr: 1e-3\n", "lr", float(0.00002), "lr: 2e-5\n"),
        ("a.yaml", "\u{feff}lr: 0.1\n", "lr", float(0.2), "\u{feff}lr: 0.2\n"),
        ("a.yml", "opt: {lr: 0.1, betas: [0.9, 0.999],}\n", "opt.betas.1", float(0.99), "opt: {lr: 0.1, betas: [0.9, 0.99],}\n"),
        ("a.yaml", "a: 'größe 漢字'\nuse_bias: yes # x\n", "use_bias", KnobValue::Bool(false), "a: 'größe 漢字'\nuse_bias: no # x\n"),
        ("a.toml", "[opt]\nlr = 1e-3 # a\n\tsteps_ahead='x'", "opt.lr", float(0.01), "[opt]\nlr = 1e-2 # a\n\tsteps_ahead='x'"),
        ("a.toml", "[m]\r\nhidden_dim = 1_024\r\n", "m.hidden_dim", KnobValue::Int(2048), "[m]\r\nhidden_dim = 2_048\r\n"),
        (
            "a.json",
            "{\"opt\": {\"lr\": 0.1,\n// c\n \"x\": [1,2,],}}",
            "opt.lr",
            float(0.05),
            "{\"opt\": {\"lr\": 0.05,\n// c\n \"x\": [1,2,],}}",
        ),
        ("a.json5", "{dropout: .5, 'a': 'b' /* c */}", "dropout", float(0.25), "{dropout: .25, 'a': 'b' /* c */}"),
        ("a.gin", "train.lr = 0.1  # c\ntrain.opt = @Adam\n", "train.lr", float(0.3), "train.lr = 0.3  # c\ntrain.opt = @Adam\n"),
        (
            "a.sh",
            "python train.py \\\n\t--learning_rate 1e-4 \\\n  --wd=\"0.1\"\n",
            "learning_rate",
            float(0.001),
            "python train.py \\\n\t--learning_rate 1e-3 \\\n  --wd=\"0.1\"\n",
        ),
        ("a.sh", "python t.py --wd=\"0.1\" # é", "wd", float(0.01), "python t.py --wd=\"0.01\" # é"),
        ("a.sh", "lr=0.01\npython t.py --rate $lr\n", "lr", float(0.02), "lr=0.02\npython t.py --rate $lr\n"),
        ("a.sh", "python t.py --lr ${LR:-0.1} x", "lr", float(0.2), "python t.py --lr ${LR:-0.2} x"),
        (
            "a.sh",
            "ARGS=\"\n --lr 0.1 \\\n --x y\"\npython t.py $ARGS",
            "lr",
            float(0.2),
            "ARGS=\"\n --lr 0.2 \\\n --x y\"\npython t.py $ARGS",
        ),
        (
            "a.sh",
            "A=(--lr 0.1 # c\n --bs 32)\npython t.py \"${A[@]}\"",
            "lr",
            float(0.2),
            "A=(--lr 0.2 # c\n --bs 32)\npython t.py \"${A[@]}\"",
        ),
        ("a.sh", "MOMENTUM=0.9 python t.py 2>&1 | tee log", "MOMENTUM", float(0.5), "MOMENTUM=0.5 python t.py 2>&1 | tee log"),
        ("a.sh", "python t.py opt.lr=0.1 +x=y\n", "opt.lr", float(0.2), "python t.py opt.lr=0.2 +x=y\n"),
        ("a.py", "lr = float(os.environ.get('LR', '0.1'))", "LR", float(0.2), "lr = float(os.environ.get('LR', '0.2'))"),
        ("a.py", "WIDTH = 2**14 # w", "WIDTH", KnobValue::Int(8192), "WIDTH = 2**13 # w"),
        ("a.py", "BETAS = (0.8, 0.95)", "BETAS.1", float(0.9), "BETAS = (0.8, 0.9)"),
        ("a.py", "hyp['opt']['lr'] = 1e-3", "hyp.opt.lr", float(0.01), "hyp['opt']['lr'] = 1e-2"),
        (
            "a.py",
            "@click.option('--act', default='relu', type=click.Choice(['relu', 'gelu']))\ndef main(act): pass\n",
            "act",
            text("gelu"),
            "@click.option('--act', default='gelu', type=click.Choice(['relu', 'gelu']))\ndef main(act): pass\n",
        ),
        (
            "a.py",
            "class C(BaseModel):\n    opt: Literal['adam', 'sgd'] = Field('adam')\n",
            "C.opt",
            text("sgd"),
            "class C(BaseModel):\n    opt: Literal['adam', 'sgd'] = Field('sgd')\n",
        ),
    ] {
        let found = discover(&tree(&[(path, source)]), &[]);
        let out = rewrite(source, &[(named(&found, name), value.clone())]);
        assert_eq!(out.as_deref(), Ok(want), "{path} {source:?}");
        let again = discover(&tree(&[(path, want)]), &[]);
        assert_eq!(named(&again, name).value, value, "{path} {want:?}");
    }
}

#[test]
fn what_is_no_plain_setting_is_left_alone() {
    for (path, source) in [
        ("a.yaml", "lr: &lr 0.1\nb: *lr\nc: !!float 0.1\nd: |\n  lr: 0.1\n? {a: 1}\n: 0.1\n"),
        ("a.yaml", "seed: 3\npath: x\nport: 80\ncodes: {alpha: 17}\nlr: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"),
        ("a.json", "[{\"lr\": 0.1}]"),
        ("a.json", "{\"lr\": \"a\\\"b\", \"seed\": 1}"),
        ("a.gin", "A.lr = %LR\nA.b = [1,\n lr = 0.1\n]\n"),
        ("a.sh", "curl --retry 3 x\nfor lr in 0.1 0.2; do python t.py --lr $lr --hidden 1 2; done\ncat <<EOF\npython t.py --lr 0.1\nEOF\n"),
        ("a.sh", "lr=0.1\nlr=0.2\npython t.py --lr $lr --seed 1 # --dropout 0.1\npython -c 'print(1)' --lr\n"),
        ("pyproject.toml", "lr = 0.1"),
        (".github/x.yaml", "lr: 0.1"),
        ("a.txt", "lr = 0.1"),
    ] {
        let found = discover(&tree(&[(path, source)]), &[]);
        assert_eq!(names(&found), Vec::<&str>::new(), "{path} {source:?}");
    }
    for (path, broken, says) in [
        ("a.yaml", "a: [1,\nb: }", "not valid YAML, line "),
        ("a.toml", "a = 1\nb = \n", "not valid TOML, line 2"),
        ("a.json", "{\n\"a\": 1\n\"b\": 2}", "not valid JSON, line 3: a `,` is missing"),
    ] {
        let found = discover(&tree(&[(path, broken)]), &[]);
        assert!(found.skipped.iter().any(|(p, why)| p == path && why.contains(says)), "{:?}", found.skipped);
    }
}

const RUN: &str = "
parser.add_argument('--lr', type=float, default=0.1)
parser.add_argument('--optimizer', default='adam', choices=['adam', 'sgd'])
parser.add_argument('--momentum', type=float, default=0.9)
parser.add_argument('--beta2', type=float, default=0.99)
parser.add_argument('--use_mixup', action='store_true')
parser.add_argument('--mixup_alpha', type=float, default=0.2)
parser.add_argument('--width', type=int, default=96)
parser.add_argument('--old_ratio', type=float, default=0.2)
args = parser.parse_args()
if args.optimizer == 'sgd':
    opt = SGD(args.lr, args.momentum)
elif args.optimizer == 'adam':
    opt = Adam(args.lr, args.beta2)
if args.use_mixup and epoch > 3:
    mix(args.mixup_alpha)
net(args.width)
print('ratio', args.old_ratio, args.momentum)
";

#[test]
fn what_a_script_sets_shadows_the_default() {
    let files = tree(&[
        ("run.py", RUN),
        ("scripts/a.sh", "python run.py --lr 1e-3 --width 128\n"),
        ("scripts/b.sh", "python run.py --lr 1e-2\n"),
        ("other.py", "LR = 0.1\n"),
    ]);
    let found = discover_around(&files, &[], &around("bash scripts/a.sh"));
    assert_eq!(names(&found), ["optimizer", "momentum", "beta2", "use_mixup", "mixup_alpha", "lr", "width"]);
    assert_eq!((named(&found, "lr").path.as_str(), &named(&found, "lr").value), ("scripts/a.sh", &KnobValue::Float(0.001)));
    assert_eq!(reason(&found, "run.py:lr"), "scripts/a.sh:1 sets it");
    assert_eq!(reason(&found, "scripts/b.sh:lr"), "the run command does not reach its file");
    assert_eq!(reason(&found, "LR"), "the run command does not reach its file");
    assert_eq!(reason(&found, "old_ratio"), "no code reads it");
    let named_by_command = discover_around(&files, &[], &around("python -u ./run.py --lr 0.3"));
    assert_eq!(reason(&named_by_command, "run.py:lr"), "the run command sets lr");
    assert!(names(&named_by_command).contains(&"width"));
    // A command that names nothing of the tree rules nothing out.
    assert!(names(&discover_around(&files, &[], &around("make train"))).contains(&"LR"));
    // What nobody may change still tells of the rest.
    let fixed = Around { command: Some("bash go.sh"), fixed: tree(&[("go.sh", "python run.py --lr 0.5\n")]) };
    let protected = discover_around(&tree(&[("run.py", RUN)]), &[], &fixed);
    assert!(!names(&protected).contains(&"lr") && names(&protected).contains(&"momentum"), "{:?}", names(&protected));
}

#[test]
fn settings_files_and_override_modules_shadow_defaults() {
    let files = tree(&[
        (
            "train.py",
            "from model import Net, Config\nDEFAULTS = {'opt': {'lr': 0.1, 'decay_rate': 0.5}}\nlr = 0.1\ncfg = load('conf/a.yaml')\nConfig(depth=cfg['depth'])\n",
        ),
        ("model.py", "class Config:\n    depth: int = 4\n    dropout: float = 0.1\n"),
        ("conf/a.yaml", "opt:\n  lr: 0.2\ndepth: 8\n"),
        ("conf/b.yaml", "opt:\n  lr: 0.3\n"),
        ("config/small.py", "lr = 0.01\n"),
    ]);
    let found = discover_around(&files, &[], &around("python train.py config/small.py"));
    assert_eq!(names(&found), ["opt.lr", "depth", "lr", "Config.dropout", "DEFAULTS.opt.decay_rate"]);
    assert_eq!(reason(&found, "DEFAULTS.opt.lr"), "conf/a.yaml:2 sets it");
    assert_eq!(reason(&found, "train.py:lr"), "config/small.py:1 sets it");
    assert_eq!(reason(&found, "Config.depth"), "conf/a.yaml:3 sets it");
}

#[test]
fn conditions_come_from_the_code_and_from_hydra() {
    let found = discover_around(&tree(&[("run.py", RUN)]), &[], &around("python run.py"));
    let active = |name: &str| named(&found, name).active.clone();
    let text = |t: &str| KnobValue::Choice(t.into());
    assert_eq!(active("momentum"), Some(Active { knob: "optimizer".into(), equals: vec![text("sgd")] }));
    assert_eq!(active("beta2"), Some(Active { knob: "optimizer".into(), equals: vec![text("adam")] }));
    assert_eq!(active("mixup_alpha"), Some(Active { knob: "use_mixup".into(), equals: vec![KnobValue::Bool(true)] }));
    assert_eq!((active("lr"), active("width")), (None, None));

    let hydra = tree(&[
        ("main.py", "@hydra.main(config_path='conf', config_name='config')\ndef main(cfg): pass\n"),
        ("conf/config.yaml", "defaults:\n  - optimizer: adam\n  - _self_\nbatch_size: 32\n"),
        ("conf/optimizer/adam.yaml", "lr: 0.001\nbeta2: 0.99\n"),
        ("conf/optimizer/sgd.yaml", "lr: 0.1\nmomentum: 0.9\n"),
    ]);
    let found = discover_around(&hydra, &[], &around("python main.py"));
    assert_eq!(
        names(&found),
        ["defaults.optimizer", "batch_size", "conf/optimizer/adam.yaml:lr", "beta2", "conf/optimizer/sgd.yaml:lr", "momentum"]
    );
    assert_eq!(named(&found, "defaults.optimizer").kind, Kind::Choice(vec![text("adam"), text("sgd")]));
    assert_eq!(named(&found, "momentum").active, Some(Active { knob: "defaults.optimizer".into(), equals: vec![text("sgd")] }));
}

#[test]
fn sizes_budgets_and_unknown_names() {
    let files = tree(&[("a.yaml", "n_embd: 768\nhidden_dim: 64\nepochs: 30\nwarmup_steps: 100\nfoo: 17\nlr: 0\n")]);
    let found = discover(&files, &[]);
    assert_eq!(names(&found), ["n_embd", "hidden_dim", "epochs", "warmup_steps", "lr"]);
    assert_eq!(
        (named(&found, "n_embd").powers_of_two, named(&found, "n_embd").kind.clone()),
        (true, Kind::Int { lo: 192, hi: 3072, log: true })
    );
    assert_eq!((named(&found, "epochs").budget, named(&found, "epochs").kind.clone()), (true, Kind::Int { lo: 7, hi: 30, log: false }));
    let bound = |name: &str, exclude| Bound { name: name.into(), exclude, ..Bound::default() };
    let bounded = discover(&files, &[Bound { range: Some((1.0, 20.0)), ..bound("foo", false) }, bound("epoch", true)]);
    assert_eq!(names(&bounded), ["foo"]);
    assert_eq!(bounded.unmatched, [("epoch".into(), "no literal of that name in the editable files; did you mean `epochs`?".into())]);
}

proptest! {
    #[test]
    fn no_text_panics_in_any_format(
        text in "\\PC*|([A-Za-z_\"'\\[\\]{}()<>&|;:=,.#$`\\\\/+*~!%@-]|[0-9]|\n|\r\n| |\t|é){0,120}|((lr|a|b-c|- x|opt|defaults|python t.py --lr|\\$\\(|\"|'|<<E|\\{|\\[)(: |=| |\\(|\n|,)(-?[0-9.e+-]{1,6}|true|'x'|\"0.1\"|@y|&a 1|\\*a|\\}|\\])?(\n|\r\n|, | )){0,12}"
    ) {
        for path in ["a.py", "a.sh", "a.yaml", "a.toml", "a.json", "a.gin"] {
            let found = discover_around(&tree(&[(path, &text)]), &[], &around(&text));
            for knob in &found.knobs {
                prop_assert_eq!(text.get(knob.place.clone()), Some(knob.text.as_str()), "{}", path);
            }
        }
    }

    #[test]
    fn a_rewrite_keeps_every_other_byte(lr in 1e-7f64..100.0, new in 1e-7f64..100.0, note in "[a-zé漢 ]{0,12}", crlf: bool, end: bool) {
        let (n, last) = (if crlf { "\r\n" } else { "\n" }, if end { "\n" } else { "" });
        for (path, before, after) in [
            ("a.yaml", format!("# {note}{n}opt:{n}  lr: "), format!("   # {note}{n}  s: '{note}'{last}")),
            ("a.toml", format!("# {note}{n}[opt]{n}\tlr = "), format!(" # {note}{n}s = '{note}'{last}")),
            ("a.json", format!("{{ \"{note}\": \"{note}\",{n}\t\"opt\": {{\"lr\": "), format!("}} }}{last}")),
            ("a.gin", format!("# {note}{n}opt.lr = "), format!("  # {note}{n}s = '{note}'{last}")),
            ("a.sh", format!("# {note}{n}python t.py --note '{note}' \\{n}\t--opt.lr="), format!(" \\{n} --s \"{note}\" # {note}{last}")),
        ] {
            let source = format!("{before}{lr}{after}");
            let found = discover(&tree(&[(path, &source)]), &[]);
            let out = rewrite(&source, &[(named(&found, "opt.lr"), KnobValue::Float(new))]).unwrap();
            prop_assert!(out.starts_with(&before) && out.ends_with(&after), "{}: {:?}", path, out);
            let again = discover(&tree(&[(path, &out)]), &[]);
            prop_assert_eq!(&named(&again, "opt.lr").value, &KnobValue::Float(new), "{}: {:?}", path, out);
        }
    }
}

/// A registry of models and a chain of experiments: what serves others than the command's is not read.
#[test]
fn options_of_what_the_command_does_not_choose_are_no_knobs() {
    let run = "import argparse\nfrom exp_a import A\nfrom exp_b import B\np = argparse.ArgumentParser()\np.add_argument('--task', default='a')\np.add_argument('--model', default='Old')\np.add_argument('--lr', type=float, default=0.1)\np.add_argument('--hidden', type=int, default=64)\np.add_argument('--dropout', type=float, default=0.1)\np.add_argument('--expand', type=int, default=2)\np.add_argument('--mask_rate', type=float, default=0.25)\nargs = p.parse_args()\nif args.task == 'a':\n    E = A\nelse:\n    E = B\nname = '{}_{}_{}_{}'.format(args.lr, args.expand, args.mask_rate, args.task)\nE(args)\n";
    let base = "import torch\nfrom models import Old, New\nclass Base:\n    def __init__(self, args):\n        self.model_dict = {'Old': Old, 'New': New}\n        if args.model == 'Extra':\n            from models import Extra\n            self.model_dict['Extra'] = Extra\n        self.model = self.model_dict[args.model].Model(args)\n";
    let files = [
        ("run.py", run),
        ("base.py", base),
        (
            "exp_a.py",
            "from base import Base\nclass A(Base):\n    def fit(self):\n        print(self.args.lr)\n        return self.args.lr\n",
        ),
        ("exp_b.py", "from base import Base\nclass B(Base):\n    def fit(self):\n        return self.args.mask_rate\n"),
        ("models/Old.py", "class Model:\n    def __init__(self, c):\n        self.x = c.expand\n"),
        (
            "models/New.py",
            "class Model:\n    def __init__(self, c):\n        self.x = c.hidden\n        self.d = c.dropout\n        self.y = self.x.expand(3)\n",
        ),
        ("models/Extra.py", "class Model:\n    def __init__(self, c):\n        self.x = c.expand\n"),
        ("one.sh", "m=New\npython run.py --model $m --task a --lr 0.2\n\npython run.py --model $m --task b --lr 0.3\n"),
    ];
    let sources: BTreeMap<String, String> = files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
    let turned = |command: &str| -> Vec<String> {
        let around = super::Around { command: Some(command), ..super::Around::default() };
        super::discover_around(&sources, &[], &around).knobs.into_iter().map(|k| k.name).collect()
    };
    for (command, want) in [
        ("python run.py --model New --task a", vec!["lr", "hidden", "dropout"]),
        ("python run.py --model Old --task a", vec!["lr", "expand"]),
        // The label of a run reads `lr` too, and computes nothing with it.
        ("python run.py --model New --task b", vec!["hidden", "dropout", "mask_rate"]),
        // Unknown choices rule nothing out.
        ("python run.py", vec!["lr", "hidden", "dropout", "expand", "mask_rate"]),
        ("python run.py --model $M --task a", vec!["lr", "hidden", "dropout", "expand"]),
        // The first of a script's commands.
        ("head -n 2 one.sh | bash", vec!["lr", "hidden", "dropout"]),
    ] {
        let mut got = turned(command);
        let mut want: Vec<String> = want.into_iter().map(str::to_owned).collect();
        got.sort();
        want.sort();
        assert_eq!(got, want, "{command}");
    }
}

#[test]
fn products_batches_and_ranges() {
    let python = "ACCUMULATION = 5 * 8\nTOTAL_BATCH_SIZE = 2**19\nBATCH = 4 * 2 ** 3\nDEVICE_BATCH_SIZE = 128\nAREA = 3 * LR\nADAM_BETAS = (0.8, 0.95)\nCROP_RATIO = (0.9, 1.0)\n";
    let sources = BTreeMap::from([("train.py".to_owned(), python.to_owned())]);
    let found = super::discover(&sources, &[]).knobs;
    let named = |name: &str| found.iter().find(|k| k.name == name).unwrap();
    assert_eq!(found.len(), 8, "{found:#?}");
    for (name, value, new, line) in [
        ("ACCUMULATION", 40, 80, "ACCUMULATION = 80\n"),
        ("TOTAL_BATCH_SIZE", 1 << 19, 1 << 18, "TOTAL_BATCH_SIZE = 2**18\n"),
        ("BATCH", 32, 64, "BATCH = 64\n"),
        ("DEVICE_BATCH_SIZE", 128, 64, "DEVICE_BATCH_SIZE = 64\n"),
    ] {
        let knob = named(name);
        assert_eq!(knob.value, KnobValue::Int(value));
        let same = super::rewrite(python, &[(knob, KnobValue::Int(value))]).unwrap();
        assert_eq!(same, python);
        assert!(super::rewrite(python, &[(knob, KnobValue::Int(new))]).unwrap().contains(line), "{name}");
    }
    let range = |name: &str| match named(name).kind {
        super::Kind::Float { lo, hi, .. } => (lo, hi),
        _ => (0.0, 0.0),
    };
    assert_eq!((range("CROP_RATIO.0").1, range("CROP_RATIO.1").0), (0.95, 0.95));
    assert!(range("ADAM_BETAS.0").1 > 0.95);
}
