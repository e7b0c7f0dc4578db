//! The two JSON formats, from the outside: what is written is read back, old documents stay
//! readable, and nothing that is read can do harm.

mod arbitrary;
mod golden;
mod round_trip;
mod samples;
