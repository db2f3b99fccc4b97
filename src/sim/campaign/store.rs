//! Cases on disk: written before they run, so that not even an abort of the process loses one.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Case, Scenario};

/// The folder of a campaign, or none.
pub(super) struct Store(Option<PathBuf>);

impl Store {
    pub(super) fn open(folder: Option<&Path>) -> io::Result<Self> {
        if let Some(folder) = folder {
            fs::create_dir_all(folder)?;
        }
        Ok(Self(folder.map(Path::to_path_buf)))
    }

    /// Writes a case that is about to run.
    pub(super) fn before<S: Scenario + ?Sized>(&self, scenario: &S, case: &Case) -> io::Result<()> {
        match self.path(case.seed, "faults") {
            Some(path) => fs::write(&path, text(scenario, case, &path)),
            None => Ok(()),
        }
    }

    /// Forgets a case that went well.
    pub(super) fn passed(&self, seed: u64) -> io::Result<()> {
        self.path(seed, "faults").map_or(Ok(()), fs::remove_file)
    }

    /// Writes the smallest case, and says by which command it runs.
    pub(super) fn least<S: Scenario + ?Sized>(
        &self,
        scenario: &S,
        case: &Case,
    ) -> io::Result<String> {
        let Some(path) = self.path(case.seed, "least.faults") else {
            let nowhere = format!("seed-{}.least.faults", case.seed);
            return Ok(scenario.command(case, Path::new(&nowhere)));
        };
        fs::write(&path, text(scenario, case, &path))?;
        Ok(scenario.command(case, &path))
    }

    fn path(&self, seed: u64, kind: &str) -> Option<PathBuf> {
        let folder = self.0.as_ref()?;
        Some(folder.join(format!("seed-{seed}.{kind}")))
    }
}

fn text<S: Scenario + ?Sized>(scenario: &S, case: &Case, path: &Path) -> String {
    format!(
        "# seed {}, {} nodes, {:?} and {:?} of calm, {} faults\n# {}\n{}",
        case.seed,
        case.nodes,
        case.time,
        case.calm,
        case.faults.faults.len(),
        scenario.command(case, path),
        case.faults
    )
}
