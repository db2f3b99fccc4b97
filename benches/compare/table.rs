//! The one table: what was measured, the floor in figures, everybody else as a ratio to it.

use crate::measure::{median, quartiles, ratios};

/// The whole result.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<String>,
    missed: usize,
}

/// One measured thing: figures of each round, of the floor and of those beside it.
///
/// What was not measured stays empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row<'a> {
    pub(crate) what: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) floor: &'a [f64],
    /// The floor once more, as if it were another: the noise of the day.
    pub(crate) again: &'a [f64],
    pub(crate) mio: &'a [f64],
    pub(crate) tokio: &'a [f64],
    pub(crate) hio: &'a [f64],
    pub(crate) goal: Goal,
}

/// What hio wants to reach.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Goal {
    /// Nothing: for information.
    #[default]
    None,
    /// At most so many times the floor.
    Ratio(f64),
    /// At least so many times the floor.
    RatioAtLeast(f64),
    /// A figure of at most so much, whatever the floor's is.
    Figure(f64),
}

impl Goal {
    fn text(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Ratio(x) => format!("ratio ≤ {x:.2}"),
            Self::RatioAtLeast(x) => format!("ratio ≥ {x:.2}"),
            Self::Figure(x) => format!("≤ {}", number(x)),
        }
    }

    fn reached(self, figure: f64, ratio: f64) -> Option<bool> {
        match self {
            Self::None => None,
            Self::Ratio(x) => Some(ratio <= x),
            Self::RatioAtLeast(x) => Some(ratio >= x),
            Self::Figure(x) => Some(figure <= x),
        }
    }
}

/// The head of the table.
const HEAD: &str =
    "| measured | floor | floor again | mio | tokio | **hio** | hio in figures | goal | reached |
|---|---|---|---|---|---|---|---|---|";

/// Between these a page has the table.
const BEGIN: &str = "<!-- numbers: begin -->";
const END: &str = "<!-- numbers: end -->";

impl Table {
    /// Adds a row.
    pub(crate) fn row(&mut self, row: Row<'_>) {
        let figure = median(row.hio);
        let own = ratios(row.hio, row.floor);
        let ratio = match own.is_empty() {
            true => String::new(),
            false => {
                let (low, high) = quartiles(&own);
                format!("**{:.3}** ({low:.2}–{high:.2})", median(&own))
            }
        };
        let reached = row.goal.reached(figure, median(&own));
        self.missed += usize::from(reached == Some(false));
        let line = format!(
            "| {} | {} | {} | {} | {} | {ratio} | {} | {} | {} |",
            row.what,
            with_unit(row.floor, row.unit),
            beside(row.again, row.floor),
            beside(row.mio, row.floor),
            beside(row.tokio, row.floor),
            with_unit(row.hio, row.unit),
            row.goal.text(),
            reached.map_or("", |r| if r { "yes" } else { "**no**" }),
        );
        self.print(&line);
    }

    /// A row that says why something is missing.
    pub(crate) fn note(&mut self, what: &str, why: &str) {
        let line = format!("| {what} | not measured: {why} | | | | | | | |");
        self.print(&line);
    }

    /// Markdown, line by line as the figures come: a long run can be watched.
    fn print(&mut self, line: &str) {
        if self.rows.is_empty() {
            println!("{HEAD}");
        }
        println!("{line}");
        self.rows.push(line.to_owned());
    }

    /// The line below the table.
    pub(crate) fn end(&self) {
        println!("\n{} rows, {} goals missed.", self.rows.len(), self.missed);
    }

    /// Puts the rows between the marks of a page: each in place of the one about the same, new
    /// ones at the end. So a part can be measured by itself.
    pub(crate) fn write(&self, page: &str) -> Result<(), String> {
        let text = std::fs::read_to_string(page).map_err(|e| format!("{page}: {e}"))?;
        let whole = text.split_once(BEGIN).and_then(|(before, rest)| {
            let (old, after) = rest.split_once(END)?;
            let rows = self.merged(old).join("\n");
            Some(format!("{before}{BEGIN}\n{HEAD}\n{rows}\n{END}{after}"))
        });
        let whole = whole.ok_or_else(|| format!("{page}: no {BEGIN} and {END}"))?;
        std::fs::write(page, whole).map_err(|e| format!("{page}: {e}"))
    }

    fn merged<'a>(&'a self, old: &'a str) -> Vec<&'a str> {
        let subject = |row: &str| row.split('|').nth(1).map(|s| s.trim().to_owned());
        let mut rows: Vec<&str> = old.lines().skip_while(|l| !l.starts_with("|---")).collect();
        rows.retain(|row| row.starts_with('|') && !row.starts_with("|---"));
        for new in &self.rows {
            match rows.iter().position(|row| subject(row) == subject(new)) {
                Some(place) => rows[place] = new,
                None => rows.push(new),
            }
        }
        rows
    }
}

/// A peer's ratio to the floor.
fn beside(peer: &[f64], floor: &[f64]) -> String {
    match ratios(peer, floor) {
        all if all.is_empty() => String::new(),
        all => format!("{:.3}", median(&all)),
    }
}

fn with_unit(figures: &[f64], unit: &str) -> String {
    match figures.is_empty() {
        true => String::new(),
        false => format!("{} {unit}", number(median(figures))),
    }
}

/// Three digits, more for what is larger.
pub(crate) fn number(x: f64) -> String {
    match x.abs() {
        _ if x.is_nan() => "–".to_owned(),
        a if a >= 10_000.0 => format!("{:.1} k", x / 1000.0),
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// A round number in words that fit a table.
pub(crate) fn thousands(n: usize) -> String {
    match n {
        n if n % 1_000_000 == 0 => format!("{} 000 000", n / 1_000_000),
        n if n % 1_000 == 0 => format!("{} 000", n / 1_000),
        n => n.to_string(),
    }
}
