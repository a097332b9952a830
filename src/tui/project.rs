//! Mirror and state become a view-model: bordered blocks of lines at their places. Its cost does not grow with the run.

use super::ink::{Ground, Line};
use super::layout::{self, inner};
use super::panes::{self, Ctx};
use super::state::{Pane, UiState};
use super::theme::Role;
use super::{footer, header, modal};
use crate::client::Mirror;
use crate::model::Millis;
use ratatui::layout::Rect;

/// A frame around lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// On the upper border, at the left.
    pub title: Line,
    /// On the lower border, at the right.
    pub info: Line,
    /// Has the focus.
    pub focus: bool,
    /// First row, rows in all, rows shown: the thumb on the right border.
    pub scroll: Option<(usize, usize, usize)>,
}

/// Lines at a place; later blocks cover earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// With the frame.
    pub area: Rect,
    /// Around the lines, where there is one.
    pub frame: Option<Frame>,
    /// At most as many as there is room for.
    pub lines: Vec<Line>,
}

impl Block {
    /// A bordered block.
    pub fn framed(area: Rect, title: Line, info: Line, focus: bool, lines: Vec<Line>) -> Self {
        Self { area, frame: Some(Frame { title, info, focus, scroll: None }), lines }
    }
}

/// All that is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ViewModel {
    /// In the order of painting.
    pub blocks: Vec<Block>,
    /// Where the terminal's cursor stands; hidden when none.
    pub cursor: Option<(u16, u16)>,
    /// For the terminal's title bar.
    pub title: String,
}

/// Makes the view-model for a screen of this size.
pub fn project(mirror: &Mirror, state: &UiState, now: Millis, size: (u16, u16)) -> ViewModel {
    let ctx = Ctx { mirror, state, now };
    let (w, h) = size;
    let mut vm = ViewModel { title: title(&ctx), ..ViewModel::default() };
    if w == 0 || h == 0 {
        return vm;
    }
    let plain = |area: Rect, lines: Vec<Line>| Block { area, frame: None, lines };
    let lay = layout::layout(size, state);
    if lay.tiny {
        let line = header::status_line(&ctx, usize::from(w));
        vm.blocks.push(plain(Rect { x: 0, y: 0, width: w, height: 1 }, vec![line]));
        return vm;
    }
    let columns = usize::from(w);
    vm.blocks.push(plain(lay.header, header::lines(&ctx, columns, usize::from(lay.header.height))));
    if let Some(banner) = state.banner.as_ref().filter(|_| lay.banner.height > 0) {
        let lines = banner.lines(columns).into_iter().enumerate().map(|(n, text)| {
            let right = Line::of(if n == 0 { "esc " } else { "" }, Role::Bar);
            Line::of(format!(" {text}"), Role::Bar).with_right(right, columns).on(Ground::Bar)
        });
        vm.blocks.push(plain(lay.banner, lines.collect()));
    }
    for place in &lay.places {
        vm.blocks.push(pane_block(&ctx, place));
    }
    vm.blocks.push(plain(lay.footer, vec![footer::line(&ctx, columns)]));
    if let Some(input) = &state.filter_input {
        vm.cursor = Some((2 + input.column().min(columns.saturating_sub(3)) as u16, lay.footer.y));
    }
    for modal in &state.modals {
        let (block, cursor) = modal::blocks(modal, &ctx, size);
        vm.blocks.push(block);
        vm.cursor = cursor;
    }
    if let Some(toast) = state.toast.as_ref().filter(|t| t.until > now) {
        let (glyph, role) = if toast.bad { ("✗", Role::Error) } else { ("✓", Role::Ok) };
        let line = Line::of(format!(" {glyph} "), role).and(format!("{} ", toast.text), Role::Strong).cut(columns.saturating_sub(2));
        let width = line.width() as u16;
        let area = Rect { x: w.saturating_sub(width + 1), y: lay.footer.y.saturating_sub(1), width, height: 1 };
        vm.blocks.push(plain(area, vec![line]));
    }
    vm
}

fn pane_block(ctx: &Ctx<'_>, place: &layout::Place) -> Block {
    let inside = inner(place.area);
    let (width, height) = content_size(place.area, place.shown);
    let mut content = panes::content(place.shown, ctx, width, height);
    if air(inside.width, place.shown).0 > 0 {
        for line in &mut content.lines {
            line.spans.insert(0, super::ink::Span { text: " ".into(), role: Role::Text });
        }
    }
    let focus = ctx.state.focus() == place.shown;
    let room = usize::from(place.area.width.saturating_sub(4));
    let mut title = Line::default();
    let tabs = place.panes.len() > 1;
    // A zoomed or narrow screen has all panes as tabs: their numbers alone where the names do not fit.
    let names: usize = place.panes.iter().map(|p| p.word().len() + 5).sum();
    for pane in &place.panes {
        let shown = *pane == place.shown;
        let role = match (shown, focus) {
            (true, true) => Role::TitleFocus,
            (true, false) => Role::Title,
            (false, _) => Role::TitleDim,
        };
        let text =
            if shown || (tabs && names < room) { format!(" {} {} ", pane.number(), pane.word()) } else { format!(" {} ", pane.number()) };
        title.push(text, role);
        if shown && content.title.width() > 0 && !tabs {
            title.spans.extend(content.title.spans.iter().cloned());
            title.push(" ", Role::Title);
        }
    }
    if tabs && content.title.width() > 0 && title.width() + content.title.width() + 3 <= room {
        title.push(" ", Role::Title);
        title.spans.extend(content.title.spans.iter().cloned());
        title.push(" ", Role::Title);
    }
    let mut info = Line::default();
    if content.info.width() > 0 && content.info.width() + 2 <= room {
        info.push(" ", Role::TitleDim);
        info.spans.extend(content.info.spans);
        info.push(" ", Role::TitleDim);
    }
    let shown = usize::from(inside.height);
    let scroll = (content.total > shown && shown > 1).then_some((content.top, content.total, shown));
    Block { area: place.area, frame: Some(Frame { title: title.cut(room), info, focus, scroll }), lines: content.lines }
}

fn title(ctx: &Ctx<'_>) -> String {
    let Some(h) = ctx.header() else { return "trialdeck".into() };
    let name = super::ink::clean(&h.study);
    match &h.best {
        Some(best) => format!("trialdeck {name}: {}", panes::status::score(best.score, panes::status::decimals(h))),
        None => format!("trialdeck {name}"),
    }
}

/// The room inside the border of a pane, where it shows; columns and rows.
pub fn room(state: &UiState, pane: Pane) -> (usize, usize) {
    let lay = layout::layout(state.size, state);
    lay.place_of(pane).map_or((80, 20), |p| content_size(p.area, pane))
}

/// Columns of air at the left and right: rows that can be selected have a column of their own at the left.
fn air(columns: u16, pane: Pane) -> (u16, u16) {
    match (columns < 30, pane) {
        (true, _) => (0, 0),
        (false, Pane::Tree | Pane::Queue) => (0, 1),
        (false, _) => (1, 1),
    }
}

/// The room for a pane's content in a place.
fn content_size(area: Rect, pane: Pane) -> (usize, usize) {
    let inside = inner(area);
    let (left, right) = air(inside.width, pane);
    (usize::from(inside.width.saturating_sub(left + right)), usize::from(inside.height))
}
