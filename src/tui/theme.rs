//! Colours by role. Themes are TOML files; a missing role falls back along its dots, a missing file to `default`.
//!
//! The only place that names colours. `mono` uses modifiers alone, because crossterm under NO_COLOR turns each colour
//! command into a full reset (see `run`).

use include_dir::{Dir, include_dir};
use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/themes");

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorDepth {
    /// The terminal's own 16 colours.
    Ansi16,
    /// The 256-colour table.
    Ansi256,
    /// 24 bits.
    TrueColor,
}

macro_rules! roles {
    ($($name:ident = $word:literal),* $(,)?) => {
        /// What a piece of text is, so that a theme can say how it looks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the names are the documentation; themes/default.toml lists them")]
        pub enum Role { $($name),* }
        impl Role {
            /// All of them.
            pub const ALL: &'static [Role] = &[$(Role::$name),*];
            /// The key in a theme file.
            pub fn word(self) -> &'static str { match self { $(Role::$name => $word),* } }
        }
    };
}

roles! {
    Text = "text", Dim = "text.dim", Strong = "text.strong", Accent = "accent",
    Border = "border", BorderFocus = "border.focus", Title = "title", TitleFocus = "title.focus", TitleDim = "title.dim",
    Selection = "selection", Resting = "selection.resting", Bar = "bar", Hint = "hint", HintOff = "hint.off", Match = "match",
    Running = "status.running", Queued = "status.queued", Waiting = "status.waiting", Ok = "status.ok", Failed = "status.failed",
    Killed = "status.killed", Unsure = "status.unsure", Best = "status.best", Guide = "guide",
    Better = "delta.better", Worse = "delta.worse",
    DiffAdd = "diff.add", DiffDel = "diff.del", DiffAddWord = "diff.add.word", DiffDelWord = "diff.del.word",
    DiffAddGround = "diff.add.ground", DiffDelGround = "diff.del.ground", DiffHunk = "diff.hunk", DiffMeta = "diff.meta",
    Chart1 = "chart.1", Chart2 = "chart.2", Chart3 = "chart.3", Chart4 = "chart.4", Chart5 = "chart.5", Chart6 = "chart.6",
    Chart7 = "chart.7", Chart8 = "chart.8", ChartReference = "chart.reference",
    MeterLow = "meter.low", MeterMid = "meter.mid", MeterHigh = "meter.high", MeterEmpty = "meter.empty",
    Thought = "agent.thought", Warn = "warn", Error = "error",
}

impl Role {
    /// The colour of the n-th curve.
    pub fn chart(n: usize) -> Self {
        match n % 8 {
            0 => Self::Chart1,
            1 => Self::Chart2,
            2 => Self::Chart3,
            3 => Self::Chart4,
            4 => Self::Chart5,
            5 => Self::Chart6,
            6 => Self::Chart7,
            _ => Self::Chart8,
        }
    }
}

/// One style a role.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    styles: BTreeMap<Role, Style>,
    /// What was wrong with the file, for a notice.
    pub warnings: Vec<String>,
}

/// A theme that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No such name.
    #[error("there is no theme `{name}`; shipped are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Not TOML.
    #[error("theme `{name}`: {message}")]
    Syntax {
        /// Which.
        name: String,
        /// The parser's words, with line and column.
        message: String,
    },
}

impl Theme {
    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }

    /// No colour and no modifier: what remains when nothing can be loaded.
    pub fn plain() -> Self {
        Self { name: "plain".into(), styles: BTreeMap::new(), warnings: Vec::new() }
    }

    /// Names of the shipped themes, in order.
    pub fn shipped() -> Vec<String> {
        let mut names: Vec<String> =
            SHIPPED.files().filter_map(|f| f.path().file_stem().and_then(|s| s.to_str()).map(str::to_owned)).collect();
        names.sort();
        names
    }

    /// A shipped theme.
    pub fn named(name: &str, depth: ColorDepth) -> Result<Self, ThemeError> {
        let text = shipped_text(name).ok_or_else(|| ThemeError::Unknown { name: name.into(), known: Self::shipped().join(", ") })?;
        Self::parse(name, text, depth)
    }

    /// A theme from the text of a file; roles that it does not name come from what it inherits, `default` unless told.
    pub fn parse(name: &str, text: &str, depth: ColorDepth) -> Result<Self, ThemeError> {
        let mut layers = vec![table(name, text)?];
        let mut warnings = Vec::new();
        let mut at = name.to_owned();
        while layers.len() < 8 {
            let parent = layers.last().and_then(|t| t.get("inherits")).and_then(|v| v.as_str()).map(str::to_owned);
            let parent = match parent {
                Some(parent) => parent,
                None if at == "default" => break,
                None => "default".to_owned(),
            };
            let Some(text) = shipped_text(&parent) else {
                warnings.push(format!("theme `{at}` inherits `{parent}`, which does not exist"));
                break;
            };
            layers.push(table(&parent, text)?);
            at = parent;
        }
        let mut found: BTreeMap<Role, Style> = BTreeMap::new();
        for layer in layers.iter().rev() {
            read_layer(layer, depth, &mut found, &mut warnings);
        }
        let styles = Role::ALL.iter().map(|role| (*role, fallback(&found, *role))).collect();
        Ok(Self { name: name.to_owned(), styles, warnings })
    }
}

fn shipped_text(name: &str) -> Option<&'static str> {
    SHIPPED.get_file(format!("{name}.toml"))?.contents_utf8()
}

fn table(name: &str, text: &str) -> Result<toml::Table, ThemeError> {
    text.parse::<toml::Table>().map_err(|e| ThemeError::Syntax { name: name.into(), message: e.to_string() })
}

/// The style of the role, or of the nearest name above it.
fn fallback(found: &BTreeMap<Role, Style>, role: Role) -> Style {
    let mut word = role.word();
    loop {
        if let Some(style) = Role::ALL.iter().find(|r| r.word() == word).and_then(|r| found.get(r)) {
            return *style;
        }
        match word.rsplit_once('.') {
            Some((above, _)) => word = above,
            None => return Style::default(),
        }
    }
}

fn read_layer(layer: &toml::Table, depth: ColorDepth, found: &mut BTreeMap<Role, Style>, warnings: &mut Vec<String>) {
    let empty = toml::Table::new();
    let palette = layer.get("palette").and_then(|p| p.as_table()).unwrap_or(&empty);
    let Some(roles) = layer.get("roles").and_then(|r| r.as_table()) else { return };
    for (word, value) in roles {
        let Some(role) = Role::ALL.iter().find(|r| r.word() == word) else {
            warnings.push(format!("unknown role `{word}`"));
            continue;
        };
        match style(value, palette, depth) {
            Ok(style) => {
                found.insert(*role, style);
            }
            Err(why) => warnings.push(format!("role `{word}`: {why}")),
        }
    }
}

fn style(value: &toml::Value, palette: &toml::Table, depth: ColorDepth) -> Result<Style, String> {
    let color_of = |v: &toml::Value| v.as_str().ok_or_else(|| "a colour is a string".to_owned()).and_then(|t| color(t, palette, depth));
    let mut style = Style::default();
    match value {
        toml::Value::String(_) => style = style.fg(color_of(value)?),
        toml::Value::Table(t) => {
            if let Some(fg) = t.get("fg") {
                style = style.fg(color_of(fg)?);
            }
            if let Some(bg) = t.get("bg") {
                style = style.bg(color_of(bg)?);
            }
            for m in t.get("mods").and_then(|m| m.as_array()).into_iter().flatten() {
                style = style.add_modifier(match m.as_str() {
                    Some("bold") => Modifier::BOLD,
                    Some("dim") => Modifier::DIM,
                    Some("italic") => Modifier::ITALIC,
                    Some("underline") => Modifier::UNDERLINED,
                    Some("reverse") => Modifier::REVERSED,
                    _ => return Err(format!("unknown modifier {m}")),
                });
            }
        }
        _ => return Err("a colour, or a table of fg, bg and mods".into()),
    }
    Ok(style)
}

fn color(text: &str, palette: &toml::Table, depth: ColorDepth) -> Result<Color, String> {
    let text = palette.get(text).and_then(|v| v.as_str()).unwrap_or(text);
    let Some(hex) = text.strip_prefix('#') else {
        return match text {
            "reset" => Ok(Color::Reset),
            "black" => Ok(Color::Black),
            "red" => Ok(Color::Red),
            "green" => Ok(Color::Green),
            "yellow" => Ok(Color::Yellow),
            "blue" => Ok(Color::Blue),
            "magenta" => Ok(Color::Magenta),
            "cyan" => Ok(Color::Cyan),
            "white" => Ok(Color::Gray),
            "bright-black" => Ok(Color::DarkGray),
            "bright-red" => Ok(Color::LightRed),
            "bright-green" => Ok(Color::LightGreen),
            "bright-yellow" => Ok(Color::LightYellow),
            "bright-blue" => Ok(Color::LightBlue),
            "bright-magenta" => Ok(Color::LightMagenta),
            "bright-cyan" => Ok(Color::LightCyan),
            "bright-white" => Ok(Color::White),
            _ => Err(format!("unknown colour `{text}`")),
        };
    };
    let n = u32::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 6).ok_or_else(|| format!("`{text}` is not #rrggbb"))?;
    let (r, g, b) = ((n >> 16) as u8, (n >> 8) as u8, n as u8);
    Ok(match depth {
        ColorDepth::TrueColor => Color::Rgb(r, g, b),
        ColorDepth::Ansi256 => Color::Indexed(nearest_256(r, g, b)),
        ColorDepth::Ansi16 => nearest_16(r, g, b),
    })
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> i32 {
    let d = |x: u8, y: u8| (i32::from(x) - i32::from(y)).pow(2);
    2 * d(a.0, b.0) + 4 * d(a.1, b.1) + 3 * d(a.2, b.2)
}

fn nearest_256(r: u8, g: u8, b: u8) -> u8 {
    let level = |v: u8| {
        if v < 48 {
            0
        } else if v < 115 {
            1
        } else {
            (v - 35) / 40
        }
    };
    let value = |l: u8| if l == 0 { 0 } else { 55 + 40 * l };
    let (lr, lg, lb) = (level(r), level(g), level(b));
    let cube = (value(lr), value(lg), value(lb));
    let average = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let step = (average.saturating_sub(3) / 10).min(23) as u8;
    let gray = 8 + 10 * step;
    if distance((gray, gray, gray), (r, g, b)) < distance(cube, (r, g, b)) { 232 + step } else { 16 + 36 * lr + 6 * lg + lb }
}

fn nearest_16(r: u8, g: u8, b: u8) -> Color {
    let table = [
        ((205, 49, 49), Color::Red),
        ((13, 188, 121), Color::Green),
        ((229, 229, 16), Color::Yellow),
        ((36, 114, 200), Color::Blue),
        ((188, 63, 188), Color::Magenta),
        ((17, 168, 205), Color::Cyan),
        ((102, 102, 102), Color::DarkGray),
        ((229, 229, 229), Color::Reset),
    ];
    table.iter().min_by_key(|(c, _)| distance(*c, (r, g, b))).map_or(Color::Reset, |(_, color)| *color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_theme_loads_without_a_warning_and_knows_every_role() {
        let names = Theme::shipped();
        for name in ["colorblind", "default", "high-contrast", "midnight", "mono"] {
            assert!(names.iter().any(|n| n == name), "{name} is missing");
        }
        for name in names {
            for depth in [ColorDepth::Ansi16, ColorDepth::Ansi256, ColorDepth::TrueColor] {
                let theme = Theme::named(&name, depth).unwrap();
                assert_eq!(theme.warnings, Vec::<String>::new(), "{name}");
                assert_eq!(theme.styles.len(), Role::ALL.len());
                for role in [Role::Selection, Role::DiffAdd, Role::DiffDel, Role::Dim, Role::BorderFocus] {
                    assert_ne!(theme.style(role), Style::default(), "{name} {role:?}");
                }
                assert_ne!(theme.style(Role::DiffAdd), theme.style(Role::DiffDel), "{name}");
            }
        }
    }

    #[test]
    fn default_fixes_no_background_and_mono_no_colour() {
        for role in Role::ALL {
            let style = Theme::named("default", ColorDepth::TrueColor).unwrap().style(*role);
            assert!(!matches!(style.fg, Some(Color::White | Color::Gray | Color::Black | Color::Rgb(..))), "{role:?}");
            assert!(style.bg.is_none(), "{role:?}");
            let mono = Theme::named("mono", ColorDepth::TrueColor).unwrap().style(*role);
            assert!(matches!(mono.fg, None | Some(Color::Reset)) && mono.bg.is_none(), "{role:?}");
        }
    }

    #[test]
    fn a_partial_file_overrides_and_bad_words_are_warnings() {
        let text = "[palette]\nhot = \"#ff0000\"\n[roles]\n\"status.ok\" = \"hot\"\nnonsense = \"red\"\n\"warn\" = \"pinkish\"\n";
        let theme = Theme::parse("mine", text, ColorDepth::TrueColor).unwrap();
        assert_eq!(theme.style(Role::Ok).fg, Some(Color::Rgb(255, 0, 0)));
        assert_eq!(theme.warnings.len(), 2, "{:?}", theme.warnings);
        assert_eq!(theme.style(Role::DiffAdd), Theme::named("default", ColorDepth::TrueColor).unwrap().style(Role::DiffAdd));
        assert!(Theme::parse("bad", "[roles", ColorDepth::Ansi16).is_err());
        assert!(Theme::named("nope", ColorDepth::Ansi16).unwrap_err().to_string().contains("default"));
    }
}
