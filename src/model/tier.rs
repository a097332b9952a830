//! How strongly runs are contained, from a world of their own to nothing.

use serde::{Deserialize, Serialize};

/// Strength of isolation, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// bubblewrap: files, processes, network and shared memory of its own, and a filter on system calls.
    A,
    /// Another user, Landlock and a filter on system calls: for root in a container without namespaces.
    B,
    /// Landlock and a filter on system calls, with the rights of whoever runs the engine.
    C,
    /// Another user, and nothing more.
    D,
    /// Nothing.
    E,
}

impl Tier {
    /// All of them, strongest first.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// The letter shown, stored and typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
        }
    }

    /// The tier of a letter, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.word().eq_ignore_ascii_case(text))
    }

    /// What it is made of.
    pub fn by(self) -> &'static str {
        match self {
            Self::A => "bubblewrap and seccomp",
            Self::B => "another user, Landlock and seccomp",
            Self::C => "Landlock and seccomp",
            Self::D => "another user",
            Self::E => "nothing",
        }
    }

    /// What it means for a run, in one line for people.
    pub fn means(self) -> &'static str {
        match self {
            Self::A => "a run sees its own directory, granted data and libraries; no other process, no network, no key",
            Self::B => "a run reads its own directory, granted data and libraries only; no network; names of processes can be seen",
            Self::C => "as B, but with your user id: it can change modes and times of your files, not their content",
            Self::D => "another user: whatever every user of this machine may read, and the network, are open to a run",
            Self::E => "none: runs have your rights, your network and your files; only accept code that you would run yourself",
        }
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
