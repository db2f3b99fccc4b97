/// What a program says at a named place of its code, for a simulation to act on or to check.
///
/// Made by `Cx::fault`, `Cx::always`, `Cx::sometimes`, `Cx::reachable` and `Cx::note`. Names are
/// chosen by the program and stand in traces and reports; they should be unique in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probe<'a> {
    /// Here something may be made to fail.
    Fault(&'a str),
    /// This must hold whenever the place is passed.
    Always(&'a str, bool),
    /// This should hold at least once in a campaign.
    Sometimes(&'a str, bool),
    /// The place should be passed at least once in a campaign.
    Reachable(&'a str),
    /// The run was asked to stop from outside, and does so now. Said by the Doist, so that a stop
    /// has its place in a recording.
    Stopped,
    /// Something worth a line in the trace and the diagram, such as `became leader of term 4`.
    Note(&'a str),
}
