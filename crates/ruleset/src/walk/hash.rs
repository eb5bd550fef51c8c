//! The hash of the kernel's `jhash`: lookup3 by Bob Jenkins, public domain (include/linux/jhash.h).

/// What the sums begin with (`JHASH_INITVAL`).
const START: u32 = 0xdead_beef;

/// The hash of bytes, from a seed (`jhash`). Words are read in the machine's order.
pub(super) fn jhash(bytes: &[u8], seed: u32) -> u32 {
    let [mut a, mut b, mut c] = [START.wrapping_add(bytes.len() as u32).wrapping_add(seed); 3];
    let mut rest = bytes;
    while rest.len() > 12 {
        let (block, behind) = rest.split_at(12);
        a = a.wrapping_add(word(&block[..4]));
        b = b.wrapping_add(word(&block[4..8]));
        c = c.wrapping_add(word(&block[8..]));
        [a, b, c] = mix(a, b, c);
        rest = behind;
    }
    if rest.is_empty() {
        return c;
    }
    // The last bytes are put together from the low end on, in every machine's order.
    let mut last = [0; 12];
    last[..rest.len()].copy_from_slice(rest);
    let part = |at: usize| u32::from_le_bytes([last[at], last[at + 1], last[at + 2], last[at + 3]]);
    finish(a.wrapping_add(part(0)), b.wrapping_add(part(4)), c.wrapping_add(part(8)))
}

/// A hash as a number below `modulus` (`reciprocal_scale`, include/linux/kernel.h).
pub(super) fn scaled(hash: u32, modulus: u32) -> u32 {
    ((u64::from(hash) * u64::from(modulus)) >> 32) as u32
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// `__jhash_mix`: `x -= z; x ^= z <<< n; z += y`, each of the three in turn.
fn mix(mut a: u32, mut b: u32, mut c: u32) -> [u32; 3] {
    let step = |x: &mut u32, z: &mut u32, y: u32, by: u32| {
        *x = x.wrapping_sub(*z) ^ z.rotate_left(by);
        *z = z.wrapping_add(y);
    };
    step(&mut a, &mut c, b, 4);
    step(&mut b, &mut a, c, 6);
    step(&mut c, &mut b, a, 8);
    step(&mut a, &mut c, b, 16);
    step(&mut b, &mut a, c, 19);
    step(&mut c, &mut b, a, 4);
    [a, b, c]
}

/// `__jhash_final`: `x ^= y; x -= y <<< n`.
fn finish(mut a: u32, mut b: u32, mut c: u32) -> u32 {
    let step = |x: &mut u32, y: u32, by: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(by));
    step(&mut c, b, 14);
    step(&mut a, c, 11);
    step(&mut b, a, 25);
    step(&mut c, b, 16);
    step(&mut a, c, 4);
    step(&mut b, a, 14);
    step(&mut c, b, 24);
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_lookup3() {
        // The examples of the algorithm's author: of nothing, and of a sentence of thirty bytes. Nothing has no last
        // block in the kernel either, so the sums are as they began.
        assert_eq!(jhash(b"", 0), 0xdead_beef);
        assert_eq!(jhash(b"Four score and seven years ago", 0), 0x1777_0551);
        assert_eq!(jhash(b"Four score and seven years ago", 1), 0xcd62_8161);
        assert_eq!((scaled(0, 4), scaled(u32::MAX, 4), scaled(1 << 31, 4)), (0, 3, 2));
    }
}
