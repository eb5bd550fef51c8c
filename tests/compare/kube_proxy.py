#!/usr/bin/env python3
"""Compare the fate of packets under the rules of the real kube-proxy and under ours, on this kernel.

  kube_proxy.py [RULECTL]      the binary; target/debug/rulectl if it is not given. Needs root.

The corpus (RULECTL_CORPUS, or ../shared/corpus) holds what kube-proxy 1.36.2 left in the kernel for a set of services,
those services as Kubernetes objects, and flowcheck.py, which sends packets through rules in network namespaces of its
own. Without it nothing is compared, which is said.

For every frontend of every service, and some addresses that are none, a client of every kind sends packets: pods here
and elsewhere, endpoints, the node from its address and from loopback, clients outside inside and outside the source
ranges. Where they arrive, and as whom, must be the same with kube-proxy's rules and with each of ours, or differ in one
of the ways listed in IMPROVEMENTS. Exit status: 0 the same, 1 a difference, 2 it could not be compared.
"""
import ipaddress, json, os, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("RULECTL_CORPUS", ROOT.parent / "shared" / "corpus"))
NODE, OTHER, POD_CIDR, SERVICE_CIDR = "172.31.99.2", "172.31.98.2", "10.128.0.0/14", "10.96.0.0/12"

CLIENTS = {
    "pod": "10.128.0.77", "endpoint here": "10.128.9.14", "its neighbour elsewhere": "10.128.9.15", "local endpoint": "10.128.9.27",
    "only endpoint": "10.128.9.33",
    "node": NODE, "node by loopback": "127.0.0.1",
    "outside in a range": "203.0.113.5", "outside in another range": "198.51.100.20", "outside in no range": "192.0.2.200",
}

ELSEWHERE = ("10.128.9.15", "10.128.9.33")

# kube-proxy's mode -> what it is told, the dumps of its rules and how they are loaded
MODES = {
    "iptables": {"nodePortAddresses": ["0.0.0.0/0"], "localhostNodePorts": True, "serviceCIDRs": [],
                 "dumps": {"iptables-legacy": "kp-ipt-features.save", "iptables-nft": "kp-iptnft-features.save"}},
    "nftables": {"nodePortAddresses": [NODE + "/32"], "localhostNodePorts": None, "serviceCIDRs": [SERVICE_CIDR],
                 "dumps": {"nft": "kp-nft-features.nft"}},
}
# Counters of nfacct objects are nobody's fate; nft 1.0.6 knows dstnat at prerouting alone.
LOADABLE = "sed -e /nfacct/d -e 's/priority dstnat - 10/priority -110/' -e 's/priority dstnat;/priority -100;/'"
OURS = {"nft maps": "--backend nft", "nft chains": "--backend nft --layout chains",
        "iptables-legacy": "--backend iptables-legacy", "iptables-nft": "--backend iptables-nft"}


def improvement(mode, flow, theirs, ours):
    """In which documented way we mean to differ; None if we do not."""
    cluster = ipaddress.ip_address(flow["destIP"]) in ipaddress.ip_network(SERVICE_CIDR)
    if mode == "iptables" and theirs["got"] == "" and ours["got"] == "REJECT" and cluster and flow["unused"]:
        return "a port of a cluster IP that no service has is rejected"
    from_node = flow["sourceIP"] in (NODE, OTHER, "127.0.0.1")
    if mode == "iptables" and theirs["got"] == "" and ours["got"] in ("REJECT", "DROP") and from_node:
        return "what the node sends to an external address without endpoints does not leave it"
    if mode == "iptables" and theirs["got"] == ours["got"] and flow["sourceIP"] in theirs["got"] and flow["sourceIP"] in ELSEWHERE:
        return "an endpoint on another node that comes by here to itself keeps its address, as in kube-proxy's nftables mode"
    if mode == "iptables" and flow["sourceIP"] == NODE and flow["destIP"] == "127.0.0.1" and theirs["got"] == "DROP":
        return "the node itself is not kept from its loopback addresses"
    if theirs["got"] == "UNSENDABLE" and ours["got"] == "REJECT":
        return "what the kernel cannot route is rejected before"
    return None


def cases():
    items = json.loads((CORPUS / "kubernetes/objects.json").read_text())["items"]
    wanted = [item for item in items if item["metadata"].get("namespace") in ("feat", "default")]
    services = [item for item in wanted if item["kind"] == "Service"]
    slices = [item for item in wanted if item["kind"] == "EndpointSlice"]
    for mode, told in MODES.items():
        local = [NODE, OTHER]
        config = {
            "nodeName": "node1", "nodeIP": NODE, "nodeIPs": local, "localIPs": local + ["127.0.0.1"],
            "interfaces": [{"name": "lo", "addresses": ["127.0.0.1/8"]}, {"name": "eth0", "addresses": [NODE + "/24", OTHER + "/24"]}],
            "nodePortAddresses": told["nodePortAddresses"], "nodePortAllLocal": mode == "iptables",
            "effectiveNodePortIPs": local if mode == "iptables" else [NODE],
            "localDetector": {"kind": "cidr", "cidr": POD_CIDR}, "masqueradeAll": False, "masqueradeMark": "0x4000",
            "serviceCIDRs": told["serviceCIDRs"], "localhostNodePorts": told["localhostNodePorts"], "topologyLabels": {}, "nonDefault": [],
        }
        flows = list(flows_to(services))
        yield mode, {"id": f"{mode}/features#0", "mode": mode, "test": "features", "subtest": "", "call_index": 0, "source_line": 0,
                     "call_line": 0, "sync_index": 1, "ip_family": "IPv4", "proxier_config": config, "node": {"name": "node1", "labels": {}},
                     "services": services, "endpointSlices": slices, "flows": flows}


def flows_to(services):
    """Each client to each frontend, and to some addresses and ports that are none."""
    targets = {("10.96.99.99", 80, "TCP"): True, (NODE, 22, "TCP"): False, ("127.0.0.1", 22, "TCP"): False}
    for service in services:
        spec = service["spec"]
        ingress = (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or []
        addresses = spec["clusterIPs"] + spec.get("externalIPs", []) + [one["ip"] for one in ingress]
        for port in spec["ports"]:
            for address in addresses:
                targets[address, port["port"], port["protocol"]] = False
                targets[address, 9999, port["protocol"]] = True
            for address in (NODE, OTHER, "127.0.0.1"):
                if "nodePort" in port:
                    targets[address, port["nodePort"], port["protocol"]] = False
        if "healthCheckNodePort" in spec:
            targets[NODE, spec["healthCheckNodePort"], "TCP"] = False
    for (address, port, protocol), unused in targets.items():
        for name, source in CLIENTS.items():
            yield {"name": name, "sourceIP": source, "destIP": address, "destPort": port, "protocol": protocol, "output": "", "masq": False,
                   "unused": unused}


def run(case, work, *how):
    """The fate of each flow of the case."""
    given, report = work / "case.jsonl", work / "report.json"
    given.write_text(json.dumps(case) + "\n")
    report.unlink(missing_ok=True)
    command = [sys.executable, str(CORPUS / "flowcheck.py"), "--json", str(report), "--tries", "24", *how, str(given)]
    done = subprocess.run(command, capture_output=True, text=True)
    if not report.exists():
        sys.exit(f"{command}\n{done.stdout}{done.stderr}")
    [result] = json.loads(report.read_text())["cases"]
    if result.get("error") or result.get("harness_error"):
        print(result.get("error") or result["harness_error"], file=sys.stderr)
        sys.exit(2)
    return result["flows"]


def fate(flow):
    """Where packets arrive and whether as others; with affinity, at one of the endpoints, whichever."""
    return flow["got"], {endpoint: kinds for endpoint, kinds in flow["detail"]["masq"].items()}


def is_same(theirs, ours, sticky):
    (got, masquerade), (our_got, our_masquerade) = fate(theirs), fate(ours)
    if sticky and ":" in got and ":" in our_got:
        return got.count(",") == our_got.count(",") and masquerade.popitem()[1] == our_masquerade.popitem()[1]
    # To itself only the port changes, and that by chance.
    plain = lambda masks: {endpoint: kinds[0] == "addr" for endpoint, kinds in masks.items()}
    return got == our_got and plain(masquerade) == plain(our_masquerade)


def main():
    if not (CORPUS / "kube-proxy-live").is_dir():
        print(f"nothing is compared: no corpus in {CORPUS}")
        return 0
    rulectl = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target/debug/rulectl")
    differences = 0
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for mode, case in cases():
            told = MODES[mode]
            affine = {address for service in case["services"] if service["spec"]["sessionAffinity"] == "ClientIP"
                      for address in service["spec"]["clusterIPs"]}
            affine_ports = {port.get("nodePort") for service in case["services"] if service["spec"]["sessionAffinity"] == "ClientIP"
                            for port in service["spec"]["ports"]}
            flags = [f"--node node1 --node-ip {NODE},{OTHER} --pod-cidr {POD_CIDR}",
                     f"--nodeport-addresses {','.join(told['nodePortAddresses'])}"]
            flags += [f"--service-cidr {SERVICE_CIDR}"] if told["serviceCIDRs"] else []
            flags += ["--localhost-nodeports"] if told["localhostNodePorts"] else []
            ours = {name: run(case, work, "--apply", f"{rulectl} apply {{objects}} {' '.join(flags)} {backend}")
                    for name, backend in OURS.items()}
            for load, dump in told["dumps"].items():
                theirs = run(case, work, "--cmd", f"{LOADABLE} {CORPUS / 'kube-proxy-live' / dump}", "--load", load)
                for name, flows in ours.items():
                    improved, unlike = {}, 0
                    for flow, their, our in zip(case["flows"], theirs, flows, strict=True):
                        if is_same(their, our, flow["destIP"] in affine or flow["destPort"] in affine_ports):
                            continue
                        why = improvement(mode, flow, their, our)
                        if why:
                            improved[why] = improved.get(why, 0) + 1
                            continue
                        unlike += 1
                        print(f"  {flow['name']} {flow['sourceIP']} > {flow['destIP']}:{flow['destPort']}/{flow['protocol']}: "
                              f"kube-proxy {fate(their)}, ours {fate(our)}")
                    differences += unlike
                    print(f"kube-proxy {mode} by {load}, ours by {name}: {len(flows)} flows, {unlike} differ"
                          + "".join(f"; {count}: {why}" for why, count in improved.items()))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
