//! The examples run and say what they promise; the maps beside them compile to what nft takes.

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use rulectl_tests::{kernel_tests, rulectl, run};

fn main() -> ExitCode {
    kernel_tests(|| {
        let mut tests = vec![Trial::test("maps_compile_to_what_nft_takes", maps)];
        let examples = [
            ("compile", "table ip rulectl"),
            ("reconcile", "6 messages"),
            ("fake_kernel", "6 messages"),
            ("snapshot", "10.244.0.99"),
            ("guardian", "repaired: elements: 1 added\n"),
        ];
        tests.extend(examples.map(|(name, words)| Trial::test(name, move || example(name, words))));
        tests
    })
}

fn example(name: &str, words: &str) -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(|deps| deps.parent()).ok_or("a test is below target")?;
    let output = run(folder.join("examples").join(name).to_str().ok_or("a path of this build")?, &[], "");
    if output.contains(words) { Ok(()) } else { Err(format!("no {words:?} in:\n{output}").into()) }
}

fn maps() -> Result<(), Failed> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let maps: Vec<String> =
        ["shop.yaml", "kubernetes.yaml"].map(|name| folder.join(name).display().to_string()).to_vec();
    for layout in ["maps", "chains"] {
        let output = rulectl(&["compile", &maps[0], &maps[1], "--to", "nft", "--layout", layout], "");
        assert_eq!(output.code, 0, "{}", output.stderr);
        run("nft", &["-c", "-f", "-"], &output.stdout);
    }
    Ok(())
}
