"""The fewest requests that can tell whether an account is as its specs say: counted from what is in it, and from how much
AWS gives in one answer. What tierctl does is not looked at here.

Each line holds one API action. What could be found without a request of its own is not in it: the rules of security groups
come with the groups, and the content of task definitions never changes, so that a tag can stand for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Things:
    """How many things there are in one account and Region. AWS's own ones, as the default VPC, are not found by tags, and do
    not count; roles and load balancers are listed whoever made them."""

    vpcs: int = 0
    subnets: int = 0
    route_tables: int = 0
    internet_gateways: int = 0
    security_groups: int = 0
    endpoints: int = 0
    named_prefix_lists: int = 0
    roles: int = 0
    log_groups: int = 0
    load_balancers: int = 0
    listeners: int = 0
    target_groups: int = 0
    rules: int = 0
    clusters: int = 0
    services: int = 0
    task_definitions: int = 0


@dataclass(frozen=True)
class Line:
    """One API action: how often it has to be asked, and why so often."""

    action: str
    calls: Callable[[Things], int]
    reason: str
    page: str


def pages(count: int, most: int) -> int:
    """Answers that so many things take. That there are none takes one too."""
    return max(1, -(-count // most))


def batches(count: int, most: int) -> int:
    """Requests that name so many things. To name none takes none."""
    return -(-count // most)


EC2 = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_"
ECS = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_"
ELB = "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_"
IAM = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_"
LOGS = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_"
SCALING = "https://docs.aws.amazon.com/autoscaling/application/APIReference/API_"
STS = "https://docs.aws.amazon.com/STS/latest/APIReference/API_"

LINES = (
    Line(
        "sts:GetCallerIdentity",
        lambda _: 1,
        "proves once that the credentials lead to this account",
        STS + "GetCallerIdentity.html",
    ),
    Line("ec2:DescribeVpcs", lambda t: pages(t.vpcs, 1000), "pages of 1,000", EC2 + "DescribeVpcs.html"),
    Line(
        "ec2:DescribeVpcAttribute",
        lambda t: 2 * t.vpcs,
        "one attribute of one VPC: whether DNS works, whether hosts have names",
        EC2 + "DescribeVpcAttribute.html",
    ),
    Line("ec2:DescribeSubnets", lambda t: pages(t.subnets, 1000), "pages of 1,000", EC2 + "DescribeSubnets.html"),
    Line("ec2:DescribeRouteTables", lambda t: pages(t.route_tables, 100), "pages of 100", EC2 + "DescribeRouteTables.html"),
    Line(
        "ec2:DescribeInternetGateways",
        lambda t: pages(t.internet_gateways, 1000),
        "pages of 1,000; that there is none, too, is known by asking",
        EC2 + "DescribeInternetGateways.html",
    ),
    Line(
        "ec2:DescribeSecurityGroups",
        lambda t: pages(t.security_groups, 1000),
        "pages of 1,000, with their rules",
        EC2 + "DescribeSecurityGroups.html",
    ),
    Line("ec2:DescribeVpcEndpoints", lambda t: pages(t.endpoints, 1000), "pages of 1,000", EC2 + "DescribeVpcEndpoints.html"),
    Line(
        "ec2:DescribeManagedPrefixLists",
        lambda t: batches(t.named_prefix_lists, 100),
        "pages of 100: the addresses of a gateway endpoint's service, for a security group's rule",
        EC2 + "DescribeManagedPrefixLists.html",
    ),
    Line(
        "iam:GetAccountAuthorizationDetails",
        lambda t: pages(t.roles, 1000),
        "pages of 1,000 roles, with policies and tags",
        IAM + "GetAccountAuthorizationDetails.html",
    ),
    Line(
        "logs:DescribeLogGroups", lambda t: pages(t.log_groups, 50), "pages of 50, without tags", LOGS + "DescribeLogGroups.html"
    ),
    Line("logs:ListTagsForResource", lambda t: t.log_groups, "one log group", LOGS + "ListTagsForResource.html"),
    Line(
        "elasticloadbalancing:DescribeLoadBalancers",
        lambda t: pages(t.load_balancers, 400),
        "pages of 400",
        ELB + "DescribeLoadBalancers.html",
    ),
    Line(
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        lambda t: t.load_balancers,
        "one load balancer",
        ELB + "DescribeLoadBalancerAttributes.html",
    ),
    Line(
        "elasticloadbalancing:DescribeListeners",
        lambda t: t.load_balancers,
        "the listeners of one load balancer, at most 50 in a page of 400",
        ELB + "DescribeListeners.html",
    ),
    Line(
        "elasticloadbalancing:DescribeRules",
        lambda t: t.listeners,
        "the rules of one listener, at most 100 in a page of 400",
        ELB + "DescribeRules.html",
    ),
    Line(
        "elasticloadbalancing:DescribeTargetGroups",
        lambda t: pages(t.target_groups, 400),
        "pages of 400",
        ELB + "DescribeTargetGroups.html",
    ),
    Line(
        "elasticloadbalancing:DescribeTags",
        lambda t: batches(t.load_balancers + t.listeners + t.target_groups + t.rules, 20),
        "20 ARNs, of whatever kinds",
        ELB + "DescribeTags.html",
    ),
    Line("ecs:ListClusters", lambda t: pages(t.clusters, 100), "pages of 100", ECS + "ListClusters.html"),
    Line("ecs:DescribeClusters", lambda t: batches(t.clusters, 100), "100 clusters", ECS + "DescribeClusters.html"),
    Line(
        "ecs:DescribeServices",
        lambda t: max(t.clusters, batches(t.services, 10)),
        "10 services of one cluster, and each tenant has a cluster",
        ECS + "DescribeServices.html",
    ),
    Line(
        "ecs:ListTaskDefinitionFamilies",
        lambda t: pages(t.task_definitions, 100),
        "pages of 100: whether each still has a revision that can start",
        ECS + "ListTaskDefinitionFamilies.html",
    ),
    Line(
        "application-autoscaling:DescribeScalableTargets",
        lambda t: batches(t.services, 50),
        "50 services: whether the desired count is somebody else's",
        SCALING + "DescribeScalableTargets.html",
    ),
)

#: Requests of which each needs the answer of the one before, at least: the credentials' account, the names of clusters, the
#: clusters with their tags, their services; or load balancers, listeners, rules, and the rules' tags.
CHAIN = 5


def floor(accounts: list[Things]) -> dict[str, int]:
    """Requests by action, over all accounts."""
    return {line.action: sum(line.calls(things) for things in accounts) for line in LINES}
