//! The conformance table: what becomes of a packet from A to B, given a map, a row each, in text files anyone can add
//! to.
//!
//! Each file of `rows/` is checked by real packets through the rules of every back end, and by walking the compiled
//! programs in memory: the two must agree with the file, and so with one another. docs/conformance.md is written from
//! the same files: `BLESS=1 cargo test -p rulectl-tests --test conformance`.

mod file;
mod lab;
mod table;
mod walked;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use file::{File, is_for};
use lab::{Backend, Lab};
use libtest_mimic::{Failed, Trial};
use rulectl_ruleset::service::Layout;
use rulectl_tests::kernel_tests;
use walked::Walked;

/// Layouts and programs that rows are checked with. A file or row may be for some of them only.
const BACKENDS: [Backend; 4] = [
    Backend { name: "nft-maps", flags: &["--backend", "nft", "--layout", "maps"] },
    Backend { name: "nft-chains", flags: &["--backend", "nft", "--layout", "chains"] },
    Backend { name: "iptables-legacy-chains", flags: &["--backend", "iptables-legacy"] },
    Backend { name: "iptables-nft-chains", flags: &["--backend", "iptables-nft"] },
];

/// Layouts whose programs are walked in memory.
const WALKED: [Walked; 2] =
    [Walked { name: "walk-maps", layout: Layout::Maps }, Walked { name: "walk-chains", layout: Layout::Chains }];

fn main() -> ExitCode {
    kernel_tests(|| {
        let files = files();
        let columns: Vec<_> =
            WALKED.iter().map(|walked| walked.name).chain(BACKENDS.iter().map(|backend| backend.name)).collect();
        let page = table::check(&files, &columns);
        let page = Trial::test("docs/conformance.md", move || page.map_err(Failed::from));
        let files: Vec<Arc<File>> = files.into_iter().map(Arc::new).collect();
        let walked = WALKED.into_iter().flat_map(|walked| walks(walked, &files));
        std::iter::once(page)
            .chain(walked)
            .chain(BACKENDS.into_iter().flat_map(|backend| trials(backend, &files)))
            .collect()
    })
}

/// The files, by name.
fn files() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/rows");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("rows").map(|it| it.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let text = std::fs::read_to_string(path).expect("a text");
        file::parse(name, &text).unwrap_or_else(|problem| panic!("{problem}"))
    };
    paths.iter().map(read).collect()
}

/// A test for each file, in memory.
fn walks(walked: Walked, files: &[Arc<File>]) -> Vec<Trial> {
    let files = files.iter().filter(|file| is_for(&file.only, walked.name));
    files
        .map(|file| {
            let file = Arc::clone(file);
            Trial::test(format!("{}::{}", walked.name, file.name), move || verdict(&walked.check(&file)))
        })
        .collect()
}

fn verdict(wrong: &[String]) -> Result<(), Failed> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// A test for each file, on one cluster.
fn trials(backend: Backend, files: &[Arc<File>]) -> Vec<Trial> {
    let lab = Arc::new(OnceLock::new());
    let files = files.iter().filter(|file| is_for(&file.only, backend.name));
    files
        .map(|file| {
            let (lab, file) = (Arc::clone(&lab), Arc::clone(file));
            Trial::test(format!("{}::{}", backend.name, file.name), move || {
                verdict(&lab.get_or_init(|| Lab::new(backend)).check(&file))
            })
        })
        .collect()
}
