//! EC2 filters by who owns a thing.

use aws_sdk_ec2::types::Filter;

use super::ReadScope;
use super::model::{Live, OWNERSHIP, TAG_CELL, TAG_INFRA_GROUP, TAG_TIER};

/// A filter takes at most this many values.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>
pub(super) const MAX_VALUES: usize = 200;

pub(super) fn filter(name: impl Into<String>, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// Things with any of our tags, or for a few tenants those of the tiers and infra groups that the scope names.
pub(super) fn by_owner(scope: &ReadScope) -> Vec<Filter> {
    if !scope.is_narrow() {
        return vec![filter("tag-key", OWNERSHIP)];
    }
    let mut filters = vec![filter(format!("tag:{TAG_TIER}"), scope.tiers.iter())];
    if let Some(groups) = scope.infra_groups.as_ref().filter(|groups| groups.len() <= MAX_VALUES) {
        let cells: std::collections::BTreeSet<&String> = groups.iter().map(|group| &group.cell).collect();
        let names: std::collections::BTreeSet<&String> = groups.iter().map(|group| &group.infra_group).collect();
        filters.push(filter(format!("tag:{TAG_CELL}"), cells));
        filters.push(filter(format!("tag:{TAG_INFRA_GROUP}"), names));
    }
    filters
}

/// Whether a thing is one of those asked for: `by_owner` lets through what has the cell of one infra group and the
/// name of another. What has lost some of our tags is looked at in any case.
pub(super) fn is_wanted(scope: &ReadScope, live: &Live) -> bool {
    live.owner().is_none_or(|key| scope.shows(&key.scope))
}
