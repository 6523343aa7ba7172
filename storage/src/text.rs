//! Values as text, as DuckDB prints them: the form of statistics and defaults in a lake.

use std::fmt::Write;

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// An unscaled decimal: `-0.05`.
pub fn decimal(value: i128, scale: i8) -> String {
    let scale = usize::from(scale.unsigned_abs());
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Bytes as upper-case hex.
pub fn blob(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// Days since 1970: `2024-01-02`, `0044-03-15 (BC)`, `infinity`.
pub fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".into(),
        i32::MIN | -2_147_483_647 => "-infinity".into(),
        _ => civil(i64::from(days)),
    }
}

/// Microseconds since midnight: `03:04:05.5`.
pub fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros / MICROS_PER_SECOND, micros % MICROS_PER_SECOND);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hours:02}:{minutes:02}:{seconds:02}");
    if fraction != 0 {
        let _ = write!(text, ".{fraction:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// Microseconds since 1970, with `+00` behind for a timestamptz: `2024-01-02 03:04:05+00`, `infinity`.
pub fn timestamp(micros: i64, with_zone: bool) -> String {
    if micros == i64::MAX {
        return "infinity".into();
    }
    if micros <= -i64::MAX {
        return "-infinity".into();
    }
    let (days, rest) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
    let zone = if with_zone { "+00" } else { "" };
    format!("{} {}{zone}", civil(days), time(rest))
}

/// The 16 bytes of a uuid.
pub fn uuid(bytes: &[u8]) -> Option<String> {
    Some(uuid::Uuid::from_slice(bytes).ok()?.to_string())
}

/// A `real`, in the fewest digits that read back as the same value.
pub fn float4(value: f32) -> String {
    float(format!("{value:e}"))
}

/// A `double precision`, in the fewest digits that read back as the same value.
pub fn float8(value: f64) -> String {
    float(format!("{value:e}"))
}

/// DuckDB's form of a float from Rust's `-1.25e-7`: plain from 1e-4 below 1e16, else with an exponent of two digits.
fn float(scientific: String) -> String {
    let (sign, rest) = match scientific.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", scientific.as_str()),
    };
    let Some((mantissa, exponent)) = rest.split_once('e') else {
        return scientific.to_lowercase();
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{mark}{:02}", exponent.abs());
    }
    let digits = mantissa.replace('.', "");
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let point = exponent.unsigned_abs() as usize + 1;
    if digits.len() <= point {
        return format!("{sign}{digits:0<point$}.0");
    }
    let (whole, fraction) = digits.split_at(point);
    format!("{sign}{whole}.{fraction}")
}

/// Days since 1970 in the Gregorian calendar, also before it began. Not chrono: DuckDB's dates reach further.
fn civil(days: i64) -> String {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    if year > 0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{:04}-{month:02}-{day:02} (BC)", 1 - year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_duckdb_prints_them() {
        for (value, expect) in [
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (123_456_789_012_345.67, "123456789012345.67"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (0.1, "0.1"),
            (100.0, "100.0"),
            (1e300, "1e+300"),
            (-0.0, "-0.0"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (123_456_789_012_345_678.0, "1.2345678901234568e+17"),
            (-1.25e-7, "-1.25e-07"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float8(value), expect);
        }
        assert_eq!(float4(123_456_789_012_345.67), "123456790000000.0");
        assert_eq!(float4(0.1), "0.1");
    }

    #[test]
    fn dates_and_times_as_duckdb_prints_them() {
        assert_eq!(date(19_724), "2024-01-02");
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-735_160), "0044-03-15 (BC)");
        assert_eq!(date(2_932_897), "10000-01-01");
        assert_eq!(date(i32::MAX), "infinity");
        assert_eq!(date(-i32::MAX), "-infinity");
        assert_eq!(time(11_045_500_000), "03:04:05.5");
        assert_eq!(time(MICROS_PER_DAY), "24:00:00");
        assert_eq!(time(1), "00:00:00.000001");
        assert_eq!(timestamp(-1, false), "1969-12-31 23:59:59.999999");
        assert_eq!(timestamp(1_704_164_645_000_000, true), "2024-01-02 03:04:05+00");
        assert_eq!(timestamp(i64::MAX, true), "infinity");
        assert_eq!(timestamp(-i64::MAX, false), "-infinity");
    }

    #[test]
    fn decimals_keep_their_scale() {
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(9_999_999_999, 2), "99999999.99");
        assert_eq!(decimal(1_000_000_000, 9), "1.000000000");
        assert_eq!(decimal(0, 0), "0");
        assert_eq!(decimal(i128::MIN, 0), i128::MIN.to_string());
        assert_eq!(blob(&[0, 0xab]), "00AB");
    }
}
