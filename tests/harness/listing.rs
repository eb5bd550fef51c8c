//! Listings of nft, made comparable.

/// A listing of nft with the elements inside each innermost pair of braces sorted: sets of concatenated ranges keep the
/// order of their making.
pub fn in_order(listing: &str) -> String {
    let mut text = String::new();
    let mut rest = listing;
    while let Some(open) = rest.find('{') {
        let inner = &rest[open + 1..];
        let close = inner.find(['{', '}', ';']).unwrap_or(inner.len());
        text.push_str(&rest[..=open]);
        if inner[close..].starts_with('}') {
            let mut elements: Vec<&str> = inner[..close].split(',').map(str::trim).collect();
            elements.sort_unstable();
            text.push_str(&elements.join(", "));
        } else {
            text.push_str(&inner[..close]);
        }
        rest = &inner[close..];
    }
    text + rest
}
