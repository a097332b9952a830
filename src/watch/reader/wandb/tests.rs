use super::*;
use proptest::prelude::*;

/// The head and the history of a file that the library wrote: `loss`, `val: {acc}` and a text in five rows, then NaN at step 9.
const FILE: &[u8] = include_bytes!("history.wandb");

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Wandb) {
    let (mut reader, mut out) = (Wandb::new(), Vec::new());
    pieces.into_iter().for_each(|piece| reader.feed(piece, &mut out));
    reader.finish(&mut out);
    (out.iter().map(|r| format!("{}@{}={}", r.key, r.step.unwrap_or(-1.0), r.value)).collect(), reader)
}

/// A message's field that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut all = if number < 16 { vec![number << 3 | 2] } else { vec![number << 3 & 0x7f | 0x82, number >> 4] };
    let mut length = bytes.len();
    while length > 0x7f {
        all.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    all.push(length as u8);
    all.extend_from_slice(bytes);
    all
}

fn row(items: &[(&str, &str)]) -> Vec<u8> {
    let items: Vec<u8> =
        items.iter().flat_map(|(name, json)| field(1, &[field(1, name.as_bytes()), field(16, json.as_bytes())].concat())).collect();
    field(2, &items)
}

/// Lays records into blocks, as LevelDB does.
fn file(records: &[Vec<u8>]) -> Vec<u8> {
    let mut all = HEAD.to_vec();
    for record in records {
        let (mut rest, mut first) = (record.as_slice(), true);
        loop {
            let left = (BLOCK - all.len() as u64 % BLOCK) as usize;
            if left < PIECE as usize {
                all.resize(all.len() + left, 0);
                continue;
            }
            let (data, after) = rest.split_at(rest.len().min(left - PIECE as usize));
            let kind = match (first, after.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            all.extend(ZLIB.of(&[&[kind], data]).to_le_bytes());
            all.extend((data.len() as u16).to_le_bytes());
            all.push(kind);
            all.extend(data);
            (rest, first) = (after, false);
            if rest.is_empty() {
                break;
            }
        }
    }
    all
}

#[test]
fn a_file_of_the_library() {
    let (got, reader) = read([FILE]);
    assert_eq!(got.len(), 11);
    assert_eq!(got[..4], ["loss@0=1", "val.acc@0=0", "loss@1=0.5", "val.acc@1=0.2"]);
    assert_eq!(got[10], "loss@9=NaN");
    assert_eq!((reader.losses(), reader.remark()), (Losses::default(), None));
}

#[test]
fn records_over_several_blocks_and_damage() {
    let long = "x".repeat(100_000);
    let records: Vec<_> = (0..2000)
        .map(|step| row(&[("_step", &format!("{step}")), ("loss", "0.5"), ("note", if step == 7 { &long } else { "\"y\"" })]))
        .collect();
    let mut whole = file(&records);
    assert_eq!(read([&whole[..]]).0.len(), 2000);
    whole[40_000] ^= 1;
    let (got, reader) = read([&whole[..]]);
    assert!(reader.losses().rubbish > 0);
    assert!(got.len() > 500 && got.len() < 2000, "{} rows after a damaged block", got.len());
    assert_eq!(got.last().map(String::as_str), Some("loss@1999=0.5"));
    let (got, reader) = read([&b"something else that is long enough"[..]]);
    assert!(got.is_empty() && reader.remark().is_some());
}

proptest! {
    #[test]
    fn pieces_and_damage_do_not_matter(
        cuts in prop::collection::vec(0..FILE.len(), 0..8),
        damage in prop::collection::vec((0..FILE.len(), any::<u8>()), 0..4),
    ) {
        let mut bytes = FILE.to_vec();
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        let mut places: Vec<_> = cuts.into_iter().chain([0, bytes.len()]).collect();
        places.sort_unstable();
        let (got, reader) = read(places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]));
        let (want, whole) = read([&bytes[..]]);
        prop_assert_eq!(got, want);
        prop_assert_eq!(reader.losses(), whole.losses());
    }
}
