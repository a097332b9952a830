use super::*;
use proptest::prelude::*;

/// A file as `numpy.save` writes it.
fn file(version: u8, descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = [MAGIC, &[version, 0]].concat();
    match version {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    [&bytes, header.as_bytes(), data].concat()
}

fn read(pieces: &[&[u8]]) -> (Vec<String>, u64, Option<String>) {
    let (mut reader, mut out) = (Npy::new("metrics"), Vec::new());
    pieces.iter().for_each(|piece| reader.feed(piece, &mut out));
    reader.finish(&mut out);
    (out.iter().map(|r| format!("{}={}", r.key, r.value)).collect(), reader.losses().rubbish, reader.remark())
}

#[test]
fn arrays() {
    let f8: Vec<u8> = [0.25f64, f64::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
    for (name, bytes, want) in [
        ("a list", file(1, "'<f8'", "(2,)", &f8), &["metrics[0]=0.25", "metrics[1]=NaN"][..]),
        ("version 2", file(2, "'<f8'", "(2,)", &f8), &["metrics[0]=0.25", "metrics[1]=NaN"]),
        ("version 3", file(3, "'<f8'", "(2,)", &f8), &["metrics[0]=0.25", "metrics[1]=NaN"]),
        ("a scalar", file(1, "'<f4'", "()", &1.5f32.to_le_bytes()), &["metrics=1.5"]),
        ("big-endian", file(1, "'>i4'", "(1,)", &(-7i32).to_be_bytes()), &["metrics[0]=-7"]),
        ("half", file(1, "'<f2'", "(1,)", &[0, 0x3c]), &["metrics[0]=1"]),
        ("truth", file(1, "'|b1'", "(2,)", &[0, 1]), &["metrics[0]=0", "metrics[1]=1"]),
        ("bytes", file(1, "'|u1'", "(1L,)", &[200]), &["metrics[0]=200"]),
        ("an empty one", file(1, "'<f8'", "(0,)", &[]), &[]),
    ] {
        assert_eq!(read(&[&bytes]), (want.iter().map(|w| (*w).to_owned()).collect(), 0, None), "{name}");
    }
}

#[test]
fn what_is_no_result_says_why() {
    for (bytes, rubbish, want) in [
        (file(1, "'<f4'", "(977, 24, 1)", &[]), 0, "an array of 977x24x1 numbers: data, not metrics"),
        (file(1, "'<f8'", "(33,)", &[]), 0, "an array of 33 numbers"),
        (file(1, "'|O'", "(1,)", b"cos\nsystem"), 0, "Python objects"),
        (file(1, "'<U5'", "(1,)", &[0; 20]), 0, "not of numbers"),
        (file(1, "[('a', '<f4')]", "(1,)", &[0; 4]), 0, "records"),
        (file(1, "'<f16'", "(1,)", &[0; 16]), 0, "`<f16` are not read"),
        (file(1, "'<f99999999999'", "(1,)", &[]), 0, "are not read"),
        (file(9, "'<f8'", "(1,)", &[0; 8]), 1, "unknown version"),
        (file(1, "'<f8'", "(2,)", &[0; 9]), 1, "not complete"),
        (file(1, "'<f8'", "(99999999999999999999,)", &[]), 1, "cannot be read"),
        (b"\x93NUMPY\x02\0\xff\xff\xff\x7f".to_vec(), 1, "too long"),
        (b"hello".to_vec(), 1, "no NumPy array"),
    ] {
        let (got, lost, remark) = read(&[&bytes]);
        assert_eq!((got, lost), (vec![], rubbish), "{want}");
        assert!(remark.as_ref().is_some_and(|r| r.contains(want)), "{want}: {remark:?}");
    }
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        cut in any::<prop::sample::Index>(),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        values in prop::collection::vec(any::<f64>(), 0..6),
    ) {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut bytes = file(1, "'<f8'", &format!("({},)", values.len()), &data);
        if let Some((place, byte)) = damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
        prop_assert_eq!(read(&[head, tail]), read(&[&bytes]));
    }
}

#[test]
fn a_list_that_is_named_like_a_curve_is_one() {
    let data: Vec<u8> = (0..100).flat_map(|n| f64::from(n).to_le_bytes()).collect();
    let bytes = file(1, "'<f8'", "(100,)", &data);
    for (name, want) in [("val_losses", Some(99.0)), ("predictions", None)] {
        let (mut reader, mut out) = (Npy::new(name), Vec::new());
        reader.feed(&bytes, &mut out);
        assert_eq!(out.last().map(|r| (&*r.key, r.step, r.value)), want.map(|n| (name, Some(n), n)));
        assert_eq!(out.len(), if want.is_some() { 100 } else { 0 });
    }
}
