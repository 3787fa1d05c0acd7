//! Client tokens: a request that is sent again within a run makes nothing twice.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::model::Wanted;
use crate::sha256::hex;

/// Characters of a token, since ECS takes at most 36.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>
const LENGTH: usize = 32;

/// Tells runs apart. AWS remembers a token for a day after the thing is gone and answers with that thing, so what
/// is removed today and wanted again an hour later must not come with the token of the first time. A run that
/// follows a broken one needs no token either: it finds what was made by its tags.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>
static RUN: LazyLock<String> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", std::process::id(), since.as_nanos())
});

/// The same for the same thing with the same fields within a run, and for nothing else.
pub(super) fn token(wanted: &Wanted) -> String {
    token_of(&RUN, wanted)
}

fn token_of(run: &str, wanted: &Wanted) -> String {
    let content = json!([run, wanted.place, wanted.key, wanted.fields, wanted.tags]).to_string();
    hex(content.as_bytes(), LENGTH)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::resources::Kind;
    use crate::resources::model::{Fields, Key, Place, Scope};

    fn wanted(name: &str, port: u16) -> Wanted {
        let key = Key::new(&Scope::infra_group("high", "one", "ig-1"), Kind::Service, name);
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let fields = Fields::from_iter([("port".to_string(), json!(port))]);
        Wanted { tags: key.tags(), key, place, fields, known: BTreeSet::new() }
    }

    #[test]
    fn a_token_stands_for_one_request_in_one_run() {
        let first = token_of("run 1", &wanted("acme", 80));
        assert_eq!(first, token_of("run 1", &wanted("acme", 80)));
        assert_ne!(first, token_of("run 1", &wanted("acme", 81)));
        assert_ne!(first, token_of("run 1", &wanted("globex", 80)));
        assert_ne!(first, token_of("run 2", &wanted("acme", 80)));
    }

    #[test]
    fn a_token_fits_the_narrowest_service() {
        assert_eq!(token(&wanted("acme", 80)).len(), 32);
    }
}
