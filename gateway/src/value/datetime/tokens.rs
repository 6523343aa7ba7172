//! The words of dates and intervals.

use super::abbreviations::abbreviation;

/// What a word means in a date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Filler: `at`, `on`.
    Ignore,
    Now,
    Yesterday,
    Today,
    Tomorrow,
    /// `allballs`: midnight UTC.
    Zulu,
    Epoch,
    Infinity,
    NegativeInfinity,
    Month(i64),
    Weekday,
    Am,
    Pm,
    Ad,
    Bc,
    /// `dst`: an hour more.
    Dst,
    /// Seconds east of UTC.
    Zone(i32),
    /// `j`: a Julian day follows.
    Julian,
    /// `t`: a time follows.
    IsoTime,
    /// The number of this unit follows.
    Unit(DateUnit),
}

/// A unit that labels a number of a date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateUnit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// One that no number of a date has.
    Other,
}

/// A word that is no time zone; lower case.
pub(super) fn date_word(word: &str) -> Option<Word> {
    Some(match word {
        "at" | "on" => Word::Ignore,
        "now" => Word::Now,
        "yesterday" => Word::Yesterday,
        "today" => Word::Today,
        "tomorrow" => Word::Tomorrow,
        "allballs" => Word::Zulu,
        "epoch" => Word::Epoch,
        "infinity" => Word::Infinity,
        "-infinity" => Word::NegativeInfinity,
        "jan" | "january" => Word::Month(1),
        "feb" | "february" => Word::Month(2),
        "mar" | "march" => Word::Month(3),
        "apr" | "april" => Word::Month(4),
        "may" => Word::Month(5),
        "jun" | "june" => Word::Month(6),
        "jul" | "july" => Word::Month(7),
        "aug" | "august" => Word::Month(8),
        "sep" | "sept" | "september" => Word::Month(9),
        "oct" | "october" => Word::Month(10),
        "nov" | "november" => Word::Month(11),
        "dec" | "december" => Word::Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday" | "thu"
        | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => Word::Weekday,
        "am" => Word::Am,
        "pm" => Word::Pm,
        "ad" => Word::Ad,
        "bc" => Word::Bc,
        "dst" => Word::Dst,
        "j" | "jd" | "julian" => Word::Julian,
        "t" => Word::IsoTime,
        "y" => Word::Unit(DateUnit::Year),
        "m" => Word::Unit(DateUnit::Month),
        "d" => Word::Unit(DateUnit::Day),
        "h" => Word::Unit(DateUnit::Hour),
        "mm" => Word::Unit(DateUnit::Minute),
        "s" => Word::Unit(DateUnit::Second),
        "dow" | "doy" | "isodow" | "isoyear" => Word::Unit(DateUnit::Other),
        _ => return None,
    })
}

/// Any word of a date or time: zone abbreviations come first, as in Postgres.
pub(super) fn word(word: &str) -> Option<Word> {
    abbreviation(word).map(|(east, _)| Word::Zone(east)).or_else(|| date_word(word))
}

/// A unit of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::value) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
    /// `ago`: everything is negated.
    Ago,
}

/// The unit that a lower case word names. Postgres compares ten characters at most.
pub(in crate::value) fn interval_unit(word: &str) -> Option<Unit> {
    Some(match word.get(..10).unwrap_or(word) {
        "ago" => Unit::Ago,
        "c" | "cent" | "centuries" | "century" => Unit::Century,
        "d" | "day" | "days" => Unit::Day,
        "dec" | "decade" | "decades" | "decs" => Unit::Decade,
        "h" | "hour" | "hours" | "hr" | "hrs" => Unit::Hour,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "microsecon" | "us" | "usec" | "usecond" | "useconds" | "usecs" => Unit::Microsecond,
        "mil" | "millennia" | "millennium" | "mils" => Unit::Millennium,
        "millisecon" | "ms" | "msec" | "msecond" | "mseconds" | "msecs" => Unit::Millisecond,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "s" | "sec" | "second" | "seconds" | "secs" => Unit::Second,
        "w" | "week" | "weeks" => Unit::Week,
        "y" | "year" | "years" | "yr" | "yrs" => Unit::Year,
        _ => return None,
    })
}
