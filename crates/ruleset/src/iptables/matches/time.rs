//! `-m time` (extensions/libxt_time.c, `time_save`).

use std::fmt;

use super::super::extension::{Extension, Field, Given, Opt};
use super::super::problem::Problem;
use super::super::value::number_in;

/// The names of days, from Monday.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The last second the kernel keeps: 2038-01-19T03:14:07.
const LAST: u32 = i32::MAX as u32;

/// Seconds of a day.
const DAY: u32 = 86_400;

/// When a packet comes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// From that second of a day.
    pub day_start: u32,
    /// To that second of a day.
    pub day_stop: u32,
    /// The days of the month, one bit each from 1; all if empty or full.
    pub month_days: u32,
    /// The days of the week, one bit each from 1 for Monday; all if full.
    pub week_days: u8,
    /// From that second since 1970.
    pub date_start: u32,
    /// To that second since 1970.
    pub date_stop: u32,
    /// By the time zone of the kernel, not UTC.
    pub kernel_zone: bool,
    /// A span over midnight is one span.
    pub contiguous: bool,
}

impl Time {
    /// Every day of the month.
    pub const EVERY_MONTH_DAY: u32 = 0xffff_fffe;
    /// Every day of the week.
    pub const EVERY_WEEK_DAY: u8 = 0xfe;
}

/// `01:02` or `01:02:03`.
fn time_of_day(text: &str) -> Option<u32> {
    let mut parts = text.split(':').map(|part| part.parse::<u32>().ok().filter(|_| part.len() <= 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    (parts.next().is_none() && hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// `2020`, `2020-01`, `2020-01-02`, and any of these with `T01`, `T01:02` or `T01:02:03`.
fn date(text: &str) -> Option<u32> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next().unwrap_or(Some(1))?, parts.next().unwrap_or(Some(1))?);
    let time =
        if time.contains(':') { time_of_day(time)? } else { time.parse::<u32>().ok().filter(|h| *h < 24)? * 3600 };
    let legal = parts.next().is_none() && (1970..2038 + 1).contains(&year) && (1..=12).contains(&month);
    if !legal || !(1..=31).contains(&day) {
        return None;
    }
    u32::try_from(days_of(year, month, day) * i64::from(DAY) + i64::from(time)).ok().filter(|date| *date <= LAST)
}

fn month_days(text: &str) -> Option<u32> {
    text.split(',').map(|day| number_in(day, 1..=31)).try_fold(0, |bits, day| Some(bits | 1 << day?))
}

fn week_days(text: &str) -> Option<u8> {
    let named = |word: &str| {
        let start = word.get(..2)?;
        DAYS.iter().position(|day| day[..2].eq_ignore_ascii_case(start)).map(|day| day as u64 + 1)
    };
    let day = |word: &str| number_in(word, 1..=7).or_else(|| named(word));
    text.split(',').map(day).try_fold(0, |bits, found| Some(bits | 1 << found?))
}

impl Extension for Time {
    const NAMES: &'static [&'static str] = &["time"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--timestart"]),
        Opt::word(&["--timestop"]),
        Opt::word(&["--monthdays"]).or_not(),
        Opt::word(&["--weekdays"]).or_not(),
        Opt::word(&["--datestart"]),
        Opt::word(&["--datestop"]),
        Opt::flag(&["--kerneltz"]),
        Opt::flag(&["--contiguous"]),
        Opt::flag(&["--utc"]),
        Opt::flag(&["--localtz"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let read = |option: usize, read: fn(&str) -> Option<u32>, default, expected| match given.single(option)? {
            None => Ok(default),
            Some(found) => read(found.value()).ok_or_else(|| found.unexpected(expected)),
        };
        let clock = "a time of day as `01:02:03`";
        let calendar = "a date from 1970 to 2038, as `2020-01-02T03:04:05`";
        let month = read(2, month_days, Self::EVERY_MONTH_DAY, "days of the month as `1,15`")?;
        let week = read(3, |text| week_days(text).map(u32::from), Self::EVERY_WEEK_DAY.into(), "days as `Mon,Tue`")?;
        let inverted = |option| given.single(option).map(|found| found.is_some_and(|found| found.inverted));
        let time = Self {
            day_start: read(0, time_of_day, 0, clock)?,
            day_stop: read(1, time_of_day, DAY - 1, clock)?,
            month_days: if inverted(2)? { month ^ Self::EVERY_MONTH_DAY } else { month },
            week_days: if inverted(3)? { week as u8 ^ Self::EVERY_WEEK_DAY } else { week as u8 },
            date_start: read(4, date, 0, calendar)?,
            date_stop: read(5, date, LAST, calendar)?,
            kernel_zone: given.one_of(&[6, 8])?.is_some_and(|zone| zone.option == 6),
            contiguous: given.flag(7)?,
        };
        match given.single(9)? {
            Some(local) => Err(Problem::at(local.word, "the local time is not known here").expecting("`--kerneltz`")),
            None if time.contiguous && time.day_start < time.day_stop => {
                Err(given.problem("`--contiguous` needs a span over midnight"))
            }
            None => Ok(time),
        }
    }
}

/// A date as iptables-save writes it.
struct Date(u32);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(i64::from(self.0 / DAY));
        write!(f, "{year:04}-{month:02}-{day:02}T{}", Clock(self.0 % DAY))
    }
}

/// A time of day as iptables-save writes it.
struct Clock(u32);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0 / 3600, self.0 / 60 % 60, self.0 % 60)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.day_start != 0 || self.day_stop != DAY - 1 {
            write!(f, " --timestart {} --timestop {}", Clock(self.day_start), Clock(self.day_stop))?;
        }
        if self.month_days != Self::EVERY_MONTH_DAY {
            let days = (1..32).filter(|day| self.month_days & 1 << day != 0).map(|day| day.to_string());
            write!(f, " --monthdays {}", days.collect::<Vec<_>>().join(","))?;
        }
        if self.week_days != Self::EVERY_WEEK_DAY {
            let days = (0..7).filter(|day| self.week_days & 2 << day != 0).map(|day| DAYS[day]);
            write!(f, " --weekdays {}", days.collect::<Vec<_>>().join(","))?;
        }
        if self.date_start != 0 {
            write!(f, " --datestart {}", Date(self.date_start))?;
        }
        // iptables-save always writes the end.
        write!(f, " --datestop {}", Date(self.date_stop))?;
        Field::print(&self.kernel_zone, f, "--kerneltz")?;
        Field::print(&self.contiguous, f, "--contiguous")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m time --datestop 2038-01-19T03:14:07",
            "-m time --timestart 01:02:03 --timestop 04:05:00 --monthdays 1,2 --weekdays Mon,Tue --datestart 2020-02-29T00:00:00 --datestop 2021-12-31T23:59:59 --kerneltz",
        ]);
        prints_as(
            "-m time --timestart 1:02 ! --weekdays 6,Sun",
            "-m time --timestart 01:02:00 --timestop 23:59:59 --weekdays Mon,Tue,Wed,Thu,Fri --datestop 2038-01-19T03:14:07",
        );
        is_refused(&[
            "-m time --timestart 24:00",
            "-m time --weekdays odd",
            "-m time --monthdays 32",
            "-m time --datestart 1969-01-01",
        ]);
    }
}
