//! How long writing and reading take, for a machine of 5,000 processes and 2,000 namespaces.

mod machine;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lxkns_model::{Snapshot, wire};

type Write = fn(&Snapshot, &mut Vec<u8>) -> std::io::Result<()>;

fn formats(criterion: &mut Criterion) {
    let snapshot = Snapshot::assemble(machine::facts());
    assert_eq!(snapshot.processes().len(), 5000);
    assert_eq!(snapshot.namespaces().len(), 2000);
    let formats: [(&str, Write); 3] = [
        ("snapshot", |snapshot, out| wire::snapshot::write(snapshot, out, wire::Layout::Compact)),
        ("lines", |snapshot, out| wire::snapshot::write_lines(snapshot, out)),
        ("lxkns", |snapshot, out| wire::lxkns::write(snapshot, out, wire::Layout::Compact)),
    ];
    for (name, write) in formats {
        let mut document = Vec::new();
        assert!(write(&snapshot, &mut document).is_ok());
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(document.len() as u64));
        group.bench_function("write", |bencher| {
            bencher.iter(|| {
                let mut out = Vec::with_capacity(document.len());
                write(black_box(&snapshot), &mut out).map(|()| out)
            });
        });
        group.bench_function("read", |bencher| {
            bencher.iter(|| wire::read(black_box(&document)));
        });
        group.finish();
    }
}

criterion_group!(benches, formats);
criterion_main!(benches);
