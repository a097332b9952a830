//! The tiers of isolation, from the strongest to none.

/// One tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    A,
    B,
    C,
    D,
    E,
}

impl Tier {
    pub(crate) const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// The letter that the program shows.
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
        }
    }

    /// What `--isolation` is told.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::E => "none",
            other => other.letter(),
        }
    }

    /// Whether the program is to run as another user than the suite: C is what an ordinary user has, and root has better.
    pub(crate) fn as_user(self) -> bool {
        self == Self::C && rustix::process::geteuid().is_root()
    }

    /// The tiers that are asked for (`TRIALDECK_ATTACK_TIERS=A,E`), else all.
    pub(crate) fn wanted() -> Vec<Self> {
        let asked = std::env::var("TRIALDECK_ATTACK_TIERS").unwrap_or_default();
        Self::ALL.into_iter().filter(|t| asked.is_empty() || asked.contains(t.letter())).collect()
    }
}
