"""Lists in pages: sizes within the documented bounds, and tokens that lead to the next page."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from .errors import AwsError
from .hooks import Call
from .listings import LISTINGS
from .rules import Layer, Plain, Proceed, rule


@dataclass(frozen=True)
class Pages:
    """How an action pages: the names of its parameters and members, and the sizes it takes."""

    service: str
    action: str
    key: str
    size: str
    token_in: str
    token_out: str
    default: int
    smallest: int
    largest: int
    bad_size: str
    bad_token: str
    truncated: str | None = None


def _ec2(action: str, key: str, smallest: int, largest: int) -> Pages:
    return Pages("ec2", action, key, "MaxResults", "NextToken", "NextToken", largest, smallest, largest,
                 "InvalidParameterValue", "InvalidNextToken")


def _elb(action: str, key: str) -> Pages:
    return Pages("elasticloadbalancing", action, key, "PageSize", "Marker", "NextMarker", 400, 1, 400,
                 "ValidationError", "ValidationError")


def _ecs(action: str, key: str, default: int, largest: int) -> Pages:
    return Pages("ecs", action, key, "maxResults", "nextToken", "nextToken", default, 1, largest,
                 "InvalidParameterException", "InvalidParameterException")


def _iam(action: str, key: str) -> Pages:
    return Pages("iam", action, key, "MaxItems", "Marker", "Marker", 100, 1, 1000,
                 "ValidationError", "ValidationError", "IsTruncated")


#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
#: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
PAGES: dict[tuple[str, str], Pages] = {
    (pages.service, pages.action): pages
    for pages in (
        *(_ec2(one.action, one.key, one.smallest, one.largest) for one in LISTINGS.values()),
        _ec2("DescribeVpcEndpointServices", "ServiceDetails", 1, 1000),
        _elb("DescribeLoadBalancers", "LoadBalancers"),
        _elb("DescribeTargetGroups", "TargetGroups"),
        _elb("DescribeListeners", "Listeners"),
        _elb("DescribeRules", "Rules"),
        _elb("DescribeListenerCertificates", "Certificates"),
        _ecs("ListClusters", "clusterArns", 100, 100),
        _ecs("ListServices", "serviceArns", 10, 100),
        _ecs("ListTasks", "taskArns", 100, 100),
        _ecs("ListTaskDefinitions", "taskDefinitionArns", 100, 100),
        _ecs("ListTaskDefinitionFamilies", "families", 100, 100),
        _iam("ListRoles", "Roles"),
        _iam("ListRolePolicies", "PolicyNames"),
        _iam("ListAttachedRolePolicies", "AttachedPolicies"),
        _iam("ListRoleTags", "Tags"),
        _iam("GetAccountAuthorizationDetails", "RoleDetailList"),
        Pages("logs", "DescribeLogGroups", "logGroups", "limit", "nextToken", "nextToken", 50, 1, 50,
              "InvalidParameterException", "InvalidParameterException"),
        Pages("application-autoscaling", "DescribeScalableTargets", "ScalableTargets", "MaxResults", "NextToken",
              "NextToken", 50, 1, 50, "ValidationException", "InvalidNextTokenException"),
    )
}


def token_for(action: str, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{action}/{offset}".encode()).decode()


def offset_of(action: str, token: str) -> int | None:
    try:
        name, _, offset = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        return int(offset) if name == action else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def _page(call: Call, proceed: Proceed) -> Plain:
    """Lists come in pages of the size asked for, at most the documented one.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination
    """
    pages = PAGES[call.service, call.action]
    size = int(call.parameters.pop(pages.size, None) or pages.default)
    if not pages.smallest <= size <= pages.largest:
        raise AwsError(
            pages.bad_size, f"Value ( {size} ) for parameter {pages.size} is invalid. "
            f"Expecting a value from {pages.smallest} to {pages.largest}."
        )
    if call.settings.page_size:
        size = min(size, call.settings.page_size)
    token = call.parameters.pop(pages.token_in, None)
    start = offset_of(call.action, token) if token else 0
    if start is None:
        raise AwsError(pages.bad_token, f"The token '{token}' is invalid")
    result = proceed()
    items = result[pages.key]
    result[pages.key] = items[start : start + size]
    more = start + size < len(items)
    result.pop(pages.token_out, None)
    if more:
        result[pages.token_out] = token_for(call.action, start + size)
    if pages.truncated:
        result[pages.truncated] = more
    return result


for _service, _action in PAGES:
    rule("pages", _service, _action, layer=Layer.LIST)(_page)
