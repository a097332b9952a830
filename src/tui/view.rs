//! Paints a view-model into a buffer. Changes nothing but cells, and draws nothing outside the area.

use super::ink::{Ground, Line};
use super::project::{Block, Frame, ViewModel};
use super::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// How it is painted.
#[derive(Debug, Clone, Copy)]
pub struct Brush<'a> {
    /// Colours.
    pub theme: &'a Theme,
    /// Whether borders, glyphs and curves may be other than ASCII.
    pub unicode: bool,
}

/// Paints everything.
pub fn view(vm: &ViewModel, brush: Brush<'_>, area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    buffer.set_style(area, brush.theme.style(Role::Text));
    for block in &vm.blocks {
        paint_block(block, brush, area, buffer);
    }
}

fn paint_block(block: &Block, brush: Brush<'_>, screen: Rect, buffer: &mut Buffer) {
    let area = block.area.intersection(screen);
    if area.is_empty() {
        return;
    }
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
                cell.set_style(brush.theme.style(Role::Text));
            }
        }
    }
    let inside = match &block.frame {
        Some(frame) => {
            paint_frame(frame, brush, area, buffer);
            super::layout::inner(area)
        }
        None => area,
    };
    for (line, y) in block.lines.iter().zip(inside.top()..inside.bottom()) {
        paint_line(line, brush, Rect { y, height: 1, ..inside }, buffer);
    }
}

fn paint_frame(frame: &Frame, brush: Brush<'_>, area: Rect, buffer: &mut Buffer) {
    let style = brush.theme.style(if frame.focus { Role::BorderFocus } else { Role::Border });
    if area.width < 2 || area.height < 2 {
        return;
    }
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    let mut put = |x: u16, y: u16, symbol: &str, style: Style| {
        if let Some(cell) = buffer.cell_mut((x, y)) {
            cell.set_symbol(shown(symbol, brush.unicode).as_ref()).set_style(style);
        }
    };
    for x in area.left()..=right {
        put(x, area.y, "─", style);
        put(x, bottom, "─", style);
    }
    for y in area.top()..=bottom {
        put(area.x, y, "│", style);
        put(right, y, "│", style);
    }
    put(area.x, area.y, "╭", style);
    put(right, area.y, "╮", style);
    put(area.x, bottom, "╰", style);
    put(right, bottom, "╯", style);
    if let Some((top, total, rows)) = frame.scroll {
        let track = usize::from(area.height.saturating_sub(2));
        let thumb = (rows * track / total.max(1)).max(1);
        let most = total.saturating_sub(rows).max(1);
        let start = (track.saturating_sub(thumb) * top.min(most) + most / 2) / most;
        for n in start..(start + thumb).min(track) {
            put(right, area.y + 1 + n as u16, "┃", style);
        }
    }
    let room = area.width.saturating_sub(4);
    let title = Rect { x: area.x + 2, y: area.y, width: room, height: 1 };
    paint_spans(&frame.title, brush, title, Style::default(), buffer);
    let width = (frame.info.width() as u16).min(room);
    let info = Rect { x: right.saturating_sub(1 + width), y: bottom, width, height: 1 };
    paint_spans(&frame.info, brush, info, Style::default(), buffer);
}

fn paint_line(line: &Line, brush: Brush<'_>, area: Rect, buffer: &mut Buffer) {
    let ground = match line.ground {
        Ground::Plain => Style::default(),
        Ground::Selected => brush.theme.style(Role::Selection),
        Ground::Resting => brush.theme.style(Role::Resting),
        Ground::Added => brush.theme.style(Role::DiffAddGround),
        Ground::Removed => brush.theme.style(Role::DiffDelGround),
        Ground::Bar => brush.theme.style(Role::Bar),
    };
    buffer.set_style(area, ground);
    paint_spans(line, brush, area, ground, buffer);
}

fn paint_spans(line: &Line, brush: Brush<'_>, area: Rect, ground: Style, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let mut x = area.x;
    for span in &line.spans {
        let left = area.right().saturating_sub(x);
        if left == 0 {
            break;
        }
        let mut style = brush.theme.style(span.role).patch(ground_over(ground));
        if ground.add_modifier.contains(Modifier::REVERSED) {
            // A reversed row of many colours is unreadable: one colour for all of it.
            style = Style::default().fg(Color::Reset).bg(Color::Reset).add_modifier(ground.add_modifier);
        } else if style.bg.is_none() {
            style.bg = ground.bg;
        }
        // What stood in the cell before (a border, a covered pane) must not shine through.
        style.fg = style.fg.or(Some(Color::Reset));
        style.sub_modifier = Modifier::all().difference(style.add_modifier);
        let text = shown(&span.text, brush.unicode);
        (x, _) = buffer.set_stringn(x, area.y, text.as_ref(), usize::from(left), style);
    }
}

/// What the ground adds to a span: its modifiers; its background only where the span has none of its own.
fn ground_over(ground: Style) -> Style {
    Style { fg: None, bg: None, ..ground }
}

/// The text itself, or in ASCII.
fn shown(text: &str, unicode: bool) -> std::borrow::Cow<'_, str> {
    if unicode || text.is_ascii() { text.into() } else { text.chars().map(ascii).collect::<String>().into() }
}

/// One column stays one column.
fn ascii(c: char) -> char {
    match c {
        '─' | '−' | '–' | '—' => '-',
        '━' | '╸' => '=',
        '∞' => '*',
        '│' | '┃' | '┤' | '▌' | '▎' => '|',
        '╭' | '╮' | '╰' | '╯' | '├' | '└' | '┌' | '┐' => '+',
        '●' | '■' | '◐' => '*',
        '✓' | '✎' => '+',
        '✗' | '×' | '⊘' => 'x',
        '○' | '◌' => 'o',
        '★' => '*',
        '◆' => '#',
        '•' | '·' => '.',
        '↩' | '↶' => '<',
        '≈' => '~',
        '▲' | '↑' => '^',
        '↓' => 'v',
        '›' | '→' | '▸' => '>',
        '▾' => 'v',
        '‹' => '<',
        '…' => '~',
        '±' => '~',
        'Δ' => 'd',
        '‖' => '=',
        '⟳' | '↻' => '@',
        '\u{2800}'..='\u{28ff}' => {
            let dots = (c as u32 - 0x2800).count_ones();
            if dots > 4 {
                '#'
            } else if dots > 1 {
                ':'
            } else {
                '.'
            }
        }
        '▁' | '▂' => '_',
        '▃' | '▄' | '▅' => '=',
        '▆' | '▇' | '█' => '#',
        c => c,
    }
}
