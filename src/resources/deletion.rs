//! What deletes have in common: what is gone already is no error, and what is in the way is named, for AWS says
//! only that something is.

use aws_sdk_ec2::types::Filter;

use crate::aws::{AwsError, Class, Doing, Reader};

/// As many as help; the rest are counted.
const NAMED: usize = 5;

/// A delete of what is gone has nothing left to do.
pub(super) fn gone_is_fine<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    match result {
        Err(error) if error.class != Class::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a refused delete comes to: nothing where the thing is gone already, else the error, and where the thing is in
/// use, by what. AWS's own words stay if that cannot be found out.
pub(super) async fn refused(error: AwsError, users: impl Future<Output = Result<Vec<String>, AwsError>>) -> Result<(), AwsError> {
    if error.class != Class::InUse {
        return gone_is_fine::<()>(Err(error));
    }
    match users.await {
        Ok(names) if !names.is_empty() => Err(AwsError { message: format!("still used by {}", listed(&names)), ..error }),
        _ => Err(error),
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The network interfaces that the filters find, each with what AWS or its owner says that it is for.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html>
pub(super) async fn interfaces(aws: &Reader, filters: impl IntoIterator<Item = Filter>) -> Result<Vec<String>, AwsError> {
    let found = aws
        .ec2()
        .describe_network_interfaces()
        .set_filters(Some(filters.into_iter().collect()))
        .max_results(1000)
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .doing("ec2:DescribeNetworkInterfaces", aws.place())?;
    let named = found.iter().map(|interface| {
        let kind = interface.interface_type().map_or("interface", |kind| kind.as_str());
        let purpose = interface.description().filter(|text| !text.is_empty()).unwrap_or(kind);
        format!("network interface {} ({purpose})", interface.network_interface_id().unwrap_or_default())
    });
    Ok(named.collect())
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn in_use() -> AwsError {
        AwsError::new("ec2:DeleteSubnet", "subnet-1", Class::InUse, "has dependencies and cannot be deleted")
    }

    #[tokio::test]
    async fn blockers_are_named_and_the_rest_counted() {
        let six = (1..=6).map(|number| format!("eni-{number}")).collect();
        let error = refused(in_use(), async { Ok(six) }).await.expect_err("in use");
        assert_eq!(error.message, "still used by eni-1, eni-2, eni-3, eni-4, eni-5 and 1 more");
    }

    #[tokio::test]
    async fn the_reason_stays_where_no_blocker_is_found() {
        let error = refused(in_use(), async { Ok(Vec::new()) }).await.expect_err("in use");
        assert_eq!(error.message, "has dependencies and cannot be deleted");
    }

    #[test]
    fn what_is_gone_is_no_error() {
        let gone = AwsError::new("ec2:DeleteSubnet", "subnet-1", Class::NotFound, "does not exist");
        assert!(gone_is_fine::<()>(Err(gone)).is_ok());
        assert!(gone_is_fine::<()>(Err(in_use())).is_err());
    }
}
