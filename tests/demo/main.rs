//! `make demo`: the main job, with real packets, in network namespaces of its own.
//!
//! A client, a node and three pods. The node's rules are made by the `rulectl` binary given as the first argument; what
//! is shown is what it prints and what the client meets. Nothing outside the namespaces changes, and they are gone when
//! the program ends.

use std::fmt::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rulectl_tests::{Failure, Spread, Topology, Transport, prepare, try_run};

const VIRTUAL_IP: &str = "10.96.0.10:80";
const POD_PORT: u16 = 8080;

fn main() -> ExitCode {
    let Some(rulectl) = std::env::args().nth(1) else {
        eprintln!("usage: demo PATH-OF-RULECTL");
        return ExitCode::from(2);
    };
    if let Err(reason) = prepare() {
        eprintln!("demo: {reason}");
        return ExitCode::from(2);
    }
    match Demo::new(rulectl).run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("demo: FAILED: {what}");
            ExitCode::FAILURE
        }
    }
}

struct Demo {
    topology: Topology,
    rulectl: String,
    service: SocketAddr,
}

impl Demo {
    fn new(rulectl: String) -> Self {
        let topology = Topology::new(3);
        topology.pods.iter().for_each(|pod| pod.serve(POD_PORT));
        Self { topology, rulectl, service: VIRTUAL_IP.parse().expect("literal") }
    }

    fn run(&self) -> Result<(), String> {
        title("A client (192.0.2.2), a node, and three pods (10.244.0.11-13), each in its own network namespace");
        let two = map(&[1, 2]);
        println!("services.yaml:\n{two}");

        title("The virtual IP is nobody's address: the client gets no answer. Now the node gets its rules");
        self.rulectl(&["apply", "services.yaml"], &two, 0)?;
        self.spread(300, &["pod-1", "pod-2"])?;

        title("Applying again changes nothing and sends nothing");
        self.rulectl(&["apply", "services.yaml"], &two, 0)?;

        title("A third pod joins");
        let three = map(&[1, 2, 3]);
        let mut kept = self.topology.client.converse(self.service).map_err(|failure| format!("{failure:?}"))?;
        self.rulectl(&["diff", "services.yaml"], &three, 1)?;
        self.rulectl(&["apply", "services.yaml"], &three, 0)?;
        self.spread(300, &["pod-1", "pod-2", "pod-3"])?;

        title("Pod 2 leaves; a connection that was open all the time does not notice");
        self.rulectl(&["diff", "services.yaml"], &map(&[1, 3]), 1)?;
        self.rulectl(&["apply", "services.yaml"], &map(&[1, 3]), 0)?;
        self.spread(300, &["pod-1", "pod-3"])?;
        kept.say("still there?").map_err(|failure| format!("the open connection broke: {failure:?}"))?;
        println!("the open connection to {} still answers", kept.answer.server);

        title("All pods leave: clients are told at once, not left waiting");
        self.rulectl(&["apply", "services.yaml"], &map(&[]), 0)?;
        let start = Instant::now();
        match self.topology.client.ask(Transport::Tcp, self.service) {
            Err(Failure::Rejected) if start.elapsed() < Duration::from_secs(2) => {
                println!("client: connection refused after {} ms", start.elapsed().as_millis());
            }
            other => return Err(format!("expected a prompt refusal, got {other:?} in {:?}", start.elapsed())),
        }

        title("And nothing is left behind");
        self.rulectl(&["delete"], "", 0)?;
        self.rulectl(&["show"], "", 0)
    }

    /// Runs `rulectl` on the node and shows what it says.
    fn rulectl(&self, arguments: &[&str], map: &str, expected: i32) -> Result<(), String> {
        println!("node$ rulectl {}", arguments.join(" "));
        let real: Vec<&str> =
            arguments.iter().map(|argument| if *argument == "services.yaml" { "-" } else { argument }).collect();
        let output = self.topology.node.run(|| try_run(&self.rulectl, &real, map));
        print!("{}{}", output.stdout, output.stderr);
        if output.code == expected { Ok(()) } else { Err(format!("exit code {}, expected {expected}", output.code)) }
    }

    /// Connects often and shows who answered; each of `pods` must have, and nobody else.
    fn spread(&self, connections: usize, pods: &[&str]) -> Result<(), String> {
        let spread: Spread = self
            .topology
            .client
            .ask_often(Transport::Tcp, self.service, connections)
            .into_iter()
            .map(|answer| {
                answer.map(|answer| answer.server).map_err(|failure| format!("a connection failed: {failure:?}"))
            })
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .collect();
        println!("client$ {connections} connections to {VIRTUAL_IP}:");
        for (pod, count) in spread.counts() {
            println!("  {pod} {count:4} {}", "█".repeat(count / 5));
        }
        if spread.counts().keys().eq(pods) { Ok(()) } else { Err(format!("expected answers of {pods:?} only")) }
    }
}

fn title(text: &str) {
    println!("\n── {text}");
}

/// A map of one service with those pods.
fn map(pods: &[u8]) -> String {
    let mut map = String::from(
        "apiVersion: rulectl/v1\nkind: ServiceMap\nnode: {podCIDRs: [10.244.0.0/16]}\nservices:\n  - name: web\n    \
         clusterIPs: [10.96.0.10]\n    ports:\n      - port: 80\n",
    );
    let endpoints: Vec<String> = pods.iter().map(|pod| format!("10.244.0.{}:{POD_PORT}", 10 + pod)).collect();
    writeln!(
        map,
        "        endpoints: [{}]",
        endpoints.iter().map(|e| format!("\"{e}\"")).collect::<Vec<_>>().join(", ")
    )
    .expect("a string takes all");
    map
}
