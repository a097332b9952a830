//! No size, key or text breaks the cockpit.

use super::fixture::*;
use crate::tui::msg::Msg;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;

fn any_key() -> impl Strategy<Value = Msg> {
    let code = prop_oneof![
        8 => prop::sample::select("hjklgGqQrpmitcbPXavesRluA[]{}+-wz1234567890:/?nNyYf ".chars().collect::<Vec<_>>()).prop_map(KeyCode::Char),
        2 => prop::sample::select(vec![KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down,
            KeyCode::Left, KeyCode::Right, KeyCode::Backspace, KeyCode::Delete, KeyCode::Home, KeyCode::End, KeyCode::PageUp, KeyCode::PageDown]),
    ];
    let key = (code, any::<bool>()).prop_map(|(code, ctrl)| {
        Msg::Key(KeyEvent::new(code, if ctrl && matches!(code, KeyCode::Char(_)) { KeyModifiers::CONTROL } else { KeyModifiers::NONE }))
    });
    prop_oneof![
        20 => key,
        1 => ".{0,12}".prop_map(Msg::Paste),
        2 => (0u16..220, 0u16..70).prop_map(|(x, y)| Msg::Click(x, y)),
        2 => (0u16..220, 0u16..70, -3i32..3).prop_map(|(x, y, by)| Msg::Wheel(x, y, by)),
        2 => (0u16..220, 0u16..70).prop_map(|(w, h)| Msg::Resize(w, h)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_keys_at_any_size((w, h) in (0u16..220, 0u16..70), which in 0usize..4, msgs in prop::collection::vec(any_key(), 0..60)) {
        let maker = match which {
            0 => empty(),
            1 => cjk(),
            _ => busy(),
        };
        let mut desk = Desk::new(maker, (w, h));
        desk.nan = which == 3;
        for (n, msg) in msgs.into_iter().enumerate() {
            desk.tell(msg);
            if n % 7 == 0 {
                let size = desk.state.size;
                let buffer = paint(&desk.vm(), size, "midnight", n % 2 == 0);
                prop_assert_eq!(buffer.area.area(), u32::from(size.0) * u32::from(size.1));
            }
        }
        // Whatever the state, a view-model drawn at another size stays inside it.
        let vm = desk.vm();
        paint(&vm, (w / 2, h / 2), "default", true);
    }
}

#[test]
fn every_size_of_the_busy_study() {
    let mut desk = Desk::new(busy(), (80, 24)).meters(true);
    for w in (0..=220).step_by(9) {
        for h in (0..=70).step_by(5) {
            desk.state.size = (w, h);
            paint(&desk.vm(), (w, h), "default", true);
        }
    }
}
