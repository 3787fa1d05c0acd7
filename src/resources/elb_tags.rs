//! Tags of load balancers, listeners, rules and target groups, which ELB lists apart from the things themselves.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};

use super::model::{Key, Tags, Wanted};
use super::tags;
use crate::aws::{AwsError, Class, Doing, Reader};

/// ARNs of any kind in one call, which does not page.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>
const BATCH: usize = 20;
/// ELB calls under way at once. All Describe actions of an account and Region share one bucket: 40 at once, then 10 a
/// second. <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/throttling.html>
pub(super) const AT_ONCE: usize = 10;

/// Tags by ARN. What has gone since it was listed is left out.
pub async fn read(aws: &Reader, arns: &[String]) -> Result<BTreeMap<String, Tags>, AwsError> {
    let batches: Vec<Vec<String>> = arns.chunks(BATCH).map(<[String]>::to_vec).collect();
    let answers: Vec<BTreeMap<String, Tags>> =
        stream::iter(batches).map(|batch| read_batch(aws, batch)).buffered(AT_ONCE).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

async fn read_batch(aws: &Reader, arns: Vec<String>) -> Result<BTreeMap<String, Tags>, AwsError> {
    let mut found = BTreeMap::new();
    let mut batches = vec![arns];
    while let Some(batch) = batches.pop() {
        let request = aws.elb().describe_tags().set_resource_arns(Some(batch.clone()));
        match request.send().await.doing("elasticloadbalancing:DescribeTags", batch.join(", ")) {
            Ok(answer) => found.extend(
                answer
                    .tag_descriptions()
                    .iter()
                    .map(|one| (one.resource_arn().unwrap_or_default().to_string(), tags::from_elb(one.tags()))),
            ),
            Err(error) if error.class == Class::NotFound => batches.extend(without_missing(&batch, &error.message)),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// What is left to ask for after one thing of a batch was not found, which fails the whole batch. Where the message
/// does not name it, it is found by halving.
fn without_missing(batch: &[String], message: &str) -> Vec<Vec<String>> {
    let rest: Vec<String> = batch.iter().filter(|arn| !message.contains(arn.as_str())).cloned().collect();
    let parts = if rest.len() < batch.len() { vec![rest.as_slice()] } else { rest.chunks(rest.len().div_ceil(2).max(1)).collect() };
    let still_to_ask = |part: &&[String]| !part.is_empty() && (part.len() < batch.len());
    parts.into_iter().filter(still_to_ask).map(<[String]>::to_vec).collect()
}

/// Takes a thing that already stands where a new one is wanted, if its tags say that it is that very one: an answer to
/// an earlier create was lost. Anybody else's is refused, for ELB hands over what exists as if it had just been made.
pub(super) async fn adopt(aws: &Reader, action: &str, arn: &str, wanted: &Wanted) -> Result<String, AwsError> {
    let owner = read(aws, &[arn.to_string()]).await?.get(arn).and_then(|tags| Key::from_tags(wanted.key.kind, tags));
    match owner {
        Some(owner) if owner == wanted.key => Ok(arn.to_string()),
        Some(owner) => Err(AwsError::new(action, &wanted.key, Class::Exists, format!("{arn} stands in its place and is {owner}"))),
        None => Err(AwsError::new(action, &wanted.key, Class::Exists, format!("{arn} stands in its place and does not carry our tags"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(items: &[&str]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_thing_that_is_named_is_left_out() {
        let left = without_missing(&texts(&["arn:a", "arn:b", "arn:c"]), "Target groups 'arn:b' not found");
        assert_eq!(left, [texts(&["arn:a", "arn:c"])]);
    }

    #[test]
    fn a_missing_thing_that_is_not_named_is_found_by_halving() {
        let message = "One or more rules not found";
        assert_eq!(without_missing(&texts(&["a", "b", "c"]), message), [texts(&["a", "b"]), texts(&["c"])]);
        assert!(without_missing(&texts(&["a"]), message).is_empty());
    }
}
