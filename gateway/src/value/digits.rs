//! Numbers as decimal digits, without allocation.

use bytes::{BufMut, BytesMut};

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Any integer up to 64 bits.
#[inline]
pub(super) fn write_integer(value: i64, out: &mut BytesMut) {
    if value < 0 {
        out.put_u8(b'-');
    }
    write_unsigned(value.unsigned_abs(), out);
}

/// Any unsigned integer up to 64 bits.
#[inline]
pub(super) fn write_unsigned(mut rest: u64, out: &mut BytesMut) {
    let mut buffer = [0_u8; 20];
    let mut at = buffer.len();
    while rest >= 100 {
        #[allow(clippy::cast_possible_truncation)]
        let pair = (rest % 100) as usize * 2;
        rest /= 100;
        at -= 2;
        buffer[at] = PAIRS[pair];
        buffer[at + 1] = PAIRS[pair + 1];
    }
    #[allow(clippy::cast_possible_truncation)]
    let pair = rest as usize * 2;
    at -= 1;
    buffer[at] = PAIRS[pair + 1];
    if rest >= 10 {
        at -= 1;
        buffer[at] = PAIRS[pair];
    }
    out.put_slice(&buffer[at..]);
}

/// Two digits, for clocks and dates.
#[inline]
pub(super) fn write_two(value: u32, out: &mut BytesMut) {
    let pair = usize::try_from(value % 100).unwrap_or(0) * 2;
    out.put_slice(&PAIRS[pair..pair + 2]);
}

/// With zeros in front up to `width`.
pub(super) fn write_padded(value: u64, width: usize, out: &mut BytesMut) {
    let digits = value.checked_ilog10().map_or(1, |n| n as usize + 1);
    for _ in digits..width {
        out.put_u8(b'0');
    }
    write_unsigned(value, out);
}

/// `.5`, `.000001`: microseconds without zeros at the end; nothing for 0.
pub(super) fn write_fraction(micros: u32, out: &mut BytesMut) {
    if micros == 0 {
        return;
    }
    let (mut rest, mut width) = (micros, 6);
    while rest % 10 == 0 {
        rest /= 10;
        width -= 1;
    }
    out.put_u8(b'.');
    write_padded(rest.into(), width, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        for value in [0, 7, 10, 99, 100, 12_345, -1, i64::MAX, i64::MIN] {
            let mut out = BytesMut::new();
            write_integer(value, &mut out);
            assert_eq!(out, value.to_string().as_bytes());
        }
        let mut out = BytesMut::new();
        write_fraction(500_000, &mut out);
        write_fraction(1, &mut out);
        write_fraction(0, &mut out);
        write_padded(44, 4, &mut out);
        assert_eq!(&out[..], b".5.0000010044");
    }
}
