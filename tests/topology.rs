//! The harness itself: a cluster in namespaces, before any rule is in it.

use std::process::ExitCode;

use libtest_mimic::Trial;
use rulectl_tests::{Failure, Topology, Transport, kernel_tests};

fn main() -> ExitCode {
    kernel_tests(|| vec![Trial::test("hosts_reach_each_other_by_every_protocol_and_family", reach)])
}

fn reach() -> Result<(), libtest_mimic::Failed> {
    let topology = Topology::new(2);
    topology.pods[0].serve(8080);
    for client in topology.hosts() {
        for transport in [Transport::Tcp, Transport::Udp, Transport::Sctp] {
            for ip in [topology.pods[0].ipv4.into(), topology.pods[0].ipv6.into()] {
                let answer = client.ask(transport, (ip, 8080).into());
                let answer =
                    answer.map_err(|failure| format!("{} by {transport:?} to {ip}: {failure:?}", client.name))?;
                assert_eq!(answer.server, "pod-1");
                if client.name != "node" {
                    assert_eq!(answer.seen_as, client.address_like(ip), "{transport:?} from {}", client.name);
                }
            }
        }
        let refused = client.ask(Transport::Tcp, (topology.pods[1].ipv4, 8080).into());
        assert_eq!(refused, Err(Failure::Rejected), "nobody listens there");
    }
    Ok(())
}
