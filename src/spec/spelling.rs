//! "Did you mean": the nearest of some names.

/// Beyond this it is no misspelt name, and comparing it takes long.
const LONGEST: usize = 100;

/// The name that a typing error most likely meant, if any comes near.
pub(super) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Keys are short: a third of the letters may differ, so that `cider` finds `cidr` and `vpc` does not find `tags`.
    let length = written.chars().count();
    if length > LONGEST {
        return None;
    }
    let limit = length / 3;
    let folded = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let written = folded(written);
    names
        .into_iter()
        .map(|name| (distance(&written, &folded(name)), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// "did you mean `x`?" if something comes near, else what there is to choose from.
pub(super) fn suggest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match nearest(written, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => match names.as_slice() {
            [] => "there is none yet".to_owned(),
            [only] => format!("there is only `{only}`"),
            names => format!("there are {}", list(names.iter().copied())),
        },
    }
}

/// `a`, `b` and `c`
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// `a` and `b`, or "none"
pub(super) fn none_or_list(names: Vec<&str>) -> String {
    if names.is_empty() { "none".to_owned() } else { list(names) }
}

/// Edits between two words, a swap of neighbours being one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let names = ["image", "port", "cpu", "memory", "health_check"];
        assert_eq!(nearest("pert", names), Some("port"));
        assert_eq!(nearest("prot", names), Some("port"));
        assert_eq!(nearest("healthCheck", names), Some("health_check"));
        assert_eq!(nearest("Health-Check", names), Some("health_check"));
        assert_eq!(nearest("volumes", names), None);
    }

    #[test]
    fn lists_read_like_a_sentence() {
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(suggest("zzz", ["a"]), "there is only `a`");
        assert_eq!(suggest("zzz", ["a", "b"]), "there are `a` and `b`");
        assert_eq!(suggest("ig1", ["ig-1", "ig-22"]), "did you mean `ig-1`?");
    }
}
