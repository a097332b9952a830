//! Protocol Buffers' wire format, as far as finding fields needs it. Knows no message.

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// Calls `field` for each field of a message; none if the bytes are no message. Fields before the fault have been given.
pub(super) fn fields<'a>(mut bytes: &'a [u8], mut field: impl FnMut(u64, Wire<'a>)) -> Option<()> {
    while !bytes.is_empty() {
        let head = varint(&mut bytes)?;
        let value = match head & 7 {
            0 => Wire::Varint(varint(&mut bytes)?),
            1 => Wire::Fixed64(*array(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Wire::Bytes(value)
            }
            5 => Wire::Fixed32(*array(&mut bytes)?),
            _ => return None,
        };
        field(head >> 3, value);
    }
    Some(())
}

/// Takes one varint.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if shift < 64 {
            value |= u64::from(byte & 0x7f) << shift;
        }
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn array<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(head)
}
