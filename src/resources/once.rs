//! Making what has no unique name: a request whose outcome is unknown is not sent again before its effect has been
//! looked for, by the tags that it came with.
//!
//! EC2 may list a thing only some time after it was made:
//! <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>

use std::time::Duration;

use aws_sdk_ec2::types::Filter;

use super::filters::filter;
use super::model::Wanted;
use crate::aws::AwsError;

/// Pauses between looks for a thing that may have been made, in units: a quarter of a minute together.
const LOOKS: [u32; 4] = [1, 2, 4, 8];
/// A test has no time to lose.
const UNIT: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(1) };
/// Times that a request is sent whose effect was not found.
const ATTEMPTS: usize = 3;

/// Makes a thing, unless `look` finds one that the plan did not know: another run, or a request whose answer was lost,
/// has made it since. `look` lists the ids of things with the wanted one's tags.
pub(super) async fn make<L, S>(wanted: &Wanted, look: impl Fn() -> L, send: impl Fn() -> S) -> Result<String, AwsError>
where
    L: Future<Output = Result<Vec<String>, AwsError>>,
    S: Future<Output = Result<String, AwsError>>,
{
    if let Some(id) = new(wanted, look().await?) {
        return Ok(id);
    }
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match send().await {
            Err(error) if error.outcome_is_unknown() => error,
            answer => return answer,
        };
        if let Some(id) = twin(wanted, &look).await? {
            return Ok(id);
        }
        if attempts == ATTEMPTS {
            return Err(error);
        }
    }
}

/// Of what has the wanted thing's tags, one that the plan did not know: the same one whoever looks.
pub(super) fn new(wanted: &Wanted, found: Vec<String>) -> Option<String> {
    found.into_iter().filter(|id| !wanted.known.contains(id)).min()
}

/// Another run's, which made the same a moment ago: AWS has refused ours, since only one can be there.
pub(super) async fn twin<L>(wanted: &Wanted, look: impl Fn() -> L) -> Result<Option<String>, AwsError>
where
    L: Future<Output = Result<Vec<String>, AwsError>>,
{
    found(|| async { look().await.map(|found| new(wanted, found)) }).await
}

/// Looks for what should be there until AWS lists it, as long as it may take to.
pub(super) async fn found<T, F>(look: impl Fn() -> F) -> Result<Option<T>, AwsError>
where
    F: Future<Output = Result<Option<T>, AwsError>>,
{
    for pause in LOOKS {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        tokio::time::sleep(UNIT * pause).await;
    }
    look().await
}

/// EC2 filters by the tags that make a thing the wanted one.
pub(super) fn same_identity(wanted: &Wanted) -> Vec<Filter> {
    wanted.key.tags().into_iter().map(|(key, value)| filter(format!("tag:{key}"), [value])).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::super::Kind;
    use super::super::model::{Fields, Key, Place, Scope, Tags};
    use super::*;
    use crate::aws::Class;

    fn wanted(known: &[&str]) -> Wanted {
        Wanted {
            key: Key::new(&Scope::infra_group("high", "one", "ig-1"), Kind::Vpc, "vpc"),
            place: Place { account: "123456789012".into(), region: "us-east-1".into() },
            fields: Fields::new(),
            tags: Tags::new(),
            known: known.iter().map(ToString::to_string).collect::<BTreeSet<String>>(),
        }
    }

    /// AWS with so many answers that get lost, each before or after its effect, and that lists what is new some looks late.
    struct Aws {
        /// Each with the looks that do not show it yet.
        there: Mutex<Vec<(String, usize)>>,
        lost: Mutex<Vec<bool>>,
        lag: usize,
        sent: Mutex<usize>,
    }

    impl Aws {
        fn new(there: &[&str], lost: &[bool]) -> Self {
            let there = there.iter().map(|id| (id.to_string(), 0)).collect();
            Self { there: Mutex::new(there), lost: Mutex::new(lost.to_vec()), lag: 0, sent: Mutex::new(0) }
        }

        fn lagging(self, lag: usize) -> Self {
            Self { lag, ..self }
        }

        async fn look(&self) -> Result<Vec<String>, AwsError> {
            let mut there = self.there.lock().unwrap();
            let shown = there.iter().filter(|(_, looks)| *looks == 0).map(|(id, _)| id.clone()).collect();
            there.iter_mut().for_each(|(_, looks)| *looks = looks.saturating_sub(1));
            Ok(shown)
        }

        async fn send(&self) -> Result<String, AwsError> {
            let mut sent = self.sent.lock().unwrap();
            *sent += 1;
            let id = format!("vpc-{sent}");
            let lost = self.lost.lock().unwrap().pop();
            if lost != Some(false) {
                self.there.lock().unwrap().push((id.clone(), self.lag));
            }
            match lost {
                Some(_) => Err(AwsError::new("ec2:CreateVpc", "vpc", Class::Unreachable, "no answer")),
                None => Ok(id),
            }
        }

        async fn make(&self, known: &[&str]) -> Result<String, AwsError> {
            make(&wanted(known), || self.look(), || self.send()).await
        }
    }

    #[tokio::test]
    async fn a_lost_answer_does_not_make_a_second_one() {
        let aws = Aws::new(&[], &[true]);
        assert_eq!(aws.make(&[]).await.unwrap(), "vpc-1");
        assert_eq!(*aws.sent.lock().unwrap(), 1);
    }

    #[tokio::test]
    async fn it_is_looked_for_as_long_as_its_listing_may_take() {
        let aws = Aws::new(&[], &[true]).lagging(LOOKS.len());
        assert_eq!(aws.make(&[]).await.unwrap(), "vpc-1");
        assert_eq!(*aws.sent.lock().unwrap(), 1);
    }

    #[tokio::test]
    async fn of_two_new_ones_everybody_takes_the_same() {
        for there in [["vpc-a", "vpc-b"], ["vpc-b", "vpc-a"]] {
            assert_eq!(Aws::new(&there, &[]).make(&[]).await.unwrap(), "vpc-a");
        }
    }

    #[tokio::test]
    async fn what_did_not_take_effect_is_sent_again() {
        let aws = Aws::new(&["vpc-old"], &[false]);
        assert_eq!(aws.make(&["vpc-old"]).await.unwrap(), "vpc-2");
    }

    #[tokio::test]
    async fn what_another_run_has_made_is_taken_and_what_is_to_be_replaced_is_not() {
        let aws = Aws::new(&["vpc-old", "vpc-theirs"], &[]);
        assert_eq!(aws.make(&["vpc-old"]).await.unwrap(), "vpc-theirs");
        assert_eq!(*aws.sent.lock().unwrap(), 0);
    }

    #[tokio::test]
    async fn it_is_given_up_after_some_attempts() {
        let aws = Aws::new(&[], &[false; 9]);
        assert_eq!(aws.make(&[]).await.unwrap_err().class, Class::Unreachable);
        assert_eq!(*aws.sent.lock().unwrap(), ATTEMPTS);
    }
}
