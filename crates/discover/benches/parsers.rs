//! How long it takes to read the texts of /proc, once they are in memory.
//!
//! The parsers are nobody's business outside of their crate, so their source is compiled in here.

#[path = "../src/gaps.rs"]
#[expect(dead_code, reason = "only what is used there is needed")]
mod gaps;
#[path = "../src/procfs/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "of the whole module only the parsers are measured, and its tests are left out"
)]
mod procfs;
#[path = "../src/timeouts.rs"]
#[expect(dead_code, reason = "only what is used there is needed")]
mod timeouts;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const STAT: &[u8] =
    b"48213 (some-daemon) S 1 48213 48213 0 -1 4194560 1893 0 12 0 27 14 0 0 20 0 4 0 \
    918273 123456789 2345 18446744073709551615 94175000000000 94175000100000 140720000000000 0 0 0 \
    0 4096 16386 0 0 0 17 1 0 0 0 0 0 94175000200000 94175000300000 94175001000000 140720000001000 \
    140720000001100 140720000001100 140720000002000 0\n";

const STATUS: &[u8] = b"Name:\tsome-daemon\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t48213\n\
    Ngid:\t0\nPid:\t48213\nPPid:\t1\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\n\
    Gid:\t1000\t1000\t1000\t1000\nFDSize:\t64\nGroups:\t27 100 1000 \nNStgid:\t48213\t7\n\
    NSpid:\t48213\t7\nNSpgid:\t48213\t7\nNSsid:\t48213\t7\nVmPeak:\t  120564 kB\n\
    VmSize:\t  120564 kB\nVmLck:\t       0 kB\nVmHWM:\t    9380 kB\nVmRSS:\t    9380 kB\n\
    Threads:\t4\nSigQ:\t0/96365\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\n\
    CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n\
    NoNewPrivs:\t0\nSeccomp:\t0\nCpus_allowed:\t3\nMems_allowed:\t1\n\
    voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";

const CGROUP: &[u8] = b"12:pids:/machine.slice/a.scope\n4:cpu,cpuacct:/machine.slice/a.scope\n\
    1:name=systemd:/machine.slice/a.scope\n0::/machine.slice/a.scope\n";

/// A table of mounts as long as that of a busy host: every tenth is a namespace.
fn mountinfo() -> Vec<u8> {
    let lines = (0..1000).map(|number| match number % 10 {
        0 => format!(
            "{number} 27 0:4 net:[{}] /run/netns/{number} rw shared:9 - nsfs nsfs rw\n",
            4_026_532_000u32 + number
        ),
        _ => format!(
            "{number} 27 0:{number} / /var/lib/containers/storage/overlay/{number}/merged \
             rw,relatime shared:{number} - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u/{number}\n"
        ),
    });
    lines.collect::<String>().into_bytes()
}

fn parsers(criterion: &mut Criterion) {
    let mounts = mountinfo();
    let mut measure = |name: &str, text: &[u8], parse: fn(&[u8]) -> usize| {
        assert!(parse(text) > 0, "{name} is read");
        let mut group = criterion.benchmark_group("procfs");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(text))));
        group.finish();
    };
    measure("stat", STAT, |text| procfs::stat::parse(text).map_or(0, |stat| stat.comm.len()));
    measure("status", STATUS, |text| procfs::status::parse(text).pids.count());
    measure("cgroup", CGROUP, |text| procfs::cgroup::parse(text).map_or(0, <[u8]>::len));
    measure("mountinfo", &mounts, |text| {
        procfs::mountinfo::parse(text).filter(|mount| mount.fs_type == b"nsfs").count()
    });
}

criterion_group!(benches, parsers);
criterion_main!(benches);
