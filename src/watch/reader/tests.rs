use super::*;
use proptest::prelude::*;

type Rows = Vec<(String, Option<f64>, f64)>;

fn rows(out: &[Reading]) -> Rows {
    out.iter().map(|r| (r.key.to_string(), r.step, r.value)).collect()
}

fn read(mut reader: Box<dyn Reader>, bytes: &[u8]) -> (Rows, Losses) {
    let mut out = Vec::new();
    reader.feed(bytes, &mut out);
    reader.finish(&mut out);
    (rows(&out), reader.losses())
}

fn patterns(list: &[&str]) -> Arc<Patterns> {
    let list: Vec<_> = list.iter().map(|p| (*p).to_owned()).collect();
    Arc::new(Patterns::compile(&list, Some("val_bpb"), &["mse".to_owned(), "mae".to_owned()]).unwrap())
}

/// Readings written short: `key@step=value`.
fn shown(rows: &Rows) -> Vec<String> {
    rows.iter().map(|(k, s, v)| s.map_or_else(|| format!("{k}={v}"), |s| format!("{k}@{s}={v}"))).collect()
}

#[test]
fn log_lines_of_real_trainers() {
    let golf = r"step:(?P<step>\d+)/\d+ (?:train_loss:(?P<train_loss>\S+)|val_loss:(?P<val_loss>\S+) val_bpb:(?P<vb>\S+))";
    for (name, pattern, line, want) in [
        ("golf, training", golf, "step:200/20000 train_loss:2.8041 train_time:8677ms step_avg:43.38ms", &["train_loss@200=2.8041"][..]),
        (
            "golf, validation",
            golf,
            "step:13780/20000 val_loss:2.0606 val_bpb:1.2172 train_time:600038ms",
            &["val_loss@13780=2.0606", "vb@13780=1.2172"],
        ),
        (
            "unnamed group",
            r"_exact val_loss:\S+ val_bpb:([\d.]+)",
            "final_int8_zlib_roundtrip_exact val_loss:2.07269931 val_bpb:1.22436570",
            &["val_bpb=1.2243657"],
        ),
        (
            "nanochat",
            r"(?P<step>\d+)/\d+ .*loss: (?P<loss>[\d.]+).*tok/sec: (?P<tok>[\d,]+)",
            "step 00001/02000 (0.05%) | loss: 10.397220 | lrm: 1.00 | dt: 1021.55ms | tok/sec: 513,227 | epoch: 1",
            &["loss@1=10.39722", "tok@1=513227"],
        ),
        (
            "airbench table",
            r"^\|[^|]*\|\s*(?P<epoch>\d+)\s*\|\s*(?P<train_loss>\S+)",
            "|  1  |  12  |  1.2345  |  0.5  |",
            &["train_loss@12=1.2345"],
        ),
        (
            "timexer",
            r"Epoch: (?P<epoch>\d+),.*Train Loss: (?P<train>\S+) Vali Loss: (?P<vali>\S+)",
            "\x1b[1mEpoch: 1\x1b[0m, Steps: 104 | Train Loss: 0.6754070 Vali Loss: 0.2675007 Test Loss: 0.3",
            &["train@1=0.675407", "vali@1=0.2675007"],
        ),
        (
            "printed keys",
            "nothing_(?P<x>1)",
            "mse:0.30622202157974243, mae:0.3544962704181671",
            &["mse=0.30622202157974243", "mae=0.3544962704181671"],
        ),
        ("printed key within another", "nothing_(?P<x>1)", "rmse: 4 \"mse\": 1,234.5 mse = nan", &["mse=1234.5", "mse=NaN"]),
        ("progress bar", r"loss=(?P<loss>[\w.+-]+)", "10%|#  | loss=1e-3\r20%|## | loss=-inf\r", &["loss=0.001", "loss=-inf"]),
        ("several matches", r"(?P<v>\d)%", "1% 2% 3%", &["v=1", "v=2", "v=3"]),
        ("not utf-8", r"loss (?P<loss>[\d.]+)", "\u{fffd} loss 2.5.", &["loss=2.5"]),
        ("group without a number", r"loss (?P<loss>\S+)", "loss None", &[]),
        ("json line", "x(?P<x>1)", "  {\"step\": 3, \"loss\": 0.5}  ", &["loss@3=0.5"]),
        ("dictionary of Python", "x(?P<x>1)", "{'loss': nan, 'ok': True, 'epoch': 0.5}", &["loss@0.5=NaN"]),
    ] {
        let (got, _) = read(Box::new(Text::new(patterns(&[pattern]))), line.as_bytes());
        assert_eq!(shown(&got), want, "{name}");
    }
    let (got, _) = read(Box::new(Text::new(patterns(&[r"loss (?P<loss>[\d.]+)"]))), b"\xff\xfe\x00 loss 2.5\n");
    assert_eq!(shown(&got), ["loss=2.5"]);
}

#[test]
fn patterns_that_cannot_be_used_say_so() {
    for (pattern, primary, want) in [
        ("(?P<x>", None, "is no regular expression"),
        ("loss: ([\\d.]+)", None, "names no metric"),
        ("loss: [\\d.]+", Some("loss"), "names no metric"),
        ("(?=x)(?P<y>1)", None, "look-around"),
    ] {
        let error = Patterns::compile(&[pattern.to_owned()], primary, &[]).unwrap_err().to_string();
        assert!(error.contains(want), "{pattern}: {error}");
    }
}

#[test]
fn json_lines() {
    for (name, text, want, rubbish) in [
        ("flat", "{\"step\": 120, \"train_loss\": 2.31, \"lr\": 1e-3}", &["train_loss@120=2.31", "lr@120=0.001"][..], 0),
        ("nested", "{\"val\":{\"loss\":1,\"top\":{\"5\":0.9}},\"iter\":7}", &["val.loss@7=1", "val.top.5@7=0.9"], 0),
        ("python's numbers", "{\"a\": NaN, \"b\": -Infinity, \"c\": Infinity}", &["a=NaN", "b=-inf", "c=inf"], 0),
        ("the better step wins", "{\"epoch\": 2, \"x\": 1, \"global_step\": 50}", &["x@50=1", "epoch@50=2"], 0),
        ("no numbers", "{\"a\": true, \"b\": \"1\", \"c\": null, \"d\": [1, {\"x\": 2}, []], \"e\": {}}", &[], 0),
        ("escapes", r#"{"a\"b": 1, "\u00e9": 2, "c": "\\"}"#, &["a\"b=1", "é=2"], 0),
        ("rubbish between", "{\"x\":1}\nTraceback\n{\"x\":2\n{\"x\":}\n[1]\n{\"x\":3}x\n\n{\"x\": 4}", &["x=1", "x=4"], 5),
        (
            "numbers",
            "{\"a\":-0.5,\"b\":12345678901234567890123,\"c\":1E+400,\"d\":0.1e-2}",
            &["a=-0.5", "b=1.2345678901234568e22", "c=inf", "d=0.001"],
            0,
        ),
        ("crlf", "{\"x\":1}\r\n{\"x\":2}\r\n", &["x=1", "x=2"], 0),
    ] {
        let (got, losses) = read(Box::new(JsonLines::new()), text.as_bytes());
        let want: Vec<_> = want.iter().map(|w| w.replace("1.2345678901234568e22", &format!("{}", 1.234_567_890_123_456_8e22))).collect();
        assert_eq!(shown(&got), want, "{name}");
        assert_eq!(losses.rubbish, rubbish, "{name}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert_eq!(read(Box::new(JsonLines::new()), deep.as_bytes()).0, []);
}

#[test]
fn tables() {
    for (name, text, want) in [
        ("plain", "epoch,loss,note\n1,0.5,ok\n2,nan,\n", &["loss@1=0.5", "loss@2=NaN"][..]),
        ("tabs and a mark", "\u{feff}Step\ttrain loss\r\n10\t1e-2\r\n", &["train loss@10=0.01"]),
        ("quotes", "\"step\",\"a,b\",\"say \"\"x\"\"\"\n1,\"2\",3\n", &["a,b@1=2", "say \"x\"@1=3"]),
        ("a new header", "step,a\n1,2\nstep,b\n1,3\n", &["a@1=2", "b@1=3"]),
        ("short and long rows", "step,a,b\n1,2\n2,3,4,5\n", &["a@1=2", "a@2=3", "b@2=4"]),
        ("sparse", "step,a,b\n1,,4\n,,\n", &["b@1=4"]),
        ("no header", "1;0.5\n2;0.4\n", &["column_1=1", "column_2=0.5", "column_1=2", "column_2=0.4"]),
        ("one column", "loss\n1\n2\n", &["loss=1", "loss=2"]),
        ("an index without a name", ",epoch,loss\n0,0,0.5\n1,1,\n", &["loss@0=0.5"]),
        ("a row of gaps is no header", "step,a,b\n1,2,3\nNA,NA,None\n2,3,4\n", &["a@1=2", "b@1=3", "a@2=3", "b@2=4"]),
    ] {
        assert_eq!(shown(&read(Box::new(Csv::new()), text.as_bytes()).0), want, "{name}");
    }
}

#[test]
fn a_line_over_the_cap_is_skipped_and_counted() {
    for pieces in [1usize, 7] {
        let mut text = vec![b'x'; MAX_LINE_BYTES + 1];
        text.extend_from_slice(b"\n{\"x\":1}\n");
        let mut reader = JsonLines::new();
        let mut out = Vec::new();
        for piece in text.chunks(text.len().div_ceil(pieces)) {
            reader.feed(piece, &mut out);
        }
        assert_eq!(shown(&rows(&out)), ["x=1"]);
        assert_eq!(reader.losses(), Losses { rubbish: 0, too_long: 1 });
    }
}

#[test]
fn formats_by_name_and_first_bytes() {
    for (name, head, want) in [
        ("a/metrics.jsonl", &b""[..], Ok(Format::JsonLines)),
        ("metrics.json", b"{\"a\": 1}\n{\"a\": 2}\n", Ok(Format::JsonLines)),
        ("metrics.json", b"{\"a\": 1}\n", Ok(Format::Json)),
        ("trainer_state.json", b"{\n  \"a\": 1", Ok(Format::Json)),
        ("results.JSON", b"", Ok(Format::Json)),
        ("log.CSV", b"", Ok(Format::Csv)),
        ("log.tsv", b"", Ok(Format::Csv)),
        ("train.log", b"epoch 1", Ok(Format::Text)),
        ("stdout", b"\xff\xfe loss", Ok(Format::Text)),
        ("runs/events.out.tfevents.17.host.1.0", b"\x18\0\0\0\0\0\0\0", Ok(Format::TfEvents)),
        ("metrics.npy", b"", Ok(Format::Npy)),
        ("noname", b"\x93NUMPY\x01\0v\0", Ok(Format::Npy)),
        ("model.pt", b"PK\x03\x04\0\0\x08\x08\0\0\0\0", Err(Unread::Binary)),
    ] {
        assert_eq!(Format::of(Path::new(name), head), want, "{name}");
    }
}

/// Bytes that look like the formats, so that the readers get deep into them.
fn tokens() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "\"loss\"",
            ":",
            ",",
            "\n",
            "\r",
            "\"step\"",
            "1",
            "-2.5e3",
            "NaN",
            "loss 3.5",
            "\t",
            "[",
            "]",
            "'",
            "\\",
            "\u{1b}[1m",
            "\u{1b}]x",
            "{\"a\":1}\n",
            "epoch,loss\n",
            "1,2\n",
            "é",
            "\u{7}",
            "mse: ",
            "1,234",
            "Epoch 3/10\n",
            "epoch 3 ",
            " 12%|# | 12/100 [00:01, loss=",
            "| epoch | loss |\n",
            "| 3 | 0.5 |\n",
            " | ",
            "/",
            "[1,2]"
        ])
        .prop_map(|t| t.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(token, 0..60).prop_map(|list| list.concat())
}

proptest! {
    #[test]
    fn pieces_do_not_matter_and_nothing_panics(bytes in tokens(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let patterns = patterns(&[r"loss (?P<loss>[\d.]+)"]);
        for format in [Format::JsonLines, Format::Csv, Format::Text] {
            let whole = read(format.reader(Path::new("a.x"), &patterns), &bytes);
            let mut places: Vec<_> = cuts.iter().map(|c| c.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
            places.sort_unstable();
            let mut reader = format.reader(Path::new("a.x"), &patterns);
            let mut out = Vec::new();
            for pair in places.windows(2) {
                reader.feed(&bytes[pair[0]..pair[1]], &mut out);
            }
            reader.finish(&mut out);
            prop_assert_eq!(shown(&rows(&out)), shown(&whole.0), "{:?}", format);
            prop_assert_eq!(reader.losses(), whole.1);
        }
    }

    #[test]
    fn automatic_reading_and_documents_do_not_mind_pieces(
        bytes in tokens(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let patterns = Arc::new(Patterns::compile(&[r"loss (?P<loss>[\d.]+)".to_owned()], None, &[]).unwrap().and_automatic());
        for format in [Format::Json, Format::Text, Format::TfEvents, Format::Npy, Format::Wandb] {
            let fresh = || format.reader(Path::new("a.x"), &patterns);
            let mut places: Vec<_> = cuts.iter().map(|c| c.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
            places.sort_unstable();
            let (mut reader, mut out) = (fresh(), Vec::new());
            for pair in places.windows(2) {
                reader.feed(&bytes[pair[0]..pair[1]], &mut out);
            }
            reader.finish(&mut out);
            let whole = read(fresh(), &bytes);
            prop_assert_eq!(shown(&rows(&out)), shown(&whole.0), "{:?}", format);
            prop_assert_eq!(reader.losses(), whole.1);
        }
    }

    #[test]
    fn decimals_agree_with_the_standard_library(value in any::<f64>().prop_filter("finite", |v| v.is_finite()), digits in 0usize..12) {
        for text in [format!("{value}"), format!("{value:e}"), format!("{:.digits$}", value % 1e6)] {
            let want: f64 = text.parse().unwrap();
            prop_assert_eq!(super::number::decimal(text.as_bytes()), Some((want, text.len())), "{}", text);
        }
    }
}
