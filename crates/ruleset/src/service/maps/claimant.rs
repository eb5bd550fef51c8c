//! A service that claims a frontend, with its endpoints in their slots.

use std::net::IpAddr;

use super::super::ServiceName;
use super::super::route::{Handling, Route};
use super::super::target::{Target, Targets};
use super::contents::Counts;
use super::slots;

/// A service that claims a frontend.
#[derive(Clone, Debug)]
pub(super) struct Claimant {
    pub(super) service: ServiceName,
    pub(super) handling: Handling,
    pub(super) anywhere: Slots,
    pub(super) here: Slots,
}

impl Claimant {
    /// The service of that name; its targets are in the slots a compile gives them.
    pub(super) fn of(service: ServiceName, route: Route) -> Self {
        let Route { handling, anywhere, here } = route;
        Self { service, handling, anywhere: Slots::of(anywhere), here: Slots::of(here) }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { anywhere: self.anywhere.targets().count(), here: self.here.targets().count() }
    }

    /// All its targets; one that is meant both anywhere and here is there twice.
    pub(super) fn targets(&self) -> impl Iterator<Item = Target> {
        self.anywhere.targets().chain(self.here.targets())
    }
}

/// Targets in slots.
#[derive(Clone, Debug)]
pub(super) struct Slots(Box<[Option<Target>]>);

impl Slots {
    fn of(targets: Targets) -> Self {
        Self(targets.slots.into_iter().map(Some).collect())
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = Target> {
        self.0.iter().flatten().copied()
    }

    /// How many slots there are, free ones between included.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is in a slot.
    pub(super) fn at(&self, slot: usize) -> Option<Target> {
        *self.0.get(slot)?
    }

    /// Its targets by their slots.
    pub(super) fn filled(&self) -> impl Iterator<Item = (u32, Target)> {
        (0..).zip(&self.0).filter_map(|(slot, target)| Some((slot, (*target)?)))
    }

    /// Puts its targets into the slots a compile gives them, as those of one that waits are: when its turn comes they
    /// are placed from there, whatever slots they were in before.
    pub(super) fn step_back(&mut self) {
        let targets = Targets::in_order(self.targets().collect());
        self.0 = targets.into_iter().map(Some).collect();
    }

    /// Puts its targets into slots where they, or targets of another, are live.
    pub(super) fn place(&mut self, live: impl Iterator<Item = (u32, (IpAddr, u16))>) {
        let wanted: Vec<Target> = self.targets().collect();
        let mut slots = slots::assign(&wanted, |target| (target.address, target.port), live);
        slots.truncate(slots.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
        self.0 = slots.into();
    }

    /// [`Self::place`] where those of another are live.
    pub(super) fn follow(&mut self, other: Option<&Self>) {
        let live = other.into_iter().flat_map(Self::filled);
        self.place(live.map(|(slot, target)| (slot, (target.address, target.port))));
    }
}
