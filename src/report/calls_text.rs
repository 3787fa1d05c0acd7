//! How often each AWS action was called, polls of waits apart.

use std::collections::BTreeMap;

use super::{Paint, tone};
use crate::aws::CallCount;

pub fn render(calls: &BTreeMap<String, CallCount>, paint: &Paint) -> String {
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
    for (name, count) in calls {
        let polls = match count.polls {
            0 => String::new(),
            polls => paint.style(tone::FAINT, &format!("  + {polls} polls")),
        };
        text.push_str(&format!("  {name:<name_width$}  {:>5}{polls}\n", count.calls));
    }
    text.push_str(&format!("  {} in total{polls}\n", crate::words::count(total.calls as usize, "call", "calls")));
    text
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::report::testing;

    #[test]
    fn by_service_and_action() {
        assert_snapshot!(render(&testing::run().calls, &Paint::plain(80)), @r"
        API calls:
          ec2:DescribeVpcs                               2
          ecs:DescribeServices                           1  + 14 polls
          elasticloadbalancing:DescribeTargetHealth      0  + 6 polls
          sts:GetCallerIdentity                          1
          4 calls in total, and 20 polls of waits
        ");
    }

    #[test]
    fn none() {
        assert_snapshot!(render(&BTreeMap::new(), &Paint::plain(80)), @"API calls: none");
    }
}
