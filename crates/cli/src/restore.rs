//! The iptables back ends: `iptables-save` tells what is there, `iptables-restore` changes it, chain by chain.
//!
//! A table is replaced atomically; two tables or two families are not, because x_tables cannot. Everything is tested
//! before anything is changed.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use rulectl_ruleset::iptables::{self, Family, IptablesPlan, IptablesRuleset};
use rulectl_ruleset::service::{self, Frontend, Layout, ServiceMap};

use crate::DIFFERS;
use crate::args::{Apply, Backend, Delete, Diff, DiffForm, DryRun, Source, Target};
use crate::command::diff::json;
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{flows, input, target};

/// The programs of one back end and family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tools {
    pub(crate) backend: Backend,
    pub(crate) family: Family,
}

impl Tools {
    pub(crate) fn both(backend: Backend) -> [Self; 2] {
        [Family::Ip, Family::Ip6].map(|family| Self { backend, family })
    }

    pub(crate) fn program(self, action: &str) -> String {
        let tables = if self.family == Family::Ip6 { "ip6tables" } else { "iptables" };
        let variant = if self.backend == Backend::IptablesNft { "nft" } else { "legacy" };
        format!("{tables}-{variant}-{action}")
    }

    /// The rules as they are. Makes no table that is not there.
    pub(crate) fn save(self) -> Result<String, Failure> {
        execute(&self.program("save"), &[], "")
    }

    /// The text for the tool. For iptables-nft in parts: it would be busy with a whole table for minutes.
    fn text(self, plan: &IptablesPlan) -> String {
        /// Few enough to be quick, enough that a commit each costs little.
        const CHAINS: usize = 256;
        match self.backend {
            Backend::IptablesNft => plan.clone().in_parts(CHAINS).text().to_string(),
            _ => plan.text().to_string(),
        }
    }

    /// What the rules are.
    pub(crate) fn live(self) -> Result<IptablesRuleset, Failure> {
        let parsed = iptables::parse(&self.program("save"), &self.save()?, self.family);
        if parsed.problems.is_empty() {
            Ok(parsed.text.ruleset())
        } else {
            Err(Failure::Parse { errors: parsed.problems })
        }
    }

    /// Has the tool read the text, and, unless it is a test, act on it. A failure shows the line that is to blame.
    fn restore(self, text: &str, test: bool) -> Result<(), Failure> {
        self.try_restore(text, test).map_err(|failure| blame(failure, text))
    }

    /// The same; a failure is in the tool's own words.
    pub(crate) fn try_restore(self, text: &str, test: bool) -> Result<(), Failure> {
        let arguments: &[&str] = if test { &["--noflush", "-w", "--test"] } else { &["--noflush", "-w"] };
        execute(&self.program("restore"), arguments, text).map(drop)
    }
}

/// What one family's tool has to be told.
struct Step {
    tools: Tools,
    plan: IptablesPlan,
}

/// All back ends of iptables and families.
pub(crate) fn variants() -> impl Iterator<Item = (Backend, Family)> {
    let backends = [Backend::IptablesLegacy, Backend::IptablesNft];
    backends.into_iter().flat_map(|backend| [Family::Ip, Family::Ip6].map(|family| (backend, family)))
}

/// What people call a back end of a family.
pub(crate) fn name(backend: Backend, family: Family) -> String {
    Tools { backend, family }.program("restore").trim_end_matches("-restore").to_owned()
}

/// The rules of a back end and family; `None` where its tools are not there, so nobody can have made any with them, or
/// print what cannot be read.
pub(crate) fn live(backend: Backend, family: Family) -> Option<IptablesRuleset> {
    let said = |failure: &Failure| match failure {
        Failure::Parse { errors } => errors.iter().for_each(|problem| tracing::warn!("{problem}")),
        other => tracing::info!("{other}"),
    };
    Tools { backend, family }.live().inspect_err(said).ok()
}

/// Has a plan carried out, after it was tested.
pub(crate) fn run(backend: Backend, family: Family, plan: &IptablesPlan) -> Result<(), Failure> {
    let tools = Tools { backend, family };
    let text = tools.text(plan);
    tools.restore(&text, true)?;
    tools.restore(&text, false)
}

/// The same failure with the line that the tool speaks of.
fn blame(failure: Failure, text: &str) -> Failure {
    let Failure::Program { program, message } = failure else { return failure };
    let message = match line_in(&message).and_then(|line| text.lines().nth(line - 1)) {
        Some(line) => format!("{message}\n    {line}"),
        None => message,
    };
    Failure::Program { program, message }
}

/// The line, from 1, that a message of iptables-restore is about: `line 3 failed`, `Error occurred at line: 3`,
/// `line 3: RULE_APPEND failed`.
pub(crate) fn line_in(message: &str) -> Option<usize> {
    let (_, rest) = message.split_once("line")?;
    let digits = rest.trim_start_matches([':', ' ']);
    let line = digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    (line > 0).then_some(line)
}

pub(crate) fn apply(args: &Apply, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let Prepared { steps, map, served } = prepare(&args.source, &args.target, terminal)?;
    match args.dry_run {
        None => {
            commit(&steps, terminal)?;
            target::route_localnet(map.node.localhost_nodeports)?;
            flows::clean(&map, served, args.conntrack, terminal);
        }
        Some(how) => {
            if how == DryRun::Kernel {
                steps.iter().try_for_each(|step| step.tools.restore(&step.tools.text(&step.plan), true))?;
            }
            terminal.print_diff(&render(&steps))?;
            terminal.note("dry run: nothing was changed");
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn diff(args: &Diff, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let Prepared { steps, .. } = prepare(&args.source, &args.target, terminal)?;
    match &args.output {
        DiffForm::Plan(_) => return Err(Failure::Usage("only plans for nftables go into files".to_owned())),
        DiffForm::Text => terminal.print_diff(&render(&steps))?,
        DiffForm::Json => {
            let plans: Vec<&IptablesPlan> = steps.iter().map(|step| &step.plan).collect();
            terminal.print(&json(&plans)?)?;
        }
    }
    Ok(if steps.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

pub(crate) fn delete(args: &Delete, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.target.netns.as_deref())?;
    let (steps, _) = steps(args.target.backend, |_| IptablesRuleset::default())?;
    commit(&steps, terminal)?;
    Ok(ExitCode::SUCCESS)
}

/// What is to be done, for which services, and which frontends they had before.
struct Prepared {
    steps: Vec<Step>,
    map: ServiceMap,
    served: Vec<Frontend>,
}

/// Compiles a source for both families and compares it with what is there.
fn prepare(source: &Source, kernel: &Target, terminal: &Terminal) -> Result<Prepared, Failure> {
    if source.layout.is_some_and(|layout| Layout::from(layout) == Layout::Maps) {
        return Err(Failure::Usage(
            "the maps layout needs nftables: use --layout chains with this back end".to_owned(),
        ));
    }
    let (map, findings) = input::load_only_map(source)?;
    terminal.findings(&findings);
    let options = input::options(source, Layout::Chains);
    target::enter(kernel.netns.as_deref())?;
    let mut findings = Vec::new();
    let (steps, served) = steps(kernel.backend, |family| {
        let compiled = service::iptables(&map, &options, family);
        findings.extend(compiled.findings);
        compiled.ruleset
    })?;
    findings.sort();
    findings.dedup();
    terminal.findings(&findings);
    Ok(Prepared { steps, map, served })
}

/// The steps that are needed, none for a family that is as it should be; and the frontends that are served.
fn steps(
    backend: Backend,
    mut desired: impl FnMut(Family) -> IptablesRuleset,
) -> Result<(Vec<Step>, Vec<Frontend>), Failure> {
    let (mut steps, mut served) = (Vec::new(), Vec::new());
    for tools in Tools::both(backend) {
        let desired = desired(tools.family);
        let live = tools.live()?;
        served.extend(service::served_by_iptables(&live, tools.family));
        let plan = iptables::plan(&live, &desired)?;
        if !plan.is_empty() {
            steps.push(Step { tools, plan });
        }
    }
    Ok((steps, served))
}

fn commit(steps: &[Step], terminal: &Terminal) -> Result<(), Failure> {
    if steps.is_empty() {
        return terminal.print("no change\n");
    }
    steps.iter().try_for_each(|step| step.tools.restore(&step.tools.text(&step.plan), true))?;
    for step in steps {
        step.tools.restore(&step.tools.text(&step.plan), false)?;
        terminal.print(&format!("{}: {}\n", step.tools.program("restore"), summary(&step.plan)))?;
    }
    Ok(())
}

/// `2 chains added, 1 changed`.
fn summary(plan: &IptablesPlan) -> String {
    let changes = || plan.steps.iter().flat_map(|step| &step.chains);
    let added = changes().filter(|change| change.before.is_none()).count();
    let removed = changes().filter(|change| change.after.is_none()).count();
    let changed = changes().count() - added - removed;
    let jumps = plan.steps.iter().map(|step| step.jumps.len()).sum::<usize>();
    let counts =
        [(added, "chains added"), (changed, "changed"), (removed, "removed"), (jumps, "jumps placed or removed")];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    counts.join(", ")
}

fn render(steps: &[Step]) -> String {
    steps.iter().map(|step| format!("{}\n{}", step.tools.program("restore"), step.plan)).collect()
}

/// Runs a program to its end; gives what it printed.
fn execute(program: &str, arguments: &[&str], input: &str) -> Result<String, Failure> {
    let failure = |message: String| Failure::Program { program: program.to_owned(), message };
    tracing::debug!("{program} {arguments:?}: {} bytes of input", input.len());
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failure(error.to_string()))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A tool that stops reading closes the pipe; its own words tell more than our error would.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        child.wait_with_output()
    })
    .map_err(|error| failure(error.to_string()))?;
    if !output.status.success() {
        return Err(failure(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
