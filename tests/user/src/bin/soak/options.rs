//! What the command line says.

/// How much is to be done, and where it begins.
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// How many processes work at once.
    pub(crate) lanes: u64,
    /// Calls that are enough.
    pub(crate) calls: u64,
    /// Rounds that are.
    pub(crate) rounds: u64,
    /// Seconds that are.
    pub(crate) seconds: u64,
}

impl Options {
    /// Reads `--seed N` and the like; nothing of what is unknown.
    pub(crate) fn read(args: &[&str]) -> Option<Self> {
        let mut options = Self {
            seed: 1,
            lanes: 4,
            calls: u64::MAX,
            rounds: u64::MAX,
            seconds: u64::MAX,
        };
        for pair in args.chunks(2) {
            let [key, value] = pair else { return None };
            let value = value.parse().ok()?;
            *match *key {
                "--seed" => &mut options.seed,
                "--lanes" => &mut options.lanes,
                "--calls" => &mut options.calls,
                "--rounds" => &mut options.rounds,
                "--seconds" => &mut options.seconds,
                _ => return None,
            } = value;
        }
        let bounded = [options.calls, options.rounds, options.seconds];
        (options.lanes > 0 && bounded.iter().any(|bound| *bound < u64::MAX)).then_some(options)
    }
}
