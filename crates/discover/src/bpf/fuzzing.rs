//! The fuzz targets of what the kernel tells about itself and its tasks.

use super::task_program::Record;
use super::tasks::{self, Reader};
use super::{file_program, files, iterator, scan_bytes, task_program};

/// BTF: whatever is in it, both programs can be assembled or not, and are never absurdly long.
pub(crate) fn type_information(bytes: &[u8]) {
    let Ok(btf) = scan_bytes(bytes) else { return };
    let task =
        iterator::instructions_for(&btf, Some(1), |program| task_program::assemble(program, true));
    let file = iterator::instructions_for(&btf, None, |program| file_program::assemble(program, 0));
    for program in [task, file].into_iter().flatten() {
        // The verifier takes 4,096 at most.
        assert!(program.len() < 4096, "{} instructions", program.len());
    }
}

/// Records of tasks, the first one about the reader, and of open files.
pub(crate) fn records(bytes: &[u8]) {
    let mut records = bytes.chunks(size_of::<Record>());
    if let Some(first) = records.next() {
        let reader = Reader::of(first, 100);
        let mut tasks = records.map(|record| reader.task(record)).collect();
        tasks::localize(&mut tasks);
        for task in &tasks {
            assert!(task.comm().len() <= 16 && !task.comm().contains(&0));
            let own = task.nested_pids().and_then(|pids| pids.first());
            assert!(own.is_none_or(|own| *own != 0));
            assert!(task.state().is_ascii_alphabetic());
        }
    }
    for record in bytes.chunks(size_of::<file_program::Record>()) {
        files::file(record);
    }
}
