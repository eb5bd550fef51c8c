//! Rules and what they become; the drop-in cases of the tests have every extension.

use super::catalog::{MATCHES, TARGETS};
use super::translate;
use crate::iptables::{Family, parse};

fn translated(text: &str) -> super::Translation {
    let parsed = parse("-", text, Family::Ip);
    assert_eq!(parsed.problems, []);
    translate(&parsed.text, Family::Ip)
}

#[test]
fn a_rule_with_a_part_that_nft_has_not_keeps_that_part_and_is_reported() {
    let translation = translated(
        "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 10.0.0.1 -m string --string \"x\" --algo bm -j ACCEPT\nCOMMIT\n",
    );
    let table = translation.ruleset.tables().next().unwrap();
    let rule = &table.chains.iter().next().unwrap().rules[0];
    assert_eq!(rule.to_string(), "ip saddr 10.0.0.1 -m string --string \"x\" --algo bm counter accept");
    let note = translation.untranslated().next().unwrap();
    assert_eq!(
        (note.at, note.lines[0].as_str()),
        (0, "-A INPUT -s 10.0.0.1/32 -m string --string \"x\" --algo bm -j ACCEPT")
    );
    assert!(note.lines[1].contains("nft does not search"), "{:?}", note.lines);
}

#[test]
fn chains_are_called_where_iptables_calls_them_and_have_names_that_nft_takes() {
    let translation = translated(
        "*nat\n:OUTPUT ACCEPT [0:0]\n:tcp - [0:0]\n-A OUTPUT -j tcp\n[3:4] -A tcp -g tcp\nCOMMIT\n*mangle\n:OUTPUT DROP [0:0]\nCOMMIT\n",
    );
    let text: String = translation.ruleset.tables().map(|table| table.to_string()).collect();
    insta::assert_snapshot!(text, @r#"
    table ip mangle {
    	chain OUTPUT {
    		type route hook output priority mangle; policy drop;
    	}
    }
    table ip nat {
    	chain OUTPUT {
    		type nat hook output priority -100; policy accept;
    		counter jump _tcp
    	}

    	chain _tcp {
    		comment "in iptables: tcp"
    		counter packets 3 bytes 4 goto _tcp
    	}
    }
    "#);
}

#[test]
fn a_rule_that_matches_nothing_is_left_out_and_said() {
    let translation = translated("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT ! -i + -j DROP\n-A INPUT -j ACCEPT\nCOMMIT\n");
    assert_eq!(translation.untranslated().count(), 0);
    assert!(translation.notes[0].lines[1].contains("matches no packet"));
    assert_eq!(translation.ruleset.tables().next().unwrap().chains.iter().next().unwrap().rules.len(), 1);
}

#[test]
fn the_catalog_is_in_order_and_names_each_extension_once() {
    for entries in [MATCHES, TARGETS] {
        assert!(entries.is_sorted_by(|a, b| a.names[0] < b.names[0]));
        assert!(entries.iter().all(|entry| entry.nft().is_some() != entry.reason().is_some()));
    }
}
