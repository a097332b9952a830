//! What a print statement writes: text and holes, from f-strings, `%`, `.format`, concatenation and several arguments.
//!
//! Pure. Tested by a table in `metrics`, which makes patterns of the pieces.

use ruff_python_ast::{Expr, ExprCall, InterpolatedStringElement, Operator};
use ruff_text_size::Ranged;

/// A part of a printed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Written as it stands.
    Text(String),
    /// A value: the source of its expression, where there is one.
    Value(String),
}

/// The pieces of a call's arguments; `print` puts a space between them.
pub(super) fn of_call(source: &str, callee: &str, call: &ExprCall) -> Vec<Piece> {
    let mut out = Vec::new();
    for (n, argument) in call.arguments.args.iter().enumerate() {
        if n > 0 {
            if callee != "print" {
                break;
            }
            out.push(Piece::Text(" ".into()));
        }
        of_expr(source, argument, &mut out);
    }
    merged(out)
}

fn of_expr(source: &str, expr: &Expr, out: &mut Vec<Piece>) {
    match expr {
        Expr::StringLiteral(s) => out.push(Piece::Text(s.value.to_str().to_owned())),
        Expr::FString(f) => {
            for part in f.value.iter() {
                match part {
                    ruff_python_ast::FStringPart::Literal(text) => out.push(Piece::Text(text.value.to_string())),
                    ruff_python_ast::FStringPart::FString(inner) => {
                        for element in &inner.elements {
                            match element {
                                InterpolatedStringElement::Literal(text) => out.push(Piece::Text(text.value.to_string())),
                                InterpolatedStringElement::Interpolation(hole) => {
                                    if let Some(debug) = &hole.debug_text {
                                        let name = slice(source, &hole.expression);
                                        out.push(Piece::Text(format!("{}{name}{}", debug.leading(), debug.trailing())));
                                    }
                                    match &*hole.expression {
                                        // `{"Name:":<20}` is text with a width.
                                        Expr::StringLiteral(s) => out.push(Piece::Text(s.value.to_str().to_owned())),
                                        value => out.push(Piece::Value(slice(source, value))),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        Expr::BinOp(b) if b.op == Operator::Mod && matches!(&*b.left, Expr::StringLiteral(_)) => {
            if let Expr::StringLiteral(s) = &*b.left {
                percent(s.value.to_str(), out);
            }
        }
        Expr::BinOp(b) if b.op == Operator::Add => {
            of_expr(source, &b.left, out);
            of_expr(source, &b.right, out);
        }
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(a) if a.attr.as_str() == "format" => {
                if let Expr::StringLiteral(s) = &*a.value {
                    braces(s.value.to_str(), out);
                }
            }
            Expr::Name(name) if name.id.as_str() == "str" => {
                let inner = call.arguments.args.first().map(|a| slice(source, a)).unwrap_or_default();
                out.push(Piece::Value(inner));
            }
            _ => out.push(Piece::Value(slice(source, expr))),
        },
        _ => out.push(Piece::Value(slice(source, expr))),
    }
}

fn slice(source: &str, expr: &Expr) -> String {
    source.get(usize::from(expr.range().start())..usize::from(expr.range().end())).unwrap_or_default().to_owned()
}

/// `%d`, `%.4f`, `%(name)s`; `%%` is a percent sign.
fn percent(text: &str, out: &mut Vec<Piece>) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push(Piece::Text(before.to_owned()));
        let end = after.find(|c: char| c.is_ascii_alphabetic() || c == '%' || c == '(');
        match end {
            Some(at) if after.get(at..).is_some_and(|t| t.starts_with('%')) => {
                out.push(Piece::Text("%".into()));
                rest = after.get(at + 1..).unwrap_or_default();
            }
            Some(at) if after.get(at..).is_some_and(|t| t.starts_with('(')) => {
                let close = after.find(')').map_or(after.len(), |c| c + 1);
                let tail = after.get(close..).unwrap_or_default();
                let skip = tail.find(|c: char| c.is_ascii_alphabetic()).map_or(tail.len(), |c| c + 1);
                out.push(Piece::Value(after.get(at + 1..close.saturating_sub(1)).unwrap_or_default().to_owned()));
                rest = tail.get(skip..).unwrap_or_default();
            }
            Some(at) => {
                out.push(Piece::Value(String::new()));
                rest = after.get(at + 1..).unwrap_or_default();
            }
            None => rest = "",
        }
    }
    out.push(Piece::Text(rest.to_owned()));
}

/// `{}`, `{0:.3f}`, `{name}`; doubled braces are braces.
fn braces(text: &str, out: &mut Vec<Piece>) {
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push(Piece::Text(rest.get(..at).unwrap_or_default().to_owned()));
        let tail = rest.get(at..).unwrap_or_default();
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push(Piece::Text(tail.get(..1).unwrap_or_default().to_owned()));
            rest = tail.get(2..).unwrap_or_default();
        } else if let (true, Some(close)) = (tail.starts_with('{'), tail.find('}')) {
            let name: String = tail.get(1..close).unwrap_or_default().chars().take_while(|c| *c != ':' && *c != '!').collect();
            out.push(Piece::Value(if name.chars().all(|c| c.is_ascii_digit()) { String::new() } else { name }));
            rest = tail.get(close + 1..).unwrap_or_default();
        } else {
            rest = tail.get(1..).unwrap_or_default();
        }
    }
    out.push(Piece::Text(rest.to_owned()));
}

fn merged(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (out.last_mut(), piece) {
            (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
            (_, Piece::Text(text)) if text.is_empty() => {}
            (_, piece) => out.push(piece),
        }
    }
    out
}
