//! What `rulectl show` prints, beside what `nft list` does.

use rulectl_tests::{Output, rulectl, run};

use super::{HOST, applied};

/// What has been counted, used and remembered.
pub(super) const STATE: &str = "table ip state {
	counter c {
		comment \"some\"
		packets 7 bytes 700
	}

	counter none {
	}

	quota q {
		over 25 mbytes used 3 kbytes
	}

	quota c {
		over 30 mbytes
	}

	set dyn {
		type ipv4_addr
		size 100
		flags dynamic
		counter
		elements = { 192.0.2.1 counter packets 3 bytes 300 }
	}

	chain c {
		counter packets 5 bytes 50 accept
		counter quota 10 kbytes used 1 kbytes
		iif \"d0\" oif { \"lo\", \"d0\" } drop
	}
}
table arp low {
	chain input {
		type filter hook input priority filter; policy accept;
		arp operation request drop
	}
}
";

fn shown(arguments: &[&str]) -> String {
    let Output { code, stdout, stderr } = rulectl(&[&["show"], arguments].concat(), "");
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
    stdout
}

fn load() {
    run("ip", &["link", "add", "d0", "type", "veth", "peer", "name", "d1"], "");
    run("nft", &["-f", "-"], HOST);
    run("nft", &["-f", "-"], STATE);
}

pub(super) fn whole() {
    assert_eq!(shown(&[]), "");
    load();
    assert_eq!(shown(&[]), run("nft", &["-s", "list", "ruleset"], ""));
    assert_eq!(shown(&["--stateful"]), run("nft", &["list", "ruleset"], ""));
}

pub(super) fn handles() {
    load();
    assert_eq!(shown(&["--handles"]), run("nft", &["-s", "-a", "list", "ruleset"], ""));
    assert_eq!(
        shown(&["-a", "table", "inet", "filter"]),
        run("nft", &["-s", "-a", "list", "table", "inet", "filter"], "")
    );
}

pub(super) fn parts() {
    load();
    let parts = [
        "ruleset",
        "ruleset inet",
        "table inet filter",
        "table nat",
        "table arp low",
        "chain inet filter input",
        "chain ip nat postrouting",
        "set inet filter blocked",
        "map ip nat forwards",
        "counter ip state c",
        "quota inet filter guests",
        "limit inet filter pings",
    ];
    for part in parts {
        let words: Vec<&str> = part.split(' ').collect();
        assert_eq!(shown(&words), run("nft", &[&["-s", "list"], &*words].concat(), ""), "{part}");
    }
    // The rules of a chain, with the types of the sets they look into.
    let expr = shown(&["chain", "inet", "filter", "mail", "--to", "expr"]);
    assert!(expr.starts_with("inet filter mail\n  [ meta load nfproto => reg 1 ]\n"), "{expr}");
}

pub(super) fn again() {
    load();
    assert_eq!(applied(&shown(&[])), "no change\n");
    assert_eq!(applied(&shown(&["--stateful"])), "no change\n");
    assert_eq!(applied(&shown(&["--to", "json"])), "no change\n");
}

pub(super) fn missing() {
    load();
    let cases = [
        ("table inet nope", "there is no table `inet nope`"),
        ("chain inet filter nope", "there is no chain `nope` in table `inet filter`"),
        ("set ip nope s", "there is no set `s` in table `ip nope`"),
        ("chain input", "`show chain input` is not complete: see `rulectl show --help`"),
    ];
    for (words, message) in cases {
        let words: Vec<&str> = words.split(' ').collect();
        let output = rulectl(&[&["show"], &*words].concat(), "");
        assert_eq!((output.code, output.stdout, output.stderr), (2, String::new(), format!("error: {message}\n")));
    }
}

pub(super) fn generation() {
    let told = || rulectl(&["show", "--generation"], "").stderr;
    let before = told();
    assert!(before.starts_with("read at generation "), "{before}");
    load();
    assert_ne!(told(), before);
}
