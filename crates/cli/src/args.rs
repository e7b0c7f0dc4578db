//! Command lines: what the tools share.

pub(crate) mod color;
pub(crate) mod filter;
pub(crate) mod look;
pub(crate) mod namespace_arg;
pub(crate) mod noise;
pub(crate) mod pid_arg;
pub(crate) mod show;
mod strict;
pub(crate) mod theme_choice;
pub(crate) mod trees;
mod workload_arg;

pub(crate) use filter::Filter;
pub(crate) use look::Look;
pub(crate) use namespace_arg::NamespaceArg;
pub(crate) use noise::Noise;
pub(crate) use pid_arg::PidArg;
pub(crate) use show::Show;
pub(crate) use strict::Strict;
pub(crate) use trees::Trees;
pub(crate) use workload_arg::WorkloadArg;
