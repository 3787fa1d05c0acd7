//! What each command has to be allowed in AWS: the policy documents that `tierctl iam-policy` prints.
//!
//! Which resources and condition keys an action knows is from the Service Authorization Reference,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::estate::Group;
use crate::resources::model::TAG_TIER;
use crate::spec::arn;
use crate::spec::model::TierSpec;

/// A command that needs a policy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// plan and status
    Plan,
    /// apply, of tiers
    Apply,
    /// onboard, with --prune too
    Onboard,
    /// offboard
    Offboard,
    /// destroy, with --delete-logs too
    Destroy,
}

impl Task {
    /// As it stands in the table.
    fn letter(self) -> char {
        match self {
            Self::Plan => 'p',
            Self::Apply => 'a',
            Self::Onboard => 'n',
            Self::Offboard => 'f',
            Self::Destroy => 'd',
        }
    }
}

/// Longest customer managed policy, in characters without whitespace. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const LONGEST_MANAGED: usize = 6_144;
/// All inline policies of a role together, in the same characters.
pub const LONGEST_INLINE: usize = 10_240;

/// How far IAM can narrow a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrowed {
    /// Not at all, or what it reads is also others'.
    Not,
    /// To these resources.
    To(&'static [&'static str]),
    /// To things that are made with the tier's tag.
    Made(&'static [&'static str]),
    /// To things that have the tier's tag.
    Ours(&'static [&'static str]),
    /// To things that are made with the tier's tag on things that have it.
    MadeOnOurs(&'static [&'static str]),
    /// To tags that things get as one of these actions makes them.
    TaggedAs(&'static str, &'static [&'static str], &'static [&'static str]),
    /// To tags of things that have the tier's tag, which itself stays as it is.
    Retagged(&'static [&'static str]),
    /// To roles that tasks get.
    Passed(&'static [&'static str]),
    /// To the service-linked role of a service.
    ServiceLinked(&'static str, &'static [&'static str]),
    /// To networks of other teams that the spec names: only with a tier.
    InNetworksOfOthers,
    /// To listeners of other teams that the spec names: only with a tier.
    OnListenersOfOthers,
}

struct Statement {
    sid: &'static str,
    narrowed: Narrowed,
    /// Each action with the letters of the commands that need it.
    actions: &'static [(&'static str, &'static str)],
}

/// Parts of these texts: `PART` for the partition, `TIER` for the tier's name, `CELL` for the tier's and a cell's name joined,
/// of each of its cells: a tier's name alone may be how another's begins.
const IN_NETWORK: &[&str] =
    &["arn:PART:ec2:*:*:vpc/*", "arn:PART:ec2:*:*:subnet/*", "arn:PART:ec2:*:*:security-group/*", "arn:PART:ec2:*:*:route-table/*"];
const NEW_NETWORK: &[&str] = &[
    "arn:PART:ec2:*:*:vpc/*",
    "arn:PART:ec2:*:*:internet-gateway/*",
    "arn:PART:ec2:*:*:subnet/*",
    "arn:PART:ec2:*:*:route-table/*",
    "arn:PART:ec2:*:*:security-group/*",
    "arn:PART:ec2:*:*:vpc-endpoint/*",
];
const ROLES: &[&str] = &["arn:PART:iam::*:role/tierctl/TIER/*"];
const LOG_GROUPS: &[&str] = &["arn:PART:logs:*:*:log-group:/tierctl/TIER/*"];
const CLUSTERS: &[&str] = &["arn:PART:ecs:*:*:cluster/CELL-*"];
const OF_CLUSTERS: &[&str] =
    &["arn:PART:ecs:*:*:cluster/CELL-*", "arn:PART:ecs:*:*:service/CELL-*/*", "arn:PART:ecs:*:*:task-definition/CELL-*:*"];
const SERVICES: &[&str] = &["arn:PART:ecs:*:*:service/CELL-*/*"];
const LOAD_BALANCERS: &[&str] = &["arn:PART:elasticloadbalancing:*:*:loadbalancer/app/*"];
const LISTENERS: &[&str] = &["arn:PART:elasticloadbalancing:*:*:listener/app/*"];
const TARGET_GROUPS: &[&str] = &["arn:PART:elasticloadbalancing:*:*:targetgroup/*"];
const RULES: &[&str] = &["arn:PART:elasticloadbalancing:*:*:listener-rule/app/*"];
const BALANCING: &[&str] = &[
    "arn:PART:elasticloadbalancing:*:*:loadbalancer/app/*",
    "arn:PART:elasticloadbalancing:*:*:listener/app/*",
    "arn:PART:elasticloadbalancing:*:*:listener-rule/app/*",
    "arn:PART:elasticloadbalancing:*:*:targetgroup/*",
];

const STATEMENTS: &[Statement] = &[
    Statement {
        sid: "Read",
        narrowed: Narrowed::Not,
        actions: &[
            ("application-autoscaling:DescribeScalableTargets", "pnf"),
            ("ec2:DescribeInternetGateways", "pand"),
            ("ec2:DescribeManagedPrefixLists", "pan"),
            ("ec2:DescribeNetworkInterfaces", "ad"),
            ("ec2:DescribeRouteTables", "pand"),
            ("ec2:DescribeSecurityGroups", "pand"),
            ("ec2:DescribeSubnets", "pand"),
            ("ec2:DescribeTags", "ad"),
            ("ec2:DescribeVpcAttribute", "pand"),
            ("ec2:DescribeVpcEndpointServices", "pa"),
            ("ec2:DescribeVpcEndpoints", "pand"),
            ("ec2:DescribeVpcs", "panfd"),
            ("ecs:DescribeClusters", "panfd"),
            ("ecs:DescribeServices", "pnf"),
            ("ecs:DescribeTaskDefinition", "pnf"),
            ("ecs:DescribeTasks", "n"),
            ("ecs:ListClusters", "pand"),
            ("ecs:ListServices", "nf"),
            ("ecs:ListTagsForResource", "nf"),
            ("ecs:ListTaskDefinitionFamilies", "pnf"),
            ("ecs:ListTaskDefinitions", "nf"),
            ("ecs:ListTasks", "nf"),
            ("elasticloadbalancing:DescribeListeners", "panfd"),
            ("elasticloadbalancing:DescribeLoadBalancerAttributes", "pand"),
            ("elasticloadbalancing:DescribeLoadBalancers", "panfd"),
            ("elasticloadbalancing:DescribeRules", "panfd"),
            ("elasticloadbalancing:DescribeTags", "panfd"),
            ("elasticloadbalancing:DescribeTargetGroupAttributes", "pn"),
            ("elasticloadbalancing:DescribeTargetGroups", "panfd"),
            ("elasticloadbalancing:DescribeTargetHealth", "pnf"),
            ("iam:GetAccountAuthorizationDetails", "pand"),
            ("iam:GetRole", "a"),
            ("iam:ListInstanceProfilesForRole", "ad"),
            ("iam:ListRoleTags", "ad"),
            ("logs:DescribeLogGroups", "pand"),
            ("logs:ListTagsForResource", "pand"),
            ("tag:GetResources", "p"),
        ],
    },
    Statement {
        sid: "MakeNetwork",
        narrowed: Narrowed::Made(NEW_NETWORK),
        actions: &[
            ("ec2:CreateInternetGateway", "a"),
            ("ec2:CreateRouteTable", "a"),
            ("ec2:CreateSecurityGroup", "a"),
            ("ec2:CreateSubnet", "a"),
            ("ec2:CreateVpc", "a"),
            ("ec2:CreateVpcEndpoint", "a"),
        ],
    },
    Statement {
        sid: "MakeInNetwork",
        narrowed: Narrowed::Ours(IN_NETWORK),
        actions: &[
            ("ec2:CreateRouteTable", "a"),
            ("ec2:CreateSecurityGroup", "a"),
            ("ec2:CreateSubnet", "a"),
            ("ec2:CreateVpcEndpoint", "a"),
        ],
    },
    Statement {
        sid: "MakeInNetworksOfOthers",
        narrowed: Narrowed::InNetworksOfOthers,
        actions: &[("ec2:CreateSecurityGroup", "a"), ("ec2:CreateVpcEndpoint", "a"), ("ec2:ModifyVpcEndpoint", "a")],
    },
    Statement {
        sid: "ChangeNetwork",
        narrowed: Narrowed::Ours(&["*"]),
        actions: &[
            ("ec2:AssociateRouteTable", "a"),
            ("ec2:AttachInternetGateway", "a"),
            ("ec2:AuthorizeSecurityGroupEgress", "a"),
            ("ec2:AuthorizeSecurityGroupIngress", "a"),
            ("ec2:CreateRoute", "a"),
            ("ec2:DeleteInternetGateway", "ad"),
            ("ec2:DeleteRoute", "a"),
            ("ec2:DeleteRouteTable", "ad"),
            ("ec2:DeleteSecurityGroup", "ad"),
            ("ec2:DeleteSubnet", "ad"),
            ("ec2:DeleteVpc", "ad"),
            ("ec2:DeleteVpcEndpoints", "ad"),
            ("ec2:DetachInternetGateway", "ad"),
            ("ec2:DisassociateRouteTable", "ad"),
            ("ec2:ModifySubnetAttribute", "a"),
            ("ec2:ModifyVpcAttribute", "a"),
            ("ec2:ModifyVpcEndpoint", "a"),
            ("ec2:ReplaceRoute", "a"),
            ("ec2:ReplaceRouteTableAssociation", "a"),
            ("ec2:RevokeSecurityGroupEgress", "ad"),
            ("ec2:RevokeSecurityGroupIngress", "ad"),
        ],
    },
    // Rules have no tags of their own: their group's count.
    Statement {
        sid: "AddSecurityGroupRules",
        narrowed: Narrowed::To(&["arn:PART:ec2:*:*:security-group-rule/*"]),
        actions: &[("ec2:AuthorizeSecurityGroupEgress", "a"), ("ec2:AuthorizeSecurityGroupIngress", "a")],
    },
    Statement {
        sid: "TagNewNetwork",
        narrowed: Narrowed::TaggedAs(
            "ec2:CreateAction",
            &["CreateInternetGateway", "CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpc", "CreateVpcEndpoint"],
            NEW_NETWORK,
        ),
        actions: &[("ec2:CreateTags", "a")],
    },
    Statement { sid: "TagNetwork", narrowed: Narrowed::Retagged(NEW_NETWORK), actions: &[("ec2:CreateTags", "a")] },
    // https://docs.aws.amazon.com/vpc/latest/privatelink/security_iam_id-based-policy-examples.html
    Statement {
        sid: "PrivateDns",
        narrowed: Narrowed::To(&["arn:PART:route53:::hostedzone/*"]),
        actions: &[("route53:AssociateVPCWithHostedZone", "a")],
    },
    Statement {
        sid: "MakeLoadBalancers",
        narrowed: Narrowed::Made(LOAD_BALANCERS),
        actions: &[("elasticloadbalancing:CreateLoadBalancer", "a")],
    },
    Statement {
        sid: "MakeListeners",
        narrowed: Narrowed::MadeOnOurs(LOAD_BALANCERS),
        actions: &[("elasticloadbalancing:CreateListener", "a")],
    },
    Statement {
        sid: "MakeTargetGroups",
        narrowed: Narrowed::Made(TARGET_GROUPS),
        actions: &[("elasticloadbalancing:CreateTargetGroup", "n")],
    },
    Statement { sid: "MakeListenerRules", narrowed: Narrowed::MadeOnOurs(LISTENERS), actions: &[("elasticloadbalancing:CreateRule", "n")] },
    Statement {
        sid: "MakeRulesOnListenersOfOthers",
        narrowed: Narrowed::OnListenersOfOthers,
        actions: &[("elasticloadbalancing:CreateRule", "n")],
    },
    Statement {
        sid: "ChangeLoadBalancing",
        narrowed: Narrowed::Ours(BALANCING),
        actions: &[
            ("elasticloadbalancing:DeleteListener", "ad"),
            ("elasticloadbalancing:DeleteLoadBalancer", "ad"),
            ("elasticloadbalancing:DeleteRule", "nf"),
            ("elasticloadbalancing:DeleteTargetGroup", "nf"),
            ("elasticloadbalancing:DeregisterTargets", "nf"),
            ("elasticloadbalancing:ModifyListener", "a"),
            ("elasticloadbalancing:ModifyLoadBalancerAttributes", "a"),
            ("elasticloadbalancing:ModifyRule", "n"),
            ("elasticloadbalancing:ModifyTargetGroup", "n"),
            ("elasticloadbalancing:ModifyTargetGroupAttributes", "n"),
            ("elasticloadbalancing:RegisterTargets", "n"),
            ("elasticloadbalancing:SetSecurityGroups", "a"),
            ("elasticloadbalancing:SetSubnets", "a"),
        ],
    },
    // It knows no condition key.
    Statement { sid: "OrderRules", narrowed: Narrowed::To(RULES), actions: &[("elasticloadbalancing:SetRulePriorities", "n")] },
    Statement {
        sid: "TagNewLoadBalancing",
        narrowed: Narrowed::TaggedAs(
            "elasticloadbalancing:CreateAction",
            &["CreateListener", "CreateLoadBalancer", "CreateRule", "CreateTargetGroup"],
            BALANCING,
        ),
        actions: &[("elasticloadbalancing:AddTags", "an")],
    },
    Statement { sid: "TagLoadBalancing", narrowed: Narrowed::Retagged(BALANCING), actions: &[("elasticloadbalancing:AddTags", "an")] },
    Statement {
        sid: "MakeClusters",
        narrowed: Narrowed::Made(OF_CLUSTERS),
        actions: &[("ecs:CreateCluster", "n"), ("ecs:CreateService", "n"), ("ecs:RegisterTaskDefinition", "n")],
    },
    Statement {
        sid: "ChangeClusters",
        narrowed: Narrowed::Ours(CLUSTERS),
        actions: &[("ecs:DeleteCluster", "nf"), ("ecs:PutClusterCapacityProviders", "n"), ("ecs:UpdateClusterSettings", "n")],
    },
    Statement {
        sid: "ChangeServices",
        narrowed: Narrowed::Ours(SERVICES),
        actions: &[("ecs:DeleteService", "nf"), ("ecs:UpdateService", "n")],
    },
    // It knows neither resources nor tags.
    Statement { sid: "DeregisterTaskDefinitions", narrowed: Narrowed::Not, actions: &[("ecs:DeregisterTaskDefinition", "nf")] },
    Statement {
        sid: "TagNewClusters",
        narrowed: Narrowed::TaggedAs("ecs:CreateAction", &["CreateCluster", "CreateService", "RegisterTaskDefinition"], OF_CLUSTERS),
        actions: &[("ecs:TagResource", "n")],
    },
    Statement { sid: "TagClusters", narrowed: Narrowed::Retagged(OF_CLUSTERS), actions: &[("ecs:TagResource", "n")] },
    Statement { sid: "MakeRoles", narrowed: Narrowed::Made(ROLES), actions: &[("iam:CreateRole", "a"), ("iam:TagRole", "a")] },
    Statement {
        sid: "ChangeRoles",
        narrowed: Narrowed::Ours(ROLES),
        actions: &[
            ("iam:AttachRolePolicy", "a"),
            ("iam:DeleteRole", "ad"),
            ("iam:DeleteRolePermissionsBoundary", "a"),
            ("iam:DeleteRolePolicy", "ad"),
            ("iam:DetachRolePolicy", "ad"),
            ("iam:PutRolePermissionsBoundary", "a"),
            ("iam:PutRolePolicy", "a"),
            ("iam:UpdateAssumeRolePolicy", "a"),
        ],
    },
    Statement { sid: "TagRoles", narrowed: Narrowed::Retagged(ROLES), actions: &[("iam:TagRole", "a")] },
    Statement { sid: "PassRoles", narrowed: Narrowed::Passed(ROLES), actions: &[("iam:PassRole", "n")] },
    Statement {
        sid: "ServiceLinkedRoleOfLoadBalancing",
        narrowed: Narrowed::ServiceLinked(
            "elasticloadbalancing.amazonaws.com",
            &["arn:PART:iam::*:role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing"],
        ),
        actions: &[("iam:CreateServiceLinkedRole", "a")],
    },
    Statement {
        sid: "ServiceLinkedRoleOfEcs",
        narrowed: Narrowed::ServiceLinked(
            "ecs.amazonaws.com",
            &["arn:PART:iam::*:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"],
        ),
        actions: &[("iam:CreateServiceLinkedRole", "n")],
    },
    Statement {
        sid: "MakeLogGroups",
        narrowed: Narrowed::Made(LOG_GROUPS),
        actions: &[("logs:CreateLogGroup", "a"), ("logs:TagResource", "a")],
    },
    Statement {
        sid: "ChangeLogGroups",
        narrowed: Narrowed::Ours(LOG_GROUPS),
        actions: &[("logs:DeleteLogGroup", "d"), ("logs:PutRetentionPolicy", "a")],
    },
    Statement { sid: "TagLogGroups", narrowed: Narrowed::Retagged(LOG_GROUPS), actions: &[("logs:TagResource", "a")] },
];

/// Every action that some command needs.
pub fn actions() -> BTreeSet<&'static str> {
    STATEMENTS.iter().flat_map(|statement| statement.actions).map(|(action, _)| *action).collect()
}

/// The actions that a command needs.
pub fn actions_of(task: Task) -> BTreeSet<&'static str> {
    STATEMENTS.iter().flat_map(|statement| needed(statement, task)).collect()
}

fn needed(statement: &Statement, task: Task) -> Vec<&'static str> {
    let is_needed = |(_, letters): &&(&str, &str)| letters.contains(task.letter());
    statement.actions.iter().filter(is_needed).map(|(action, _)| *action).collect()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatementDocument {
    sid: String,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

/// The policy document that a command needs: for one tier, or without one for every tier.
pub fn policy(task: Task, tier: Option<&TierSpec>) -> Value {
    let statements = STATEMENTS.iter().filter_map(|statement| {
        let action = needed(statement, task);
        let (resource, condition) = narrowed(statement.narrowed, tier);
        (!action.is_empty() && !resource.is_empty()).then(|| StatementDocument {
            sid: statement.sid.into(),
            effect: "Allow",
            action,
            resource,
            condition,
        })
    });
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}

/// Characters of a policy as IAM counts them: without whitespace.
pub fn length(policy: &Value) -> usize {
    policy.to_string().chars().filter(|character| !character.is_whitespace()).count()
}

fn narrowed(to: Narrowed, tier: Option<&TierSpec>) -> (Vec<String>, Option<Value>) {
    let name = tier.map_or("*", |tier| tier.tier.as_str());
    let partition = tier.map_or("aws", |tier| arn::partition_of(&tier.region));
    let cells: Vec<String> =
        tier.map_or_else(|| vec!["*".into()], |tier| tier.cells.iter().map(|cell| format!("{name}-{}", *cell.name)).collect());
    let written = |patterns: &[&str]| -> Vec<String> {
        let of_cells = |text: String| match text.contains("CELL") {
            true => cells.iter().map(|cell| text.replace("CELL", cell)).collect(),
            false => vec![text],
        };
        patterns.iter().map(|text| text.replace("PART", partition).replace("TIER", name)).flat_map(of_cells).collect()
    };
    let requested = format!("aws:RequestTag/{TAG_TIER}");
    let owned = format!("aws:ResourceTag/{TAG_TIER}");
    // Of any tier: that there is one.
    let is_tiers = |keys: &[&String]| match tier {
        Some(tier) => {
            json!({ "StringEquals": keys.iter().map(|key| (key.to_string(), tier.tier.to_string())).collect::<BTreeMap<_, _>>() })
        }
        None => json!({ "Null": keys.iter().map(|key| (key.to_string(), "false")).collect::<BTreeMap<_, _>>() }),
    };
    let listed = |arns: BTreeSet<String>| (arns.into_iter().collect::<Vec<_>>(), None);
    match to {
        Narrowed::Not => (vec!["*".into()], None),
        Narrowed::To(resources) => (written(resources), None),
        Narrowed::Made(resources) => (written(resources), Some(is_tiers(&[&requested]))),
        Narrowed::Ours(resources) => (written(resources), Some(is_tiers(&[&owned]))),
        Narrowed::MadeOnOurs(resources) => (written(resources), Some(is_tiers(&[&requested, &owned]))),
        Narrowed::TaggedAs(key, actions, resources) => {
            let mut condition = is_tiers(&[&requested]);
            condition["StringEquals"][key] = json!(actions);
            (written(resources), Some(condition))
        }
        Narrowed::Retagged(resources) => {
            let mut condition = is_tiers(&[&owned]);
            // Its tier's tag stays as it is.
            match tier {
                Some(tier) => condition["StringEqualsIfExists"][&requested] = json!(*tier.tier),
                None => condition["StringEqualsIfExists"][&requested] = json!(format!("${{{owned}}}")),
            }
            (written(resources), Some(condition))
        }
        Narrowed::Passed(resources) => {
            (written(resources), Some(json!({ "StringEquals": { "iam:PassedToService": "ecs-tasks.amazonaws.com" } })))
        }
        Narrowed::ServiceLinked(service, resources) => {
            (written(resources), Some(json!({ "StringEquals": { "iam:AWSServiceName": service } })))
        }
        Narrowed::InNetworksOfOthers => listed(tier.into_iter().flat_map(Group::all_of).flat_map(networks_of_others).collect()),
        Narrowed::OnListenersOfOthers => {
            listed(tier.into_iter().flat_map(Group::all_of).filter_map(|group| group.listener().map(String::from)).collect())
        }
    }
}

/// The VPC of another team that an infra group is in, with the subnets and route tables of it that its spec names.
fn networks_of_others(group: Group<'_>) -> Vec<String> {
    let vpc = &group.group.vpc;
    let Some(id) = &vpc.id else { return Vec::new() };
    let arn = |kind: &str, id: &str| format!("arn:{}:ec2:{}:*:{kind}/{id}", group.partition(), group.region());
    let subnets = vpc.subnets.iter().map(|id| arn("subnet", id));
    let tables = vpc.route_tables.iter().map(|id| arn("route-table", id));
    std::iter::once(arn("vpc", id)).chain(subnets).chain(tables).collect()
}
