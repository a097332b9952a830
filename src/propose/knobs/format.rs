//! Which files may hold knobs, and who reads each of them.
//!
//! A format is told by the file's name alone. Manifests of tools (`pyproject.toml`, `package.json`, CI) are no settings of
//! a training run, and large data is no configuration.

use super::{found::Found, gin, json, python, shell, toml, yaml};

/// A larger file of settings is data.
const LARGEST_SETTINGS: usize = 256 << 10;

/// A format that is read and rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Python,
    Shell,
    Yaml,
    Toml,
    Json,
    Gin,
}

/// Names that belong to tools, not to training.
const TOOLS: &[&str] = &[
    "task.toml",
    "study.toml",
    "pyproject.toml",
    "cargo.toml",
    "pipfile.toml",
    "uv.toml",
    "ruff.toml",
    "pixi.toml",
    "poetry.toml",
    "rustfmt.toml",
    "clippy.toml",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "composer.json",
    "vercel.json",
    "manifest.json",
    "codemeta.json",
    "environment.yml",
    "environment.yaml",
    "env.yml",
    "env.yaml",
    "mkdocs.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yaml",
    "compose.yml",
    "codecov.yml",
    "readthedocs.yml",
    "cog.yaml",
    "dvc.lock",
    "setup.py",
    "conftest.py",
];

impl Format {
    /// The format of a path; none where it holds no knobs.
    pub(super) fn of(path: &str) -> Option<Self> {
        let hidden = path.split('/').any(|part| part.starts_with('.') && part.len() > 2);
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        if TOOLS.contains(&name.as_str()) || hidden {
            return None;
        }
        match name.rsplit_once('.')?.1 {
            "py" => Some(Self::Python),
            "sh" | "bash" | "zsh" | "slurm" | "sbatch" => Some(Self::Shell),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" | "jsonc" | "json5" => Some(Self::Json),
            "gin" => Some(Self::Gin),
            _ => None,
        }
    }

    /// The word for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::Shell => "shell",
            Self::Yaml => "YAML",
            Self::Toml => "TOML",
            Self::Json => "JSON",
            Self::Gin => "gin",
        }
    }

    /// Whether the file holds settings alone, which code reads.
    pub(super) fn is_settings(self) -> bool {
        match self {
            Self::Yaml | Self::Toml | Self::Json | Self::Gin => true,
            Self::Python | Self::Shell => false,
        }
    }

    /// The named literals of a file by place, or why it cannot be read.
    pub(super) fn literals(self, source: &str) -> Result<Vec<Found>, String> {
        if self != Self::Python && source.len() > LARGEST_SETTINGS {
            return Err(format!("{} bytes are data rather than settings", source.len()));
        }
        let mut out = match self {
            Self::Python => python::read(source)?.literals,
            Self::Shell => shell::read(source)?.literals,
            Self::Yaml => yaml::literals(source)?,
            Self::Toml => toml::literals(source)?,
            Self::Json => json::literals(source)?,
            Self::Gin => gin::literals(source)?,
        };
        out.sort_by_key(|f| f.place.start);
        out.dedup_by_key(|f| f.place.start);
        Ok(out)
    }
}
