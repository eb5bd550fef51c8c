//! The unit test of a controller: the same reconcile loop, on a kernel in memory that keeps the real one's laws and can
//! be made to fail.
//!
//! `cargo test --example fake_kernel`

use rulectl_netlink::{FakeKernel, Reconciler};
use rulectl_ruleset::service::{CompileOptions, Input, NodeOverrides, ServiceMap, read};

fn map(endpoints: &str) -> ServiceMap {
    let text = format!(
        "{{apiVersion: rulectl/v1, kind: ServiceMap, node: {{podCIDRs: 10.244.0.0/16}}, services: [
            {{name: web, clusterIPs: 10.96.0.10, ports: [{{port: 80, endpoints: [{endpoints}]}}]}}]}}"
    );
    read(&[Input { name: "map", text: &text }], &NodeOverrides::default()).expect("the map is right").0
}

fn main() {
    let mut controller = Reconciler::new(FakeKernel::new(), CompileOptions::default());
    controller.sync(&map("'10.244.0.11:8080', '10.244.0.12:8080'")).expect("the kernel takes it");

    // One endpoint is replaced: one element goes and one comes, and nothing is read.
    let changed = map("'10.244.0.11:8080', '10.244.0.99:8080'").services.remove(0);
    let done = controller.update(&changed.name, Some(&changed)).expect("the kernel takes it");
    assert!(!done.read_all);
    println!("one endpoint replaced: {} messages", done.applied.messages);

    // The kernel has no memory left: the caller hears of it, and nothing has changed.
    let commits = controller.kernel().commits();
    controller.kernel_mut().fail_step(0, 12);
    let failed = controller.update(&changed.name, None).expect_err("the kernel is out of memory");
    assert_eq!(controller.kernel().commits(), commits);
    println!("{failed}");

    // The next attempt does it.
    controller.update(&changed.name, None).expect("the kernel takes it");
}

#[test]
fn the_controller_survives_a_kernel_that_fails() {
    main();
}
