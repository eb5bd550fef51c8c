table ip kube-proxy {
	comment "rules for kube-proxy"
	set hairpin-connections {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
		comment "service hairpin connections"
		elements = { 10.128.9.14 . 10.128.9.14 . tcp . 8080,
			     10.128.9.16 . 10.128.9.16 . tcp . 8080,
			     10.128.9.21 . 10.128.9.21 . tcp . 8080,
			     10.128.9.27 . 10.128.9.27 . tcp . 8080 }
	}

	set cluster-ips {
		type ipv4_addr
		comment "Active ClusterIPs"
		elements = { 10.96.0.1, 10.96.10.1,
			     10.96.10.2, 10.96.10.3,
			     10.96.10.4, 10.96.10.5,
			     10.96.10.6, 10.96.10.7,
			     10.96.10.8, 10.96.10.9,
			     10.96.10.10, 10.96.10.11,
			     10.96.10.12, 10.96.10.13,
			     10.96.10.14, 10.96.10.15,
			     10.96.10.16, 10.96.10.17,
			     10.96.10.18, 10.96.10.19,
			     10.96.10.20, 10.96.10.21,
			     10.96.10.22 }
	}

	set nodeport-ips {
		type ipv4_addr
		comment "IPs that accept NodePort traffic"
		elements = { 172.31.99.2 }
	}

	map no-endpoint-services {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "vmap to drop or reject packets to services with no endpoints"
		elements = { 10.96.10.5 . tcp . 80 comment "feat/noeps" : goto reject-chain,
			     10.96.10.6 . tcp . 80 comment "feat/emptyslice" : goto reject-chain,
			     10.96.10.7 . tcp . 80 comment "feat/notready" : goto reject-chain,
			     10.96.10.12 . tcp . 80 comment "feat/internal-local-noep" : drop,
			     192.0.2.14 . tcp . 80 comment "feat/lb-local-noep" : drop,
			     10.96.10.22 . tcp . 80 comment "feat/nodeport-noep" : goto reject-chain }
	}

	map no-endpoint-nodeports {
		type inet_proto . inet_service : verdict
		comment "vmap to drop or reject packets to service nodeports with no endpoints"
		elements = { tcp . 30085 comment "feat/lb-local-noep" : drop,
			     tcp . 30087 comment "feat/nodeport-noep" : goto reject-chain }
	}

	map firewall-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "destinations that are subject to LoadBalancerSourceRanges"
		elements = { 192.0.2.12 . tcp . 80 : goto firewall-FOJT6ZY7-feat/lb-ranges/tcp/ }
	}

	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
		elements = { 10.96.10.2 . udp . 53 : goto service-MSC3YWJF-feat/multiport/udp/dns,
			     10.96.10.3 . udp . 53 : goto service-M3BCGMG5-feat/udp/udp/dns,
			     10.96.10.1 . tcp . 80 : goto service-WA6FAQ4H-feat/clusterip/tcp/,
			     10.96.10.2 . tcp . 80 : goto service-T34CYPQT-feat/multiport/tcp/http,
			     198.51.100.7 . tcp . 80 : goto external-KPYT3H54-feat/externalips/tcp/,
			     10.96.10.8 . tcp . 80 : goto service-EB7VT5SH-feat/terminating/tcp/,
			     10.96.10.9 . tcp . 80 : goto service-J4OIHAKJ-feat/affinity/tcp/,
			     192.0.2.10 . tcp . 80 : goto external-TXLQT4GX-feat/lb/tcp/,
			     10.96.10.10 . tcp . 80 : goto service-YT6MCNMV-feat/hairpin-local/tcp/,
			     192.0.2.11 . tcp . 80 : goto external-LTSCK44L-feat/lb-local/tcp/,
			     10.96.10.11 . tcp . 80 : goto local-GNS4Y2AX-feat/internal-local/tcp/,
			     192.0.2.12 . tcp . 80 : goto external-FOJT6ZY7-feat/lb-ranges/tcp/,
			     10.96.10.13 . tcp . 80 : goto service-ODYUKLFL-feat/nodeport/tcp/,
			     192.0.2.14 . tcp . 80 : goto external-7CJXJNSU-feat/lb-local-noep/tcp/,
			     10.96.10.14 . tcp . 80 : goto service-D3M2AW5B-feat/nodeport-local/tcp/,
			     10.96.10.15 . tcp . 80 : goto service-KPYT3H54-feat/externalips/tcp/,
			     10.96.10.16 . tcp . 80 : goto service-TXLQT4GX-feat/lb/tcp/,
			     10.96.10.17 . tcp . 80 : goto service-LTSCK44L-feat/lb-local/tcp/,
			     10.96.10.18 . tcp . 80 : goto service-FOJT6ZY7-feat/lb-ranges/tcp/,
			     10.96.10.19 . tcp . 80 : goto service-7CJXJNSU-feat/lb-local-noep/tcp/,
			     10.96.10.21 . tcp . 80 : goto service-KCWK4B3V-feat/one-ep/tcp/,
			     10.96.10.4 . sctp . 132 : goto service-7MQVTPLL-feat/sctp/sctp/sctp,
			     10.96.10.20 . udp . 5000 : goto service-RM7ZSPDG-feat/nodeport-affinity-udp/udp/u,
			     10.96.0.1 . tcp . 443 : goto service-2QRHZV4L-default/kubernetes/tcp/https,
			     10.96.10.2 . tcp . 443 : goto service-B6AF56KB-feat/multiport/tcp/https }
	}

	map service-nodeports {
		type inet_proto . inet_service : verdict
		comment "NodePort traffic"
		elements = { tcp . 30080 : goto external-ODYUKLFL-feat/nodeport/tcp/,
			     tcp . 30081 : goto external-D3M2AW5B-feat/nodeport-local/tcp/,
			     tcp . 30082 : goto external-TXLQT4GX-feat/lb/tcp/,
			     tcp . 30083 : goto external-LTSCK44L-feat/lb-local/tcp/,
			     tcp . 30084 : goto external-FOJT6ZY7-feat/lb-ranges/tcp/,
			     tcp . 30085 : goto external-7CJXJNSU-feat/lb-local-noep/tcp/,
			     udp . 30086 : goto external-RM7ZSPDG-feat/nodeport-affinity-udp/udp/u }
	}

	set affinity-7PG7KOWO-feat/affinity/tcp/__10.128.9.12/8080 {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 10m
	}

	set affinity-MVRUJ5EW-feat/affinity/tcp/__10.128.9.13/8080 {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 10m
	}

	set affinity-SYDJAYKA-feat/nodeport-affinity-udp/udp/u__10.128.9.31/5000 {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 3h
	}

	set affinity-CMMPY7FS-feat/nodeport-affinity-udp/udp/u__10.128.9.32/5000 {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 3h
	}

	chain filter-prerouting-pre-dnat {
		type filter hook prerouting priority dstnat - 10; policy accept;
		ct state new jump firewall-check
	}

	chain filter-output-pre-dnat {
		type filter hook output priority -110; policy accept;
		ct state new jump firewall-check
	}

	chain filter-input {
		type filter hook input priority filter; policy accept;
		ct state new jump nodeport-endpoints-check
		ct state new jump service-endpoints-check
	}

	chain filter-forward {
		type filter hook forward priority filter; policy accept;
		ct state new jump service-endpoints-check
		ct state new jump cluster-ips-check
	}

	chain filter-output {
		type filter hook output priority filter; policy accept;
		ct state new jump service-endpoints-check
		ct state new jump cluster-ips-check
	}

	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}

	chain nat-output {
		type nat hook output priority -100; policy accept;
		jump services
	}

	chain nat-postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		jump masquerading
	}

	chain nodeport-endpoints-check {
		ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
	}

	chain service-endpoints-check {
		ip daddr . meta l4proto . th dport vmap @no-endpoint-services
	}

	chain firewall-check {
		ip daddr . meta l4proto . th dport vmap @firewall-ips
	}

	chain services {
		ip daddr @cluster-ips ip saddr != 10.128.0.0/14 meta mark set meta mark | 0x00004000 comment "masquerade clusterIP traffic from outside cluster"
		ip daddr . meta l4proto . th dport vmap @service-ips
		ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
	}

	chain masquerading {
		meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random
		ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random
	}

	chain cluster-ips-check {
		ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
		ip daddr 10.96.0.0/12 drop comment "Drop traffic to unallocated ClusterIPs"
	}

	chain reject-chain {
		comment "helper for @no-endpoint-services / @no-endpoint-nodeports"
		reject
	}

	chain service-EB7VT5SH-feat/terminating/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.128.9.11 . 8080 }
	}

	chain service-YT6MCNMV-feat/hairpin-local/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.9.14 . 8080, 1 : 10.128.9.15 . 8080 }
	}

	chain service-WA6FAQ4H-feat/clusterip/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 3 map { 0 : 10.128.9.1 . 8080, 1 : 10.128.9.2 . 8080, 2 : 10.128.9.3 . 8080 }
	}

	chain service-KPYT3H54-feat/externalips/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.9.23 . 8080, 1 : 10.128.9.24 . 8080 }
	}

	chain external-KPYT3H54-feat/externalips/tcp/ {
		meta mark set meta mark | 0x00004000 comment "masquerade"
		goto service-KPYT3H54-feat/externalips/tcp/
	}

	chain service-T34CYPQT-feat/multiport/tcp/http {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.9.4 . 8080, 1 : 10.128.9.5 . 8080 }
	}

	chain service-ODYUKLFL-feat/nodeport/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.9.19 . 8080, 1 : 10.128.9.20 . 8080 }
	}

	chain external-ODYUKLFL-feat/nodeport/tcp/ {
		meta mark set meta mark | 0x00004000 comment "masquerade"
		goto service-ODYUKLFL-feat/nodeport/tcp/
	}

	chain service-KCWK4B3V-feat/one-ep/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.128.9.33 . 8080 }
	}

	chain service-LTSCK44L-feat/lb-local/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.9.27 . 8080, 1 : 10.128.9.28 . 8080 }
	}

	chain local-LTSCK44L-feat/lb-local/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.128.9.27 . 8080 }
	}

	chain external-LTSCK44L-feat/lb-local/tcp/ {
		ip saddr 10.128.0.0/14 goto service-LTSCK44L-feat/lb-local/tcp/ comment "short-circuit pod traffic"
		fib saddr type local meta mark set meta mark | 0x00004000 comment "masquerade local traffic"
		fib saddr type local goto service-LTSCK44L-feat/lb-local/tcp/ comment "short-circuit local traffic"
		goto local-LTSCK44L-feat/lb-local/tcp/
	}

	chain endpoint-7PG7KOWO-feat/affinity/tcp/__10.128.9.12/8080 {
		update @affinity-7PG7KOWO-feat/affinity/tcp/__10.128.9.12/8080 { ip saddr }
		meta l4proto tcp dnat to 10.128.9.12:8080
	}

	chain endpoint-MVRUJ5EW-feat/affinity/tcp/__10.128.9.13/8080 {
		update @affinity-MVRUJ5EW-feat/affinity/tcp/__10.128.9.13/8080 { ip saddr }
		meta l4proto tcp dnat to 10.128.9.13:8080
	}

	chain service-J4OIHAKJ-feat/affinity/tcp/ {
		ip saddr @affinity-7PG7KOWO-feat/affinity/tcp/__10.128.9.12/8080 goto endpoint-7PG7KOWO-feat/affinity/tcp/__10.128.9.12/8080
		ip saddr @affinity-MVRUJ5EW-feat/affinity/tcp/__10.128.9.13/8080 goto endpoint-MVRUJ5EW-feat/affinity/tcp/__10.128.9.13/8080
		numgen random mod 2 vmap { 0 : goto endpoint-7PG7KOWO-feat/affinity/tcp/__10.128.9.12/8080, 1 : goto endpoint-MVRUJ5EW-feat/affinity/tcp/__10.128.9.13/8080 }
	}

	chain service-D3M2AW5B-feat/nodeport-local/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.9.21 . 8080, 1 : 10.128.9.22 . 8080 }
	}

	chain local-D3M2AW5B-feat/nodeport-local/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.128.9.21 . 8080 }
	}

	chain external-D3M2AW5B-feat/nodeport-local/tcp/ {
		ip saddr 10.128.0.0/14 goto service-D3M2AW5B-feat/nodeport-local/tcp/ comment "short-circuit pod traffic"
		fib saddr type local meta mark set meta mark | 0x00004000 comment "masquerade local traffic"
		fib saddr type local goto service-D3M2AW5B-feat/nodeport-local/tcp/ comment "short-circuit local traffic"
		goto local-D3M2AW5B-feat/nodeport-local/tcp/
	}

	chain local-GNS4Y2AX-feat/internal-local/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.128.9.16 . 8080 }
	}

	chain service-B6AF56KB-feat/multiport/tcp/https {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.9.4 . 8443, 1 : 10.128.9.5 . 8443 }
	}

	chain service-MSC3YWJF-feat/multiport/udp/dns {
		meta l4proto udp dnat ip to numgen random mod 2 map { 0 : 10.128.9.4 . 5353, 1 : 10.128.9.5 . 5353 }
	}

	chain endpoint-SYDJAYKA-feat/nodeport-affinity-udp/udp/u__10.128.9.31/5000 {
		update @affinity-SYDJAYKA-feat/nodeport-affinity-udp/udp/u__10.128.9.31/5000 { ip saddr }
		meta l4proto udp dnat to 10.128.9.31:5000
	}

	chain endpoint-CMMPY7FS-feat/nodeport-affinity-udp/udp/u__10.128.9.32/5000 {
		update @affinity-CMMPY7FS-feat/nodeport-affinity-udp/udp/u__10.128.9.32/5000 { ip saddr }
		meta l4proto udp dnat to 10.128.9.32:5000
	}

	chain service-RM7ZSPDG-feat/nodeport-affinity-udp/udp/u {
		ip saddr @affinity-SYDJAYKA-feat/nodeport-affinity-udp/udp/u__10.128.9.31/5000 goto endpoint-SYDJAYKA-feat/nodeport-affinity-udp/udp/u__10.128.9.31/5000
		ip saddr @affinity-CMMPY7FS-feat/nodeport-affinity-udp/udp/u__10.128.9.32/5000 goto endpoint-CMMPY7FS-feat/nodeport-affinity-udp/udp/u__10.128.9.32/5000
		numgen random mod 2 vmap { 0 : goto endpoint-SYDJAYKA-feat/nodeport-affinity-udp/udp/u__10.128.9.31/5000, 1 : goto endpoint-CMMPY7FS-feat/nodeport-affinity-udp/udp/u__10.128.9.32/5000 }
	}

	chain external-RM7ZSPDG-feat/nodeport-affinity-udp/udp/u {
		meta mark set meta mark | 0x00004000 comment "masquerade"
		goto service-RM7ZSPDG-feat/nodeport-affinity-udp/udp/u
	}

	chain service-M3BCGMG5-feat/udp/udp/dns {
		meta l4proto udp dnat ip to numgen random mod 2 map { 0 : 10.128.9.6 . 53, 1 : 10.128.9.7 . 53 }
	}

	chain service-TXLQT4GX-feat/lb/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.9.25 . 8080, 1 : 10.128.9.26 . 8080 }
	}

	chain external-TXLQT4GX-feat/lb/tcp/ {
		meta mark set meta mark | 0x00004000 comment "masquerade"
		goto service-TXLQT4GX-feat/lb/tcp/
	}

	chain service-FOJT6ZY7-feat/lb-ranges/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.128.9.29 . 8080 }
	}

	chain external-FOJT6ZY7-feat/lb-ranges/tcp/ {
		meta mark set meta mark | 0x00004000 comment "masquerade"
		goto service-FOJT6ZY7-feat/lb-ranges/tcp/
	}

	chain firewall-FOJT6ZY7-feat/lb-ranges/tcp/ {
		ip saddr != { 198.51.100.0/25, 203.0.113.0/24 } drop
	}

	chain service-7MQVTPLL-feat/sctp/sctp/sctp {
		meta l4proto sctp dnat ip to numgen random mod 1 map { 0 : 10.128.9.8 . 1320 }
	}

	chain service-7CJXJNSU-feat/lb-local-noep/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.128.9.30 . 8080 }
	}

	chain external-7CJXJNSU-feat/lb-local-noep/tcp/ {
		ip saddr 10.128.0.0/14 goto service-7CJXJNSU-feat/lb-local-noep/tcp/ comment "short-circuit pod traffic"
		fib saddr type local meta mark set meta mark | 0x00004000 comment "masquerade local traffic"
		fib saddr type local goto service-7CJXJNSU-feat/lb-local-noep/tcp/ comment "short-circuit local traffic"
	}

	chain service-2QRHZV4L-default/kubernetes/tcp/https {
		meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 172.31.99.1 . 6443 }
	}
}
table ip6 kube-proxy {
	comment "rules for kube-proxy"
	set hairpin-connections {
		type ipv6_addr . ipv6_addr . inet_proto . inet_service
		comment "service hairpin connections"
	}

	set cluster-ips {
		type ipv6_addr
		comment "Active ClusterIPs"
	}

	map no-endpoint-services {
		type ipv6_addr . inet_proto . inet_service : verdict
		comment "vmap to drop or reject packets to services with no endpoints"
	}

	map no-endpoint-nodeports {
		type inet_proto . inet_service : verdict
		comment "vmap to drop or reject packets to service nodeports with no endpoints"
	}

	map firewall-ips {
		type ipv6_addr . inet_proto . inet_service : verdict
		comment "destinations that are subject to LoadBalancerSourceRanges"
	}

	map service-ips {
		type ipv6_addr . inet_proto . inet_service : verdict
		comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
	}

	map service-nodeports {
		type inet_proto . inet_service : verdict
		comment "NodePort traffic"
	}

	chain filter-prerouting-pre-dnat {
		type filter hook prerouting priority dstnat - 10; policy accept;
		ct state new jump firewall-check
	}

	chain filter-output-pre-dnat {
		type filter hook output priority -110; policy accept;
		ct state new jump firewall-check
	}

	chain filter-input {
		type filter hook input priority filter; policy accept;
		ct state new jump nodeport-endpoints-check
		ct state new jump service-endpoints-check
	}

	chain filter-forward {
		type filter hook forward priority filter; policy accept;
		ct state new jump service-endpoints-check
		ct state new jump cluster-ips-check
	}

	chain filter-output {
		type filter hook output priority filter; policy accept;
		ct state new jump service-endpoints-check
		ct state new jump cluster-ips-check
	}

	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}

	chain nat-output {
		type nat hook output priority -100; policy accept;
		jump services
	}

	chain nat-postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		jump masquerading
	}

	chain nodeport-endpoints-check {
		ip6 daddr != ::1 meta l4proto . th dport vmap @no-endpoint-nodeports
	}

	chain service-endpoints-check {
		ip6 daddr . meta l4proto . th dport vmap @no-endpoint-services
	}

	chain firewall-check {
		ip6 daddr . meta l4proto . th dport vmap @firewall-ips
	}

	chain services {
		ip6 daddr . meta l4proto . th dport vmap @service-ips
		fib daddr type local ip6 daddr != ::1 meta l4proto . th dport vmap @service-nodeports
	}

	chain masquerading {
		meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random
		ct status dnat ip6 saddr . ip6 daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random
	}

	chain cluster-ips-check {
		ip6 daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
	}

	chain reject-chain {
		comment "helper for @no-endpoint-services / @no-endpoint-nodeports"
		reject
	}
}
