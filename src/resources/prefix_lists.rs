//! Ids of prefix lists, which rules name: AWS's own for gateway endpoints, and those that a team keeps.

use std::collections::{BTreeMap, BTreeSet};

use super::filters::filter;
use crate::aws::{AwsError, Class, Doing, Reader};

/// Id of each prefix list by its name, such as `com.amazonaws.us-east-1.s3`; an error that names one that is not there:
/// without it a rule would be left out, or taken away.
///
/// A page holds at most 100. Nobody but AWS can make a list whose name starts with `com.amazonaws`:
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateManagedPrefixList.html>
pub async fn ids(aws: &Reader, names: &BTreeSet<String>) -> Result<BTreeMap<String, String>, AwsError> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = aws
        .ec2()
        .describe_managed_prefix_lists()
        .filters(filter("prefix-list-name", names))
        .max_results(100)
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .doing("ec2:DescribeManagedPrefixLists", aws.place())?;
    let named = found.iter().map(|list| (list.prefix_list_name().unwrap_or_default(), list.prefix_list_id().unwrap_or_default()));
    let refusal = |message| AwsError::new("ec2:DescribeManagedPrefixLists", aws.place(), Class::Invalid, message);
    let ids = by_name(named).map_err(refusal)?;
    match names.iter().find(|name| !ids.contains_key(*name)) {
        Some(name) => Err(refusal(format!("there is no prefix list {name}: AWS has no gateway endpoint for a service of that name here"))),
        None => Ok(ids),
    }
}

/// Names of prefix lists need not be unique, and then a name does not say which is meant.
fn by_name<'a>(lists: impl Iterator<Item = (&'a str, &'a str)>) -> Result<BTreeMap<String, String>, String> {
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for (name, id) in lists {
        if let Some(other) = ids.insert(name.into(), id.into()) {
            return Err(format!("two prefix lists are named {name}: {other} and {id}. Name one by its id"));
        }
    }
    Ok(ids)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_two_lists_is_refused() {
        let lists = [("com.amazonaws.us-east-1.s3", "pl-1"), ("offices", "pl-2"), ("offices", "pl-3")];
        assert_eq!(by_name(lists[..2].iter().copied()).map(|ids| ids.len()), Ok(2));
        let error = by_name(lists.into_iter()).expect_err("ambiguous");
        assert!(error.contains("pl-2 and pl-3"), "{error}");
    }
}
