//! Other teams' VPCs and listeners that a spec names: read, never changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::{AwsError, Class, Doing, Reader};
use crate::estate::ForeignListener;

/// A listener and its load balancer; an error that names it if it is not there.
pub async fn listener(aws: &Reader, arn: &str) -> Result<ForeignListener, AwsError> {
    let found = aws.elb().describe_listeners().listener_arns(arn).send().await.doing("elasticloadbalancing:DescribeListeners", arn);
    let found = found.map_err(|error| of_the_spec(error, "load_balancer.listener"))?;
    let absent = || AwsError::new("elasticloadbalancing:DescribeListeners", arn, Class::Invalid, "there is no such listener");
    let listener = found.listeners().first().ok_or_else(absent)?;
    let load_balancer_arn = listener.load_balancer_arn().unwrap_or_default();
    let found = aws
        .elb()
        .describe_load_balancers()
        .load_balancer_arns(load_balancer_arn)
        .send()
        .await
        .doing("elasticloadbalancing:DescribeLoadBalancers", load_balancer_arn)?;
    let load_balancer = found.load_balancers().first().ok_or_else(absent)?;
    Ok(ForeignListener { port: listener.port().unwrap_or_default(), security_group_ids: load_balancer.security_groups().to_vec() })
}

/// The IPv4 blocks of VPCs, by id; an error that names those that are not there.
pub async fn vpc_blocks(aws: &Reader, ids: &BTreeSet<String>) -> Result<BTreeMap<String, Vec<String>>, AwsError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let named = ids.iter().cloned().collect::<Vec<_>>().join(", ");
    let found = aws.ec2().describe_vpcs().set_vpc_ids(Some(ids.iter().cloned().collect())).send().await.doing("ec2:DescribeVpcs", named);
    let found = found.map_err(|error| of_the_spec(error, "vpc.id"))?;
    let blocks = |vpc: &aws_sdk_ec2::types::Vpc| {
        let associated = vpc.cidr_block_association_set().iter().filter_map(|block| block.cidr_block());
        let mut blocks: Vec<String> = vpc.cidr_block().into_iter().chain(associated).map(str::to_string).collect();
        blocks.dedup();
        blocks
    };
    Ok(found.vpcs().iter().filter_map(|vpc| Some((vpc.vpc_id()?.to_string(), blocks(vpc)))).collect())
}

/// What a spec names and its owner has taken away.
fn of_the_spec(error: AwsError, key: &str) -> AwsError {
    if error.class != Class::NotFound {
        return error;
    }
    AwsError {
        message: format!("{}. An infra group's `{key}` names it", error.message.trim_end_matches('.')),
        class: Class::Invalid,
        ..error
    }
}

/// Which security groups of another team's load balancer let none of our traffic in or out, in words.
pub async fn closed_paths(
    aws: &Reader,
    listener: &ForeignListener,
    tasks_group: Option<&str>,
    ports: [u16; 2],
) -> Result<Vec<String>, AwsError> {
    if listener.security_group_ids.is_empty() {
        return Ok(Vec::new());
    }
    let groups = aws
        .ec2()
        .describe_security_groups()
        .set_group_ids(Some(listener.security_group_ids.clone()))
        .send()
        .await
        .doing("ec2:DescribeSecurityGroups", listener.security_group_ids.join(", "))?;
    let covers = |permission: &aws_sdk_ec2::types::IpPermission| {
        let all = permission.ip_protocol() == Some("-1");
        let spans = permission.from_port().is_some_and(|from| from <= ports[0].into())
            && permission.to_port().is_some_and(|to| to >= ports[1].into());
        all || permission.ip_protocol() == Some("tcp") && spans
    };
    let reaches = |permission: &aws_sdk_ec2::types::IpPermission| {
        let to_tasks = permission.user_id_group_pairs().iter().any(|pair| pair.group_id() == tasks_group && tasks_group.is_some());
        to_tasks || !permission.ip_ranges().is_empty() || !permission.prefix_list_ids().is_empty()
    };
    let open = groups.security_groups().iter().any(|group| group.ip_permissions_egress().iter().any(|p| covers(p) && reaches(p)));
    if open {
        return Ok(Vec::new());
    }
    let tasks = tasks_group.unwrap_or("the group `tasks`");
    Ok(vec![format!(
        "the load balancer of listener port {} lets nothing out to the tasks on ports {}-{}: its owner must allow that from {} to {tasks}",
        listener.port,
        ports[0],
        ports[1],
        listener.security_group_ids.join(" or "),
    )])
}
