//! The time zone of this process (`TZ`, or `/etc/localtime`).

use crate::ffi;

/// By how many seconds its clocks are before UTC at that moment, in seconds since 1970; 0 where that is not known.
pub fn offset_at(seconds: i64) -> i32 {
    ffi::local_offset(seconds).and_then(|offset| offset.try_into().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_differ_by_less_than_a_day() {
        assert!((-86_400..86_400).contains(&offset_at(1_561_125_600)));
        assert_eq!(offset_at(i64::MAX), 0);
    }
}
