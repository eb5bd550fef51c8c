//! Netfilter rulesets as data: a typed IR, the kernel's expressions, a service compiler, diff and plan.
//!
//! This crate is pure: it reads no file, no socket, no clock and no environment. What it gives, it gives for the same
//! input in the same bytes. `rulectl-netlink` carries its plans to the kernel; the `rulectl` binary carries text to it.
//!
//! - [`ir`]: rulesets as people mean them; only what is legal can be built.
//! - [`expr`]: rules as the kernel runs them: register programs.
//! - [`lower`] / [`lift`]: from the one to the other.
//! - [`live`]: what a kernel holds, with handles and a generation; [`flow`]: the conversations it tracks.
//! - [`service`]: service maps (virtual IP:port → endpoints) and their layouts.
//! - [`nft`], [`json`], [`iptables`]: the text forms.
//! - [`walk`]: what rules do with a packet.
//! - [`diff`] / [`plan`]: the least change from live to desired, and its ordered, invertible steps.

#![forbid(unsafe_code)]

mod align;
pub mod diff;
pub mod expr;
pub mod flow;
pub mod iptables;
pub mod ir;
pub mod json;
pub mod lift;
pub mod live;
pub mod lower;
pub mod nft;
pub mod plan;
pub mod service;
pub mod text;
pub mod userdata;
pub mod walk;
