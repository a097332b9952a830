//! What a name says of a literal: the family of hyperparameters it belongs to, or that it is none.

/// Families with a range of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    LearningRate,
    Dropout,
    Momentum,
    /// Decay of a running average that lies close to 1 (`beta2`, `ema_decay`).
    Average,
    WeightDecay,
    LabelSmoothing,
    /// Additive smoothing, clipping, temperatures, initial scales: positive, of unknown scale.
    Scale,
    Decay,
    Probability,
    Batch,
    Width,
    /// Epochs, layers, steps, patience, n-gram orders.
    Count,
    Unknown,
}

/// Words that mark what is no knob: what a study must hold fixed, what only reports, what the data decides.
const NEVER: &[&str] = &[
    "seed",
    "seeds",
    "port",
    "ports",
    "version",
    "versions",
    "path",
    "paths",
    "dir",
    "dirs",
    "directory",
    "folder",
    "file",
    "files",
    "filename",
    "url",
    "urls",
    "uri",
    "host",
    "hostname",
    "verbose",
    "verbosity",
    "debug",
    "quiet",
    "log",
    "logs",
    "logging",
    "logger",
    "wandb",
    "tensorboard",
    "interval",
    "every",
    "frequency",
    "freq",
    "print",
    "report",
    "reports",
    "plot",
    "save",
    "saved",
    "checkpoint",
    "checkpoints",
    "ckpt",
    "resume",
    "load",
    "reload",
    "download",
    "timeout",
    "budget",
    "deadline",
    "wall",
    "seconds",
    "secs",
    "minutes",
    "hours",
    "ms",
    "worker",
    "workers",
    "device",
    "devices",
    "gpu",
    "gpus",
    "cuda",
    "cpu",
    "cpus",
    "thread",
    "threads",
    "process",
    "processes",
    "rank",
    "world",
    "id",
    "ids",
    "idx",
    "index",
    "classes",
    "labels",
    "vocab",
    "eval",
    "evaluation",
    "val",
    "valid",
    "validation",
    "test",
    "holdout",
    "dev",
    "profile",
    "profiling",
    "distributed",
    "ddp",
    "fsdp",
    "compile",
    "dry",
    "help",
    "dtype",
    "year",
    "date",
    "pad",
    "ignore",
    "deterministic",
    "cache",
    "eps",
    "tol",
    "tolerance",
    "unk",
    "bos",
    "eos",
    "name",
    "title",
    "author",
    "revision",
    "salt",
    "magic",
    "separator",
    "encoding",
    "task",
    "dataset_name",
    "experiment",
    "repeat",
    "repeats",
    "runs",
    "trials",
    "itr",
    "horizon",
    "backend",
    "project",
    "entity",
    "tag",
    "tags",
    "notes",
    "master",
    "addr",
    "nodes",
    "nproc",
    "overwrite",
    "fps",
    "language",
    "lang",
    "locale",
    "slurm",
    "partition",
    "bytes",
    "inference",
    "generate",
    "predict",
    "prediction",
    "from",
    "shard",
    "shards",
    "flops",
    "flop",
    "peak",
    "history",
];

/// Names that mark the same where they are the whole last part: what is trained on, and how a run is called.
const NEVER_WHOLE: &[&str] = &[
    "data",
    "dataset",
    "datasets",
    "target",
    "features",
    "split",
    "mode",
    "root",
    "des",
    "comment",
    "description",
    "inverse",
    "job",
    "action",
];

/// Words of texts whose choices the code's comparisons tell.
const RECIPE: &[&str] = &[
    "optimizer",
    "optimiser",
    "optim",
    "opt",
    "solver",
    "scheduler",
    "schedule",
    "sched",
    "lradj",
    "activation",
    "act",
    "nonlinearity",
    "norm",
    "normalization",
    "pool",
    "pooling",
    "init",
    "initialization",
    "embed",
    "embedding",
    "positional",
    "pos",
    "aggregation",
    "aggr",
    "augment",
    "augmentation",
    "attention",
    "attn",
    "fusion",
    "decomp",
    "method",
    "loss",
    "criterion",
    "decay",
    "weighting",
    "backbone",
    "arch",
    "type",
    "strategy",
    "sampler",
    "counts",
    "kernel",
];

/// Neighbouring words that mark the same.
const NEVER_PAIRS: &[(&str, &str)] = &[
    ("random", "state"),
    ("time", "limit"),
    ("max", "time"),
    ("input", "dim"),
    ("input", "size"),
    ("in", "dim"),
    ("in", "features"),
    ("in", "channels"),
    ("output", "dim"),
    ("output", "size"),
    ("out", "dim"),
    ("out", "features"),
    ("out", "channels"),
    ("image", "size"),
    ("img", "size"),
    ("num", "features"),
    ("n", "features"),
    ("pin", "memory"),
    ("local", "rank"),
    ("early", "exit"),
    ("sample", "rate"),
    ("is", "training"),
    ("enc", "in"),
    ("dec", "in"),
    ("c", "in"),
    ("c", "out"),
    ("pred", "len"),
    ("label", "len"),
    ("output", "attention"),
    ("in", "chans"),
    ("num", "class"),
    ("n", "class"),
    ("start", "epoch"),
    ("start", "iter"),
    ("start", "step"),
    ("start", "level"),
    ("num", "frames"),
    ("world", "size"),
    ("max", "keep"),
    ("keep", "last"),
    ("total", "limit"),
];

/// Words of how long a run trains.
const LENGTHS: &[&str] = &["epoch", "epochs", "iter", "iters", "iteration", "iterations", "step", "steps", "updates", "passes", "tokens"];

/// Words that make a length something else than the run's: a part of a schedule, a count inside a step.
const PARTS: &[&str] = &[
    "warmup",
    "warm",
    "warmdown",
    "cooldown",
    "decay",
    "lr",
    "schedule",
    "scheduler",
    "accumulation",
    "accum",
    "grad",
    "gradient",
    "patience",
    "restart",
    "restarts",
    "per",
    "batch",
    "size",
    "anneal",
    "ramp",
    "freeze",
    "unfreeze",
    "diffusion",
    "rollout",
    "unroll",
    "inner",
    "min",
    "swa",
    "ema",
    "mixup",
    "milestone",
    "milestones",
    "gamma",
    "n_step",
    "look",
    "sinkhorn",
    "power",
    "newton",
    "ns",
];

/// Words of switches that are worth turning where a name alone tells (module variables in lower case).
const SWITCHES: &[&str] = &[
    "use",
    "with",
    "bias",
    "tie",
    "tied",
    "norm",
    "normalize",
    "normalise",
    "shuffle",
    "nesterov",
    "amsgrad",
    "lower",
    "lowercase",
    "average",
    "averaging",
    "cosine",
    "augment",
    "augmentation",
    "causal",
    "residual",
    "prenorm",
    "balanced",
    "weighted",
    "independence",
    "distil",
    "warmup",
    "ema",
    "swa",
    "amsgrad",
    "flip",
    "decay",
    "amp",
    "fp16",
    "bf16",
    "mixup",
    "cutmix",
    "clip",
    "upsampling",
    "dropout",
    "regularize",
];

/// The words of a name in lower case: `opt.learningRate` is `opt`, `learning`, `rate`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before_lower = false;
    for c in name.chars() {
        let breaks = !c.is_alphanumeric();
        if (breaks || (c.is_uppercase() && before_lower)) && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if !breaks {
            word.extend(c.to_lowercase());
        }
        before_lower = c.is_lowercase();
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Whether a name marks something that no sampler may turn.
pub(super) fn never(words: &[String]) -> bool {
    // `DEVICE_BATCH_SIZE` and `per_gpu_batch` are sizes, not devices.
    let batch = words.iter().any(|w| w == "batch");
    let has = |word: &String| NEVER.contains(&word.as_str()) && !(batch && matches!(word.as_str(), "device" | "gpu"));
    // `test_cfg.nms_sigma` says how predictions are made of what was learned, not how they are measured.
    let predicts = words.windows(2).any(|pair| matches!(pair, [a, b] if a == "test" && matches!(b.as_str(), "cfg" | "config")));
    let has = |word: &String| has(word) && !(predicts && word == "test");
    let pair = |pair: &[String]| matches!(pair, [a, b] if NEVER_PAIRS.contains(&(a, b)));
    words.iter().any(has) || words.windows(2).any(pair)
}

/// Whether the last part of a name, as a whole, marks the same.
pub(super) fn never_whole(leaf: &str) -> bool {
    NEVER_WHOLE.contains(&leaf.to_ascii_lowercase().as_str())
}

/// Whether a whole number says how long a run trains: more of it only buys compute.
pub(super) fn budget(words: &[String]) -> bool {
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    has(LENGTHS) && !has(PARTS)
}

/// Whether a text of this name is part of the recipe, so that the code's comparisons tell its choices.
pub(super) fn recipe(words: &[String]) -> bool {
    words.iter().any(|w| RECIPE.contains(&w.as_str()))
}

/// Whether a name in lower case is surely a switch of the recipe.
pub(super) fn switch(words: &[String]) -> bool {
    words.iter().any(|w| SWITCHES.contains(&w.as_str()))
}

/// The family that a name tells. `whole` says that the literal is a whole number and no type makes it a float.
pub(super) fn family(words: &[String], whole: bool) -> Family {
    let has = |wanted: &[&str]| words.iter().any(|w| wanted.contains(&w.as_str()));
    let counts = has(&[
        "epoch",
        "epochs",
        "step",
        "steps",
        "iter",
        "iters",
        "iterations",
        "passes",
        "rounds",
        "layer",
        "layers",
        "depth",
        "patience",
        "warmup",
        "blocks",
        "trees",
        "estimators",
        "neighbors",
        "neighbours",
        "ngram",
        "ngrams",
        "order",
        "degree",
        "count",
        "min",
        "max",
        "num",
        "n",
        "accumulation",
        "restarts",
        "period",
        "head",
        "heads",
        "head_dim",
        "top",
        "topk",
        "k",
        "factor",
        "groups",
        "stages",
        "experts",
        "leaves",
        "kernels",
        "expand",
        "ratio",
        "mult",
        "multiplier",
        "len",
        "length",
        "kernel",
        "nlayer",
        "nlayers",
        "avg",
    ]);
    if whole {
        return match () {
            () if has(&["batch", "batchsize", "minibatch", "bs"]) => Family::Batch,
            () if has(&["layer", "layers", "depth", "epochs", "epoch", "steps", "patience"]) => Family::Count,
            () if has(&[
                "hidden",
                "width",
                "dim",
                "dims",
                "units",
                "channels",
                "embd",
                "embed",
                "embedding",
                "filters",
                "size",
                "dmodel",
                "model",
                "ffn",
                "ff",
                "buckets",
                "bins",
                "heads",
                "head",
                "block",
                "context",
                "features",
                "rank",
                "ff",
                "feedforward",
                "emb",
                "seq",
                "patch",
                "window",
                "latent",
                "nhead",
                "nheads",
                "hid",
                "chans",
                "expansion",
            ]) =>
            {
                Family::Width
            }
            () if counts => Family::Count,
            () => Family::Unknown,
        };
    }
    match () {
        () if has(&["dropout", "drop", "droppath", "dropconnect", "pdrop", "droprate", "dropedge", "dpr"]) => Family::Dropout,
        () if has(&["wd", "l1", "l2", "weightdecay", "ridge", "lambda", "regularization", "regularisation", "reg", "penalty"]) => {
            Family::WeightDecay
        }
        () if has(&["decay"]) && has(&["weight", "weights"]) => Family::WeightDecay,
        () if has(&["beta2", "ema", "polyak"]) => Family::Average,
        () if has(&["momentum", "beta1", "beta", "betas", "mu"]) => Family::Momentum,
        () if has(&["decay", "gamma", "anneal"]) => Family::Decay,
        // A share of the learning rate is a share.
        () if has(&["frac", "fraction", "ratio"]) => Family::Probability,
        () if has(&["lr", "lrs", "eta", "lr0", "lrf", "learningrate", "step_size"]) || (has(&["learning"]) && has(&["rate"])) => {
            Family::LearningRate
        }
        () if has(&["smoothing"]) && has(&["label"]) => Family::LabelSmoothing,
        () if has(&[
            "prob",
            "probability",
            "p",
            "rate",
            "ratio",
            "fraction",
            "frac",
            "quantile",
            "pct",
            "percent",
            "portion",
            "share",
            "mixup",
            "cutmix",
        ]) =>
        {
            Family::Probability
        }
        () if has(&[
            "smoothing",
            "clip",
            "clipping",
            "temperature",
            "temp",
            "std",
            "sigma",
            "scale",
            "gain",
            "alpha",
            "init",
            "norm",
            "l2norm",
            "weight",
            "coef",
            "coeff",
            "coefficient",
            "margin",
            "radius",
            "factor",
            "mult",
            "multiplier",
            "delta",
            "epsilon",
            "strength",
            "clipnorm",
            "power",
        ]) =>
        {
            Family::Scale
        }
        () if counts => Family::Count,
        () => Family::Unknown,
    }
}
