//! Bugs that were, each with the test that would have shown it.

use harness::Vm;

/// fork once evaluated the copies of three locked fields in one expression, so that their guards, all of one
/// rank, overlapped. The rank checker, which only the checked kernel has, names such a pair.
#[test]
fn every_probe_holds_under_the_kernel_with_every_check_it_has() {
    let outcome = Vm::new().checked().init("probe", &["all"]).boot();
    outcome.expect_pass();
    outcome.line_containing(" ok, 0 failed");
    outcome.assert_no("lock order");
}
