//! Sharing out work among threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// So many items a worker takes at a time.
const CHUNK: usize = 32;

/// The size of a worker's stack, whatever the environment says (`RUST_MIN_STACK`).
const STACK: usize = 1024 * 1024;

/// Works on all items, on up to `workers` threads, the calling one among them. Each fills a result
/// of its own. Few items are not worth another thread.
pub(crate) fn share_out<Item: Sync, Found: Default + Send>(
    items: &[Item],
    workers: usize,
    work: impl Fn(&Item, &mut Found) + Sync,
) -> Vec<Found> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut found = Found::default();
        loop {
            let start = next.fetch_add(CHUNK, Ordering::Relaxed);
            match items.get(start..) {
                None | Some([]) => return found,
                Some(rest) => rest.iter().take(CHUNK).for_each(|item| work(item, &mut found)),
            }
        }
    };
    let helpers = workers.min(items.len().div_ceil(4 * CHUNK)).saturating_sub(1);
    thread::scope(|scope| {
        // If no thread can be had, the others, at least the calling one, do all the work.
        let helpers: Vec<_> = (0..helpers)
            .filter_map(|_| {
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).ok()
            })
            .collect();
        let mut all = vec![worker()];
        for helper in helpers {
            match helper.join() {
                Ok(found) => all.push(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once() {
        for (items, workers) in [(0, 4), (1, 1), (CHUNK, 2), (5000, 3)] {
            let items: Vec<usize> = (0..items).collect();
            let found =
                share_out(&items, workers, |item, found: &mut Vec<usize>| found.push(*item));
            assert!(found.len() <= workers);
            let mut found = found.concat();
            found.sort_unstable();
            assert_eq!(found, items);
        }
    }
}
