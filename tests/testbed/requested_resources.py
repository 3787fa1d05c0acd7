"""What a request asks to be allowed: each action with each resource, and what the request tells of both.

Which resources an action has is in AWS's Service Authorization Reference (`action_reference`); here is from which
parameters they come, and which further actions a request needs on the way: tags at creation, roles that are passed on,
service-linked roles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .accounts import accounts
from .principals import tags_of

Sent = dict[str, Any]
Values = dict[str, list[str] | None]

#: Services that policies call by another name than the one that they sign with.
PREFIXES = {"tagging": "tag"}
#: The id of a thing that the request makes: nobody knows it yet.
NEW = "*"


@dataclass(frozen=True)
class Resource:
    """A resource that an action is about."""

    #: Its type in the reference; empty for an action that has none.
    kind: str
    arn: str
    tags: Mapping[str, str] = field(default_factory=dict)
    #: Condition keys of its own.
    keys: Values = field(default_factory=dict)
    #: What messages call it, where that is not its ARN.
    called: str = ""


NO_RESOURCE = Resource("", "*")


@dataclass(frozen=True)
class Asked:
    """An action on a resource that has to be allowed."""

    action: str
    resource: Resource
    request_tags: Mapping[str, str] | None = None
    keys: Values = field(default_factory=dict)
    #: Another that does as well.
    instead: Asked | None = None


class NotInReference(LookupError):
    """The table lacks an action, or a resource type of it: a mistake in the bed."""


@dataclass(frozen=True)
class Request:
    """A request with what is in its account."""

    account: str
    region: str
    service: str
    action: str
    sent: Sent

    @property
    def name(self) -> str:
        """The action as policies name it."""
        return f"{PREFIXES.get(self.service, self.service)}:{self.action}"

    @property
    def ec2(self) -> Any:
        from moto.ec2.models import ec2_backends

        return ec2_backends[self.account][self.region]

    @property
    def ecs(self) -> Any:
        from moto.ecs.models import ecs_backends

        return ecs_backends[self.account][self.region]

    @property
    def elb(self) -> Any:
        from moto.elbv2.models import elbv2_backends

        return elbv2_backends[self.account][self.region]

    @property
    def logs(self) -> Any:
        from moto.logs.models import logs_backends

        return logs_backends[self.account][self.region]

    def arn(self, rest: str) -> str:
        return f"arn:aws:{self.service}:{self.region}:{self.account}:{rest}"


Asks = Callable[[Request], Iterator[Asked]]
#: By full name, for every action that has resources.
ASKS: dict[str, Asks] = {}


def asks(service: str, *actions: str) -> Callable[[Asks], Asks]:
    """Says of these actions what they ask for."""

    def register(function: Asks) -> Asks:
        for action in actions:
            ASKS[f"{service}:{action}"] = function
        return function

    return register


def asked(request: Request) -> list[Asked]:
    """All that has to be allowed for a request, each once."""
    found = ASKS[request.name](request) if request.name in ASKS else iter([_plain(request)])
    once = {(one.action, one.resource.arn): one for one in found}
    return list(once.values())


def _plain(request: Request) -> Asked:
    keys: Values = {}
    if request.service == "ec2":
        keys = {"ec2:region": [request.region]}
    if request.name == "ecs:ListServices":
        keys = {"ecs:cluster": [_cluster(request, request.sent.get("cluster"))]}
    if request.name == "iam:ListRoles":
        return Asked(request.name, replace(NO_RESOURCE, called=f"arn:aws:iam::{request.account}:role/"))
    return Asked(request.name, NO_RESOURCE, keys=keys)


# --- EC2

#: The type of a thing by how its id starts.
EC2_TYPES = {
    "eni": "network-interface", "igw": "internet-gateway", "pl": "prefix-list", "rtb": "route-table",
    "sg": "security-group", "sgr": "security-group-rule", "subnet": "subnet", "vpc": "vpc", "vpce": "vpc-endpoint",
    "vpce-svc": "vpc-endpoint-service",
}
EC2_ID_KEYS = {
    "internet-gateway": "ec2:internetgatewayid", "network-interface": "ec2:networkinterfaceid",
    "route-table": "ec2:routetableid", "security-group": "ec2:securitygroupid", "subnet": "ec2:subnetid",
    "vpc": "ec2:vpcid",
}
#: The resource types of each action, and the parameter that names them; `NEW` for what the action makes.
EC2_PARAMETERS: dict[str, tuple[tuple[str, str], ...]] = {
    "AcceptVpcEndpointConnections": (("vpc-endpoint-service", "ServiceId"),),
    "AssociateRouteTable": (("route-table", "RouteTableId"), ("subnet", "SubnetId"),
                            ("internet-gateway", "GatewayId")),
    "AttachInternetGateway": (("internet-gateway", "InternetGatewayId"), ("vpc", "VpcId")),
    "AuthorizeSecurityGroupEgress": (("security-group", "GroupId"), ("security-group-rule", NEW)),
    "AuthorizeSecurityGroupIngress": (("security-group", "GroupId"), ("security-group-rule", NEW)),
    "CreateInternetGateway": (("internet-gateway", NEW),),
    "CreateRoute": (("route-table", "RouteTableId"),),
    "CreateRouteTable": (("route-table", NEW), ("vpc", "VpcId")),
    "CreateSecurityGroup": (("security-group", NEW), ("vpc", "VpcId")),
    "CreateSubnet": (("subnet", NEW), ("vpc", "VpcId")),
    "CreateVpc": (("vpc", NEW),),
    "CreateVpcEndpoint": (("vpc-endpoint", NEW), ("vpc", "VpcId"), ("route-table", "RouteTableIds"),
                          ("subnet", "SubnetIds"), ("security-group", "SecurityGroupIds")),
    "DeleteInternetGateway": (("internet-gateway", "InternetGatewayId"),),
    "DeleteRoute": (("route-table", "RouteTableId"),),
    "DeleteRouteTable": (("route-table", "RouteTableId"),),
    "DeleteSecurityGroup": (("security-group", "GroupId"),),
    "DeleteSubnet": (("subnet", "SubnetId"),),
    "DeleteVpc": (("vpc", "VpcId"),),
    "DeleteVpcEndpoints": (("vpc-endpoint", "VpcEndpointIds"),),
    "DescribeVpcAttribute": (("vpc", "VpcId"),),
    "DetachInternetGateway": (("internet-gateway", "InternetGatewayId"), ("vpc", "VpcId")),
    "DisassociateRouteTable": (("route-table", "AssociationId"), ("subnet", "AssociationId"),
                               ("internet-gateway", "AssociationId")),
    "ModifySubnetAttribute": (("subnet", "SubnetId"),),
    "ModifyVpcAttribute": (("vpc", "VpcId"),),
    "ModifyVpcEndpoint": (("vpc-endpoint", "VpcEndpointId"),
                          ("route-table", "AddRouteTableIds"), ("route-table", "RemoveRouteTableIds"),
                          ("subnet", "AddSubnetIds"), ("subnet", "RemoveSubnetIds"),
                          ("security-group", "AddSecurityGroupIds"), ("security-group", "RemoveSecurityGroupIds")),
    "RejectVpcEndpointConnections": (("vpc-endpoint-service", "ServiceId"),),
    "ReplaceRoute": (("route-table", "RouteTableId"),),
    "ReplaceRouteTableAssociation": (("route-table", "RouteTableId"), ("subnet", "AssociationId"),
                                     ("internet-gateway", "AssociationId")),
    "RevokeSecurityGroupEgress": (("security-group", "GroupId"),),
    "RevokeSecurityGroupIngress": (("security-group", "GroupId"),),
}


@asks("ec2", *EC2_PARAMETERS)
def _ec2(request: Request) -> Iterator[Asked]:
    """The action with each thing, and CreateTags for the tags of what is made.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    """
    tags = {one["ResourceType"]: tags_of(one.get("Tags")) for one in request.sent.get("TagSpecifications") or []}
    region: Values = {"ec2:region": [request.region]}
    for kind, parameter in EC2_PARAMETERS[request.action]:
        for number in [NEW] if parameter == NEW else _ec2_ids(request, kind, parameter):
            own = tags.get(kind) if number == NEW else None
            yield Asked(request.name, _ec2_resource(request, kind, number), own, region)
    private_dns = str(request.sent.get("PrivateDnsEnabled") or "").lower() == "true"
    if private_dns and request.action in ("CreateVpcEndpoint", "ModifyVpcEndpoint"):
        yield _private_dns(request)
    for kind, given in tags.items():
        if given:
            keys = {**region, "ec2:createaction": [request.action]}
            yield Asked("ec2:CreateTags", _ec2_resource(request, kind, NEW), given, keys)


def _private_dns(request: Request) -> Asked:
    """Private DNS is a hosted zone of the service that the VPC is associated with.

    The reference has it as a dependent action of CreateVpcEndpoint; to enable it later does the same.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
    """
    vpc = request.sent.get("VpcId")
    endpoint = request.ec2.vpc_end_points.get(request.sent.get("VpcEndpointId"))
    if endpoint is not None:
        vpc = endpoint.vpc_id
    keys: Values = {"route53:vpcs": [f"VPCId={vpc},VPCRegion={request.region}"]}
    return Asked("route53:AssociateVPCWithHostedZone", Resource("hostedzone", f"arn:aws:route53:::hostedzone/{NEW}"),
                 keys=keys)


def _ec2_ids(request: Request, kind: str, parameter: str) -> list[str]:
    """What a parameter names of a type. An association stands for its route table and what it is with."""
    given = request.sent.get(parameter) or []
    ids: list[str] = [given] if isinstance(given, str) else list(given)
    if parameter != "AssociationId":
        return ids
    for table in request.ec2.route_tables.values():
        for one in table.associations:
            if one["RouteTableAssociationId"] in ids:
                with_it = [table.id, one.get("SubnetId"), one.get("GatewayId")]
                return [other for other in with_it if other and _ec2_type(other) == kind]
    return []


def _ec2_type(number: str) -> str:
    start = number.rpartition("-")[0]
    if start not in EC2_TYPES:
        raise NotInReference(f"no resource type of EC2 for {number}")
    return EC2_TYPES[start]


def _ec2_resource(request: Request, kind: str, number: str) -> Resource:
    arn = f"arn:aws:ec2:{request.region}:{request.account}:{kind}/{number}"
    if number == NEW:
        return Resource(kind, arn, keys=_ec2_new(request, kind))
    ec2 = request.ec2
    keys: Values = {EC2_ID_KEYS[kind]: [number]} if kind in EC2_ID_KEYS else {}
    vpc = None
    if kind == "vpc":
        keys["ec2:tenancy"] = ["default"]
    elif kind == "subnet":
        subnet = next((zone[number] for zone in ec2.subnets.values() if number in zone), None)
        if subnet is not None:
            vpc = subnet.vpc_id
            keys["ec2:availabilityzone"] = [subnet.availability_zone]
    elif kind == "security-group":
        vpc = next((vpc_id for vpc_id, groups in ec2.groups.items() if number in groups), None)
    elif kind == "route-table" and number in ec2.route_tables:
        vpc = ec2.route_tables[number].vpc_id
    elif kind == "vpc-endpoint" and number in ec2.vpc_end_points:
        keys |= {"ec2:vpceservicename": [ec2.vpc_end_points[number].service_name],
                 "ec2:vpceserviceregion": [request.region]}
    if kind in ("subnet", "security-group", "route-table"):
        keys["ec2:vpc"] = [f"arn:aws:ec2:{request.region}:{request.account}:vpc/{vpc}"] if vpc else None
    return Resource(kind, arn, dict(ec2.tags.get(number, {})), keys)


def _ec2_new(request: Request, kind: str) -> Values:
    """What is known of a thing before it is there: its id is not.

    https://docs.aws.amazon.com/vpc/latest/privatelink/security_iam_id-based-policy-examples.html
    """
    keys: Values = {EC2_ID_KEYS[kind]: None} if kind in EC2_ID_KEYS else {}
    if kind == "vpc-endpoint":
        name = request.sent.get("ServiceName") or ""
        owner = re.search(r"\.vpce-svc-", name)
        keys |= {"ec2:vpceservicename": [name], "ec2:vpceserviceowner": None if owner else ["amazon"],
                 "ec2:vpceserviceregion": [request.sent.get("ServiceRegion") or request.region]}
    return keys


@asks("ec2", "CreateTags", "DeleteTags")
def _ec2_tags(request: Request) -> Iterator[Asked]:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html"""
    tags = {one["Key"]: one.get("Value", "") for one in request.sent.get("Tags") or []}
    keys: Values = {"ec2:region": [request.region], "ec2:createaction": None}
    for number in request.sent.get("Resources") or []:
        yield Asked(request.name, _ec2_resource(request, _ec2_type(number), number), tags, keys)


# --- ECS

ECS_SERVICE_ROLE = ("ecs.amazonaws.com", "AWSServiceRoleForECS")


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _cluster(request: Request, name: str | None) -> str:
    return f"arn:aws:ecs:{request.region}:{request.account}:cluster/{_short(name or 'default')}"


def _ecs_resource(request: Request, kind: str, arn: str) -> Resource:
    rest, ecs = arn.split(":", 5)[5], request.ecs
    memory = accounts()[request.account].memory
    names = rest.split("/")[1:]
    tags: Any = None
    keys: Values = {}
    if kind == "cluster":
        cluster = ecs.clusters.get(names[-1])
        tags = cluster.tags if cluster is not None and cluster.status != "INACTIVE" else None
    elif kind in ("service", "task", "container-instance"):
        keys["ecs:cluster"] = [_cluster(request, names[0])]
        if kind == "service":
            service = memory(request.region, "services").get(tuple(names))
            tags = service.moto.tags if service is not None and service.status != "INACTIVE" else None
        elif kind == "task":
            task = next((one for one in memory(request.region, "tasks").values() if one.arn == arn), None)
            tags = task.tags if task is not None else None
    elif kind == "task-definition":
        family, _, revision = names[-1].partition(":")
        definition = ecs.task_definitions.get(family, {}).get(int(revision)) if revision.isdigit() else None
        tags = definition.tags if definition is not None else None
    return Resource(kind, arn, tags_of(tags), keys)


def _ecs_by_arn(request: Request, arn: str) -> Resource:
    parts = arn.split(":", 5)
    if len(parts) < 6:
        raise NotInReference(f"not an ARN of ECS: {arn}")
    return _ecs_resource(request, parts[5].split("/")[0], arn)


def _ecs_keys(request: Request) -> Values:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_service-with-iam.html"""
    sent = request.sent
    network = (sent.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    providers = [one["capacityProvider"] for one in sent.get("capacityProviderStrategy") or []]
    definition = sent.get("taskDefinition")
    if definition and not definition.startswith("arn:"):
        definition = request.arn(f"task-definition/{definition}")

    def one(name: str) -> list[str] | None:
        value = sent.get(name)
        return None if value is None else [str(value).lower() if isinstance(value, bool) else str(value)]

    subnets = network.get("subnets")
    return {
        "ecs:cluster": [_cluster(request, sent.get("cluster"))],
        "ecs:createaction": None,
        "ecs:capacity-provider": providers or sent.get("capacityProviders") or None,
        "ecs:compute-compatibility": sent.get("requiresCompatibilities") or None,
        "ecs:enable-ecs-managed-tags": one("enableECSManagedTags"),
        "ecs:enable-execute-command": one("enableExecuteCommand"),
        "ecs:propagate-tags": one("propagateTags"),
        "ecs:task-cpu": one("cpu"),
        "ecs:task-memory": one("memory"),
        "ecs:task-definition": [definition] if definition else None,
        "ecs:auto-assign-public-ip": [network["assignPublicIp"]] if network.get("assignPublicIp") else None,
        "ecs:subnet": [f"arn:aws:ec2:{request.region}:{request.account}:subnet/{one}" for one in subnets]
        if subnets else None,
    }


def _ecs(request: Request, resources: list[Resource]) -> Iterator[Asked]:
    """The action with each thing, and TagResource for the tags of what is made.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html
    """
    tags = tags_of(request.sent.get("tags"))
    if request.action == "UntagResource":
        tags = {key: "" for key in request.sent.get("tagKeys") or []}
    keys = _ecs_keys(request)
    for resource in resources:
        yield Asked(request.name, resource, tags, keys)
        if tags and request.action.startswith(("Create", "Register")):
            made = {**keys, "ecs:createaction": [request.action]}
            yield Asked("ecs:TagResource", resource, tags, made)


@asks("ecs", "CreateCluster", "DeleteCluster", "DescribeClusters", "PutClusterCapacityProviders", "UpdateCluster",
      "UpdateClusterSettings")
def _clusters(request: Request) -> Iterator[Asked]:
    sent = request.sent
    names = sent.get("clusters") or [sent.get("clusterName") or sent.get("cluster") or "default"]
    yield from _ecs(request, [_ecs_resource(request, "cluster", _cluster(request, name)) for name in names])


@asks("ecs", "CreateService", "DeleteService", "DescribeServices", "UpdateService")
def _services(request: Request) -> Iterator[Asked]:
    sent, cluster = request.sent, _short(request.sent.get("cluster") or "default")
    names = sent.get("services") or [sent.get("serviceName") or sent.get("service") or ""]
    arns = [request.arn(f"service/{cluster}/{_short(name)}") for name in names]
    yield from _ecs(request, [_ecs_resource(request, "service", arn) for arn in arns])


@asks("ecs", "DescribeTasks", "StopTask", "ListTasks")
def _tasks(request: Request) -> Iterator[Asked]:
    """Tasks are listed with the container instances of their cluster for a resource."""
    sent, cluster = request.sent, _short(request.sent.get("cluster") or "default")
    if request.action == "ListTasks":
        arn = request.arn(f"container-instance/{cluster}/*")
        yield from _ecs(request, [_ecs_resource(request, "container-instance", arn)])
        return
    arns = [request.arn(f"task/{cluster}/{_short(one)}") for one in sent.get("tasks") or [sent.get("task") or ""]]
    yield from _ecs(request, [_ecs_resource(request, "task", arn) for arn in arns])


@asks("ecs", "RegisterTaskDefinition")
def _register(request: Request) -> Iterator[Asked]:
    """The roles of a task definition are passed on to its tasks.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security-iam-roles.html
    """
    arn = request.arn(f"task-definition/{request.sent.get('family')}:{NEW}")
    yield from _ecs(request, [Resource("task-definition", arn)])
    for parameter in ("taskRoleArn", "executionRoleArn"):
        name = request.sent.get(parameter)
        if name:
            arn = name if name.startswith("arn:") else _role(request.account, name).arn
            keys: Values = {"iam:passedtoservice": ["ecs-tasks.amazonaws.com"]}
            yield Asked("iam:PassRole", _role_by_arn(arn), keys=keys)


@asks("ecs", "DeleteTaskDefinitions")
def _definitions(request: Request) -> Iterator[Asked]:
    names = [_short(name) for name in request.sent.get("taskDefinitions") or []]
    yield from _ecs(request, [_ecs_resource(request, "task-definition", request.arn(f"task-definition/{name}"))
                              for name in names])


@asks("ecs", "ListTagsForResource", "TagResource", "UntagResource")
def _ecs_tags(request: Request) -> Iterator[Asked]:
    yield from _ecs(request, [_ecs_by_arn(request, request.sent.get("resourceArn") or "")])


# --- Elastic Load Balancing

ELB_SERVICE_ROLE = ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing")
#: The parameter that names the resources of each action.
ELB_PARAMETERS = {
    "AddTags": "ResourceArns",
    "CreateListener": "LoadBalancerArn",
    "CreateRule": "ListenerArn",
    "DeleteListener": "ListenerArn",
    "DeleteLoadBalancer": "LoadBalancerArn",
    "DeleteRule": "RuleArn",
    "DeleteTargetGroup": "TargetGroupArn",
    "DeregisterTargets": "TargetGroupArn",
    "ModifyListener": "ListenerArn",
    "ModifyLoadBalancerAttributes": "LoadBalancerArn",
    "ModifyRule": "RuleArn",
    "ModifyTargetGroup": "TargetGroupArn",
    "ModifyTargetGroupAttributes": "TargetGroupArn",
    "RegisterTargets": "TargetGroupArn",
    "RemoveTags": "ResourceArns",
    "SetRulePriorities": "RulePriorities",
    "SetSecurityGroups": "LoadBalancerArn",
    "SetSubnets": "LoadBalancerArn",
}
LOAD_BALANCER_TYPES = {"application": "app", "gateway": "gwy", "network": "net"}


def _elb_resource(request: Request, arn: str) -> Resource:
    rest = arn.split(":", 5)[5] if arn.count(":") >= 5 else ""
    first, _, after = rest.partition("/")
    kind = first if first == "targetgroup" else f"{first}/{after.partition('/')[0]}"
    if first == "loadbalancer":
        kind += "/"
    return Resource(kind, arn, dict(request.elb.tagging_service.get_tag_dict_for_resource(arn)))


def _elb_keys(request: Request) -> Values:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/security_iam_service-with-iam.html"""
    sent = request.sent
    subnets = [*(sent.get("Subnets") or []), *(one["SubnetId"] for one in sent.get("SubnetMappings") or [])]
    return {
        "elasticloadbalancing:createaction": None,
        "elasticloadbalancing:scheme": [sent.get("Scheme") or "internet-facing"],
        "elasticloadbalancing:securitygroup": sent.get("SecurityGroups") or None,
        "elasticloadbalancing:subnet": subnets or None,
        "elasticloadbalancing:listenerprotocol": [sent["Protocol"]] if sent.get("Protocol") else None,
        "elasticloadbalancing:securitypolicy": [sent["SslPolicy"]] if sent.get("SslPolicy") else None,
    }


@asks("elasticloadbalancing", *ELB_PARAMETERS, "CreateLoadBalancer", "CreateTargetGroup")
def _elb(request: Request) -> Iterator[Asked]:
    """The action with each thing, and AddTags for the tags of what is made.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/tagging-resources-during-creation.html
    """
    sent, keys = request.sent, _elb_keys(request)
    tags = {one["Key"]: one.get("Value", "") for one in sent.get("Tags") or []}
    if request.action == "RemoveTags":
        tags = {key: "" for key in sent.get("TagKeys") or []}
    made = None
    if request.action == "CreateLoadBalancer":
        made = request.arn(f"loadbalancer/{LOAD_BALANCER_TYPES[sent.get('Type') or 'application']}/{sent['Name']}/*")
        resources = [_elb_resource(request, made)]
    elif request.action == "CreateTargetGroup":
        made = request.arn(f"targetgroup/{sent['Name']}/*")
        resources = [_elb_resource(request, made)]
    else:
        given = sent.get(ELB_PARAMETERS[request.action]) or []
        if request.action == "SetRulePriorities":
            given = [one["RuleArn"] for one in given]
        resources = [_elb_resource(request, arn) for arn in ([given] if isinstance(given, str) else given)]
        if request.action == "CreateListener":
            made = resources[0].arn.replace(":loadbalancer/", ":listener/") + "/*"
        elif request.action == "CreateRule":
            made = resources[0].arn.replace(":listener/", ":listener-rule/") + "/*"
    for resource in resources:
        yield Asked(request.name, resource, tags, keys)
    if made and tags:
        created: Values = {**keys, "elasticloadbalancing:createaction": [request.action]}
        yield Asked("elasticloadbalancing:AddTags", _elb_resource(request, made), tags, created)


# --- IAM and STS


def _role(account: str, name: str) -> Resource:
    """A role by its name, which the messages of IAM name too.

    A role that is not there has no path: it is looked for below none.
    """
    from moto.iam.models import iam_backends

    role = next((one for one in iam_backends[account]["aws"].roles.values() if one.name == name), None)
    if role is None:
        return Resource("role", f"arn:aws:iam::{account}:role/{name}", called=f"role {name}")
    boundary = [role.permissions_boundary_arn] if role.permissions_boundary_arn else None
    return Resource("role", role.arn, tags_of(role.tags), {"iam:permissionsboundary": boundary}, f"role {name}")


def _role_by_arn(arn: str) -> Resource:
    """A role of any account, with its tags if it is there."""
    from moto.iam.models import iam_backends

    account = arn.split(":")[4] if arn.count(":") == 5 else ""
    roles = iam_backends[account]["aws"].roles.values() if account.isdigit() else []
    role = next((one for one in roles if one.arn == arn), None)
    return Resource("role", arn, tags_of(role.tags) if role else {})


@asks("iam", "AttachRolePolicy", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DetachRolePolicy",
      "GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRolePolicies",
      "ListRoleTags", "PutRolePermissionsBoundary", "PutRolePolicy", "TagRole", "UntagRole", "UpdateAssumeRolePolicy")
def _roles(request: Request) -> Iterator[Asked]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html"""
    sent, resource = request.sent, _role(request.account, request.sent.get("RoleName") or "")
    keys: Values = {"iam:policyarn": [sent["PolicyArn"]] if sent.get("PolicyArn") else None,
                    "iam:permissionsboundary": resource.keys.get("iam:permissionsboundary"),
                    "iam:roletemplatearn": None}
    if sent.get("PermissionsBoundary"):
        keys["iam:permissionsboundary"] = [sent["PermissionsBoundary"]]
    tags = tags_of(sent.get("Tags")) or {key: "" for key in sent.get("TagKeys") or []}
    yield Asked(request.name, replace(resource, keys={}), tags, keys)


@asks("iam", "CreateRole")
def _create_role(request: Request) -> Iterator[Asked]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html"""
    sent, tags = request.sent, tags_of(request.sent.get("Tags"))
    resource = Resource("role", f"arn:aws:iam::{request.account}:role{sent.get('Path') or '/'}{sent.get('RoleName')}")
    boundary = [sent["PermissionsBoundary"]] if sent.get("PermissionsBoundary") else None
    keys: Values = {"iam:permissionsboundary": boundary, "iam:roletemplatearn": None}
    yield Asked(request.name, resource, tags, keys)
    if tags:
        yield Asked("iam:TagRole", resource, tags, keys)


@asks("iam", "CreatePolicy", "DeletePolicy", "GetPolicy", "GetPolicyVersion")
def _policies(request: Request) -> Iterator[Asked]:
    from moto.iam.models import iam_backends

    sent = request.sent
    arn = sent.get("PolicyArn")
    if not arn:
        arn = f"arn:aws:iam::{request.account}:policy{sent.get('Path') or '/'}{sent.get('PolicyName')}"
    policy = iam_backends[request.account]["aws"].managed_policies.get(arn)
    called = f"policy {arn}" if sent.get("PolicyArn") else ""
    yield Asked(request.name, Resource("policy", arn, tags_of(policy.tags) if policy else {}, called=called),
                tags_of(sent.get("Tags")))


@asks("iam", "CreateServiceLinkedRole")
def _create_service_linked_role(request: Request) -> Iterator[Asked]:
    name = request.sent.get("AWSServiceName") or ""
    yield service_linked_role(request.account, name, f"AWSServiceRoleFor{name.partition('.')[0]}")


def service_linked_role(account: str, service: str, name: str) -> Asked:
    """The role that a service makes itself, on behalf of whoever first needs it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
    """
    resource = Resource("role", f"arn:aws:iam::{account}:role/aws-service-role/{service}/{name}")
    return Asked("iam:CreateServiceLinkedRole", resource, keys={"iam:awsservicename": [service]})


@asks("sts", "AssumeRole")
def _assume_role(request: Request) -> Iterator[Asked]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-sts"""
    sent = request.sent
    external = sent.get("ExternalId")
    keys: Values = {"sts:rolesessionname": [sent.get("RoleSessionName") or ""],
                    "sts:externalid": [external] if external else None}
    yield Asked(request.name, _role_by_arn(sent.get("RoleArn") or ""), tags_of(sent.get("Tags")), keys)


# --- CloudWatch Logs


@asks("logs", "CreateLogGroup", "DeleteLogGroup", "DeleteRetentionPolicy", "ListTagsForResource", "ListTagsLogGroup",
      "PutRetentionPolicy", "TagLogGroup", "TagResource", "UntagResource")
def _log_groups(request: Request) -> Iterator[Asked]:
    """The actions on tags have the ARN of the group, all others that of its streams: a policy has to end in `:*`.

    Tags of a new group need TagResource, or else TagLogGroup.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    """
    sent = request.sent
    arn = sent.get("resourceArn") or request.arn(f"log-group:{sent.get('logGroupName')}")
    group = request.logs.groups.get(arn.partition(":log-group:")[2])
    there = dict(request.logs.tagger.get_tag_dict_for_resource(group.arn)) if group else {}
    tags = dict(sent.get("tags") or {}) if request.action != "UntagResource" else {key: "" for key in sent["tagKeys"]}
    itself = Resource("log-group", arn, there)
    streams = Resource("log-group", f"{arn}:log-stream:", there)
    by_arn = request.action in ("ListTagsForResource", "TagResource", "UntagResource")
    yield Asked(request.name, itself if by_arn else streams, tags)
    if request.action == "CreateLogGroup" and tags:
        yield Asked("logs:TagResource", itself, tags, instead=Asked("logs:TagLogGroup", streams, tags))


#: Actions that make a service-linked role where there is none, with the service and the role's name.
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-service-linked-roles.html
SERVICE_LINKED_ROLES = {
    "ecs:CreateCluster": ECS_SERVICE_ROLE,
    "ecs:CreateService": ECS_SERVICE_ROLE,
    "ecs:PutClusterCapacityProviders": ECS_SERVICE_ROLE,
    "elasticloadbalancing:CreateLoadBalancer": ELB_SERVICE_ROLE,
}
