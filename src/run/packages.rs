//! What an interpreter has at hand: its version, and those of the packages that training code is written with. Read from the
//! packages' own records; none of them is imported.

use crate::model::Safe;
use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Time for the interpreter to read the records.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const LONGEST: u64 = 4096;

const ASK: &str = r#"
import os, sys
from importlib.metadata import distributions
version = "python%d.%d" % sys.version_info[:2]
prefixes = [os.path.dirname(os.path.dirname(sys.executable))]
try:
    with open(os.path.join(prefixes[0], "pyvenv.cfg")) as file:
        shared = "include-system-site-packages=true" in file.read().lower().replace(" ", "")
except OSError:
    shared = True
if shared:
    prefixes += [sys.base_prefix, "/usr/local"]
places = [os.path.join(prefix, "lib", name) for prefix in prefixes for name in
          (version + "/site-packages", version + "/dist-packages", "python3/dist-packages")]
known = """torch numpy scipy scikit-learn jax jaxlib flax optax tensorflow keras transformers datasets tokenizers accelerate
lightning pytorch-lightning timm torchvision torchaudio triton einops pandas polars pyarrow numba xgboost lightgbm catboost
statsmodels""".split()
found = {}
for package in distributions(path=places):
    name = (package.metadata["Name"] or "").lower().replace("_", "-")
    if name in known:
        found.setdefault(name, package.version)
print("Python " + sys.version.split()[0] + "".join(", %s %s" % (name, found[name]) for name in known if name in found))
"#;

/// In one line: `Python 3.11.2, torch 2.4.0, numpy 1.26.4`; none when the interpreter cannot say.
pub fn of_interpreter(interpreter: &Path) -> Option<String> {
    let mut child = Command::new(interpreter)
        // Without `site`: what lies among packages to be run at every start has no business in here.
        .args(["-I", "-S", "-B", "-W", "ignore", "-c", ASK])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let end = Instant::now() + PATIENCE;
    // The answer is a line: it fits into the pipe.
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut text = String::new();
    child.stdout.take()?.take(LONGEST).read_to_string(&mut text).ok()?;
    let line = Safe::line(text.lines().next()?).into_string();
    line.starts_with("Python ").then_some(line)
}

#[cfg(test)]
mod tests {
    use super::of_interpreter;
    use crate::run::interpreter;
    use std::path::Path;

    #[test]
    fn an_interpreter_says_its_version() {
        let path = std::env::var("PATH").unwrap_or_default();
        let Some(python) = interpreter::of_command("python3 x.py", &path, None) else { return };
        let line = of_interpreter(&python).unwrap();
        assert!(line.starts_with("Python 3."), "{line}");
        assert_eq!(of_interpreter(Path::new("/bin/true")), None);
        assert_eq!(of_interpreter(Path::new("/nowhere/python3")), None);
    }
}
