//! Rulesets in the shapes that programs leave: read as nft reads them, no different from their own listing, and changed in
//! part without a touch to the rest.

use rulectl_tests::{rulectl, run};

use crate::{applied, difference, listing};

/// firewalld's: one table, a chain for each hook and zone, priorities of its own, look-ups of routes, jumps by interface.
const FIREWALLD: &str = r#"table inet firewalld {
	chain mangle_PREROUTING {
		type filter hook prerouting priority mangle + 10; policy accept;
		jump mangle_PREROUTING_ZONES
	}
	chain mangle_PREROUTING_ZONES {
		ip saddr 10.0.0.0/8 goto mangle_PRE_internal
		goto mangle_PRE_public
	}
	chain mangle_PRE_internal { }
	chain mangle_PRE_public { }
	chain filter_PREROUTING {
		type filter hook prerouting priority filter + 10; policy accept;
		icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
		meta nfproto ipv6 fib saddr . mark . iif oif missing drop
		fib daddr . iif oif exists accept
	}
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		ct status dnat accept
		iifname "lo" accept
		ct state invalid drop
		ip saddr 192.0.2.0/24 tcp dport 22 ct state { new, untracked } limit rate 3/minute burst 5 packets log prefix "x" accept
		ip6 daddr fe80::/64 udp dport 546 ct state { new, untracked } accept
		tcp dport 8080 ct state { new, untracked } accept
		reject with icmpx type admin-prohibited
	}
	chain nat_PREROUTING {
		type nat hook prerouting priority dstnat + 10; policy accept;
		meta nfproto ipv4 tcp dport 2222 dnat ip to 10.1.2.3:22
	}
	chain nat_POSTROUTING {
		type nat hook postrouting priority srcnat + 10; policy accept;
		meta nfproto ipv4 oifname != "lo" masquerade
	}
}
"#;

/// What ufw, fail2ban, libvirt and podman leave through iptables-nft: matches and targets of x_tables among nft's own.
const IPTABLES: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:f2b-sshd - [0:0]\n:ufw-before-input - [0:0]\n\
    :LIBVIRT_FWI - [0:0]\n:NETAVARK_FORWARD - [0:0]\n\
    -A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n-A INPUT -j ufw-before-input\n\
    -A FORWARD -j LIBVIRT_FWI\n-A FORWARD -m comment --comment \"netavark firewall rules\" -j NETAVARK_FORWARD\n\
    -A f2b-sshd -s 192.0.2.7/32 -j REJECT --reject-with icmp-port-unreachable\n-A f2b-sshd -j RETURN\n\
    -A ufw-before-input -i lo -j ACCEPT\n-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
    -A ufw-before-input -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW BLOCK] \"\n\
    -A ufw-before-input -m addrtype --dst-type LOCAL -j RETURN\n\
    -A LIBVIRT_FWI -d 192.168.122.0/24 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
    -A NETAVARK_FORWARD -d 10.88.0.0/16 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";

/// kube-proxy's: names with slashes, also at their end, verdict maps over concatenations, random choices.
const KUBE_PROXY: &str = r#"table ip kube-proxy {
	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.10.1 . tcp . 80 : goto service-WA6FAQ4H-ns/web/tcp/ }
	}
	set cluster-ips { type ipv4_addr; elements = { 10.96.10.1 } }
	chain service-WA6FAQ4H-ns/web/tcp/ {
		ip daddr 10.96.10.1 tcp dport 80 ip saddr != 10.128.0.0/14 jump mark-for-masquerade
		numgen random mod 2 vmap { 0 : goto endpoint-A-ns/web/tcp/__10.128.0.7/8080, 1 : goto endpoint-B-ns/web/tcp/__10.128.1.7/8080 }
	}
	chain endpoint-A-ns/web/tcp/__10.128.0.7/8080 {
		ip saddr 10.128.0.7 jump mark-for-masquerade
		meta l4proto tcp dnat to 10.128.0.7:8080
	}
	chain endpoint-B-ns/web/tcp/__10.128.1.7/8080 {
		ip saddr 10.128.1.7 jump mark-for-masquerade
		meta l4proto tcp dnat to 10.128.1.7:8080
	}
	chain mark-for-masquerade {
		meta mark set meta mark or 0x4000
	}
	chain services {
		ip daddr . meta l4proto . th dport vmap @service-ips
	}
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}
}
"#;

/// What is there is shown as nft lists it, and is no different from that.
fn is_read() {
    let shown = rulectl(&["show"], "");
    assert_eq!((shown.code, shown.stdout.as_str()), (0, run("nft", &["-s", "list", "ruleset"], "").as_str()));
    assert_eq!(difference(&listing()), "");
}

pub(crate) fn firewalld() {
    run("nft", &["-f", "-"], FIREWALLD);
    is_read();
    assert_eq!(difference(FIREWALLD), "");
    let before = listing();
    let done = applied(&FIREWALLD.replace("tcp dport 8080", "tcp dport 8443"));
    assert!(done.starts_with("rules: 1 changed: "), "{done}");
    assert_eq!(listing(), before.replace("tcp dport 8080", "tcp dport 8443"));
    assert_eq!(rulectl(&["undo"], "").code, 0);
    assert_eq!(listing(), before);
}

pub(crate) fn kube_proxy() {
    run("nft", &["-f", "-"], KUBE_PROXY);
    is_read();
    assert_eq!(difference(KUBE_PROXY), "");
    let before = listing();
    let done = applied(&KUBE_PROXY.replace("dnat to 10.128.1.7", "dnat to 10.128.1.9"));
    assert!(done.starts_with("rules: 1 changed: "), "{done}");
    assert_eq!(listing(), before.replace("dnat to 10.128.1.7", "dnat to 10.128.1.9"));
    assert_eq!(rulectl(&["undo"], "").code, 0);
    assert_eq!(listing(), before);
}

pub(crate) fn iptables_nft() {
    run("iptables-nft-restore", &[], IPTABLES);
    // What stays in x_tables has no words in nft's language: it is compared in the form the kernel has it in.
    let saved = run("iptables-nft-save", &[], "");
    let live = rulectl(&["show", "--to", "expr"], "").stdout;
    applied(
        "table inet mine {\n\tchain c {\n\t\ttype filter hook input priority 0; policy accept\n\t\tcounter\n\t}\n}\n",
    );
    assert!(rulectl(&["show", "--to", "expr"], "").stdout.starts_with(&live));
    assert_eq!(rulectl(&["undo"], "").code, 0);
    assert_eq!(rulectl(&["show", "--to", "expr"], "").stdout, live);
    let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&run("iptables-nft-save", &[], "")), lines(&saved));
}
