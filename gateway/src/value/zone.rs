//! Time zones by the names and offsets that Postgres' `TimeZone` takes.

/// A session's time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone {
    rule: Rule,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Seconds east of UTC.
    Fixed(i32),
    Iana(chrono_tz::Tz),
}

impl TimeZone {
    /// `UTC`
    pub const UTC: TimeZone = TimeZone {
        rule: Rule::Fixed(0),
        name: String::new(),
    };

    /// The zone that `SET TimeZone TO 'text'` means; none where Postgres says
    /// `invalid value for parameter "TimeZone"`.
    #[must_use]
    pub fn parse(text: &str) -> Option<TimeZone> {
        let _ = text;
        None
    }

    /// A zone of a fixed offset: `SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE`.
    #[must_use]
    pub fn fixed(seconds_east: i32) -> TimeZone {
        TimeZone {
            rule: Rule::Fixed(seconds_east),
            name: String::new(),
        }
    }

    /// What `SHOW TimeZone` says.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.name.is_empty() {
            "UTC"
        } else {
            &self.name
        }
    }
}
