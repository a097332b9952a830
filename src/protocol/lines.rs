//! Reading lines of bounded length: neither side lets the other fill its memory.

use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Reads the next line into `line`, without its end; false at the end of the stream, where an unfinished line is dropped.
///
/// Errors: `InvalidData` for a line of more than `longest` bytes; those of the stream.
pub async fn read_line(reader: &mut (impl AsyncBufRead + Unpin), longest: usize, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let chunk = reader.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(false);
        }
        let end = chunk.iter().position(|b| *b == b'\n');
        let body = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        if line.len() + body.len() > longest {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of more than {longest} bytes")));
        }
        line.extend_from_slice(body);
        let used = end.map_or(chunk.len(), |at| at + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded() {
        let mut reader = tokio::io::BufReader::with_capacity(4, &b"one\n\nthree and more\nfour"[..]);
        let mut line = Vec::new();
        for want in ["one", ""] {
            assert!(read_line(&mut reader, 8, &mut line).await.unwrap());
            assert_eq!(line, want.as_bytes());
        }
        assert_eq!(read_line(&mut reader, 8, &mut line).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let mut reader = &b"four"[..];
        assert!(!read_line(&mut reader, 8, &mut line).await.unwrap());
    }
}
