//! Interfaces of the network namespace that the calling thread is in.

use std::ffi::CString;

use crate::ffi;

/// The index of the interface of that name, if there is one.
pub fn index_of(name: &str) -> Option<u32> {
    ffi::interface_index(&CString::new(name).ok()?)
}

/// The name of the interface of that index, if there is one.
pub fn name_of(index: u32) -> Option<String> {
    ffi::interface_name(index)?.into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_number_one_everywhere() {
        assert_eq!(index_of("lo"), Some(1));
        assert_eq!(name_of(1).as_deref(), Some("lo"));
        assert_eq!((index_of("no such interface"), index_of("\0"), name_of(u32::MAX)), (None, None, None));
    }
}
