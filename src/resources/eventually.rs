//! EC2 may answer NotFound about what it made a moment ago, or throttle what completes it: such a request is repeated here,
//! for whoever began anew could not rely on finding the thing by its tags yet.
//!
//! <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>

use std::time::Duration;

use crate::aws::{AwsError, Class};

/// Seconds between attempts, half a minute together.
const PAUSES: [u64; 5] = [1, 2, 4, 8, 16];

/// Sends a request about a thing just made until AWS knows the thing and takes the request. Any other answer is final.
pub(super) async fn known<T, F>(mut request: impl FnMut() -> F) -> Result<T, AwsError>
where
    F: Future<Output = Result<T, AwsError>>,
{
    for pause in PAUSES {
        match request().await {
            Err(error) if matches!(error.class, Class::NotFound | Class::Throttled) => tokio::time::sleep(Duration::from_secs(pause)).await,
            answer => return answer,
        }
    }
    request().await
}
