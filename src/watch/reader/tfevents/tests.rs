use super::*;
use proptest::prelude::*;

/// Written by tensorboardX: two tags, four steps each.
const SCALARS: &[u8] = include_bytes!("scalars.tfevents");
/// Written by TensorBoard's own writer: tensors of all kinds, twice.
const TENSORS: &[u8] = include_bytes!("tensors.tfevents");

fn read(pieces: &[&[u8]]) -> (Vec<String>, Losses) {
    let (mut reader, mut out) = (TfEvents::new(), Vec::new());
    pieces.iter().for_each(|piece| reader.feed(piece, &mut out));
    reader.finish(&mut out);
    (out.iter().map(|r| format!("{}@{}={}", r.key, r.step.unwrap_or(-1.0), r.value)).collect(), reader.losses())
}

fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &checksum(&length).to_le_bytes(), data, &checksum(data).to_le_bytes()].concat()
}

#[test]
fn what_real_writers_write() {
    let (got, losses) = read(&[SCALARS]);
    let want = [
        "train/loss@0=1",
        "acc@0=0",
        "train/loss@10=0.5",
        "acc@10=0.25",
        "train/loss@20=0.3333333432674408",
        "acc@20=NaN",
        "train/loss@30=0.25",
        "acc@30=0.75",
    ];
    assert_eq!((got, losses), (want.map(str::to_owned).to_vec(), Losses::default()));
    let (got, losses) = read(&[TENSORS]);
    let want: Vec<String> = [0, 7]
        .iter()
        .flat_map(|step| {
            ["content/float=0.5", "content/half=0.25", "list/float=1.5", "list/double=0.1", "list/half=2.5", "list/int=-5", "plain=3"]
                .map(|reading| reading.replace('=', &format!("@{step}=")))
        })
        .collect();
    assert_eq!((got, losses), (want, Losses::default()));
}

#[test]
fn damage_costs_what_it_hit() {
    let all = read(&[SCALARS]).0;
    // The second value of the last record: its data no longer fits its checksum.
    let mut torn = SCALARS.to_vec();
    let last = torn.len() - 6;
    torn[last] ^= 1;
    let (got, losses) = read(&[&torn]);
    assert_eq!((&got[..], losses.rubbish), (&all[..7], 1));
    // The first record's length: the next record is found again.
    let mut lost = SCALARS.to_vec();
    lost[3] ^= 0x40;
    assert_eq!(read(&[&lost]), (all, Losses { rubbish: 1, too_long: 0 }));
    // Half a record at the end, and rubbish between two files that were joined.
    assert_eq!(read(&[SCALARS, b"rubbish that is no record", SCALARS]).0.len(), 16);
    let (got, losses) = read(&[&SCALARS[..SCALARS.len() - 1]]);
    assert_eq!((got.len(), losses.rubbish), (7, 1));
}

#[test]
fn long_records_are_passed_over_and_huge_ones_refused() {
    let long = framed(&vec![0; MAX_RECORD + 1]);
    let (got, losses) = read(&[&long, SCALARS]);
    assert_eq!((got.len(), losses), (8, Losses { rubbish: 0, too_long: 1 }));
    let length = u64::MAX.to_le_bytes();
    let huge = [&length[..], &checksum(&length).to_le_bytes(), SCALARS].concat();
    let (got, losses) = read(&[&huge]);
    assert_eq!((got.len(), losses), (8, Losses { rubbish: 1, too_long: 0 }));
}

#[test]
fn checksums_are_those_of_the_standard() {
    // RFC 3720, B.4.
    assert_eq!(CASTAGNOLI.of(&[&[0; 32]]), 0x8a91_36aa);
    assert_eq!(CASTAGNOLI.of(&[b"123456789"]), 0xe306_9283);
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        junk in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = [TENSORS, &junk, SCALARS].concat();
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let mut places: Vec<_> = cuts.iter().map(|c| c.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[&bytes]));
    }

    #[test]
    fn any_event_is_survived(data in prop::collection::vec(prop_oneof![prop::sample::select(vec![0x0a, 0x10, 0x2a, 0x42, 8, 1, 4, 0x22]), any::<u8>()], 0..80)) {
        let _ = read(&[&framed(&data), SCALARS]);
    }
}
