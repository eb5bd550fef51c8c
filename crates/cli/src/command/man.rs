//! `rulectl man`: a man page for each subcommand, made from the definitions of the command line.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Cli, Man};
use crate::failure::Failure;

pub(crate) fn run(args: &Man) -> Result<ExitCode, Failure> {
    let failure = |source| Failure::File { path: args.directory.clone(), source };
    std::fs::create_dir_all(&args.directory).map_err(failure)?;
    clap_mangen::generate_to(Cli::command(), &args.directory).map_err(failure)?;
    Ok(ExitCode::SUCCESS)
}
