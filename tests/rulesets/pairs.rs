//! From one ruleset to another and back again, in a kernel: counters of what is the same on both sides stay.
//!
//! The pairs are random but for the seed: two rulesets, the same with the table names of one, or one and a variation of
//! it. `RULECTL_PAIRS` says how many, `RULECTL_PAIRS_SEED` which.

use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};

use rulectl_netlink::{Kernel, NetlinkKernel};
use rulectl_ruleset::diff::{Diff, Ownership, diff, removal};
use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::live::{Live, LiveRule};
use rulectl_ruleset::lower::Lowered;
use rulectl_ruleset::plan;
use rulectl_tests::try_run;

use crate::listing::{differing, sorted, without_clock, without_comments};
use crate::random::Random;
use crate::sample::{self, Form, Sample, collected, live};
use crate::variation::{renamed, varied};

/// Larger texts take too long to be read again and again.
const LONGEST: usize = 100 << 10;

pub(crate) fn own() {
    hold(&sample::own(), number("RULECTL_PAIRS", 100).min(300));
}

pub(crate) fn collection() {
    let Some(mut samples) = collected() else { return };
    samples.retain(|sample| matches!(sample.form, Form::Nft | Form::Json) && sample.text.len() <= LONGEST);
    samples.extend(sample::own());
    hold(&samples, number("RULECTL_PAIRS", 200));
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn hold(samples: &[Sample], count: u64) {
    let first = number("RULECTL_PAIRS_SEED", 1);
    let (mut steps, mut broken) = (0, Vec::new());
    for seed in first..first + count {
        let mut random = Random::new(seed);
        let (one, other) = (random.one_of(samples), random.one_of(samples));
        let tried = Sample::inside(&[one, other], || {
            panic::catch_unwind(AssertUnwindSafe(|| there_and_back(one, other, &mut random)))
        });
        match tried.unwrap_or_else(|_| Err("a panic".to_owned())) {
            Ok(there) => steps += there,
            Err(how) => broken.push(format!("pair {seed}, {} and {}: {how:.2000}", one.name, other.name)),
        }
    }
    eprintln!("{count} pairs, {steps} steps there; {} pairs are broken", broken.len());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Gives how many steps lead there.
fn there_and_back(one: &Sample, other: &Sample, random: &mut Random) -> Result<usize, String> {
    let wanted = |sample: &Sample| sample.wanted().expect("in words of nft");
    let before = counting(wanted(one)?);
    let after = match random.below(4) {
        0 => wanted(other)?,
        1 => renamed(wanted(other)?, &before),
        _ => varied(&before, random),
    };
    let fresh = fresh_listing(&after)?;
    let mut kernel = NetlinkKernel::new().map_err(|error| error.to_string())?;
    commit(&mut kernel, &Live::default(), &change(&Live::default(), &before)?, "the first ruleset")?;
    let (start, listed) = (live(), listing(&[])?);

    let there = change(&start, &after)?;
    let steps = commit(&mut kernel, &start, &there, "the way there")?;
    let end = live();
    let left = change(&end, &after)?;
    if !left.is_empty() {
        return Err(format!("there, something still differs:\n{left}"));
    }
    same(
        &without_comments(&listing(&["-s"])?),
        &without_comments(&fresh),
        "there, nft lists otherwise than where nothing was before",
    )?;
    kept(&start, &end, &there)?;

    let back = there.inverse().locate(&end).map_err(|drift| format!("the way back is lost: {drift:?}"))?;
    commit(&mut kernel, &end, &back, "the way back")?;
    same(&listing(&[])?, &listed, "back, nft lists otherwise than before")?;
    commit(&mut kernel, &live(), &change(&live(), &Lowered::default())?, "the end")?;
    Ok(steps)
}

/// All of it, so tables that are not wanted go.
fn change(live: &Live, wanted: &Lowered) -> Result<Diff, String> {
    let gone = live.tables.keys().filter(|table| !wanted.tables.contains_key(*table));
    let gone = removal(live, gone, &Ownership::Declared);
    let rest = diff(live, wanted, &Ownership::Declared);
    let both = gone.and_then(|gone| Ok(gone.and(rest?)));
    both.map_err(|conflicts| conflicts[0].to_string())
}

fn commit(kernel: &mut NetlinkKernel, live: &Live, diff: &Diff, what: &str) -> Result<usize, String> {
    let generation = (live.generation.id != 0).then_some(live.generation.id);
    let plan = plan::plan(diff, generation);
    match kernel.commit(&plan) {
        Ok(_) => Ok(plan.steps.len()),
        Err(error) => Err(format!("{what} is refused: {error}\n{diff}\n{:#?}", plan.steps)),
    }
}

/// What nft lists of a ruleset where nothing was before; the namespace is left without tables.
fn fresh_listing(wanted: &Lowered) -> Result<String, String> {
    let mut kernel = NetlinkKernel::new().map_err(|error| error.to_string())?;
    commit(&mut kernel, &Live::default(), &change(&Live::default(), wanted)?, "the second ruleset alone")?;
    let listed = listing(&["-s"])?;
    let live = live();
    commit(&mut kernel, &live, &change(&live, &Lowered::default())?, "taking it away")?;
    Ok(listed)
}

fn listing(options: &[&str]) -> Result<String, String> {
    let listed = try_run("nft", &[options, &["list", "ruleset"]].concat(), "");
    if listed.code == 0 { Ok(sorted(&without_clock(&listed.stdout))) } else { Err(format!("nft: {}", listed.stderr)) }
}

fn same(ours: &str, theirs: &str, what: &str) -> Result<(), String> {
    differing(ours, theirs).map_or(Ok(()), |how| Err(format!("{what}: {how}")))
}

/// Each counter of a rule at a number of its own.
fn counting(mut ruleset: Lowered) -> Lowered {
    let chains = ruleset.tables.values_mut().flat_map(|table| table.chains.iter_mut());
    let programs = chains.flat_map(|chain| &mut chain.rules).map(|(program, _)| program);
    for (expr, number) in programs.flat_map(|program| &mut program.exprs).zip(1..) {
        if let Expr::Counter { packets, bytes } = expr {
            (*packets, *bytes) = (number, 100 * number);
        }
    }
    ruleset
}

/// What the difference does not name is there, with what it has counted.
fn kept(start: &Live, end: &Live, diff: &Diff) -> Result<(), String> {
    let rules = |live: &Live| -> HashMap<(String, u64), LiveRule> {
        let chains = live.tables.iter().flat_map(|(id, table)| table.chains.iter().map(move |chain| (id, chain)));
        chains
            .flat_map(|(id, chain)| chain.rules.iter().map(move |rule| ((id.to_string(), rule.handle), rule.clone())))
            .collect()
    };
    let (old, new) = (rules(start), rules(end));
    let touched: Vec<(String, u64)> = diff
        .tables
        .iter()
        .flat_map(|table| table.chains.iter().map(move |chain| (&table.id, chain)))
        .flat_map(|(id, chain)| chain.rules.iter().map(move |edit| (id, edit)))
        .filter(|(_, edit)| edit.rule.before().is_some())
        .filter_map(|(id, edit)| Some((id.to_string(), edit.handle?)))
        .collect();
    for (key, rule) in old.iter().filter(|(key, _)| !touched.contains(key)) {
        match new.get(key) {
            None => return Err(format!("rule {key:?} was not to be touched: {:?}", rule.program)),
            Some(now) if now != rule => return Err(format!("rule {key:?} has not kept its state: {now:?}")),
            Some(_) => {}
        }
    }
    Ok(())
}
