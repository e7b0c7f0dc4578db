//! How long it takes to put the facts of 5,000 processes and 2,000 namespaces in order.

mod machine;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lxkns_model::Snapshot;

fn assemble(criterion: &mut Criterion) {
    // As the sources report them: one namespace for each time that it was seen.
    let mut facts = machine::facts();
    facts.namespaces.reverse();
    facts.processes.rotate_left(1000);
    criterion.bench_function("assemble", |bencher| {
        bencher.iter_batched(|| facts.clone(), Snapshot::assemble, BatchSize::LargeInput);
    });
}

criterion_group!(benches, assemble);
criterion_main!(benches);
