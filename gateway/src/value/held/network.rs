//! `inet` and `cidr`: addresses with a mask's length, as `network.c` reads, writes and compares them.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use super::super::error::invalid_syntax;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Numbers of the families in the binary form.
const BINARY_IPV4: u8 = 2;
const BINARY_IPV6: u8 = 3;

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inet {
    pub v6: bool,
    /// Length of the mask.
    pub bits: u8,
    /// In the low 32 or all 128 bits.
    pub address: u128,
}

fn name(cidr: bool) -> &'static str {
    if cidr { "cidr" } else { "inet" }
}

impl Inet {
    pub fn parse(text: &str, cidr: bool) -> PgResult<Self> {
        let bad = || invalid_syntax(name(cidr), text.as_bytes());
        let parsed = if text.contains(':') {
            ipv6(text)
        } else if cidr {
            ipv4_network(text)
        } else {
            ipv4(text)
        };
        let value = parsed.ok_or_else(bad)?;
        if cidr && value.address & value.host_mask() != 0 {
            return Err(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid cidr value: \"{text}\""))
                .detail("Value has bits set to right of mask."));
        }
        Ok(value)
    }

    pub fn receive(bytes: &[u8], cidr: bool) -> PgResult<Self> {
        let invalid = |what: &str| {
            let message = format!("{what} in external \"{}\" value", name(cidr));
            PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
        };
        let [family, bits, _is_cidr, length, address @ ..] = bytes else {
            return Err(super::super::error::too_short());
        };
        let v6 = match *family {
            BINARY_IPV4 => false,
            BINARY_IPV6 => true,
            _ => return Err(invalid("invalid address family")),
        };
        let (size, most) = if v6 { (16, 128) } else { (4, 32) };
        if *bits > most {
            return Err(invalid("invalid bits"));
        }
        if usize::from(*length) != size {
            return Err(invalid("invalid length"));
        }
        let Some((address, rest)) = address.split_at_checked(size) else {
            return Err(super::super::error::too_short());
        };
        if !rest.is_empty() {
            return Err(super::super::error::too_long());
        }
        let address = address.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        let value = Self { v6, bits: *bits, address };
        if cidr && value.address & value.host_mask() != 0 {
            let message = "invalid external \"cidr\" value";
            return Err(PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
                .detail("Value has bits set to right of mask."));
        }
        Ok(value)
    }

    pub fn send(&self, cidr: bool, out: &mut Vec<u8>) {
        let size: u8 = if self.v6 { 16 } else { 4 };
        out.extend([if self.v6 { BINARY_IPV6 } else { BINARY_IPV4 }, self.bits, cidr.into(), size]);
        let bytes = self.address.to_be_bytes();
        out.extend(bytes.get(16 - usize::from(size)..).unwrap_or_default());
    }

    /// Bits of its family's addresses.
    pub fn width(&self) -> u8 {
        if self.v6 { 128 } else { 32 }
    }

    fn all(&self) -> u128 {
        if self.v6 { u128::MAX } else { u128::from(u32::MAX) }
    }

    /// Ones where the host is.
    pub fn host_mask(&self) -> u128 {
        let host = u32::from(self.width() - self.bits.min(self.width()));
        if host >= 128 { u128::MAX } else { (1_u128 << host) - 1 }
    }

    pub fn net_mask(&self) -> u128 {
        self.all() & !self.host_mask()
    }

    /// The address without its mask.
    pub fn host(&self) -> String {
        if self.v6 {
            return ipv6_text(self.address);
        }
        let [.., a, b, c, d] = self.address.to_be_bytes();
        format!("{a}.{b}.{c}.{d}")
    }

    /// As `inet_out` and `cidr_out` have it.
    pub fn text(&self, cidr: bool) -> String {
        if cidr || self.bits != self.width() { self.with_bits() } else { self.host() }
    }

    /// Always with the mask.
    pub fn with_bits(&self) -> String {
        format!("{}/{}", self.host(), self.bits)
    }

    /// Bytes that order as `network_cmp` does: the networks bit by bit, then shorter masks, then the whole addresses.
    pub fn key(&self) -> Vec<u8> {
        let width = u32::from(self.width());
        let mut key = vec![u8::from(self.v6)];
        for n in 0..u32::from(self.bits).min(width) {
            key.push(if self.address >> (width - 1 - n) & 1 == 1 { 2 } else { 1 });
        }
        key.push(0);
        key.extend(self.address.to_be_bytes());
        key
    }

    /// Whether both begin with the same `bits` bits.
    fn same_network(&self, other: &Self, bits: u8) -> bool {
        let probe = Self { bits, ..*self };
        self.v6 == other.v6 && (self.address ^ other.address) & probe.net_mask() == 0
    }

    /// `a << b` and its like.
    pub fn compare(&self, op: &str, other: &Self) -> bool {
        match op {
            "<<" => self.bits > other.bits && self.same_network(other, other.bits),
            "<<=" => self.bits >= other.bits && self.same_network(other, other.bits),
            ">>" => other.compare("<<", self),
            ">>=" => other.compare("<<=", self),
            _ => self.same_network(other, self.bits.min(other.bits)),
        }
    }

    pub fn not(&self) -> Self {
        Self { address: !self.address & self.all(), ..*self }
    }

    /// `&` and `|`.
    pub fn combined(&self, other: &Self, and: bool) -> PgResult<Self> {
        if self.v6 != other.v6 {
            let word = if and { "AND" } else { "OR" };
            let message = format!("cannot {word} inet values of different sizes");
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let address = if and { self.address & other.address } else { self.address | other.address };
        Ok(Self { address, bits: self.bits.max(other.bits), ..*self })
    }

    /// `inet + bigint`.
    pub fn plus(&self, step: i128) -> PgResult<Self> {
        let range = || PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "result is out of range");
        let address = if step < 0 {
            self.address.checked_sub(step.unsigned_abs())
        } else {
            self.address.checked_add(step.unsigned_abs())
        };
        match address {
            Some(address) if address <= self.all() => Ok(Self { address, ..*self }),
            _ => Err(range()),
        }
    }

    /// `inet - inet`.
    pub fn minus(&self, other: &Self) -> PgResult<i64> {
        if self.v6 != other.v6 {
            let message = "cannot subtract inet values of different sizes";
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let size = self.address.abs_diff(other.address);
        let range = || PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "result is out of range");
        let size = i128::try_from(size).map_err(|_| range())?;
        i64::try_from(if self.address < other.address { -size } else { size }).map_err(|_| range())
    }

    pub fn network(&self) -> Self {
        Self { address: self.address & self.net_mask(), ..*self }
    }

    pub fn broadcast(&self) -> Self {
        Self { address: self.address | self.host_mask(), ..*self }
    }

    pub fn with_length(&self, bits: i64) -> PgResult<Self> {
        let most = i64::from(self.width());
        let bits = if bits == -1 { most } else { bits };
        match u8::try_from(bits) {
            Ok(length) if bits <= most => Ok(Self { bits: length, ..*self }),
            _ => Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid mask length: {bits}"))),
        }
    }

    /// The smallest network that has both.
    pub fn merged(&self, other: &Self) -> PgResult<Self> {
        if self.v6 != other.v6 {
            let message = "cannot merge addresses from different families";
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let mut bits = self.bits.min(other.bits);
        while bits > 0 && !self.same_network(other, bits) {
            bits -= 1;
        }
        Ok(Self { bits, ..*self }.network())
    }

    /// `abbrev(cidr)`.
    pub fn abbreviated(&self) -> String {
        if self.v6 { self.abbreviated_v6() } else { self.abbreviated_v4() }
    }

    fn abbreviated_v4(&self) -> String {
        let mut text = String::new();
        if self.bits == 0 {
            text.push('0');
        }
        let [.., a, b, c, d] = self.network().address.to_be_bytes();
        for (n, octet) in [a, b, c, d].iter().take(usize::from(self.bits).div_ceil(8)).enumerate() {
            let _ = write!(text, "{}{octet}", if n > 0 { "." } else { "" });
        }
        let _ = write!(text, "/{}", self.bits);
        text
    }

    fn abbreviated_v6(&self) -> String {
        if self.bits == 0 {
            return "::/0".to_owned();
        }
        let words_all = Ipv6Addr::from_bits(self.network().address).segments();
        let count = usize::from(self.bits).div_ceil(16).max(2);
        let words = words_all.get(..count).unwrap_or_default();
        let (start, length) = zeros(words, 1);
        let last = words_all.get(7).copied().unwrap_or(0);
        let is_ipv4 = length != count
            && start == 0
            && (length == 6
                || (length == 5 && words_all.get(5) == Some(&0xffff))
                || (length == 7 && last >> 8 != 0 && last & 0xff != 1));
        let mut text = String::new();
        for (n, word) in words.iter().enumerate() {
            if length != 0 && (start..start + length).contains(&n) {
                if n == start {
                    text.push(':');
                }
                if n == count - 1 {
                    text.push(':');
                }
                continue;
            }
            if is_ipv4 && n > 5 {
                let _ = write!(text, "{}{}", if n == 6 { ':' } else { '.' }, word >> 8);
                if n != 7 || self.bits > 120 {
                    let _ = write!(text, ".{}", word & 0xff);
                }
                continue;
            }
            let _ = write!(text, "{}{word:x}", if text.is_empty() { "" } else { ":" });
        }
        let _ = write!(text, "/{}", self.bits);
        text
    }
}

/// The mask's length behind the slash.
fn length(text: &str, most: u8) -> Option<u8> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.trim_start_matches('0')
        .parse()
        .or_else(|e| if text.bytes().all(|b| b == b'0') { Ok(0) } else { Err(e) })
        .ok()
        .filter(|n| *n <= most)
}

/// Octets with points between; a point at the end is fine where `loose`.
fn octets(text: &str, loose: bool) -> Option<Vec<u8>> {
    let text = if loose { text.strip_suffix('.').unwrap_or(text) } else { text };
    let octets: Option<Vec<u8>> = text
        .split('.')
        .map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let value = part.bytes().fold(0_u32, |sum, b| (sum * 10 + u32::from(b.wrapping_sub(b'0'))).min(1000));
            if digits { u8::try_from(value).ok() } else { None }
        })
        .collect();
    octets.filter(|o| (1..=4).contains(&o.len()))
}

fn address_of(octets: &[u8]) -> u128 {
    (0..4).fold(0, |sum, n| sum << 8 | u128::from(octets.get(n).copied().unwrap_or(0)))
}

/// An address of a host: four octets, or fewer with a mask that they cover.
fn ipv4(text: &str) -> Option<Inet> {
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(length(mask, 32)?)),
        None => (text, None),
    };
    let octets = octets(address, true)?;
    let bits = match mask {
        Some(bits) => bits,
        None if octets.len() == 4 => 32,
        None => return None,
    };
    (usize::from(bits) / 8 <= octets.len()).then(|| Inet { v6: false, bits, address: address_of(&octets) })
}

/// A network: as many octets as it needs; without a mask that of its class.
fn ipv4_network(text: &str) -> Option<Inet> {
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(length(mask, 32)?)),
        None => (text, None),
    };
    let octets = match address.strip_prefix("0x").or_else(|| address.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits)?,
        None => octets(address, false)?,
    };
    let first = *octets.first()?;
    let given = u8::try_from(octets.len() * 8).ok()?;
    let bits = mask.unwrap_or_else(|| {
        let class = match first {
            240.. => 32,
            224.. => 8,
            192.. => 24,
            128.. => 16,
            _ => 8,
        };
        let bits = given.max(class);
        if bits == 8 && first == 224 { 4 } else { bits }
    });
    Some(Inet { v6: false, bits, address: address_of(&octets) })
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let padded = if digits.len() % 2 == 1 { format!("{digits}0") } else { digits.to_owned() };
    (0..padded.len() / 2).map(|n| u8::from_str_radix(padded.get(2 * n..2 * n + 2)?, 16).ok()).collect()
}

fn ipv6(text: &str) -> Option<Inet> {
    let (address, bits) = match text.split_once('/') {
        // No zeros in front.
        Some((_, mask)) if mask.len() > 1 && mask.starts_with('0') => return None,
        Some((address, mask)) => (address, length(mask, 128)?),
        None => (text, 128),
    };
    let address: Ipv6Addr = address.parse().ok()?;
    Some(Inet { v6: true, bits, address: address.to_bits() })
}

/// Where the longest run of zeros of at least `least` begins, and how long it is.
fn zeros(words: &[u16], least: usize) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), (0, 0));
    for (n, word) in words.iter().enumerate() {
        if *word != 0 {
            run = (0, 0);
            continue;
        }
        if run.1 == 0 {
            run.0 = n;
        }
        run.1 += 1;
        if run.1 > best.1 {
            best = run;
        }
    }
    if best.1 >= least { best } else { (0, 0) }
}

/// As `inet_ntop` writes it, also IPv4 inside.
fn ipv6_text(address: u128) -> String {
    let words = Ipv6Addr::from_bits(address).segments();
    let (start, length) = zeros(&words, 2);
    let word = |n: usize| words.get(n).copied().unwrap_or(0);
    let mut text = String::new();
    for n in 0..8 {
        if length > 0 && (start..start + length).contains(&n) {
            if n == start {
                text.push(':');
            }
            continue;
        }
        if n > 0 {
            text.push(':');
        }
        let embedded = n == 6
            && start == 0
            && (length == 6 || (length == 7 && word(7) != 1) || (length == 5 && word(5) == 0xffff));
        if embedded {
            let (high, low) = (word(6), word(7));
            let _ = write!(text, "{}.{}.{}.{}", high >> 8, high & 0xff, low >> 8, low & 0xff);
            return text;
        }
        let _ = write!(text, "{:x}", word(n));
    }
    if length > 0 && start + length == 8 {
        text.push(':');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_postgres_own() {
        for (text, cidr, expect) in [
            ("192.168.1.5", false, "192.168.1.5"),
            ("192.168.1.5/24", false, "192.168.1.5/24"),
            ("10/8", false, "10.0.0.0/8"),
            ("10.1.2.3/32", false, "10.1.2.3"),
            ("192.168.1", true, "192.168.1.0/24"),
            ("10", true, "10.0.0.0/8"),
            ("224", true, "224.0.0.0/4"),
            ("0x7f000001", true, "127.0.0.1/32"),
            ("::ffff:1.2.3.4", false, "::ffff:1.2.3.4"),
            ("::1", false, "::1"),
            ("::", true, "::/128"),
            ("2001:DB8:0:0:1:0:0:1/64", false, "2001:db8::1:0:0:1/64"),
            ("fe80::/10", true, "fe80::/10"),
        ] {
            assert_eq!(Inet::parse(text, cidr).unwrap().text(cidr), expect, "{text}");
        }
        for (text, cidr) in [("10.1", false), ("1.2.3.256", false), ("1.2.3.4/33", false), ("", true), ("a", false)] {
            assert!(Inet::parse(text, cidr).is_err(), "{text}");
        }
        assert_eq!(
            Inet::parse("10.1.2.3/8", true).unwrap_err().to_string(),
            "22P02: invalid cidr value: \"10.1.2.3/8\""
        );
    }

    #[test]
    fn keys_order_as_postgres_does() {
        let sorted = ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0", "10.0.0.1/8", "11.0.0.0/8", "::/0", "::1"];
        let mut keys: Vec<_> = sorted.iter().map(|t| (Inet::parse(t, false).unwrap().key(), *t)).collect();
        keys.sort();
        let order: Vec<_> = keys.iter().map(|k| k.1).collect();
        // 10.0.0.1/8 is of network 10.0.0.0/8, and above it.
        let expect = ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.1/8", "10.0.0.0/24", "10.0.0.0", "11.0.0.0/8", "::/0", "::1"];
        assert_eq!(order, expect);
    }
}
