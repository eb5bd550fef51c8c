//! `rulectl diff`: what `apply` would change, in a kernel or in what other files say.

use std::path::Path;
use std::process::ExitCode;

use rulectl_netlink::{Kernel, interfaces};
use rulectl_ruleset::diff;

use crate::DIFFERS;
use crate::args::{Backend, Diff, DiffForm, Source};
use crate::desired::{Change, Desired};
use crate::dump::{self, Dump};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::plan_file::PlanFile;
use crate::{restore, target};

pub(crate) fn run(args: &Diff, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if let Some(dumps) = Dump::among(&args.source)? {
        return dump::diff(args, &dumps, terminal);
    }
    if args.target.backend != Backend::Nft {
        return restore::diff(args, terminal);
    }
    let desired = Desired::read(&args.source, terminal)?.only(&args.parts)?;
    if let (Some(_), DiffForm::Plan(_)) = (&args.against, &args.output) {
        return Err(Failure::Usage("a plan is for a kernel, not for a file".to_owned()));
    }
    if let Some(path) = &args.against {
        return against(args, desired, path, terminal);
    }
    target::enter(args.target.netns.as_deref())?;
    let desired = desired.on_this_machine()?;
    let live = target::kernel()?.read(&desired.scope())?;
    let Change { diff, .. } = desired.compare(&live)?;
    let code = print(&diff, &args.output, &interfaces::name_of, terminal)?;
    if let DiffForm::Plan(path) = &args.output {
        PlanFile::new(desired.scope(), diff, live).write(path)?;
    }
    Ok(code)
}

/// Compares two files as if the one were in a kernel.
fn against(args: &Diff, mut desired: Desired, path: &Path, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let source = Source { files: vec![path.to_owned()], ..args.source.clone() };
    let mut old = Desired::read(&source, terminal)?;
    let mut names = Names::default();
    [&mut old, &mut desired].into_iter().for_each(|side| side.number_interfaces(|name| Some(names.number(name))));
    let mut diff = desired.replacing(old)?;
    let chains = diff.tables.iter_mut().flat_map(|table| &mut table.chains);
    // No kernel gave them.
    chains.flat_map(|chain| &mut chain.rules).for_each(|edit| edit.handle = None);
    print(&diff, &args.output, &|number| names.name(number), terminal)
}

fn print(
    diff: &diff::Diff,
    form: &DiffForm,
    interface: &dyn Fn(u32) -> Option<String>,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    match form {
        DiffForm::Text | DiffForm::Plan(_) => {
            terminal.print_diff(&diff.render(usize::MAX).naming(interface).to_string())?
        }
        DiffForm::Json => terminal.print(&json(diff)?)?,
    }
    Ok(if diff.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

/// Numbers for names of interfaces where there is no machine to ask.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    /// Above what kernels give, but for the loopback, which is number 1 on all of them.
    const FIRST: u32 = 1 << 31;

    fn number(&mut self, name: &str) -> u32 {
        if name == "lo" {
            return 1;
        }
        let at = self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        Self::FIRST + at as u32
    }

    fn name(&self, number: u32) -> Option<String> {
        self.0.get(number.checked_sub(Self::FIRST)? as usize).cloned()
    }
}

/// A value as JSON for programs, a line at its end.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(text + "\n")
}
