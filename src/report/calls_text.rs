//! How often each AWS action was called, polls of waits apart.

use std::collections::BTreeMap;

use super::{Paint, tone};
use crate::aws::CallCount;

/// `floor` is how many requests of each action AWS's pages and batches take at the least, where that is known.
pub fn render(calls: &BTreeMap<String, CallCount>, floor: Option<&BTreeMap<String, u64>>, paint: &Paint) -> String {
    let total = calls
        .values()
        .fold(CallCount::default(), |sum, count| CallCount { calls: sum.calls + count.calls, polls: sum.polls + count.polls });
    let polls = if total.polls == 0 { String::new() } else { format!(", and {} polls of waits", total.polls) };
    if calls.is_empty() {
        return format!("{} none\n", paint.style(tone::STRONG, "API calls:"));
    }
    let title = paint.style(tone::STRONG, "API calls:");
    let mut text = format!("{title}\n");
    let name_width = calls.keys().map(|name| name.len()).max().unwrap_or_default().min(paint.width.saturating_sub(24));
    if floor.is_some() {
        text.push_str(&paint.style(tone::FAINT, &format!("  {:name_width$}  calls  at least\n", "")));
    }
    for (name, count) in calls {
        let least = floor.map_or(String::new(), |floor| match floor.get(name) {
            Some(least) => format!("  {least:>8}"),
            None => format!("  {:>8}", "-"),
        });
        let polls = match count.polls {
            0 => String::new(),
            polls => paint.style(tone::FAINT, &format!("  + {polls} polls")),
        };
        text.push_str(&format!("  {name:<name_width$}  {:>5}{least}{polls}\n", count.calls));
    }
    let least =
        floor.map_or(String::new(), |floor| format!(", of at least {} that AWS's pages and batches take", floor.values().sum::<u64>()));
    text.push_str(&format!("  {} in total{least}{polls}\n", crate::words::count(total.calls as usize, "call", "calls")));
    text
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::report::testing;

    #[test]
    fn by_service_and_action() {
        assert_snapshot!(render(&testing::run().calls, None, &Paint::plain(80)), @r"
        API calls:
          ec2:DescribeVpcs                               2
          ecs:DescribeServices                           1  + 14 polls
          elasticloadbalancing:DescribeTargetHealth      0  + 6 polls
          sts:GetCallerIdentity                          1
          4 calls in total, and 20 polls of waits
        ");
    }

    #[test]
    fn beside_the_least() {
        let floor = BTreeMap::from([("ec2:DescribeVpcs".to_string(), 1), ("sts:GetCallerIdentity".to_string(), 1)]);
        assert_snapshot!(render(&testing::run().calls, Some(&floor), &Paint::plain(80)));
    }

    #[test]
    fn none() {
        assert_snapshot!(render(&BTreeMap::new(), None, &Paint::plain(80)), @"API calls: none");
    }
}
