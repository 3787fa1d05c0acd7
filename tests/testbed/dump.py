"""Everything in an account as text that is the same whenever the account is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .accounts import accounts
from .canonical import canonical
from .hooks import response_classes
from .plain import PlainResult, plain
from .rules import Plain

#: What changes although nobody changed the thing.
VOLATILE = frozenset({"AvailableIpAddressCount", "RoleLastUsed", "deregisteredAt"})


class Reader:
    """Calls moto's actions, hooks and all, without a request."""

    def __init__(self, account_id: str, region: str) -> None:
        self.account_id, self.region = account_id, region
        self._classes = response_classes()

    def __call__(self, service: str, action: str, **parameters: Any) -> Plain:
        from moto.core.utils import camelcase_to_underscores

        response = self._classes[service]()
        response.current_account, response.region, response.partition = self.account_id, self.region, "aws"
        response.params, response.uri_match, response.headers = parameters, {}, {}
        response.querystring, response.body = {"Action": [action]}, json.dumps(parameters)
        response.access_key = ""
        response.get_access_key = lambda: ""  # type: ignore[method-assign]
        answer = getattr(response, camelcase_to_underscores(action))()
        if isinstance(answer, PlainResult):
            result: Plain = answer.result  # type: ignore[assignment]
            return result
        return plain(response, action, answer)

    def network(self) -> Iterator[tuple[str, list[Plain]]]:
        vpcs = self("ec2", "DescribeVpcs")["Vpcs"]
        for vpc in vpcs:
            for name in ("enableDnsSupport", "enableDnsHostnames"):
                found = self("ec2", "DescribeVpcAttribute", VpcId=vpc["VpcId"], Attribute=name)
                vpc[name] = found[name[0].upper() + name[1:]]["Value"]
        yield "vpcs", vpcs
        for action, key in (
            ("DescribeSubnets", "Subnets"), ("DescribeRouteTables", "RouteTables"),
            ("DescribeInternetGateways", "InternetGateways"), ("DescribeNatGateways", "NatGateways"),
            ("DescribeSecurityGroupRules", "SecurityGroupRules"), ("DescribeNetworkInterfaces", "NetworkInterfaces"),
            ("DescribeVpcEndpoints", "VpcEndpoints"), ("DescribeAddresses", "Addresses"),
        ):
            yield action.removeprefix("Describe").lower(), self("ec2", action)[key]
        groups = self("ec2", "DescribeSecurityGroups")["SecurityGroups"]
        rules = ("IpPermissions", "IpPermissionsEgress")
        yield "securitygroups", [{name: one[name] for name in one if name not in rules} for one in groups]

    def load_balancing(self) -> Iterator[tuple[str, list[Plain]]]:
        elb = "elasticloadbalancing"

        def tags(arn: str) -> Any:
            return self(elb, "DescribeTags", ResourceArns=[arn])["TagDescriptions"][0]["Tags"]

        balancers = self(elb, "DescribeLoadBalancers")["LoadBalancers"]
        listeners, rules = [], []
        for balancer in balancers:
            arn = balancer["LoadBalancerArn"]
            balancer["Tags"] = tags(arn)
            balancer["Attributes"] = self(elb, "DescribeLoadBalancerAttributes", LoadBalancerArn=arn)["Attributes"]
            for listener in self(elb, "DescribeListeners", LoadBalancerArn=arn)["Listeners"]:
                listener["Tags"] = tags(listener["ListenerArn"])
                listeners.append(listener)
                for one in self(elb, "DescribeRules", ListenerArn=listener["ListenerArn"])["Rules"]:
                    rules.append({**one, "Tags": tags(one["RuleArn"]), "ListenerArn": listener["ListenerArn"]})
        groups = self(elb, "DescribeTargetGroups")["TargetGroups"]
        for group in groups:
            arn = group["TargetGroupArn"]
            group["Tags"] = tags(arn)
            group["Attributes"] = self(elb, "DescribeTargetGroupAttributes", TargetGroupArn=arn)["Attributes"]
            group["Targets"] = self(elb, "DescribeTargetHealth", TargetGroupArn=arn)["TargetHealthDescriptions"]
        yield "loadbalancers", balancers
        yield "listeners", listeners
        yield "rules", rules
        yield "targetgroups", groups

    def containers(self) -> Iterator[tuple[str, list[Plain]]]:
        from moto.ecs.models import ecs_backends

        backend = ecs_backends[self.account_id][self.region]
        names = sorted(backend.clusters)
        include = ["TAGS", "SETTINGS", "CONFIGURATIONS"]
        clusters = self("ecs", "DescribeClusters", clusters=names, include=include)["clusters"] if names else []
        yield "clusters", [cluster for cluster in clusters if cluster["status"] != "INACTIVE"]
        services = []
        for cluster in clusters:
            if cluster["status"] == "INACTIVE":
                continue
            arns = self("ecs", "ListServices", cluster=cluster["clusterArn"])["serviceArns"]
            for arn in arns:
                found = self("ecs", "DescribeServices", cluster=cluster["clusterArn"], services=[arn], include=["TAGS"])
                services.extend(found["services"])
        yield "services", services
        definitions = []
        for family in sorted(backend.task_definitions):
            for _, one in sorted(backend.task_definitions[family].items()):
                answer = self("ecs", "DescribeTaskDefinition", taskDefinition=one.arn, include=["TAGS"])
                definitions.append({**answer["taskDefinition"], "tags": answer.get("tags", [])})
        yield "taskdefinitions", definitions
        providers = self("ecs", "DescribeCapacityProviders", include=["TAGS"])["capacityProviders"]
        yield "capacityproviders", [one for one in providers if not one["name"].startswith("FARGATE")]

    def logs(self) -> Iterator[tuple[str, list[Plain]]]:
        groups = self("logs", "DescribeLogGroups")["logGroups"]
        for group in groups:
            group["tags"] = self("logs", "ListTagsForResource", resourceArn=group["logGroupArn"])["tags"]
        yield "loggroups", groups

    def identities(self) -> Iterator[tuple[str, list[Plain]]]:
        found = self("iam", "GetAccountAuthorizationDetails", Filter=["Role", "LocalManagedPolicy"])
        yield "roles", found["RoleDetailList"]
        yield "policies", found.get("Policies", [])


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items() if name not in VOLATILE}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def regions_of(account_id: str) -> list[str]:
    """The Regions that something was asked of."""
    from moto.ec2.models import ec2_backends
    from moto.ecs.models import ecs_backends
    from moto.elbv2.models import elbv2_backends
    from moto.logs.models import logs_backends

    found: set[str] = set()
    for backends in (ec2_backends, ecs_backends, elbv2_backends, logs_backends):
        if account_id in backends:
            found |= set(dict.keys(backends[account_id]))
    return sorted(found)


def collect(account_id: str, regions: list[str] | None) -> dict[str, list[Plain]]:
    """Every thing in an account by kind."""
    account = accounts()[account_id]
    as_set = account.settings
    # Dumps show what is there, in the bed's own order, whatever is set for clients.
    account.settings = replace(as_set, page_size=0, read_lag=0.0, rules={"pages": False, "batch-limits": False})
    things: dict[str, list[Plain]] = {}
    try:
        for kind, found in Reader(account_id, "us-east-1").identities():
            things[kind] = found
        for region in regions if regions is not None else regions_of(account_id):
            reader = Reader(account_id, region)
            for part in (reader.network(), reader.load_balancing(), reader.containers(), reader.logs()):
                for kind, found in part:
                    things.setdefault(kind, []).extend({**one, "Region": region} for one in found)
    finally:
        account.settings = as_set
    plain = json.loads(json.dumps(_clean(things), default=str))
    return {kind: sorted(found, key=lambda one: json.dumps(one, sort_keys=True)) for kind, found in plain.items()}


def dump(account_id: str, regions: list[str] | None, mapped: bool = False) -> str:
    """The account as JSON, one thing a line; with `mapped`, ids and times give way to names that do not vary."""
    things = collect(account_id, regions)
    if mapped:
        things = canonical(things)
    lines = ["{"]
    for number, kind in enumerate(sorted(things)):
        rows = ",\n".join(f"    {json.dumps(one, sort_keys=True)}" for one in things[kind])
        end = "," if number + 1 < len(things) else ""
        lines.append(f"  {json.dumps(kind)}: [\n{rows}\n  ]{end}" if rows else f"  {json.dumps(kind)}: []{end}")
    lines.append("}\n")
    return "\n".join(lines)
