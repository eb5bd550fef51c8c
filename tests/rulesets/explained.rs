//! What the kernel refuses is told with its place in the text.

use rulectl_tests::Output;

use crate::{HOST, applied, listing, with};

/// What is refused of a ruleset, and that nothing was changed.
fn refused(ruleset: &str) -> String {
    let before = listing();
    let Output { code, stdout, stderr } = with(&["apply"], ruleset);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert_eq!(listing(), before);
    stderr
}

pub(crate) fn places() {
    applied(HOST);
    let full = "table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t\tsize 2\n\t\telements = { 192.0.2.1, 192.0.2.2, 192.0.2.3 }\n\t}\n}\n";
    let helper = "table ip t {\n\tct helper h {\n\t\ttype \"no-such-helper\" protocol tcp\n\t}\n}\n";
    let nat = "table ip t {\n\tchain c {\n\t\ttype nat hook prerouting priority -300\n\t}\n}\n";
    let limit =
        "table ip t {\n\tchain c {\n\t\tlimit rate 18446744073709551615 bytes/second burst 1000 bytes drop\n\t}\n}\n";
    let told: Vec<String> = [full, helper, nat, limit].into_iter().map(refused).collect();
    insta::assert_snapshot!(told.join("\n"));
}
