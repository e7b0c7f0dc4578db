//! Helper processes that miss their deadline: counted in a process with this one test.

use std::ffi::CString;
use std::fs::File;
use std::time::Duration;

use lxkns_it::{assert_possessions, possessions};
use lxkns_nstest::Dir;
use lxkns_ops::visit::open_in;
use rustix::io::Errno;

#[test]
fn helpers_that_are_too_slow_are_let_go_of_in_the_end() {
    let dir = Dir::new().unwrap();
    let root = File::open(dir.path()).unwrap();
    let before = possessions();
    let is_late = |number: usize| {
        // What has never been looked up is in no cache of the kernel.
        let path = CString::new(format!("/{number}/never")).unwrap();
        let opened = open_in(&root, &path, Duration::from_nanos(1));
        opened.is_err_and(|error| error.errno() == Some(Errno::TIMEDOUT))
    };
    assert!((0..100).filter(|number| is_late(*number)).count() > 0);
    assert_possessions(&before);
}
