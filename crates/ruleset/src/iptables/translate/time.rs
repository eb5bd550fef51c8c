//! `-m time`.

use super::asked::Asked;
use super::compare::{among, meta, relation, value_for};
use super::draft::Draft;
use super::{No, Told};
use crate::ir::{DataType, Expression, MetaKey, Value, symbol};

const DAY: u64 = 86_400;
/// The last second that iptables knows: 2038-01-19 03:14:07.
const LAST: u64 = i32::MAX as u64;

/// `-m time` (net/netfilter/xt_time.c, `time_mt`).
pub(super) fn time(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if asked.has(&["--kerneltz"]) {
        return Err(No::because("nft has no time of the kernel's own zone"));
    }
    if asked.flag(&["--contiguous"]).is_some() {
        return Err(No::because("nft takes the day and the hour of a packet by themselves"));
    }
    asked.flag(&["--utc"]);
    // iptables-save prints the end of time, too.
    let from = asked.plain(&["--datestart"])?.map(|text| date(&text)).transpose()?.filter(|first| *first != 0);
    let until = asked.plain(&["--datestop"])?.map(|text| date(&text)).transpose()?.filter(|last| *last != LAST);
    if from.is_some() || until.is_some() {
        let second = |seconds: u64| Value::new(DataType::Date, (seconds * 1_000_000_000).to_be_bytes());
        let (first, last) = (second(from.unwrap_or(0)), second(until.unwrap_or(LAST)));
        let range = Expression::Range(Box::new(first.into()), Box::new(last.into()));
        draft.push(relation(meta(MetaKey::Time), false, range));
    }
    hours(asked, draft)?;
    if let Some((inverted, list)) = asked.value(&["--weekdays"])? {
        weekdays(inverted, &list, draft)?;
    }
    if asked.has(&["--monthdays"]) {
        return Err(No::because("nft does not ask for the day of the month"));
    }
    draft.note("note: times are UTC, and nft reads them in the zone of its TZ: load this with TZ=UTC");
    Ok(())
}

fn hours(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let [start, stop] = [["--timestart"], ["--timestop"]].map(|option| asked.plain(&option));
    let hour = |text: Option<String>, open: u64| match text {
        None => Ok(open),
        Some(text) => symbol::parse_hour(&text).ok_or_else(|| No::because(format!("`{text}` is no time of day"))),
    };
    let (start, stop) = (hour(start?, 0)?, hour(stop?, DAY - 1)?);
    // From a time to itself is a whole day, and over midnight all that is not between the end and the start.
    let (inverted, first, last) = match start.cmp(&stop) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less if start == 0 && stop >= DAY - 1 => return Ok(()),
        std::cmp::Ordering::Less => (false, start, stop),
        std::cmp::Ordering::Greater if start == stop + 1 => return Ok(()),
        std::cmp::Ordering::Greater => (true, stop + 1, start - 1),
    };
    let left = meta(MetaKey::Hour);
    let (first, last) = (value_for(&left, first)?, value_for(&left, last)?);
    draft.push(relation(left, inverted, Expression::Range(Box::new(first.into()), Box::new(last.into()))));
    Ok(())
}

/// `2021`, `2021-01`, `2021-01-29` or `2021-01-29T12:00:00`, in seconds.
fn date(text: &str) -> Told<u64> {
    let (day, hour) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let missing = ["-01-01", "-01", ""].get(day.matches('-').count()).copied().unwrap_or("");
    let hour = match hour.matches(':').count() {
        _ if hour.is_empty() => "00:00:00".to_owned(),
        0 => format!("{hour}:00:00"),
        1 => format!("{hour}:00"),
        _ => hour.to_owned(),
    };
    let nanoseconds = symbol::parse_date(&format!("{day}{missing} {hour}"));
    nanoseconds.map(|it| it / 1_000_000_000).ok_or_else(|| No::because(format!("`{text}` is no date")))
}

fn weekdays(inverted: bool, list: &str, draft: &mut Draft<'_>) -> Told<()> {
    let day = |word: &str| match word.to_ascii_lowercase().get(..2.min(word.len())).unwrap_or_default() {
        "su" | "7" => Ok(0),
        "mo" | "1" => Ok(1),
        "tu" | "2" => Ok(2),
        "we" | "3" => Ok(3),
        "th" | "4" => Ok(4),
        "fr" | "5" => Ok(5),
        "sa" | "6" => Ok(6),
        _ => Err(No::because(format!("`{word}` is no day"))),
    };
    let days: Vec<u64> = list.split(',').map(day).collect::<Told<_>>()?;
    let days: Vec<_> = (0..7).filter(|day| days.contains(day) != inverted).map(|day| (day, day)).collect();
    match days.len() {
        0 => Err(No::Never),
        7 => Ok(()),
        _ => {
            draft.extend(among(meta(MetaKey::Day), false, &days)?);
            Ok(())
        }
    }
}
