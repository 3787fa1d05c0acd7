"""Proof C: with a tier's documents nothing of another tier, and nothing that is no tier's, can be changed or taken.

Somebody has the role of tier `one` with the documents of all its commands, and tries with it what tierctl never would.
Each attempt on somebody else's thing has a counterpart on the tier's own: were that refused too, the refusal would show
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from convergence import equality, specs
from convergence.bed import ACCOUNT, REGION, Bed, client
from convergence.foreign import TAGS, TRUST
from convergence.program import Specs
from convergence.scenarios import APPLY, ONBOARD, WHOLE, changed, with_group
from convergence.trial import must

from . import roles
from .documents import COMMANDS, Document
from .stage import World

REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
ONE, TWO = "one", "two"
#: A tier whose names begin like those of `one`.
ALIKE = "one-b"
#: What has no tier's tag at all.
THEIRS = "theirs"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"

#: By kind, the id or ARN of one thing of an owner; of a role and of a cluster's family the name.
Things = dict[str, str]
Clients = Callable[[str], Any]
Tags = dict[str, str]
#: Tries something on somebody's things; `own` are those of `one`.
Try = Callable[[Clients, Things, Things], Any]


@dataclass(frozen=True)
class Attempt:
    """Something that is tried on things of an owner."""

    what: str
    action: str
    send: Try
    #: Whether tierctl may do this with its own things.
    is_tierctls: bool = True


def key_value(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def lower_case(tags: Tags) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def specification(kind: str, tags: Tags) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": key_value(tags)}] if tags else []


def of_tier(name: str) -> Tags:
    return {"tierctl:tier": name}


# --- the things


def tier(name: str, number: int) -> Specs:
    """A tier with a tenant, as every other but for its name and its block."""
    spec = with_group(
        changed(WHOLE, tier=name, downstreams=[specs.BIDDER]), vpc=specs.made_vpc(f"10.{60 + number}.0.0/16")
    )
    tenant = changed(specs.service("acme"), tier=name)
    return {f"tiers/{name}": spec, f"tenants/{name}": tenant}


def things_of(bed: Bed, owner: str) -> Things:
    """One thing of each kind, as the administrator sees them."""
    dump = bed.dump()
    found: Things = {}
    for kind, (listing, name) in LISTINGS.items():
        for thing in dump[listing]:
            if name in thing and _owner(kind, thing) == owner:
                found.setdefault(kind, str(thing[name]))
    return found


def _owner(kind: str, thing: dict[str, Any]) -> str | None:
    identity = equality.owner(kind, thing)
    if identity:
        return identity[1]
    return THEIRS if THEIRS in json.dumps(thing) else None


#: Where the bed's dump has each kind, and under which field its id.
LISTINGS = {
    "vpc": ("vpcs", "VpcId"),
    "subnet": ("subnets", "SubnetId"),
    "security-group": ("securitygroups", "GroupId"),
    "route-table": ("routetables", "RouteTableId"),
    "internet-gateway": ("internetgateways", "InternetGatewayId"),
    "vpc-endpoint": ("vpcendpoints", "VpcEndpointId"),
    "load-balancer": ("loadbalancers", "LoadBalancerArn"),
    "listener": ("listeners", "ListenerArn"),
    "rule": ("rules", "RuleArn"),
    "target-group": ("targetgroups", "TargetGroupArn"),
    "role": ("roles", "RoleName"),
    "role-arn": ("roles", "Arn"),
    "cluster": ("clusters", "clusterArn"),
    "service": ("services", "serviceArn"),
    "task-definition": ("taskdefinitions", "taskDefinitionArn"),
    "log-group": ("loggroups", "logGroupName"),
}


# --- the attempts on things that are there

NOBODY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]})
SSH = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}]
UNAVAILABLE = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]
ROUTE = "10.98.0.0/16"
INSIGHTS = [{"name": "containerInsights", "value": "enabled"}]


def log_group_arn(name: str) -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"


def _changes() -> Iterator[Attempt]:
    """Changes and deletions of each kind of thing."""

    def of(
        service: str, action: str, call: str, parameters: Callable[[Things, Things], dict[str, Any]], **more: Any
    ) -> Attempt:
        prefix = {"elbv2": "elasticloadbalancing"}.get(service, service)

        def send(clients: Clients, things: Things, own: Things) -> Any:
            return getattr(clients(service), call)(**parameters(things, own))

        return Attempt(f"{action} of it", f"{prefix}:{action}", send, **more)

    def ec2(action: str, call: str, parameters: Callable[[Things, Things], dict[str, Any]]) -> Attempt:
        return of("ec2", action, call, parameters)

    yield ec2(
        "ModifyVpcAttribute",
        "modify_vpc_attribute",
        lambda t, _: {"VpcId": t["vpc"], "EnableDnsSupport": {"Value": True}},
    )
    yield ec2("DeleteVpc", "delete_vpc", lambda t, _: {"VpcId": t["vpc"]})
    yield ec2(
        "ModifySubnetAttribute",
        "modify_subnet_attribute",
        lambda t, _: {"SubnetId": t["subnet"], "MapPublicIpOnLaunch": {"Value": False}},
    )
    yield ec2("DeleteSubnet", "delete_subnet", lambda t, _: {"SubnetId": t["subnet"]})
    for way in ("ingress", "egress"):
        group = {"IpPermissions": SSH}
        for verb in ("authorize", "revoke"):
            action = f"{verb.title()}SecurityGroup{way.title()}"
            yield ec2(
                action, f"{verb}_security_group_{way}", lambda t, _, g=group: {"GroupId": t["security-group"], **g}
            )
    yield ec2("DeleteSecurityGroup", "delete_security_group", lambda t, _: {"GroupId": t["security-group"]})
    route = {"DestinationCidrBlock": ROUTE}
    yield ec2(
        "CreateRoute",
        "create_route",
        lambda t, o: {"RouteTableId": t["route-table"], "GatewayId": o["internet-gateway"], **route},
    )
    yield ec2(
        "ReplaceRoute",
        "replace_route",
        lambda t, o: {"RouteTableId": t["route-table"], "GatewayId": o["internet-gateway"], **route},
    )
    yield ec2("DeleteRoute", "delete_route", lambda t, _: {"RouteTableId": t["route-table"], **route})
    yield ec2("DeleteRouteTable", "delete_route_table", lambda t, _: {"RouteTableId": t["route-table"]})
    for action, call, pair in (
        ("AssociateRouteTable", "associate_route_table", ("route-table", "subnet")),
        ("AttachInternetGateway", "attach_internet_gateway", ("internet-gateway", "vpc")),
        ("DetachInternetGateway", "detach_internet_gateway", ("internet-gateway", "vpc")),
    ):
        names = {
            "route-table": "RouteTableId",
            "subnet": "SubnetId",
            "internet-gateway": "InternetGatewayId",
            "vpc": "VpcId",
        }
        # Either of the two may be the other's.
        for foreign, ours in (pair, pair[::-1]):
            yield ec2(action, call, lambda t, o, f=foreign, u=ours, n=names: {n[f]: t[f], n[u]: o[u]})
    yield ec2(
        "DeleteInternetGateway", "delete_internet_gateway", lambda t, _: {"InternetGatewayId": t["internet-gateway"]}
    )
    yield ec2(
        "ModifyVpcEndpoint",
        "modify_vpc_endpoint",
        lambda t, _: {"VpcEndpointId": t["vpc-endpoint"], "ResetPolicy": True},
    )
    yield ec2(
        "ModifyVpcEndpoint",
        "modify_vpc_endpoint",
        lambda t, o: {"VpcEndpointId": o["vpc-endpoint"], "AddSubnetIds": [t["subnet"]]},
    )
    yield ec2(
        "ModifyVpcEndpoint",
        "modify_vpc_endpoint",
        lambda t, o: {"VpcEndpointId": o["vpc-endpoint"], "AddSecurityGroupIds": [t["security-group"]]},
    )
    yield ec2("DeleteVpcEndpoints", "delete_vpc_endpoints", lambda t, _: {"VpcEndpointIds": [t["vpc-endpoint"]]})

    def elb(action: str, call: str, parameters: Callable[[Things, Things], dict[str, Any]]) -> Attempt:
        return of("elbv2", action, call, parameters)

    yield elb(
        "ModifyLoadBalancerAttributes",
        "modify_load_balancer_attributes",
        lambda t, _: {
            "LoadBalancerArn": t["load-balancer"],
            "Attributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "61"}],
        },
    )
    yield elb(
        "SetSecurityGroups",
        "set_security_groups",
        lambda t, o: {"LoadBalancerArn": t["load-balancer"], "SecurityGroups": [o["security-group"]]},
    )
    yield elb(
        "SetSubnets", "set_subnets", lambda t, o: {"LoadBalancerArn": t["load-balancer"], "Subnets": [o["subnet"]]}
    )
    yield elb("DeleteLoadBalancer", "delete_load_balancer", lambda t, _: {"LoadBalancerArn": t["load-balancer"]})
    yield elb(
        "ModifyListener", "modify_listener", lambda t, _: {"ListenerArn": t["listener"], "DefaultActions": UNAVAILABLE}
    )
    yield elb("DeleteListener", "delete_listener", lambda t, _: {"ListenerArn": t["listener"]})
    yield elb("ModifyRule", "modify_rule", lambda t, _: {"RuleArn": t["rule"], "Actions": UNAVAILABLE})
    yield elb("DeleteRule", "delete_rule", lambda t, _: {"RuleArn": t["rule"]})
    yield elb(
        "SetRulePriorities",
        "set_rule_priorities",
        lambda t, _: {"RulePriorities": [{"RuleArn": t["rule"], "Priority": 44_000}]},
    )
    yield elb(
        "ModifyTargetGroup",
        "modify_target_group",
        lambda t, _: {"TargetGroupArn": t["target-group"], "HealthCheckPath": "/x"},
    )
    yield elb(
        "ModifyTargetGroupAttributes",
        "modify_target_group_attributes",
        lambda t, _: {
            "TargetGroupArn": t["target-group"],
            "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "7"}],
        },
    )
    for action, call in (("RegisterTargets", "register_targets"), ("DeregisterTargets", "deregister_targets")):
        targets = [{"Id": "10.1.2.3", "Port": 80}]
        yield elb(action, call, lambda t, _, x=targets: {"TargetGroupArn": t["target-group"], "Targets": x})
    yield elb("DeleteTargetGroup", "delete_target_group", lambda t, _: {"TargetGroupArn": t["target-group"]})

    def iam(action: str, call: str, **parameters: Any) -> Attempt:
        return of("iam", action, call, lambda t, _: {"RoleName": t["role"], **parameters})

    yield iam("PutRolePolicy", "put_role_policy", PolicyName="x", PolicyDocument=NOBODY)
    yield iam("DeleteRolePolicy", "delete_role_policy", PolicyName="x")
    yield iam("AttachRolePolicy", "attach_role_policy", PolicyArn=READ_ONLY)
    yield iam("DetachRolePolicy", "detach_role_policy", PolicyArn=READ_ONLY)
    yield iam("PutRolePermissionsBoundary", "put_role_permissions_boundary", PermissionsBoundary=READ_ONLY)
    yield iam("DeleteRolePermissionsBoundary", "delete_role_permissions_boundary")
    yield iam("UpdateAssumeRolePolicy", "update_assume_role_policy", PolicyDocument=TRUST)
    yield iam("DeleteRole", "delete_role")

    yield of(
        "ecs",
        "PutClusterCapacityProviders",
        "put_cluster_capacity_providers",
        lambda t, _: {"cluster": t["cluster"], "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []},
    )
    yield of(
        "ecs",
        "UpdateClusterSettings",
        "update_cluster_settings",
        lambda t, _: {"cluster": t["cluster"], "settings": INSIGHTS},
    )
    yield of("ecs", "DeleteCluster", "delete_cluster", lambda t, _: {"cluster": t["cluster"]})
    yield of(
        "ecs",
        "UpdateService",
        "update_service",
        lambda t, _: {"cluster": t["cluster"], "service": t["service"], "desiredCount": 2},
    )
    yield of(
        "ecs",
        "DeleteService",
        "delete_service",
        lambda t, _: {"cluster": t["cluster"], "service": t["service"], "force": True},
    )
    yield of(
        "ecs",
        "DeregisterTaskDefinition",
        "deregister_task_definition",
        lambda t, _: {"taskDefinition": t["task-definition"]},
    )
    yield of(
        "logs",
        "PutRetentionPolicy",
        "put_retention_policy",
        lambda t, _: {"logGroupName": t["log-group"], "retentionInDays": 1},
    )
    yield of("logs", "DeleteLogGroup", "delete_log_group", lambda t, _: {"logGroupName": t["log-group"]})


EC2_KINDS = ("vpc", "subnet", "security-group", "route-table", "internet-gateway", "vpc-endpoint")
ELB_KINDS = ("load-balancer", "listener", "rule", "target-group")
ECS_KINDS = ("cluster", "service", "task-definition")


def _taggings(tags: Tags, what: str, **more: Any) -> Iterator[Attempt]:
    """Tags for a thing of each kind that is there."""

    def tagging(kind: str, action: str, send: Try) -> Attempt:
        return Attempt(f"{action} of it ({kind}): {what}", action, send, **more)

    for kind in EC2_KINDS:
        yield tagging(
            kind, "ec2:CreateTags", lambda c, t, _, k=kind: c("ec2").create_tags(Resources=[t[k]], Tags=key_value(tags))
        )
    for kind in ELB_KINDS:
        yield tagging(
            kind,
            "elasticloadbalancing:AddTags",
            lambda c, t, _, k=kind: c("elbv2").add_tags(ResourceArns=[t[k]], Tags=key_value(tags)),
        )
    for kind in ECS_KINDS:
        yield tagging(
            kind,
            "ecs:TagResource",
            lambda c, t, _, k=kind: c("ecs").tag_resource(resourceArn=t[k], tags=lower_case(tags)),
        )
    yield tagging("role", "iam:TagRole", lambda c, t, _: c("iam").tag_role(RoleName=t["role"], Tags=key_value(tags)))
    yield tagging(
        "log-group",
        "logs:TagResource",
        lambda c, t, _: c("logs").tag_resource(resourceArn=log_group_arn(t["log-group"]), tags=tags),
    )


def _untaggings() -> Iterator[Attempt]:
    """The tier's tag taken off, which tierctl never does."""
    name = "tierctl:tier"

    def untagging(kind: str, action: str, send: Try) -> Attempt:
        return Attempt(f"{action} of it ({kind})", action, send, is_tierctls=False)

    yield untagging(
        "vpc", "ec2:DeleteTags", lambda c, t, _: c("ec2").delete_tags(Resources=[t["vpc"]], Tags=[{"Key": name}])
    )
    yield untagging(
        "load-balancer",
        "elasticloadbalancing:RemoveTags",
        lambda c, t, _: c("elbv2").remove_tags(ResourceArns=[t["load-balancer"]], TagKeys=[name]),
    )
    yield untagging(
        "cluster",
        "ecs:UntagResource",
        lambda c, t, _: c("ecs").untag_resource(resourceArn=t["cluster"], tagKeys=[name]),
    )
    yield untagging("role", "iam:UntagRole", lambda c, t, _: c("iam").untag_role(RoleName=t["role"], TagKeys=[name]))
    yield untagging(
        "log-group",
        "logs:UntagResource",
        lambda c, t, _: c("logs").untag_resource(resourceArn=log_group_arn(t["log-group"]), tagKeys=[name]),
    )


# --- the attempts to make something


def _creations(tags: Tags, named: str) -> Iterator[Attempt]:
    """Something of each kind with these tags, named after a tier; what is made in something, in an owner's."""
    container = {"name": "x", "image": "x:1"}
    fargate = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}

    def creation(action: str, send: Try) -> Attempt:
        return Attempt(f"{action} in it with the tags {tags or 'of nobody'}, named after {named}", action, send)

    def ec2(action: str, call: str, kind: str, parameters: Callable[[Things], dict[str, Any]]) -> Attempt:
        def send(clients: Clients, things: Things, own: Things) -> Any:
            return getattr(clients("ec2"), call)(**parameters(things), TagSpecifications=specification(kind, tags))

        return creation(f"ec2:{action}", send)

    yield ec2("CreateVpc", "create_vpc", "vpc", lambda _: {"CidrBlock": "10.99.0.0/16"})
    yield ec2("CreateInternetGateway", "create_internet_gateway", "internet-gateway", lambda _: {})
    yield ec2("CreateSubnet", "create_subnet", "subnet", lambda t: {"VpcId": t["vpc"], "CidrBlock": "10.60.250.0/24"})
    yield ec2("CreateRouteTable", "create_route_table", "route-table", lambda t: {"VpcId": t["vpc"]})
    yield ec2(
        "CreateSecurityGroup",
        "create_security_group",
        "security-group",
        lambda t: {"VpcId": t["vpc"], "GroupName": "x", "Description": "x"},
    )
    yield ec2(
        "CreateVpcEndpoint",
        "create_vpc_endpoint",
        "vpc-endpoint",
        lambda t: {
            "VpcId": t["vpc"],
            "ServiceName": specs.SERVICE,
            "VpcEndpointType": "Interface",
            "SubnetIds": [t["subnet"]],
            "SecurityGroupIds": [t["security-group"]],
        },
    )
    marked: dict[str, Any] = {"Tags": key_value(tags)} if tags else {}
    yield creation(
        "elasticloadbalancing:CreateLoadBalancer",
        lambda c, t, _: c("elbv2").create_load_balancer(Name="x", Subnets=[t["subnet"]], Scheme="internal", **marked),
    )
    yield creation(
        "elasticloadbalancing:CreateListener",
        lambda c, t, _: c("elbv2").create_listener(
            LoadBalancerArn=t["load-balancer"], Port=8080, Protocol="HTTP", DefaultActions=UNAVAILABLE, **marked
        ),
    )
    yield creation(
        "elasticloadbalancing:CreateRule",
        lambda c, t, _: c("elbv2").create_rule(
            ListenerArn=t["listener"],
            Priority=43_000,
            Conditions=[{"Field": "path-pattern", "Values": ["/x"]}],
            Actions=UNAVAILABLE,
            **marked,
        ),
    )
    yield creation(
        "elasticloadbalancing:CreateTargetGroup",
        lambda c, t, _: c("elbv2").create_target_group(
            Name="x", Protocol="HTTP", Port=80, VpcId=t["vpc"], TargetType="ip", **marked
        ),
    )
    lower: dict[str, Any] = {"tags": lower_case(tags)} if tags else {}
    yield creation("ecs:CreateCluster", lambda c, t, _: c("ecs").create_cluster(clusterName=f"{named}-cell-1-ig-1-x", **lower))
    yield creation(
        "ecs:CreateService",
        lambda c, t, o: c("ecs").create_service(
            cluster=t["cluster"], serviceName="x", taskDefinition=o["task-definition"], desiredCount=0, **lower
        ),
    )
    yield creation(
        "ecs:RegisterTaskDefinition",
        lambda c, t, _: c("ecs").register_task_definition(
            family=f"{named}-cell-1-ig-1-x", containerDefinitions=[container], **fargate, **lower
        ),
    )
    yield creation(
        "iam:CreateRole",
        lambda c, t, _: c("iam").create_role(
            RoleName="x", Path=f"/tierctl/{named}/cell-1/", AssumeRolePolicyDocument=TRUST, **marked
        ),
    )
    logged: dict[str, Any] = {"tags": tags} if tags else {}
    yield creation(
        "logs:CreateLogGroup", lambda c, t, _: c("logs").create_log_group(logGroupName=f"/tierctl/{named}/x", **logged)
    )


#: What a creation is in or on, where it is in something: the others are the same whoever's that is.
MADE_IN = frozenset(
    {
        "ec2:CreateSubnet",
        "ec2:CreateRouteTable",
        "ec2:CreateSecurityGroup",
        "ec2:CreateVpcEndpoint",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateRule",
        "ecs:CreateService",
    }
)
#: What has a name that says whose it is.
NAMED = frozenset({"ecs:CreateCluster", "ecs:RegisterTaskDefinition", "iam:CreateRole", "logs:CreateLogGroup"})


def _passes(c: Clients, things: Things, own: Things) -> Any:
    """Tasks of one's own get the role."""
    family = own["task-definition"].rsplit("/", 1)[-1].rsplit(":", 1)[0]
    return c("ecs").register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        taskRoleArn=things["role-arn"],
        containerDefinitions=[{"name": "x", "image": "x:1"}],
        tags=lower_case(of_tier(ONE)),
    )


@dataclass(frozen=True)
class Expectation:
    """An attempt on an owner's things, and whether it has to be refused."""

    attempt: Attempt
    owner: str
    is_refused: bool

    @property
    def id(self) -> str:
        return f"{self.attempt.what}, of {self.owner}"


#: What IAM cannot narrow any further, by owner and action: so it is allowed.
LIMITS: dict[tuple[str, str], str] = {
    **{
        (owner, "elasticloadbalancing:SetRulePriorities"): "it knows no condition key" for owner in (TWO, ALIKE, THEIRS)
    },
    **{
        (owner, "ecs:DeregisterTaskDefinition"): "it knows neither resources nor tags" for owner in (TWO, ALIKE, THEIRS)
    },
}


def expectations() -> list[Expectation]:
    """All that is tried with the documents for tier `one`."""
    mine, other = of_tier(ONE), of_tier(TWO)
    found = [Expectation(attempt, ONE, False) for attempt in _on_things(mine)]
    for owner in (TWO, ALIKE, THEIRS):
        found += [Expectation(attempt, owner, (owner, attempt.action) not in LIMITS) for attempt in _on_things(mine)]
    for attempt in _untaggings():
        found += [Expectation(attempt, owner, True) for owner in (ONE, TWO)]
    found += [Expectation(attempt, ONE, True) for attempt in _taggings(other, "given away")]
    found += [Expectation(attempt, ONE, False) for attempt in _creations(mine, ONE)]
    for tags in ({}, other):
        found += [Expectation(attempt, ONE, True) for attempt in _creations(tags, ONE)]
    for owner in (TWO, ALIKE, THEIRS):
        found += [Expectation(one, owner, True) for one in _creations(mine, ONE) if one.action in MADE_IN]
    for owner in (TWO, ALIKE):
        found += [
            Expectation(one, ONE, (owner, one.action) not in LIMITS)
            for one in _creations(mine, owner)
            if one.action in NAMED
        ]
    return found


def _on_things(tags: Tags) -> Iterator[Attempt]:
    """Changes, deletions, tags and the passing on of things that are there."""
    yield from _changes()
    yield from _taggings(tags, "taken as one's own")
    yield Attempt("it is passed on", "iam:PassRole", _passes)


def of_any_tier() -> list[Expectation]:
    """What is tried with the documents for any tier: what has no tier's tag is none of them."""
    found = [Expectation(attempt, TWO, False) for attempt in _on_things(of_tier(TWO))]
    found += [Expectation(one, THEIRS, (THEIRS, one.action) not in LIMITS) for one in _on_things(of_tier(ONE))]
    found += [Expectation(attempt, TWO, True) for attempt in _creations({}, TWO)]
    found += [Expectation(one, THEIRS, True) for one in _creations(of_tier(TWO), TWO) if one.action in MADE_IN]
    return found


class Tiers:
    """A bed with three tiers, things of no tier, and the role of one of them."""

    def __init__(self, world: World) -> None:
        self.world, self.bed = world, world.bed.copy()
        try:
            self._set_up()
        except BaseException:
            self.bed.close()
            raise

    def close(self) -> None:
        self.bed.close()

    def _set_up(self) -> None:
        self.bed.control(settings={"quotas": {"vpcs": 9, **roles.ROOMY}})
        for number, name in enumerate((ONE, TWO, ALIKE)):
            with self.world.administrator(self.bed, tier(name, number)) as project:
                must(project.run(*APPLY))
                must(project.run(*ONBOARD))
        ec2 = client(self.bed, "ec2")
        ec2.create_internet_gateway(TagSpecifications=[{"ResourceType": "internet-gateway", "Tags": TAGS}])
        ec2.create_vpc_endpoint(
            VpcId=self.world.ids["vpc"],
            ServiceName=specs.OTHER_SERVICE,
            VpcEndpointType="Interface",
            SubnetIds=[self.world.ids["subnet-a"]],
            SecurityGroupIds=[self.world.ids["group"]],
            TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": TAGS}],
        )
        self.things = {owner: things_of(self.bed, owner) for owner in (ONE, TWO, ALIKE, THEIRS)}
        self.things[THEIRS] |= {"subnet": self.world.ids["subnet-a"], "route-table": self.world.ids["table"]}
        for owner, things in self.things.items():
            missing = sorted(LISTINGS.keys() - things.keys())
            if missing:
                raise RuntimeError(f"{owner} has no {', '.join(missing)}")

    def documents(self, name: str | None) -> list[Document]:
        """Those of all commands, for a tier or for any."""
        found = tier(ONE, 0)
        return [self.world.document(command, found, name) for command in COMMANDS]

    def hold(self, name: str | None, tried: Iterable[Expectation]) -> list[str]:
        """What of it all is not as expected."""
        roles.allow(self.bed, *self.documents(name))
        self.bed.control(settings={"enforce_policies": True}, reset_counters=True)
        tried = list(tried)
        before = self.bed.dump()
        problems: list[str] = []
        clients = roles.entered(self.bed, self.world.credentials)
        for one in tried:
            if one.is_refused:
                problems += self._problems(clients, one)
        after = self.bed.dump()
        problems += [f"{kind} have changed" for kind in before if before[kind] != after[kind]]
        with self.bed.copy() as bed:
            clients = roles.entered(bed, self.world.credentials)
            for one in sorted((one for one in tried if not one.is_refused), key=_late):
                problems += self._problems(clients, one)
        problems += [f"the test bed failed: {text}" for text in self.bed.state()["crashes"]]
        return problems

    def _problems(self, clients: Clients, one: Expectation) -> list[str]:
        code, words = "done", ""
        try:
            one.attempt.send(clients, self.things[one.owner], self.things[ONE])
        except ClientError as error:
            code, words = str(error.response["Error"]["Code"]), str(error)
        if code in REFUSED and not one.is_refused:
            return [f"{one.id}: refused, and it has to be allowed: {words}"]
        if code not in REFUSED and one.is_refused:
            return [f"{one.id}: not refused, but: {code}"]
        return []


#: What goes with something else is deleted before it.
CHILDREN_FIRST = ("DeleteRule", "DeleteListener", "DeleteLoadBalancer", "DeleteTargetGroup", "DeleteService")


def _late(one: Expectation) -> int:
    """Where an attempt that may succeed comes: after a deletion nothing else can be tried on the thing."""
    name = one.attempt.action.partition(":")[2]
    if not name.startswith("Delete"):
        return 0
    return 1 + (CHILDREN_FIRST.index(name) if name in CHILDREN_FIRST else len(CHILDREN_FIRST))


def apart(world: World) -> list[str]:
    """Proof C."""
    tiers = Tiers(world)
    try:
        problems = [f"documents for {ONE}: {text}" for text in tiers.hold(ONE, expectations())]
        return problems + [f"documents for any tier: {text}" for text in tiers.hold(None, of_any_tier())]
    finally:
        tiers.close()
