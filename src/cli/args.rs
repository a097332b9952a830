//! The command line as data. One definition gives parser, help and errors.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A terminal cockpit for auto-research: proposed code edits are reviewed, run under a budget, scored, and kept or reverted.
#[derive(Debug, Parser)]
#[command(name = "trialdeck", version, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "First steps:\n  trialdeck run quickstart --auto --trials 12    a whole study, unattended, in about a minute\n  trialdeck run quickstart                       the same in the cockpit: you accept, veto or edit\n  trialdeck ls                                   the studies on this machine"
)]
pub struct Cli {
    /// What to do; without it, the studies at hand and what to do next.
    #[command(subcommand)]
    pub command: Option<Cmd>,
}

/// Where studies lie.
#[derive(Debug, Clone, Args)]
pub struct Studies {
    /// Directory that holds the studies [default: $XDG_STATE_HOME/trialdeck/studies]
    #[arg(long, value_name = "DIR", global = true)]
    pub studies: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Cmd {
    /// Start a study of a task, or go on with one
    #[command(
        after_help = "Examples:\n  trialdeck run quickstart --auto --trials 12 --seed 1 --name a\n  trialdeck run ./wind-power --autonomy ask\n  trialdeck run task.toml --detach --time 8h\n  trialdeck run . --cmd \"python train.py\" --metric 'val_loss: (\\S+)' --goal minimize --wall 5m"
    )]
    Run(RunArgs),
    /// Open the cockpit on a study
    #[command(after_help = "Examples:\n  trialdeck attach            the newest study\n  trialdeck attach a --watch  look only")]
    Attach {
        /// The study [default: the newest]
        study: Option<String>,
        /// Only look
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Go on with a study that has ended or lost its engine
    #[command(after_help = "Examples:\n  trialdeck resume a --trials +20\n  trialdeck resume a --time +2h --auto")]
    Resume {
        /// The study
        study: String,
        /// New limit of trials, or +N more
        #[arg(long, value_name = "[+]N", allow_hyphen_values = true)]
        trials: Option<String>,
        /// New limit of time, or +T more
        #[arg(long, value_name = "[+]T", allow_hyphen_values = true)]
        time: Option<String>,
        /// New limit of money for models, or +USD more
        #[arg(long, value_name = "[+]USD", allow_hyphen_values = true)]
        cost: Option<String>,
        /// New limit of the models' tokens, or +N more
        #[arg(long, value_name = "[+]N", allow_hyphen_values = true)]
        tokens: Option<String>,
        /// Another tier of isolation, A to D, or `none`
        #[arg(long, value_name = "TIER|none")]
        isolation: Option<String>,
        #[command(flatten)]
        how: How,
        #[command(flatten)]
        studies: Studies,
    },
    /// End a study: after the running runs, or now
    Stop {
        /// The study
        study: String,
        /// Kill what runs
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// List the studies
    Ls {
        /// One JSON object a line
        #[arg(long, conflicts_with = "short")]
        json: bool,
        /// Names only
        #[arg(long)]
        short: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Show a study, or one trial of it
    #[command(
        after_help = "Examples:\n  trialdeck show a\n  trialdeck show a t0007\n  trialdeck show a --json | jq '.best'\n  trialdeck show a t0007 --conversation\n  trialdeck show a p0012 --conversation --full"
    )]
    Show {
        /// The study
        study: String,
        /// The trial; with --conversation also a proposal such as p0012
        trial: Option<String>,
        /// The whole study (or trial, or conversation) as one JSON object
        #[arg(long)]
        json: bool,
        /// What was said between the proposer of a trial and its model
        #[arg(long, requires = "trial")]
        conversation: bool,
        /// With --conversation: all lines of every text
        #[arg(long, requires = "conversation")]
        full: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Draw the experiment tree
    Tree {
        /// The study
        study: String,
        #[command(flatten)]
        studies: Studies,
    },
    /// Show what a trial changes
    #[command(after_help = "Examples:\n  trialdeck diff a t0007\n  trialdeck diff a best --against baseline")]
    Diff {
        /// The study
        study: String,
        /// The trial, or `best`
        trial: String,
        /// baseline, parent, best, or a trial
        #[arg(long, default_value = "parent", value_name = "WHAT")]
        against: String,
        /// Of an earlier revision; `show STUDY TRIAL` names them
        #[arg(long, value_name = "N")]
        revision: Option<u32>,
        /// The answer as one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Print the log of a trial's run
    #[command(after_help = "Examples:\n  trialdeck log a t0007\n  trialdeck log a t0007/run-2 --stderr\n  trialdeck log a t0007 -f")]
    Log {
        /// The study
        study: String,
        /// The trial (its last run), or a run such as t0007/run-1
        trial: String,
        /// Go on printing as it grows, until the run ends
        #[arg(short, long)]
        follow: bool,
        /// Standard error instead of standard output
        #[arg(long, conflicts_with = "evaluator")]
        stderr: bool,
        /// The evaluator's output instead
        #[arg(long)]
        evaluator: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Hand in a proposal
    #[command(
        after_help = "Examples:\n  trialdeck propose a --patch fix.diff -m \"average the last epochs' weights\"\n  trialdeck propose a --from ./edited -m \"tf-idf weights\" --wait --json\n  trialdeck propose a --idea \"cosine decay with a short warm-up\" --to optimizer\n\nExit codes with --wait: 0 kept, 3 another verdict, 1 not run."
    )]
    Propose {
        /// The study
        study: String,
        /// A unified diff or SEARCH/REPLACE blocks; - for standard input
        #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "idea"])]
        patch: Option<PathBuf>,
        /// A directory with the edited files; what differs from the parent is the edit
        #[arg(long, value_name = "DIR", conflicts_with = "idea")]
        from: Option<PathBuf>,
        /// An idea in a sentence that an agent turns into an edit
        #[arg(long, value_name = "TEXT")]
        idea: Option<String>,
        /// The role that is to do so [default: generalist]
        #[arg(long, value_name = "ROLE", requires = "idea")]
        to: Option<String>,
        /// The hypothesis: what changes, and why it should help
        #[arg(short = 'm', long = "message", value_name = "HYPOTHESIS", conflicts_with = "idea")]
        message: Option<String>,
        /// The trial to build on [default: the incumbent]
        #[arg(long, value_name = "T")]
        parent: Option<String>,
        /// Wait for verdict, veto or rejection
        #[arg(long)]
        wait: bool,
        /// The trial as one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Steer a running study
    #[command(
        after_help = "Examples:\n  trialdeck ctl a accept p0003 --tree 4f2a9c1\n  trialdeck ctl a veto p0004 --reason \"leaks the labels\"\n  trialdeck ctl a kill t0005/run-1"
    )]
    Ctl {
        /// The study
        study: String,
        #[command(subcommand)]
        wish: Wish,
        /// The acknowledgement as one JSON object
        #[arg(long, global = true)]
        json: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Run a trial's commit again with its seed and compare the scores
    #[command(after_help = "Exit codes: 0 the score agrees (equal, or within the measured noise), 1 it does not.")]
    Replay {
        /// The study
        study: String,
        /// The trial, or `best`
        trial: String,
        /// The comparison as one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Check a study: journal, object store, evaluator, and kept scores made again from their artifacts
    #[command(
        after_help = "Examples:\n  trialdeck verify a\n  trialdeck verify a --all --json | jq '.checks[].wrong'\n\nNothing of the study is changed; one that runs can be checked. Exit codes: 0 all is well, 1 something is wrong."
    )]
    Verify {
        /// The study
        study: String,
        /// Every score that has artifacts, not only kept ones
        #[arg(long)]
        all: bool,
        /// All findings as one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Take a trial's change out of the study
    #[command(
        after_help = "Examples:\n  trialdeck export a best --patch > gain.diff\n  trialdeck export a best --branch faster --into ~/my-repo\n  trialdeck export a t0007 --dir ./t0007\n  trialdeck export a --tsv > results.tsv"
    )]
    Export {
        /// The study
        study: String,
        /// The trial, or `best`
        trial: Option<String>,
        /// A patch against the baseline, on standard output (the default)
        #[arg(long, conflicts_with_all = ["branch", "dir"])]
        patch: bool,
        /// One clean commit on a new branch of this name; needs --into
        #[arg(long, value_name = "NAME", requires = "into", conflicts_with = "dir")]
        branch: Option<String>,
        /// The repository that gets the branch
        #[arg(long, value_name = "REPO")]
        into: Option<PathBuf>,
        /// The whole tree, into a new directory
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// The whole study as a table on standard output: commit, metric, memory_gb, status, description
        #[arg(long, conflicts_with_all = ["trial", "patch", "branch", "dir", "into"])]
        tsv: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// Make a study of another program's history, to look at or to go on with
    #[command(
        after_help = "Examples:\n  trialdeck import results.tsv --from autoresearch --branch autoresearch/mar5\n  trialdeck import pg_main.results.tsv --from recipes --name golf\n  trialdeck import logs/0-run/journal.json --from aide\n\nWith --branch (or --repo) the commits that the table names come along, so that diffs are there and `trialdeck resume` can go on."
    )]
    Import(ImportArgs),
    /// Read a repository and write a task.toml for it
    #[command(
        after_help = "Examples:\n  trialdeck init                   the repository that you stand in\n  trialdeck init ../wind --stdout  only show what would be written\n  trialdeck init --yes             ask nothing, and time one run"
    )]
    Init(super::init::InitArgs),
    /// List the tasks that trialdeck carries
    Tasks {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// List the knobs of a task or a directory: values, places, ranges
    #[command(
        after_help = "Examples:\n  trialdeck knobs ./wind-power\n  trialdeck knobs . --cmd \"bash scripts/train.sh\"   a directory without a task.toml\n  trialdeck knobs . --all                          what is not turned as well, and why"
    )]
    Knobs {
        /// A task.toml, a directory, or the name of a task that trialdeck carries
        #[arg(value_name = "TASK|DIR", default_value = ".")]
        task: String,
        /// The run command, where there is no task.toml: what it does not reach is not turned
        #[arg(long, value_name = "COMMAND")]
        cmd: Option<String>,
        /// What is not turned as well, each with the reason
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Try each model server of your configuration: reachable, key, streaming, tools, speed
    #[command(
        after_help = "Each one is asked two short questions, which costs a few hundred tokens.\n\nExit codes: 0 all work, 1 one does not, 2 none is configured."
    )]
    Models {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Say what this machine offers, what a task uses, and where the configuration comes from
    #[command(
        after_help = "Examples:\n  trialdeck doctor\n  trialdeck doctor ./wind-power\n  trialdeck doctor --watch runs --pattern 'epoch (?P<epoch>\\d+) loss (?P<loss>\\S+)'\n  trialdeck doctor --init      ~/.config/trialdeck/config.toml, every key with its default\n\nExit codes: 0 a study can run (warnings or not), 1 something stands in its way."
    )]
    Doctor {
        /// A task to look at as well
        task: Option<String>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// Show live what the metric readers see in a directory or a file
        #[arg(long, value_name = "DIR")]
        watch: Option<PathBuf>,
        /// With --watch: a regular expression for log text, as in `[live] stdout`; without one, common forms are read
        #[arg(long = "pattern", value_name = "REGEX", requires = "watch")]
        patterns: Vec<String>,
        /// With --watch: which files, as in `[live] files`; without one, those whose names promise metrics
        #[arg(long = "file", value_name = "GLOB", requires = "watch")]
        files: Vec<String>,
        /// Write a commented configuration for this user; never over an existing one
        #[arg(long, conflicts_with_all = ["task", "watch", "json"])]
        init: bool,
        #[command(flatten)]
        studies: Studies,
    },
    /// The engine of one study
    #[command(hide = true)]
    Engine {
        /// The study's directory
        dir: PathBuf,
    },
    /// The supervisor of one run
    #[command(hide = true)]
    Shim {
        /// The run's directory
        dir: PathBuf,
    },
    /// A command whose time has not come
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// How a study is followed.
#[derive(Debug, Clone, Default, Args)]
pub struct How {
    /// Unattended: progress on standard output, nothing asked
    #[arg(long)]
    pub auto: bool,
    /// Leave the engine at work and return once it answers
    #[arg(long, conflicts_with = "foreground")]
    pub detach: bool,
    /// Keep the engine in this process (containers, service managers, batch jobs)
    #[arg(long)]
    pub foreground: bool,
    /// One JSON object a line on standard output; messages on standard error
    #[arg(long)]
    pub json: bool,
}

/// What may pass without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AutonomyArg {
    /// Every proposal waits for you
    Ask,
    /// Only risky ones wait: anything but a knob sampler's change of values
    AskRisky,
    /// None waits
    Auto,
}

/// Which node to extend next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyArg {
    /// Always the incumbent: keep or revert
    Hillclimb,
    /// Drafts first, then the best node
    Greedy,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// A task.toml, a directory with one, or the name of a task that trialdeck carries
    #[arg(value_name = "TASK|DIR")]
    pub task: String,
    /// Name of the study [default: the task's name and a number]
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    #[command(flatten)]
    pub studies: Studies,
    /// Trials at most [default: unlimited]
    #[arg(long, value_name = "N")]
    pub trials: Option<u32>,
    /// Time at most, e.g. 8h or 90m [default: unlimited]
    #[arg(long, value_name = "T")]
    pub time: Option<String>,
    /// Money for models at most (samplers cost nothing)
    #[arg(long, value_name = "USD")]
    pub cost: Option<f64>,
    /// Tokens of models at most, sent and received together
    #[arg(long, value_name = "N")]
    pub tokens: Option<u64>,
    /// A named bundle of policy and proposers (comes later)
    #[arg(long, value_name = "S")]
    pub strategy: Option<String>,
    /// Which node to extend next [default: hillclimb]
    #[arg(long, value_enum)]
    pub policy: Option<PolicyArg>,
    /// Who proposes: agents, tpe, random, researcher, command:"PROGRAM …", replay:STUDY, or several joined by +
    /// [default: agents where a [[model]] is configured, else tpe]
    #[arg(long, value_name = "P[+P]")]
    pub proposer: Option<String>,
    /// Grant programs that propose: network, env:NAME, or read:PATH (may be given several times)
    #[arg(long = "proposer-grant", value_name = "GRANT")]
    pub proposer_grants: Vec<String>,
    /// Runs at a time [default: one a GPU, else one a processor, 4 at most]
    #[arg(long, value_name = "N")]
    pub slots: Option<u32>,
    /// Seed of all the study's randomness [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// What may pass without you [default: ask in the cockpit, auto with --auto]
    #[arg(long, value_enum)]
    pub autonomy: Option<AutonomyArg>,
    #[command(flatten)]
    pub how: How,
    /// Tier of isolation, A to D, or `none`
    #[arg(long, value_name = "TIER|none")]
    pub isolation: Option<String>,
    /// Command to run, for a directory without a task.toml; the one that it makes is written there
    #[arg(long, value_name = "COMMAND", help_heading = "Without a task.toml")]
    pub cmd: Option<String>,
    /// Pattern of the score in its output, with a group around the number
    #[arg(long, value_name = "REGEX", help_heading = "Without a task.toml")]
    pub metric: Option<String>,
    /// minimize or maximize
    #[arg(long, value_name = "GOAL", help_heading = "Without a task.toml")]
    pub goal: Option<String>,
    /// Budget of one run, e.g. 5m
    #[arg(long, value_name = "T", help_heading = "Without a task.toml")]
    pub wall: Option<String>,
    /// Paths that may be edited [default: what the command names and imports]
    #[arg(long, value_name = "GLOB", help_heading = "Without a task.toml")]
    pub edit: Vec<String>,
}

/// Which program wrote a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// The results.tsv of karpathy/autoresearch
    Autoresearch,
    /// A results table of the CMU recipes
    Recipes,
    /// A journal.json of AIDE
    Aide,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GoalArg {
    /// Lower
    Minimize,
    /// Higher
    Maximize,
}

/// Options of `import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The file
    pub file: PathBuf,
    /// Which program wrote it
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub from: FormatArg,
    /// Name of the study [default: that of the file or its directory]
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    /// Branch of the history (autoresearch): brings the commits that the table names
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Repository of the commits [default: the one that the file lies in]
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// Column of the score, where the file does not say
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Which way it is better, where the file does not say
    #[arg(long, value_enum, value_name = "GOAL")]
    pub goal: Option<GoalArg>,
    /// What was made as one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub studies: Studies,
}

/// What `ctl` can do.
#[derive(Debug, Subcommand)]
pub enum Wish {
    /// Let a proposal run
    Accept {
        /// The proposal
        proposal: String,
        /// The tree that was looked at; refused when it has changed since
        #[arg(long)]
        tree: Option<String>,
    },
    /// Let a proposal never run
    Veto {
        /// The proposal
        proposal: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Replace a proposal by a new revision of yours, which waits for its own accept
    Edit {
        /// The proposal
        proposal: String,
        /// A unified diff or SEARCH/REPLACE blocks against the parent; - for standard input
        #[arg(long, value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
        patch: Option<PathBuf>,
        /// A directory with the edited files
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Ask the proposer for a new revision
    Revise {
        /// The proposal
        proposal: String,
        /// What to do better
        #[arg(long)]
        comment: String,
    },
    /// Take the last review of a proposal back
    Undo {
        /// The proposal
        proposal: String,
    },
    /// Start nothing new
    Pause,
    /// Start again
    Unpause,
    /// End a run
    Kill {
        /// The run, such as t0005/run-1
        run: String,
    },
    /// Run a trial again with fresh seeds
    Replicate {
        /// The trial
        trial: String,
        /// How many more runs
        #[arg(long, default_value_t = 1)]
        runs: u32,
    },
    /// Change what may pass without a person
    Autonomy {
        /// The mode
        #[arg(value_enum)]
        mode: AutonomyArg,
    },
    /// Say something to the agents
    Steer {
        /// What
        text: String,
        /// To which role
        #[arg(long)]
        to: Option<String>,
    },
    /// Ask agents of a kind more or less often than their results say
    Favour {
        /// The role, or ROLE/MODEL, ROLE/MODEL/SURFACE, ROLE//SURFACE
        kind: String,
        /// What their worth is multiplied by; 0 is never, 1 is no favour
        factor: f64,
    },
    /// Refuse proposals that touch what a pattern names; your own are free
    Forbid {
        /// A pattern of paths in the tree, such as 'models/**'
        glob: String,
        /// Allow it again
        #[arg(long)]
        off: bool,
    },
    /// Change who proposes, from the next request on
    Proposer {
        /// One, or several joined by +, which take turns
        #[arg(value_name = "P[+P]")]
        proposers: String,
    },
    /// Build on a trial next
    Branch {
        /// The trial
        trial: String,
    },
    /// Extend a trial before others
    Pin {
        /// The trial
        trial: String,
        /// Take the pin off
        #[arg(long)]
        off: bool,
    },
    /// Do not extend a trial any more
    Prune {
        /// The trial
        trial: String,
        /// Extend it again
        #[arg(long)]
        off: bool,
    },
}
