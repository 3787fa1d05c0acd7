//! The request rates that AWS publishes, by action: how many requests its bucket holds, how fast that fills again, and
//! which actions share one. There is one of each in every account and Region.
//!
//! IAM, CloudWatch Logs and Application Auto Scaling publish none: their requests are not paced.

use std::collections::BTreeMap;

use super::calls::is_read;
use crate::resources::model::Place;

/// A published bucket. Two actions with the same name here draw on the same one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate<'a> {
    /// What draws on it, as it is shown after the number: "0.3 CreateVpcEndpoint a second".
    pub(super) name: &'a str,
    /// Requests that it holds when it is full.
    pub(super) burst: f64,
    /// Requests a second that it is filled by.
    pub(super) refill: f64,
}

const fn rate(name: &str, burst: f64, refill: f64) -> Rate<'_> {
    Rate { name, burst, refill }
}

/// The buckets that a request draws on, the narrowest first; none where AWS publishes nothing. The service is named as
/// in an IAM policy.
pub(super) fn of<'a>(service: &str, action: &'a str) -> Vec<Rate<'a>> {
    match service {
        "ec2" => vec![ec2(action)],
        "elasticloadbalancing" => vec![load_balancing(action), rate("load balancing requests", 40.0, 10.0)],
        "ecs" => ecs(action).into_iter().collect(),
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
        "sts" => vec![rate("STS requests", 600.0, 600.0)],
        // <https://docs.aws.amazon.com/tag-editor/latest/userguide/reference.html>
        "tag" => vec![rate("tag reads", 15.0, 15.0)],
        _ => Vec::new(),
    }
}

/// What takes longest of some requests at a share of these rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Bottleneck {
    pub place: Place,
    /// What draws on the bucket, as "ECS task definition change".
    pub what: String,
    pub requests: u64,
    pub seconds: f64,
}

/// The bucket that fills slowest for these requests, each a place and an action as IAM names it; nothing where all of them
/// go at once.
pub fn bottleneck<'p>(requests: impl IntoIterator<Item = (&'p Place, &'static str)>, share: f64) -> Option<Bottleneck> {
    let mut numbers: BTreeMap<(&Place, &str), (u64, Rate<'_>)> = BTreeMap::new();
    for (place, action) in requests {
        let Some((service, action)) = action.split_once(':') else { continue };
        for rate in of(service, action) {
            numbers.entry((place, rate.name)).or_insert((0, rate)).0 += 1;
        }
    }
    let times = numbers.into_iter().map(|((place, name), (requests, rate))| {
        let queued = (requests as f64 - (rate.burst * share).floor()).max(0.0);
        Bottleneck { place: place.clone(), what: name.to_string(), requests, seconds: queued / (rate.refill * share) }
    });
    times.filter(|bottleneck| bottleneck.seconds > 0.0).max_by(|a, b| a.seconds.total_cmp(&b.seconds))
}

/// Every action has a bucket of its own. Two reads have smaller ones if they ask for everything at once, without a filter
/// and without pages, which none of ours does.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
fn ec2(action: &str) -> Rate<'_> {
    let (burst, refill) = match action {
        "CreateVpcEndpoint" | "ModifyVpcEndpoint" | "DeleteVpcEndpoints" => (4.0, 0.3),
        "CreateTags" => (100.0, 10.0),
        _ if is_read(action) => (100.0, 20.0),
        _ => (50.0, 5.0),
    };
    rate(action, burst, refill)
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/api-throttling.html>
fn load_balancing(action: &str) -> Rate<'_> {
    match action {
        "CreateLoadBalancer" | "SetSubnets" => rate("CreateLoadBalancer or SetSubnets", 10.0, 0.2),
        "RegisterTargets" | "DeregisterTargets" => rate("RegisterTargets or DeregisterTargets", 20.0, 4.0),
        _ if is_read(action) => rate("load balancing reads", 40.0, 10.0),
        _ => rate("load balancing changes", 20.0, 3.0),
    }
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
fn ecs(action: &str) -> Option<Rate<'_>> {
    Some(match action {
        "CreateCluster" | "DeleteCluster" | "PutClusterCapacityProviders" | "UpdateCluster" | "UpdateClusterSettings" => {
            rate("ECS cluster change", 20.0, 1.0)
        }
        "DescribeClusters" | "ListClusters" => rate("ECS cluster reads", 50.0, 20.0),
        "RegisterTaskDefinition" | "DeregisterTaskDefinition" => rate("ECS task definition change", 20.0, 1.0),
        "DescribeTaskDefinition" | "ListTaskDefinitions" | "ListTaskDefinitionFamilies" => rate("ECS task definition reads", 50.0, 20.0),
        "CreateService" | "UpdateService" | "DeleteService" => rate("ECS service changes", 50.0, 5.0),
        "DescribeServices" | "ListServices" => rate("ECS service reads", 100.0, 20.0),
        "DescribeTasks" | "ListTasks" => rate("ECS task reads", 100.0, 20.0),
        "TagResource" | "UntagResource" | "ListTagsForResource" => rate("ECS tag changes", 20.0, 10.0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(service: &str, action: &'a str) -> Vec<&'a str> {
        of(service, action).into_iter().map(|rate| rate.name).collect()
    }

    #[test]
    fn the_slowest_bucket_says_how_long_it_takes() {
        let place = |account: &str| Place { account: account.into(), region: "us-east-1".into() };
        let (one, other) = (place("111111111111"), place("222222222222"));
        let registers = |place, number| std::iter::repeat_n((place, "ecs:RegisterTaskDefinition"), number);
        // AWS's own example: 20 at once, then one a second.
        let slowest = bottleneck(registers(&one, 50), 1.0).map(|slowest| (slowest.requests, slowest.seconds));
        assert_eq!(slowest, Some((50, 30.0)));
        assert_eq!(bottleneck(registers(&one, 20), 1.0), None);
        let slowest = bottleneck(registers(&one, 30).chain(registers(&other, 25)), 0.5).map(|slowest| (slowest.place, slowest.seconds));
        assert_eq!(slowest, Some((one, 40.0)), "accounts work beside each other");
    }

    #[test]
    fn each_ec2_action_has_its_own_bucket() {
        let endpoints = ["CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"];
        for action in endpoints {
            assert_eq!(of("ec2", action), [rate(action, 4.0, 0.3)]);
        }
        assert_eq!(of("ec2", "DescribeVpcEndpoints"), [rate("DescribeVpcEndpoints", 100.0, 20.0)]);
        assert_eq!(of("ec2", "CreateSubnet"), [rate("CreateSubnet", 50.0, 5.0)]);
        assert_eq!(of("ec2", "CreateTags"), [rate("CreateTags", 100.0, 10.0)]);
    }

    #[test]
    fn load_balancing_has_a_bucket_for_each_kind_of_action_and_one_for_all() {
        let all = "load balancing requests";
        for action in ["CreateRule", "CreateTargetGroup", "ModifyListener", "AddTags"] {
            assert_eq!(of("elasticloadbalancing", action), [rate("load balancing changes", 20.0, 3.0), rate(all, 40.0, 10.0)]);
        }
        assert_eq!(names("elasticloadbalancing", "DescribeRules"), ["load balancing reads", all]);
        assert_eq!(names("elasticloadbalancing", "SetSubnets"), names("elasticloadbalancing", "CreateLoadBalancer"));
        assert_eq!(of("elasticloadbalancing", "SetSubnets")[0].refill, 0.2);
        assert_eq!(of("elasticloadbalancing", "DeregisterTargets")[0], rate("RegisterTargets or DeregisterTargets", 20.0, 4.0));
    }

    #[test]
    fn ecs_shares_buckets_by_what_is_changed_or_read() {
        assert_eq!(of("ecs", "CreateCluster"), of("ecs", "DeleteCluster"));
        assert_eq!(of("ecs", "RegisterTaskDefinition"), [rate("ECS task definition change", 20.0, 1.0)]);
        assert_eq!(of("ecs", "CreateService"), [rate("ECS service changes", 50.0, 5.0)]);
        assert_eq!(of("ecs", "DescribeServices"), [rate("ECS service reads", 100.0, 20.0)]);
        assert_eq!(of("ecs", "TagResource"), [rate("ECS tag changes", 20.0, 10.0)]);
    }

    /// Whatever tierctl asks of a service that publishes rates is in the table; the document lists every action.
    #[test]
    fn every_action_that_we_send_is_in_the_table() {
        let actions = crate::permissions::actions().into_iter().filter_map(|action| action.split_once(':'));
        let mut known = 0;
        for (service, action) in actions {
            match service {
                "iam" | "logs" | "application-autoscaling" | "route53" => assert!(of(service, action).is_empty(), "{service}:{action}"),
                _ => {
                    assert!(!of(service, action).is_empty(), "{service}:{action} is not paced");
                    known += 1;
                }
            }
        }
        assert!(known > 60, "{known}");
    }
}
