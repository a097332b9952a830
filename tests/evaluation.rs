//! An evaluation from end to end with the real binary: preparation, artifacts, the evaluator's own process, tampering,
//! self-reported scores.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test file")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use trialdeck::{
    evaluate::{Evaluation, Measured, Plan, Pristine, Rest, Rules, STDOUT_MAX, SelfReport, collect, read, spec},
    model::Label,
    run::{Executor, Local, Observation, Spec, Status, Stream},
};

const PREPARE: &str = "import json,os\nos.makedirs('public'); os.makedirs('hidden')\njson.dump([1,2],open('public/inputs.json','w'))\njson.dump([2,4],open('hidden/labels.json','w'))\n";
const EVALUATE: &str = "import json,os,sys\npred=json.load(open(os.path.join(os.environ['TRIALDECK_ARTIFACTS'],'out/pred.json')))\ntrue=json.load(open('hidden/labels.json'))\nprint('scoring', file=sys.stderr)\nprint(json.dumps({'mse': sum((a-b)**2 for a,b in zip(pred,true))/2, 'holdout_mse': 9.5, 'seconds': float(os.environ['TRIALDECK_RUN_SECONDS'])}))\n";

struct Bench {
    dir: tempfile::TempDir,
    local: Local,
    pristine: Pristine,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Read-only directories would outlive a test that does not run as root.
        let _ = std::process::Command::new("chmod").arg("-R").arg("u+w").arg(self.dir.path()).status();
    }
}

impl Bench {
    fn new(evaluate: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::new(env!("CARGO_BIN_EXE_trialdeck"));
        let pristine = Pristine::new(dir.path().join("evaluator"));
        fs::create_dir_all(pristine.tree()).unwrap();
        fs::create_dir_all(dir.path().join("slot")).unwrap();
        for (name, text) in [("prepare.py", PREPARE), ("evaluate.py", evaluate)] {
            fs::write(dir.path().join(name), text).unwrap();
            pristine.add(&dir.path().join(name), name).unwrap();
        }
        let bench = Self { dir, local, pristine };
        let prepared = bench.finish(
            &bench.pristine.prepare_dir(),
            &spec(&bench.pristine, &bench.pristine.prepare_dir(), &bench.plan("python3 prepare.py", None)).unwrap(),
        );
        assert_eq!(prepared.failure, None);
        bench.pristine.seal().unwrap();
        bench
    }

    fn run(&self) -> PathBuf {
        self.dir.path().join("run-1")
    }

    fn plan(&self, command: &str, measured: Option<Measured>) -> Plan {
        Plan {
            label: "t0001/run-1, evaluation".into(),
            command: command.into(),
            wall: Duration::from_secs(20),
            memory_bytes: None,
            path: std::env::var("PATH").unwrap(),
            gpus: Vec::new(),
            threads: 1,
            seed: 7,
            artifacts: measured.map(|_| self.run().join("artifacts")),
            measured,
            env: BTreeMap::new(),
        }
    }

    fn rules(&self, measured: Measured) -> Rules {
        Rules { metric: "mse".into(), holdout: Some("holdout_mse".into()), gates: Vec::new(), measured }
    }

    fn finish(&self, dir: &Path, spec: &Spec) -> Status {
        self.local.submit(dir, spec).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if let Observation::Ended(status) = self.local.observe(dir) {
                return *status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("waited 30 s for {}", dir.display());
    }

    fn trial(&self, command: &str) -> Status {
        let env = BTreeMap::from([
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ("TRIALDECK_PUBLIC".to_owned(), self.pristine.public().unwrap().to_string_lossy().into_owned()),
        ]);
        let slot = self.dir.path().join("slot");
        let spec = Spec {
            label: "t0001/run-1".into(),
            command: command.into(),
            cwd: slot.clone(),
            env,
            inherit: false,
            wall_secs: 20.0,
            grace_secs: 1.0,
            memory_bytes: None,
            output_bytes: None,
            watched_dirs: vec![slot],
            stall_secs: None,
            locks: Vec::new(),
            sandbox: None,
        };
        self.finish(&self.run(), &spec)
    }

    /// The engine's order of one evaluation.
    fn evaluate(&self, trial: &Status, wall: Duration) -> Evaluation {
        let artifacts = collect(&["out/pred.json".to_owned()], &self.dir.path().join("slot"), &self.run().join("artifacts"), 1000, GONE);
        let artifact_bytes = match artifacts {
            Ok(artifacts) => artifacts.bytes(),
            Err(failure) => return Evaluation::failed(failure),
        };
        let measured = Measured { run_seconds: trial.seconds, peak_memory_bytes: trial.peak_memory_bytes, artifact_bytes };
        if let Err(failure) = self.pristine.check() {
            return Evaluation::failed(failure);
        }
        let dir = self.run().join("evaluation");
        let plan = Plan { wall, ..self.plan("python3 evaluate.py", Some(measured)) };
        let status = self.finish(&dir, &spec(&self.pristine, &dir, &plan).unwrap());
        let stdout = self.local.log(&dir, Stream::Stdout, 0, STDOUT_MAX + 1).unwrap().bytes;
        let evaluation = read(&stdout, &status, &self.rules(measured));
        self.pristine.check().map_or_else(Evaluation::failed, |()| evaluation)
    }
}

const GONE: Rest = Rest::Refused("the run did not write it");
const LIMIT: Duration = Duration::from_secs(20);
const GOOD: &str = "mkdir -p out && sed 's/2/3/' $TRIALDECK_PUBLIC/inputs.json > out/pred.json";

#[test]
fn a_score_from_the_evaluators_own_process() {
    let bench = Bench::new(EVALUATE);
    let trial = bench.trial(GOOD);
    assert_eq!(trial.failure, None);
    let evaluation = bench.evaluate(&trial, LIMIT);
    assert_eq!((evaluation.score, evaluation.holdout, &evaluation.failure), (Some(1.0), Some(9.5), &None));
    assert_eq!(evaluation.metrics.get("seconds"), Some(&trial.seconds));
    assert!(!evaluation.metrics.contains_key("holdout_mse"));
    evaluation.save(&bench.run()).unwrap();
    assert_eq!(Evaluation::load(&bench.run()), Some(evaluation));
}

#[test]
fn a_run_that_writes_nothing_and_an_evaluator_that_fails_or_hangs() {
    let bench = Bench::new(EVALUATE);
    let failure = bench.evaluate(&bench.trial("exit 0"), LIMIT).failure.unwrap();
    assert_eq!((failure.label, failure.detail.as_str()), (Label::EvalFailed, "needs out/pred.json: the run did not write it"));

    let bench = Bench::new(EVALUATE);
    let failure = bench.evaluate(&bench.trial("mkdir out; echo rubbish > out/pred.json"), LIMIT).failure.unwrap();
    assert_eq!(failure.label, Label::EvalFailed);
    assert!(failure.detail.starts_with("json.decoder.JSONDecodeError: "), "{}", failure.detail);

    let bench = Bench::new("import time\ntime.sleep(100)\n");
    let failure = bench.evaluate(&bench.trial(GOOD), Duration::from_millis(500)).failure.unwrap();
    assert_eq!(failure.label, Label::EvalTimedOut);

    let bench = Bench::new("print('{\"mse\": NaN}')");
    let failure = bench.evaluate(&bench.trial(GOOD), LIMIT).failure.unwrap();
    assert_eq!((failure.label, failure.detail.as_str()), (Label::InvalidScore, "`mse` is NaN"));
}

#[test]
fn a_trial_that_reaches_the_evaluator_is_found_out() {
    let bench = Bench::new(EVALUATE);
    let attack = "e=$(dirname $TRIALDECK_PUBLIC)/tree; rm -f $e/evaluate.py; echo 'print(\"{\\\"mse\\\": 0}\")' > $e/evaluate.py";
    let failure = bench.evaluate(&bench.trial(&format!("{GOOD}; {attack}")), LIMIT).failure.unwrap();
    assert_eq!((failure.label, failure.detail.as_str()), (Label::Tampered, "evaluator/tree/evaluate.py: was changed"));
}

#[test]
fn a_self_reported_score_is_the_last_one_printed() {
    let bench = Bench::new(EVALUATE);
    let report = SelfReport::new(Stream::Stdout, r"(?:^|\s)val_bpb: +([\d.]+)").unwrap();
    let rules = Rules { metric: "val_bpb".into(), ..bench.rules(Measured::default()) };
    bench.trial("printf 'val_bpb: 2.0\\rval_bpb: 1.5\\nval_bpb_old: 9\\nval_bpb:   0.997900'");
    assert_eq!(report.evaluate(&[], &bench.local, &bench.run(), &rules).score, Some(0.9979));

    let bench = Bench::new(EVALUATE);
    bench.trial("echo nothing");
    let failure = report.evaluate(&[], &bench.local, &bench.run(), &rules).failure.unwrap();
    assert_eq!((failure.label, failure.detail.as_str()), (Label::InvalidScore, "the run printed no `val_bpb` on stdout"));
}
