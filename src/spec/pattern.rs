//! Wildcard patterns of listener rules: whether one request can match two of them.
//!
//! `*` stands for any characters or none, `?` for exactly one.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>

/// Whether some text matches both patterns.
pub fn overlap(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // `reached[j]`: some text takes `a` up to `i` and `b` up to `j`. Steps only go forward, so one pass sees them all.
    let mut reached = vec![false; b.len() + 1];
    reached[0] = true;
    for i in 0..=a.len() {
        let mut next = vec![false; b.len() + 1];
        for j in 0..=b.len() {
            if !reached[j] {
                continue;
            }
            let (left, right) = (a.get(i), b.get(j));
            // A `*` may end here, having taken whatever it took.
            if left == Some(&'*') {
                next[j] = true;
            }
            if right == Some(&'*') {
                reached[j + 1] = true;
            }
            // Or both take one more character.
            if let (Some(left), Some(right)) = (left, right) {
                match (left, right) {
                    ('*', '*') => {}
                    ('*', _) => reached[j + 1] = true,
                    (_, '*') => next[j] = true,
                    (left, right) if left == right || *left == '?' || *right == '?' => next[j + 1] = true,
                    _ => {}
                }
            }
        }
        if i == a.len() {
            return reached[b.len()];
        }
        reached = next;
    }
    false
}

/// The text before the first wildcard. Two patterns can only overlap where one's is the start of the other's.
pub fn literal_start(pattern: &str) -> &str {
    &pattern[..pattern.find(['*', '?']).unwrap_or(pattern.len())]
}

pub fn wildcards(pattern: &str) -> usize {
    pattern.matches(['*', '?']).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_overlap_where_a_text_matches_both() {
        for (a, b) in [("/a/*", "/a/b"), ("/*", "/a"), ("/a*", "/*a"), ("/?", "/x"), ("*", ""), ("/a/*/c", "/a/b/*"), ("", "")] {
            assert!(overlap(a, b) && overlap(b, a), "{a} {b}");
        }
        for (a, b) in [("/a", "/b"), ("/a/*", "/b/*"), ("/a", "/a/*"), ("/?", "/"), ("/a", "/A"), ("a*b", "a*c"), ("?", "")] {
            assert!(!overlap(a, b) && !overlap(b, a), "{a} {b}");
        }
    }

    /// Whether a pattern matches, by trying everything.
    fn matches(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| matches(rest, &text[taken..])),
            Some((first, rest)) => {
                text.split_first().is_some_and(|(letter, others)| (*first == '?' || first == letter) && matches(rest, others))
            }
        }
    }

    /// All texts of two letters up to a length at which any overlap of the patterns below shows: each `*` needs to take
    /// no more than the other pattern has.
    fn texts(longest: usize) -> Vec<Vec<char>> {
        let mut all = vec![Vec::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            last = last.iter().flat_map(|text| ['a', 'b'].map(|letter| [text.as_slice(), &[letter]].concat())).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    proptest! {
        #[test]
        fn overlap_agrees_with_trying_every_text(a in "[ab*?]{0,4}", b in "[ab*?]{0,4}") {
            let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            let tried = texts(8).iter().any(|text| matches(&left, text) && matches(&right, text));
            prop_assert_eq!(overlap(&a, &b), tried, "{} {}", a, b);
        }

        #[test]
        fn overlapping_patterns_start_alike(a in "[ab*?]{0,6}", b in "[ab*?]{0,6}") {
            if overlap(&a, &b) {
                let (a, b) = (literal_start(&a), literal_start(&b));
                prop_assert!(a.starts_with(b) || b.starts_with(a));
            }
        }
    }
}
