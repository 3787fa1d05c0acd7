"""What is somebody else's in the account: planted before tierctl comes, and never to be changed by it."""

from __future__ import annotations

import json
from typing import Any

from .bed import REGION, Bed, client

Dump = dict[str, list[dict[str, Any]]]
TAGS = [{"Key": "team", "Value": "theirs"}]
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}],
    }
)


def plant(bed: Bed) -> dict[str, str]:
    """A network, a listener with a rule, a cluster with a service, a role, a log group: ids by name."""
    ec2, elb, ecs = client(bed, "ec2"), client(bed, "elbv2"), client(bed, "ecs")
    vpc = ec2.create_vpc(CidrBlock="10.50.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": TAGS}])["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": True}})
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ids = {"vpc": vpc, "table": table}
    for number, zone in enumerate("ab"):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.50.{number}.0/24", AvailabilityZone=REGION + zone)
        ids[f"subnet-{zone}"] = subnet["Subnet"]["SubnetId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=ids[f"subnet-{zone}"])
    ids["group"] = group(bed, vpc)
    subnets = [ids["subnet-a"], ids["subnet-b"]]
    balancer = elb.create_load_balancer(
        Name="theirs", Subnets=subnets, Scheme="internal", SecurityGroups=[ids["group"]], Tags=TAGS
    )["LoadBalancers"][0]
    target = target_group(bed, vpc, "theirs")
    elb.register_targets(TargetGroupArn=target, Targets=[{"Id": "10.50.0.200", "Port": 80}])
    ids["listener"] = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}],
    )["Listeners"][0]["ListenerArn"]
    for priority in (2, 102):
        rule(bed, ids["listener"], target, priority, f"/theirs-{priority}")
    role = client(bed, "iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=TRUST, Tags=TAGS)["Role"]["Arn"]
    ecs.create_cluster(clusterName="theirs", tags=[{"key": "team", "value": "theirs"}])
    ecs.register_task_definition(
        family="theirs",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=role,
        containerDefinitions=[{"name": "x", "image": "x:1"}],
    )
    ecs.create_service(
        cluster="theirs",
        serviceName="theirs",
        taskDefinition="theirs",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets[:1], "securityGroups": [ids["group"]]}},
    )
    client(bed, "logs").create_log_group(logGroupName="/theirs", tags={"team": "theirs"})
    ids["certificate"] = client(bed, "acm").request_certificate(DomainName="ads.example.com")["CertificateArn"]
    return ids


def plant_inside(bed: Bed) -> None:
    """Things of theirs in the midst of ours: a group in our VPC, and a rule with its target group on our listener."""
    ec2, elb = client(bed, "ec2"), client(bed, "elbv2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "tag-key", "Values": ["tierctl:tier"]}])["Vpcs"][0]["VpcId"]
    group(bed, vpc, "theirs-inside")
    balancers = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"] if one["VpcId"] == vpc]
    listeners = elb.describe_listeners(LoadBalancerArn=balancers[0])["Listeners"]
    listener = max(listeners, key=lambda one: one["Port"])["ListenerArn"]
    rule(bed, listener, target_group(bed, vpc, "theirs-inside"), 2, "/theirs-inside")


def group(bed: Bed, vpc: str, name: str = "theirs") -> str:
    ec2 = client(bed, "ec2")
    made = ec2.create_security_group(
        GroupName=name, Description="theirs", VpcId=vpc, TagSpecifications=[{"ResourceType": "security-group", "Tags": TAGS}]
    )
    ec2.authorize_security_group_ingress(
        GroupId=made["GroupId"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
    )
    return str(made["GroupId"])


def target_group(bed: Bed, vpc: str, name: str) -> str:
    made = client(bed, "elbv2").create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", Tags=TAGS)
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def rule(bed: Bed, listener: str, target: str, priority: int, path: str) -> None:
    client(bed, "elbv2").create_rule(
        ListenerArn=listener,
        Priority=priority,
        Tags=TAGS,
        Conditions=[{"Field": "path-pattern", "Values": [path]}],
        Actions=[{"Type": "forward", "TargetGroupArn": target}],
    )


def things(dump: Dump) -> dict[str, list[str]]:
    """The things of a dump, each as text. A route to an endpoint is the endpoint's: who names a route table to tierctl
    consents to it."""
    texts: dict[str, list[str]] = {}
    for kind, found in dump.items():
        for one in found:
            if kind == "routetables":
                one = {**one, "Routes": [route for route in one["Routes"] if not route.get("GatewayId", "").startswith("vpce-")]}
            texts.setdefault(kind, []).append(json.dumps(one, sort_keys=True))
    return texts


def added(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is in the second and not in the first."""
    return {kind: [text for text in found if text not in before.get(kind, [])] for kind, found in after.items()}


def changed(theirs: dict[str, list[str]], dump: Dump) -> list[str]:
    """What of theirs is not as it was, in words."""
    now = things(dump)
    problems = []
    for kind, found in theirs.items():
        for text in found:
            if text not in now.get(kind, []):
                problems.append(f"something that is not tierctl's has changed or gone: {kind}: it was\n    {text}")
    return problems
