//! What programs said of themselves: `always`, `sometimes`, `reachable`.

use std::collections::BTreeMap;

/// What a named check of a program came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// How often its place was passed.
    pub passed: u64,
    /// How often what was said held.
    pub held: u64,
}

/// The checks of a simulation, by the names that the programs gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// `Cx::always`: a run ends at the first that does not hold.
    pub always: BTreeMap<String, Check>,
    /// `Cx::sometimes`: should hold once in a campaign.
    pub sometimes: BTreeMap<String, Check>,
    /// `Cx::reachable`: should be passed once in a campaign.
    pub reachable: BTreeMap<String, Check>,
    /// `Cx::fault`: `held` counts how often the fault point fired.
    pub points: BTreeMap<String, Check>,
}

/// Notes that a place was passed. Says whether it is the first time that what is said held.
pub(super) fn note(checks: &mut BTreeMap<String, Check>, name: &str, holds: bool) -> bool {
    if !checks.contains_key(name) {
        checks.insert(name.to_owned(), Check::default());
    }
    let Some(check) = checks.get_mut(name) else {
        return false;
    };
    check.passed += 1;
    check.held += u64::from(holds);
    holds && check.held == 1
}
