"""Requests are allowed by policies as AWS evaluates them, where an account enforces them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ..action_reference import actions
from ..managed_policies import DOCUMENTS
from ..policies import PolicyMistake, decide
from ..requested_resources import ASKS
from .conftest import REGION, SESSION, Aws, refused, until

TIER = {"Key": "tier", "Value": "high"}
OTHER = {"Key": "tier", "Value": "low"}
REQUESTED = {"StringEquals": {"aws:RequestTag/tier": "high"}}
TAGGED = {"StringEquals": {"aws:ResourceTag/tier": "high"}}
TASKS = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]}


def allow(*actions: str, on: Any = "*", when: Any = None, **more: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}
    return {**statement, "Condition": when} if when else statement


def deny(*actions: str, on: Any = "*") -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": on}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Limited(Aws):
    """Who has a role in an account."""

    def __init__(self, administrator: Aws, name: str) -> None:
        super().__init__(administrator.endpoint, administrator.account)
        sts = SESSION.client("sts", endpoint_url=administrator.endpoint, region_name=REGION,
                             aws_access_key_id="test", aws_secret_access_key="test")
        role = f"arn:aws:iam::{self.account}:role/{name}"
        made = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
        self.credentials = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"],
                            "aws_session_token": made["SessionToken"]}
        self.administrator, self.name = administrator, name

    def policy(self, *statements: dict[str, Any]) -> None:
        """Has these statements from now on."""
        self.administrator.iam.put_role_policy(RoleName=self.name, PolicyName="p", PolicyDocument=document(*statements))


@pytest.fixture
def limited(aws: Aws) -> Limited:
    """A role without policies, in an account that enforces them."""
    aws.iam.create_role(RoleName="limited", AssumeRolePolicyDocument=json.dumps(TASKS))
    aws.set(enforce_policies=True)
    return Limited(aws, "limited")


def specification(kind: str, *tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": list(tags or (TIER,))}]


def asked(aws: Aws, action: str) -> list[str]:
    """The pairs that the last request of an action was checked for."""
    entry = aws.ask(f"requests?action={action}")["requests"][-1]
    return [f"{one['action']} {one['resource']}" for one in entry["authorized"]]


# --- who is asked


def test_policies_are_asked_only_where_an_account_enforces_them(aws: Aws, limited: Limited) -> None:
    refused("UnauthorizedOperation", limited.ec2.describe_vpcs)
    aws.set(enforce_policies=False)
    limited.ec2.describe_vpcs()
    assert "authorized" not in aws.ask("requests?action=DescribeVpcs")["requests"][-1]


def test_the_administrator_is_never_refused(aws: Aws, limited: Limited) -> None:
    aws.ec2.describe_vpcs()
    aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert "authorized" not in aws.ask("requests?action=CreateVpc")["requests"][-1]


def test_a_role_that_is_deleted_has_no_permissions_left(aws: Aws, limited: Limited) -> None:
    limited.policy(allow("*"))
    limited.ec2.describe_vpcs()
    aws.iam.delete_role_policy(RoleName="limited", PolicyName="p")
    aws.iam.delete_role(RoleName="limited")
    refused("UnauthorizedOperation", limited.ec2.describe_vpcs)


def test_users(aws: Aws, limited: Limited) -> None:
    aws.iam.create_user(UserName="u")
    key = aws.iam.create_access_key(UserName="u")["AccessKey"]
    ecs = boto3.client("ecs", endpoint_url=aws.endpoint, region_name=REGION, aws_access_key_id=key["AccessKeyId"],
                       aws_secret_access_key=key["SecretAccessKey"])
    message = refused("AccessDeniedException", ecs.list_clusters)
    assert message == (f"User: arn:aws:iam::{aws.account}:user/u is not authorized to perform: ecs:ListClusters on "
                       "resource: * because no identity-based policy allows the ecs:ListClusters action")
    aws.iam.create_group(GroupName="g")
    aws.iam.add_user_to_group(GroupName="g", UserName="u")
    aws.iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=document(
        allow("ecs:ListClusters", when={"StringEquals": {"aws:username": "${aws:username}"}})))
    ecs.list_clusters()


def test_caller_identity_needs_no_permission(limited: Limited) -> None:
    limited.policy(deny("sts:*"))
    assert limited.sts.get_caller_identity()["Account"] == limited.account


def test_attached_policies(aws: Aws, limited: Limited) -> None:
    made = aws.iam.create_policy(PolicyName="p", PolicyDocument=document(allow("ec2:DescribeVpcs")))["Policy"]["Arn"]
    aws.iam.attach_role_policy(RoleName="limited", PolicyArn=made)
    limited.ec2.describe_vpcs()
    aws.iam.create_policy_version(PolicyArn=made, PolicyDocument=document(allow("ec2:X")), SetAsDefault=True)
    refused("UnauthorizedOperation", limited.ec2.describe_vpcs)
    aws.iam.attach_role_policy(RoleName="limited", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    limited.ec2.describe_vpcs()


# --- resources, tags, dependent actions


def test_an_exact_policy_is_enough_and_one_action_fewer_is_not(aws: Aws, limited: Limited) -> None:
    vpcs = f"arn:aws:ec2:{REGION}:{aws.account}:vpc/*"
    exact = [
        allow("ec2:CreateVpc", on=vpcs, when=REQUESTED),
        allow("ec2:CreateTags", on=vpcs, when={"StringEquals": {"ec2:CreateAction": "CreateVpc",
                                                                 "aws:RequestTag/tier": "high"}}),
        allow("ec2:DeleteVpc", on=vpcs, when=TAGGED),
        allow("ec2:DescribeVpcs"),
    ]
    calls: list[Callable[[], Any]] = [
        lambda: limited.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification("vpc")),
        lambda: limited.ec2.describe_vpcs(),
    ]

    def run() -> None:
        made = calls[0]()["Vpc"]["VpcId"]
        calls[1]()
        limited.ec2.delete_vpc(VpcId=made)

    limited.policy(*exact)
    run()
    for missing in range(len(exact)):
        limited.policy(*exact[:missing], *exact[missing + 1:])
        action = exact[missing]["Action"][0]
        message = refused("UnauthorizedOperation", run)
        assert f"is not authorized to perform: {action} " in message
        assert message.endswith(f"because no identity-based policy allows the {action} action")
    limited.policy(allow("ec2:CreateVpc", when=REQUESTED), *exact[1:])
    run()


def test_the_message_names_who_what_and_why(aws: Aws, limited: Limited) -> None:
    me = f"arn:aws:sts::{aws.account}:assumed-role/limited/session"
    assert refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16") == (
        f"You are not authorized to perform this operation. User: {me} is not authorized to perform: ec2:CreateVpc on "
        f"resource: arn:aws:ec2:{REGION}:{aws.account}:vpc/* because no identity-based policy allows the ec2:CreateVpc "
        "action")
    assert refused("UnauthorizedOperation", limited.ec2.describe_vpcs).endswith(
        "to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action")
    assert refused("AccessDenied", limited.iam.get_role, RoleName="limited") == (
        f"User: {me} is not authorized to perform: iam:GetRole on resource: role limited because no identity-based "
        "policy allows the iam:GetRole action")
    assert "targetgroup/tg/*" in refused("AccessDenied", limited.elbv2.create_target_group, Name="tg")
    assert "log-group:/a:log-stream:" in refused(
        "AccessDeniedException", limited.logs.create_log_group, logGroupName="/a")
    refused("AccessDenied", limited.sts.assume_role, RoleArn=f"arn:aws:iam::{aws.account}:role/x", RoleSessionName="xx")
    autoscaling = limited.client("application-autoscaling")
    refused("AccessDeniedException", autoscaling.describe_scalable_targets, ServiceNamespace="ecs")
    with pytest.raises(limited.ec2.exceptions.ClientError) as error:
        limited.ec2.describe_vpcs()
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(limited.ecs.exceptions.AccessDeniedException) as other:
        limited.ecs.list_clusters()
    assert other.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_dry_runs_say_what_is_not_allowed(limited: Limited) -> None:
    refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
    limited.policy(allow("ec2:CreateVpc"))
    refused("DryRunOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)


def test_things_with_another_tag(aws: Aws, limited: Limited) -> None:
    network = aws.network()
    limited.policy(allow("ec2:DeleteSubnet", "ec2:CreateTags", when=TAGGED))
    ours, theirs = network.subnets
    aws.ec2.create_tags(Resources=[ours], Tags=[TIER])
    aws.ec2.create_tags(Resources=[theirs], Tags=[OTHER])
    limited.ec2.delete_subnet(SubnetId=ours)
    message = refused("UnauthorizedOperation", limited.ec2.delete_subnet, SubnetId=theirs)
    assert f"subnet/{theirs}" in message
    refused("UnauthorizedOperation", limited.ec2.create_tags, Resources=[theirs], Tags=[TIER])
    aws.ec2.delete_tags(Resources=[theirs], Tags=[{"Key": "tier"}])
    refused("UnauthorizedOperation", limited.ec2.delete_subnet, SubnetId=theirs)
    limited.policy(allow("ec2:DeleteSubnet", when={"Null": {"ec2:ResourceTag/tier": "true"}}))
    limited.ec2.delete_subnet(SubnetId=theirs)


def test_tags_that_a_request_has_to_have(limited: Limited) -> None:
    limited.policy(allow("ec2:CreateVpc", when={**REQUESTED, "ForAllValues:StringEquals": {"aws:TagKeys": ["tier"]}}),
                   allow("ec2:CreateTags"))
    refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16")
    refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16",
            TagSpecifications=specification("vpc", OTHER))
    refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16",
            TagSpecifications=specification("vpc", TIER, {"Key": "more", "Value": "x"}))
    limited.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification("vpc"))


def test_every_resource_has_to_be_allowed(aws: Aws, limited: Limited) -> None:
    network = aws.network()
    aws.ec2.create_tags(Resources=[network.vpc, network.group], Tags=[TIER])
    prefix = f"arn:aws:ec2:{REGION}:{aws.account}:"

    def endpoint() -> Any:
        return limited.ec2.create_vpc_endpoint(
            VpcId=network.vpc, ServiceName="com.amazonaws.us-east-1.logs", VpcEndpointType="Interface",
            SubnetIds=network.subnets[:1], SecurityGroupIds=[network.group],
            TagSpecifications=specification("vpc-endpoint"))

    new = allow("ec2:CreateVpcEndpoint", on=f"{prefix}vpc-endpoint/*", when=REQUESTED)
    there = [allow("ec2:CreateVpcEndpoint", on=f"{prefix}{kind}/*", when=TAGGED)
             for kind in ("vpc", "subnet", "security-group")]
    tags = allow("ec2:CreateTags", when={"StringEquals": {"ec2:CreateAction": "CreateVpcEndpoint"}})
    limited.policy(new, *there, tags)
    assert f"subnet/{network.subnets[0]}" in refused("UnauthorizedOperation", endpoint), "it has no tag"
    aws.ec2.create_tags(Resources=network.subnets, Tags=[TIER])
    for left in there:
        limited.policy(new, *(one for one in there if one is not left), tags)
        assert left["Resource"][:-1] in refused("UnauthorizedOperation", endpoint)
    limited.policy(*there, tags)
    assert "vpc-endpoint/*" in refused("UnauthorizedOperation", endpoint)
    limited.policy(new, *there)
    assert "ec2:CreateTags" in refused("UnauthorizedOperation", endpoint)
    limited.policy(new, *there, tags)
    endpoint()
    assert asked(aws, "CreateVpcEndpoint") == [
        f"ec2:CreateVpcEndpoint {prefix}vpc-endpoint/*", f"ec2:CreateVpcEndpoint {prefix}vpc/{network.vpc}",
        f"ec2:CreateVpcEndpoint {prefix}subnet/{network.subnets[0]}",
        f"ec2:CreateVpcEndpoint {prefix}security-group/{network.group}", f"ec2:CreateTags {prefix}vpc-endpoint/*"]


def test_private_dns_of_endpoints(aws: Aws, limited: Limited) -> None:
    network = aws.network()
    zones = "arn:aws:route53:::hostedzone/*"

    def endpoint(private_dns: bool) -> str:
        return str(limited.ec2.create_vpc_endpoint(
            VpcId=network.vpc, ServiceName="com.amazonaws.us-east-1.logs", VpcEndpointType="Interface",
            SubnetIds=network.subnets, PrivateDnsEnabled=private_dns)["VpcEndpoint"]["VpcEndpointId"])

    create = allow("ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint")
    associate = {"StringEquals": {"route53:VPCs": f"VPCId={network.vpc},VPCRegion={REGION}"}}
    limited.policy(create)
    made = endpoint(False)
    assert f"route53:AssociateVPCWithHostedZone on resource: {zones}" in refused(
        "UnauthorizedOperation", endpoint, private_dns=True)
    refused("UnauthorizedOperation", limited.ec2.modify_vpc_endpoint, VpcEndpointId=made, PrivateDnsEnabled=True)
    limited.ec2.modify_vpc_endpoint(VpcEndpointId=made, PrivateDnsEnabled=False)
    limited.policy(create, allow("route53:AssociateVPCWithHostedZone", on=zones, when=associate))
    limited.ec2.modify_vpc_endpoint(VpcEndpointId=made, PrivateDnsEnabled=True)


def test_rules_of_security_groups(aws: Aws, limited: Limited) -> None:
    group, prefix = aws.network().group, f"arn:aws:ec2:{REGION}:{aws.account}:"
    permission = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]

    def authorize() -> None:
        limited.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission)

    limited.policy(allow("ec2:AuthorizeSecurityGroupIngress", on=f"{prefix}security-group/{group}"))
    assert f"{prefix}security-group-rule/*" in refused("UnauthorizedOperation", authorize)
    limited.policy(allow("ec2:AuthorizeSecurityGroupIngress", on=[f"{prefix}security-group/{group}",
                                                                   f"{prefix}security-group-rule/*"]))
    authorize()


def test_things_are_narrowed_by_their_vpc(aws: Aws, limited: Limited) -> None:
    network, other = aws.network(), aws.network("10.1")
    vpc = f"arn:aws:ec2:{REGION}:{aws.account}:vpc/{network.vpc}"
    limited.policy(allow("ec2:DeleteSubnet", "ec2:DeleteSecurityGroup", when={"ArnEquals": {"ec2:Vpc": vpc}}))
    limited.ec2.delete_subnet(SubnetId=network.subnets[0])
    limited.ec2.delete_security_group(GroupId=network.group)
    refused("UnauthorizedOperation", limited.ec2.delete_subnet, SubnetId=other.subnets[0])
    refused("UnauthorizedOperation", limited.ec2.delete_security_group, GroupId=other.group)


def test_an_association_stands_for_what_it_associates(aws: Aws, limited: Limited) -> None:
    network = aws.network()
    table = aws.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    made = aws.ec2.associate_route_table(RouteTableId=table, SubnetId=network.subnets[0])["AssociationId"]
    limited.policy(allow("ec2:DisassociateRouteTable"))
    limited.ec2.disassociate_route_table(AssociationId=made)
    assert [one.split("/")[1] for one in asked(aws, "DisassociateRouteTable")] == [table, network.subnets[0]]


def test_a_narrowed_resource_does_not_match_an_action_without_resources(aws: Aws, limited: Limited) -> None:
    limited.policy(allow("ec2:DescribeVpcs", on=f"arn:aws:ec2:{REGION}:{aws.account}:vpc/*"),
                   allow("elasticloadbalancing:DescribeTags", on="arn:aws:elasticloadbalancing:*"),
                   allow("ecs:DeregisterTaskDefinition", on="arn:aws:ecs:*:*:task-definition/*"))
    refused("UnauthorizedOperation", limited.ec2.describe_vpcs)
    refused("AccessDenied", limited.elbv2.describe_tags, ResourceArns=[])
    definition = aws.task_definition()
    refused("AccessDeniedException", limited.ecs.deregister_task_definition, taskDefinition=definition)
    limited.policy(allow("ecs:DeregisterTaskDefinition"))
    limited.ecs.deregister_task_definition(taskDefinition=definition)


def test_a_key_that_aws_does_not_have_for_an_action_is_absent(aws: Aws, limited: Limited) -> None:
    definition = aws.ecs.register_task_definition(
        family="f", containerDefinitions=[{"name": "a", "image": "a", "memory": 1}],
        tags=[{"key": "tier", "value": "high"}])["taskDefinition"]["taskDefinitionArn"]
    limited.policy(allow("ecs:DeregisterTaskDefinition", when=TAGGED))
    refused("AccessDeniedException", limited.ecs.deregister_task_definition, taskDefinition=definition)
    network = aws.network()
    balancer, listener = aws.balancer(network)
    rule = aws.rule(listener, aws.target_group(network))
    aws.elbv2.add_tags(ResourceArns=[rule], Tags=[TIER])
    priorities = [{"RuleArn": rule, "Priority": 7}]
    limited.policy(allow("elasticloadbalancing:SetRulePriorities", "elasticloadbalancing:DeleteRule", when=TAGGED))
    refused("AccessDenied", limited.elbv2.set_rule_priorities, RulePriorities=priorities)
    limited.elbv2.delete_rule(RuleArn=rule)
    limited.policy(allow("ec2:CreateSubnet", when={"StringEquals": {"aws:ResourceTag/tier": "high"}}))
    aws.ec2.create_tags(Resources=[network.vpc], Tags=[TIER])
    message = refused("UnauthorizedOperation", limited.ec2.create_subnet, VpcId=network.vpc, CidrBlock="10.0.9.0/24")
    assert "subnet/*" in message, "what is new has no tags"


# --- ECS, Elastic Load Balancing, CloudWatch Logs


def test_ecs(aws: Aws, limited: Limited) -> None:
    aws.ecs.create_cluster(clusterName="first")
    prefix, tags = f"arn:aws:ecs:{REGION}:{aws.account}:", [{"key": "tier", "value": "high"}]
    on_create = {"StringEquals": {"ecs:CreateAction": ["CreateCluster", "RegisterTaskDefinition"],
                                  "aws:RequestTag/tier": "high"}}
    limited.policy(allow("ecs:CreateCluster", on=f"{prefix}cluster/high-*", when=REQUESTED))
    assert "ecs:TagResource" in refused("AccessDeniedException", limited.ecs.create_cluster, clusterName="high-a",
                                        tags=tags)
    limited.policy(allow("ecs:CreateCluster", on=f"{prefix}cluster/high-*", when=REQUESTED),
                   allow("ecs:TagResource", when=on_create),
                   allow("ecs:DeleteCluster", "ecs:DescribeClusters", on=f"{prefix}cluster/*",
                         when={"StringEquals": {"ecs:ResourceTag/tier": "high"}}))
    limited.ecs.create_cluster(clusterName="high-a", tags=tags)
    refused("AccessDeniedException", limited.ecs.create_cluster, clusterName="low-a", tags=tags)
    refused("AccessDeniedException", limited.ecs.delete_cluster, cluster="first")
    refused("AccessDeniedException", limited.ecs.describe_clusters, clusters=["high-a", "first"])
    refused("AccessDeniedException", limited.ecs.tag_resource, resourceArn=f"{prefix}cluster/high-a", tags=tags)
    limited.ecs.describe_clusters(clusters=["high-a"])
    limited.ecs.delete_cluster(cluster="high-a")


def test_services_are_narrowed_by_their_cluster(aws: Aws, limited: Limited) -> None:
    stack = aws.stack()
    stack.create(tags=[{"key": "tier", "value": "low"}])
    cluster = f"arn:aws:ecs:{REGION}:{aws.account}:cluster/"
    limited.policy(allow("ecs:UpdateService", "ecs:DescribeServices", "ecs:ListServices", "ecs:ListTasks",
                         when={"ArnEquals": {"ecs:cluster": f"{cluster}other"}}))
    refused("AccessDeniedException", limited.ecs.describe_services, cluster="c", services=["s"])
    refused("AccessDeniedException", limited.ecs.list_services, cluster="c")
    limited.policy(allow("ecs:UpdateService", "ecs:DescribeServices", "ecs:ListServices", "ecs:ListTasks",
                         when={"ArnEquals": {"ecs:cluster": f"{cluster}c"}}))
    limited.ecs.describe_services(cluster="c", services=["s"])
    limited.ecs.list_services(cluster="c")
    tasks = limited.ecs.list_tasks(cluster="c")["taskArns"]
    assert asked(aws, "ListTasks") == [f"ecs:ListTasks arn:aws:ecs:{REGION}:{aws.account}:container-instance/c/*"]
    limited.ecs.update_service(cluster="c", service="s", desiredCount=1)
    limited.policy(allow("ecs:UpdateService", "ecs:DescribeTasks", when=TAGGED))
    refused("AccessDeniedException", limited.ecs.update_service, cluster="c", service="s", desiredCount=1)
    refused("AccessDeniedException", limited.ecs.describe_tasks, cluster="c", tasks=tasks)


def test_roles_are_passed_to_tasks(aws: Aws, limited: Limited) -> None:
    ours = aws.iam.create_role(RoleName="t", Path="/ours/", AssumeRolePolicyDocument=json.dumps(TASKS))["Role"]["Arn"]
    theirs = aws.iam.create_role(RoleName="u", AssumeRolePolicyDocument=json.dumps(TASKS))["Role"]["Arn"]
    register = allow("ecs:RegisterTaskDefinition", on=f"arn:aws:ecs:{REGION}:{aws.account}:task-definition/family:*")

    def define(role: str = ours) -> Any:
        return limited.ecs.register_task_definition(
            family="family", taskRoleArn=role, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256",
            memory="512", containerDefinitions=[{"name": "app", "image": "app"}])

    def passing(service: str) -> dict[str, Any]:
        return allow("iam:PassRole", on=f"arn:aws:iam::{aws.account}:role/ours/*",
                     when={"StringEquals": {"iam:PassedToService": service}})

    limited.policy(register)
    assert refused("AccessDeniedException", define).endswith(
        f"iam:PassRole on resource: {ours} because no identity-based policy allows the iam:PassRole action")
    limited.policy(register, passing("ec2.amazonaws.com"))
    refused("AccessDeniedException", define)
    limited.policy(register, passing("ecs-tasks.amazonaws.com"))
    define()
    refused("AccessDeniedException", define, role=theirs)
    aws.iam.tag_role(RoleName="t", Tags=[TIER])
    limited.policy(register, allow("iam:PassRole", when=TAGGED))
    refused("AccessDeniedException", define)  # AWS says not to rely on it


def test_load_balancing(aws: Aws, limited: Limited) -> None:
    network = aws.network()
    _, first = aws.balancer(network)
    elb, action = "elasticloadbalancing:", [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    prefix = f"arn:aws:elasticloadbalancing:{REGION}:{aws.account}:"
    on_create = {"StringEquals": {"aws:RequestTag/tier": "high",
                                  f"{elb}CreateAction": ["CreateLoadBalancer", "CreateListener", "CreateRule"]}}
    create = [
        allow(f"{elb}CreateLoadBalancer", on=f"{prefix}loadbalancer/app/high/*", when=REQUESTED),
        allow(f"{elb}CreateListener", on=f"{prefix}loadbalancer/app/high/*", when={"StringEquals": {
            "aws:RequestTag/tier": "high", "aws:ResourceTag/tier": "high"}}),
        allow(f"{elb}CreateRule", on=f"{prefix}listener/app/high/*", when=TAGGED),
    ]
    tags = allow(f"{elb}AddTags", on=[f"{prefix}loadbalancer/app/high/*", f"{prefix}listener/app/high/*",
                                      f"{prefix}listener-rule/app/high/*"], when=on_create)

    def make() -> str:
        balancer = limited.elbv2.create_load_balancer(Name="high", Subnets=network.subnets, Tags=[TIER],
                                                      Scheme="internal")["LoadBalancers"][0]["LoadBalancerArn"]
        listener = limited.elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, Tags=[TIER],
                                                 DefaultActions=action)["Listeners"][0]["ListenerArn"]
        return str(rule(listener))

    def rule(listener: str) -> Any:
        return limited.elbv2.create_rule(
            ListenerArn=listener, Priority=1, Tags=[TIER], Actions=action,
            Conditions=[{"Field": "path-pattern", "Values": ["/a"]}])["Rules"][0]["RuleArn"]

    limited.policy(*create)
    assert f"{elb}AddTags on resource: {prefix}loadbalancer/app/high/*" in refused("AccessDenied", make)
    limited.policy(*create, tags)
    made = make()
    assert asked(aws, "CreateRule")[1] == f"{elb}AddTags {made.rpartition('/')[0]}/*"
    refused("AccessDenied", rule, listener=first)
    limited.policy(allow(f"{elb}DeleteRule", on=f"{prefix}listener-rule/app/high/*"))
    limited.elbv2.delete_rule(RuleArn=made)


def test_log_groups_end_in_a_colon_and_a_star(aws: Aws, limited: Limited) -> None:
    group = f"arn:aws:logs:{REGION}:{aws.account}:log-group:/ours"
    make = {"logGroupName": "/ours", "tags": {"tier": "high"}}
    limited.policy(allow("logs:CreateLogGroup", on=group), allow("logs:TagResource", on=group))
    refused("AccessDeniedException", limited.logs.create_log_group, **make)
    limited.policy(allow("logs:CreateLogGroup", on=f"{group}:*", when=REQUESTED))
    assert f"logs:TagResource on resource: {group} " in refused(
        "AccessDeniedException", limited.logs.create_log_group, **make)
    limited.policy(allow("logs:CreateLogGroup", on=f"{group}:*", when=REQUESTED),
                   allow("logs:TagResource", on=f"{group}:*"))
    refused("AccessDeniedException", limited.logs.create_log_group, **make)
    limited.policy(allow("logs:CreateLogGroup", on=f"{group}:*", when=REQUESTED), allow("logs:TagResource", on=group))
    limited.logs.create_log_group(**make)
    limited.policy(allow("logs:ListTagsForResource", on=f"{group}:*"))
    refused("AccessDeniedException", limited.logs.list_tags_for_resource, resourceArn=group)
    limited.policy(allow("logs:ListTagsForResource", on=group))
    limited.logs.list_tags_for_resource(resourceArn=group)
    refused("AccessDeniedException", limited.logs.delete_log_group, logGroupName="/ours")
    limited.policy(allow("logs:DeleteLogGroup", when={"StringEquals": {"aws:ResourceTag/tier": "low"}}),
                   allow("logs:TagLogGroup", "logs:CreateLogGroup", on=f"{group}:*"))
    refused("AccessDeniedException", limited.logs.delete_log_group, logGroupName="/ours")
    aws.logs.delete_log_group(logGroupName="/ours")
    limited.logs.create_log_group(**make)  # the older action does as well
    limited.policy(allow("logs:DeleteLogGroup", when=TAGGED))
    limited.logs.delete_log_group(logGroupName="/ours")


# --- IAM


def test_paths_of_roles(aws: Aws, limited: Limited) -> None:
    ours = f"arn:aws:iam::{aws.account}:role/ours/*"
    limited.policy(allow("iam:CreateRole", "iam:PutRolePolicy", "iam:GetRole", on=ours))
    trust = json.dumps(TASKS)
    limited.iam.create_role(RoleName="r", Path="/ours/", AssumeRolePolicyDocument=trust)
    assert "iam:TagRole" in refused("AccessDenied", limited.iam.create_role, RoleName="s", Path="/ours/", Tags=[TIER],
                                    AssumeRolePolicyDocument=trust)
    assert "role/theirs/s" in refused("AccessDenied", limited.iam.create_role, RoleName="s", Path="/theirs/",
                                      AssumeRolePolicyDocument=trust)
    refused("AccessDenied", limited.iam.create_role, RoleName="s", AssumeRolePolicyDocument=trust)
    limited.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("s3:*")))
    limited.iam.get_role(RoleName="r")
    assert asked(aws, "GetRole") == [f"iam:GetRole arn:aws:iam::{aws.account}:role/ours/r"]
    refused("AccessDenied", limited.iam.put_role_policy, RoleName="limited", PolicyName="p",
            PolicyDocument=document(allow("*")))
    refused("AccessDenied", limited.iam.get_role, RoleName="none")  # which has no path
    limited.policy(allow("iam:CreateRole", "iam:TagRole", on=ours, when=REQUESTED))
    limited.iam.create_role(RoleName="s", Path="/ours/", Tags=[TIER], AssumeRolePolicyDocument=trust)


def test_roles_that_may_be_assumed(aws: Aws, limited: Limited, new_account: Callable[[], Aws]) -> None:
    """Whoever assumes a role is asked, in their own account, for a role of any."""
    other = new_account()
    role = other.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TASKS), Tags=[TIER])["Role"]["Arn"]
    assume = {"RoleArn": role, "RoleSessionName": "session"}
    refused("AccessDenied", limited.sts.assume_role, **assume)
    limited.policy(allow("sts:AssumeRole", on=f"arn:aws:iam::{other.account}:role/*", when=TAGGED))
    limited.sts.assume_role(**assume)
    other.iam.untag_role(RoleName="r", TagKeys=["tier"])
    refused("AccessDenied", limited.sts.assume_role, **assume)


def test_conditions_on_policies_and_boundaries_of_roles(aws: Aws, limited: Limited) -> None:
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TASKS))
    readers = "arn:aws:iam::aws:policy/SecurityAudit"
    limited.policy(
        allow("iam:AttachRolePolicy", when={"ArnEquals": {"iam:PolicyARN": readers}}),
        allow("iam:PutRolePolicy", "iam:PutRolePermissionsBoundary",
              when={"StringEquals": {"iam:PermissionsBoundary": readers}}))
    limited.iam.attach_role_policy(RoleName="r", PolicyArn=readers)
    refused("AccessDenied", limited.iam.attach_role_policy, RoleName="r",
            PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    put = {"RoleName": "r", "PolicyName": "p", "PolicyDocument": document(allow("s3:*"))}
    refused("AccessDenied", limited.iam.put_role_policy, **put)
    refused("AccessDenied", limited.iam.put_role_permissions_boundary, RoleName="r",
            PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    limited.iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=readers)
    limited.iam.put_role_policy(**put)


def test_permissions_boundaries(aws: Aws, limited: Limited) -> None:
    limited.policy(allow("*"))
    boundary = aws.iam.create_policy(PolicyName="b", PolicyDocument=document(
        allow("ec2:*"), deny("ec2:CreateVpc")))["Policy"]["Arn"]
    limited.ecs.list_clusters()
    aws.iam.put_role_permissions_boundary(RoleName="limited", PermissionsBoundary=boundary)
    limited.ec2.describe_vpcs()
    assert refused("AccessDeniedException", limited.ecs.list_clusters).endswith(
        "because no permissions boundary allows the ecs:ListClusters action")
    assert refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16").endswith(
        "with an explicit deny in a permissions boundary")
    limited.policy(allow("ecs:*"))
    assert refused("UnauthorizedOperation", limited.ec2.describe_vpcs).endswith(
        "because no identity-based policy allows the ec2:DescribeVpcs action")


def test_an_explicit_deny_wins(limited: Limited) -> None:
    limited.policy(allow("*"), deny("ec2:Describe*"))
    assert refused("UnauthorizedOperation", limited.ec2.describe_vpcs).endswith(
        "with an explicit deny in an identity-based policy")
    limited.ecs.list_clusters()


def test_all_actions_but_some(aws: Aws, limited: Limited) -> None:
    limited.policy({"Effect": "Allow", "NotAction": ["iam:*", "ec2:createvpc"], "Resource": "*"})
    limited.ec2.describe_vpcs()
    refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16")
    refused("AccessDenied", limited.iam.list_roles)
    others = f"arn:aws:iam::{aws.account}:role/limited"
    limited.policy({"Effect": "Allow", "Action": "iam:GetRole", "NotResource": others})
    refused("AccessDenied", limited.iam.get_role, RoleName="limited")
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TASKS))
    limited.iam.get_role(RoleName="r")


def test_variables(aws: Aws, limited: Limited) -> None:
    aws.iam.tag_role(RoleName="limited", Tags=[TIER])
    limited.policy(
        allow("ec2:CreateVpc", "ec2:CreateTags", when={
            "StringEquals": {"aws:RequestTag/tier": "${aws:PrincipalTag/tier}"}}),
        allow("iam:GetRole", on="arn:aws:iam::${aws:PrincipalAccount}:role/${aws:PrincipalTag/tier}/*"),
        allow("iam:ListRoleTags", on="arn:aws:iam::${aws:PrincipalAccount}:role/${aws:PrincipalTag/none}*"))
    limited.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification("vpc"))
    refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16",
            TagSpecifications=specification("vpc", OTHER))
    aws.iam.create_role(RoleName="r", Path="/high/", AssumeRolePolicyDocument=json.dumps(TASKS))
    limited.iam.get_role(RoleName="r")
    refused("AccessDenied", limited.iam.get_role, RoleName="limited")
    refused("AccessDenied", limited.iam.list_role_tags, RoleName="r")


def test_roles_that_services_make_themselves(aws: Aws, limited: Limited) -> None:
    role = f"arn:aws:iam::{aws.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/" \
        "AWSServiceRoleForElasticLoadBalancing"
    balancer = {"Name": "b", "Subnets": aws.network().subnets, "Scheme": "internal"}
    create = allow("elasticloadbalancing:CreateLoadBalancer")

    def service(name: str) -> dict[str, Any]:
        return allow("iam:CreateServiceLinkedRole", on=f"arn:aws:iam::{aws.account}:role/aws-service-role/*",
                     when={"StringEquals": {"iam:AWSServiceName": f"{name}.amazonaws.com"}})

    limited.policy(create)
    assert refused("AccessDenied", limited.elbv2.create_load_balancer, **balancer).endswith(
        f"iam:CreateServiceLinkedRole on resource: {role} because no identity-based policy allows the "
        "iam:CreateServiceLinkedRole action")
    limited.policy(create, service("ecs"))
    refused("AccessDenied", limited.elbv2.create_load_balancer, **balancer)
    assert limited.administrator.elbv2.describe_load_balancers()["LoadBalancers"] == []
    limited.policy(create, service("elasticloadbalancing"))
    limited.elbv2.create_load_balancer(**balancer)
    assert asked(aws, "CreateLoadBalancer")[-1] == f"iam:CreateServiceLinkedRole {role}"
    assert aws.iam.get_role(RoleName="AWSServiceRoleForElasticLoadBalancing")["Role"]["Arn"] == role
    limited.policy(create)
    limited.elbv2.create_load_balancer(**{**balancer, "Name": "c"})
    assert len(asked(aws, "CreateLoadBalancer")) == 1, "it is there"


def test_a_cluster_without_the_role_of_ecs(aws: Aws, limited: Limited) -> None:
    """ECS makes the cluster all the same, and what needs the role fails."""
    clusters = allow("ecs:*")
    limited.policy(clusters)
    limited.ecs.create_cluster(clusterName="c")
    assert "iam:CreateServiceLinkedRole" in asked(aws, "CreateCluster")[-1]
    definition = aws.task_definition()
    network = {"awsvpcConfiguration": {"subnets": aws.network().subnets}}
    service = {"cluster": "c", "serviceName": "s", "taskDefinition": definition, "launchType": "FARGATE",
               "networkConfiguration": network}
    providers: dict[str, Any] = {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []}
    for message in (
        refused("InvalidParameterException", limited.ecs.create_service, **service),
        refused("InvalidParameterException", limited.ecs.put_cluster_capacity_providers, cluster="c", **providers),
        refused("InvalidParameterException", limited.ecs.create_cluster, clusterName="d", **providers),
    ):
        assert message.startswith("Unable to assume the service linked role.")
    limited.policy(clusters, allow("iam:CreateServiceLinkedRole"))
    limited.ecs.create_cluster(clusterName="c")
    limited.policy(clusters)
    limited.ecs.create_service(**service)
    assert len(asked(aws, "CreateService")) == 1


def test_a_role_that_a_service_needs_is_made_for_whoever_comes_first(aws: Aws, limited: Limited) -> None:
    aws.balancer(aws.network())
    limited.policy(allow("elasticloadbalancing:CreateLoadBalancer"))
    limited.elbv2.create_load_balancer(Name="b", Subnets=aws.network("10.1").subnets, Scheme="internal")


def test_managed_policies_to_read(aws: Aws, limited: Limited) -> None:
    """Whatever tierctl reads is in AWS's policy for readers."""
    reads = [name for name, one in actions().items() if one.access in ("List", "Read")]
    readers = json.dumps(DOCUMENTS["/", "ReadOnlyAccess"])
    assert [name for name in reads if decide([readers], name, "*", Keys()) != "Allow"] == []
    assert len(reads) > 30
    aws.iam.attach_role_policy(RoleName="limited", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    limited.ec2.describe_vpcs()
    limited.elbv2.describe_load_balancers()
    limited.ecs.list_clusters()
    limited.logs.describe_log_groups()
    limited.iam.get_account_authorization_details()
    limited.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    limited.resourcegroupstaggingapi.get_resources()
    refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16")


# --- all of it


def test_every_action_of_the_table_is_decided(aws: Aws, limited: Limited) -> None:
    """Whoever may do everything uses every action once, and each is checked for resources that the reference has."""
    limited.policy(allow("*"))
    _networks(limited)
    _load_balancers(limited)
    _containers(limited)
    _identities(limited)
    _logs(limited)
    limited.resourcegroupstaggingapi.get_resources()
    requests = [one for one in aws.ask("requests")["requests"] if "authorized" in one]
    checked = {pair["action"] for one in requests for pair in one["authorized"]}
    assert sorted(set(actions()) - checked) == [
        "logs:TagLogGroup", "route53:AssociateVPCWithHostedZone", "sts:GetCallerIdentity"]
    for name, action in actions().items():
        resources = {pair["resource"].split(":", 5)[-1] for one in requests for pair in one["authorized"]
                     if pair["action"] == name}
        for kind in (kind for kind, one in action.resource_types.items() if one.required and name in checked):
            assert any(resource.startswith(kind) for resource in resources), (name, kind)
    moto_lacks = {"ec2:AcceptVpcEndpointConnections", "ec2:RejectVpcEndpointConnections"}
    failed = {f"{one['service']}:{one['action']}": one["error"] for one in requests if one["status"] >= 400}
    assert set(failed) <= moto_lacks, failed


def _networks(limited: Limited) -> None:
    ec2 = limited.ec2
    network = limited.network()
    vpc, subnet, group = network.vpc, network.subnets[0], network.group
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    for describe in ("vpcs", "subnets", "security_groups", "security_group_rules", "route_tables", "internet_gateways",
                     "network_interfaces", "managed_prefix_lists", "prefix_lists", "tags", "vpc_endpoints",
                     "vpc_endpoint_services", "vpc_endpoint_connections", "availability_zones", "regions"):
        getattr(ec2, f"describe_{describe}")()
    ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")
    gateway = ec2.create_internet_gateway(TagSpecifications=specification("internet-gateway"))
    gateway_id = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc)
    first, second = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    ec2.create_route(RouteTableId=first, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway_id)
    ec2.replace_route(RouteTableId=first, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway_id)
    association = ec2.associate_route_table(RouteTableId=first, SubnetId=subnet)["AssociationId"]
    replaced = ec2.replace_route_table_association(AssociationId=association, RouteTableId=second)
    ec2.disassociate_route_table(AssociationId=replaced["NewAssociationId"])
    ec2.delete_route(RouteTableId=first, DestinationCidrBlock="0.0.0.0/0")
    permission = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    for direction in ("ingress", "egress"):
        getattr(ec2, f"authorize_security_group_{direction}")(GroupId=group, IpPermissions=permission)
        getattr(ec2, f"revoke_security_group_{direction}")(GroupId=group, IpPermissions=permission)
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.logs", VpcEndpointType="Interface", SubnetIds=[subnet],
        SecurityGroupIds=[group])["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddSubnetIds=[network.subnets[1]])
    ec2.create_tags(Resources=[endpoint, vpc, group], Tags=[TIER])
    ec2.delete_tags(Resources=[endpoint], Tags=[TIER])
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    until(lambda: not ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
          or ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"] == "deleted")
    ec2.detach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway_id)
    for table in (first, second):
        ec2.delete_route_table(RouteTableId=table)
    ec2.delete_security_group(GroupId=group)
    for one in network.subnets:
        ec2.delete_subnet(SubnetId=one)
    ec2.delete_vpc(VpcId=vpc)
    for decide_on in (ec2.accept_vpc_endpoint_connections, ec2.reject_vpc_endpoint_connections):
        with pytest.raises(ClientError):
            decide_on(ServiceId="vpce-svc-00000000000000000", VpcEndpointIds=[endpoint])


def _load_balancers(limited: Limited) -> None:
    elb, network = limited.elbv2, limited.network("10.1")
    balancer, listener = limited.balancer(network)
    group = limited.target_group(network)
    rule = limited.rule(listener, group)
    target = [{"Id": "10.1.0.9", "Port": 80}]
    elb.add_tags(ResourceArns=[balancer, listener, rule, group], Tags=[TIER])
    elb.remove_tags(ResourceArns=[rule], TagKeys=["tier"])
    elb.describe_tags(ResourceArns=[group])
    elb.describe_load_balancers()
    elb.describe_listeners(LoadBalancerArn=balancer)
    elb.describe_rules(ListenerArn=listener)
    elb.describe_target_groups()
    elb.describe_load_balancer_attributes(LoadBalancerArn=balancer)
    elb.describe_target_group_attributes(TargetGroupArn=group)
    elb.register_targets(TargetGroupArn=group, Targets=target)
    elb.describe_target_health(TargetGroupArn=group)
    elb.deregister_targets(TargetGroupArn=group, Targets=target)
    elb.modify_listener(ListenerArn=listener, Port=81)
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=[
        {"Key": "idle_timeout.timeout_seconds", "Value": "61"}])
    elb.modify_rule(RuleArn=rule, Conditions=[{"Field": "path-pattern", "Values": ["/b"]}])
    elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/x")
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[
        {"Key": "deregistration_delay.timeout_seconds", "Value": "1"}])
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule, "Priority": 5}])
    elb.set_security_groups(LoadBalancerArn=balancer, SecurityGroups=[network.group])
    elb.set_subnets(LoadBalancerArn=balancer, Subnets=network.subnets)
    elb.delete_rule(RuleArn=rule)
    elb.delete_listener(ListenerArn=listener)
    elb.delete_target_group(TargetGroupArn=group)
    elb.delete_load_balancer(LoadBalancerArn=balancer)


def _containers(limited: Limited) -> None:
    ecs, network = limited.ecs, limited.network("10.2")
    tags = [{"key": "tier", "value": "high"}]
    cluster = ecs.create_cluster(clusterName="c", tags=tags)["cluster"]["clusterArn"]
    ecs.put_cluster_capacity_providers(cluster="c", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[])
    ecs.update_cluster_settings(cluster="c", settings=[{"name": "containerInsights", "value": "disabled"}])
    ecs.update_cluster(cluster="c", settings=[{"name": "containerInsights", "value": "disabled"}])
    ecs.describe_clusters(clusters=["c"])
    ecs.list_clusters()
    ecs.tag_resource(resourceArn=cluster, tags=tags)
    ecs.list_tags_for_resource(resourceArn=cluster)
    ecs.untag_resource(resourceArn=cluster, tagKeys=["tier"])
    role = limited.iam.create_role(RoleName="t", AssumeRolePolicyDocument=json.dumps(TASKS))["Role"]["Arn"]
    definition = ecs.register_task_definition(
        family="f", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", tags=tags,
        executionRoleArn=role, containerDefinitions=[{"name": "app", "image": "app"}],
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.describe_task_definition(taskDefinition=definition)
    ecs.list_task_definitions()
    ecs.list_task_definition_families()
    ecs.create_service(
        cluster="c", serviceName="s", taskDefinition=definition, desiredCount=1, launchType="FARGATE", tags=tags,
        networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets}})
    ecs.update_service(cluster="c", service="s", desiredCount=2)
    ecs.describe_services(cluster="c", services=["s"])
    ecs.list_services(cluster="c")
    task = until(lambda: ecs.list_tasks(cluster="c")["taskArns"])[0]
    ecs.describe_tasks(cluster="c", tasks=[task])
    ecs.stop_task(cluster="c", task=task)
    limited.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    ecs.delete_service(cluster="c", service="s", force=True)
    until(lambda: not ecs.list_tasks(cluster="c")["taskArns"] and ecs.describe_services(
        cluster="c", services=["s"])["services"][0]["status"] == "INACTIVE")
    ecs.deregister_task_definition(taskDefinition=definition)
    ecs.delete_task_definitions(taskDefinitions=[definition])
    ecs.delete_cluster(cluster="c")


def _identities(limited: Limited) -> None:
    iam, policy = limited.iam, "arn:aws:iam::aws:policy/SecurityAudit"
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TASKS), Tags=[TIER])
    iam.get_role(RoleName="r")
    iam.list_roles()
    iam.tag_role(RoleName="r", Tags=[TIER])
    iam.list_role_tags(RoleName="r")
    iam.untag_role(RoleName="r", TagKeys=["tier"])
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(TASKS))
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("s3:*")))
    iam.get_role_policy(RoleName="r", PolicyName="p")
    iam.list_role_policies(RoleName="r")
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    iam.attach_role_policy(RoleName="r", PolicyArn=policy)
    iam.list_attached_role_policies(RoleName="r")
    iam.detach_role_policy(RoleName="r", PolicyArn=policy)
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=policy)
    iam.delete_role_permissions_boundary(RoleName="r")
    iam.list_instance_profiles_for_role(RoleName="r")
    iam.get_account_authorization_details()
    made = iam.create_policy(PolicyName="p", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    iam.get_policy(PolicyArn=made)
    iam.get_policy_version(PolicyArn=made, VersionId="v1")
    iam.delete_policy(PolicyArn=made)
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
    limited.sts.assume_role(RoleArn=f"arn:aws:iam::{limited.account}:role/r", RoleSessionName="session")
    limited.sts.get_caller_identity()
    iam.delete_role(RoleName="r")


def _logs(limited: Limited) -> None:
    logs, tags = limited.logs, {"tier": "high"}
    logs.create_log_group(logGroupName="/a", tags=tags)
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags=tags)
    logs.list_tags_for_resource(resourceArn=arn)
    logs.list_tags_log_group(logGroupName="/a")
    logs.untag_resource(resourceArn=arn, tagKeys=["tier"])
    logs.put_retention_policy(logGroupName="/a", retentionInDays=1)
    logs.delete_retention_policy(logGroupName="/a")
    logs.delete_log_group(logGroupName="/a")


# --- what goes into the log, and what cannot be decided


def test_the_log_tells_what_was_asked(aws: Aws, limited: Limited) -> None:
    limited.policy(allow("ec2:CreateVpc"))
    refused("UnauthorizedOperation", limited.ec2.create_vpc, CidrBlock="10.0.0.0/16",
            TagSpecifications=specification("vpc"))
    entry = aws.ask("requests?action=CreateVpc")["requests"][0]
    vpc = f"arn:aws:ec2:{REGION}:{aws.account}:vpc/*"
    assert entry["authorized"] == [{"action": "ec2:CreateVpc", "resource": vpc},
                                   {"action": "ec2:CreateTags", "resource": vpc}]
    assert entry["principal"] == f"arn:aws:sts::{aws.account}:assumed-role/limited/session"
    assert (entry["status"], entry["error"], entry["write"]) == (403, "UnauthorizedOperation", None)
    state = aws.state()
    assert state["refused"] == {"UnauthorizedOperation": 1}
    assert "ec2:CreateVpc" not in state["writes"]


def test_an_action_that_the_table_lacks_is_a_mistake_of_the_bed(aws: Aws, limited: Limited) -> None:
    limited.policy(allow("*"))
    assert "action_reference.json lacks ec2:DescribeInstances" in refused(
        "UnauthorizedOperation", limited.ec2.describe_instances)
    assert "action_reference.json lacks ec2:DescribeInstances" in aws.state()["crashes"][0]
    aws.ec2.describe_instances()
    aws.control(reset_counters=True)


def test_a_policy_that_cannot_be_evaluated_is_refused(aws: Aws, limited: Limited) -> None:
    with pytest.raises(aws.iam.exceptions.MalformedPolicyDocumentException):
        limited.policy(allow("*", when={"StringSounds": {"aws:PrincipalAccount": "x"}}))
    limited.policy(allow("ecs:RegisterTaskDefinition", when={"Bool": {"ecs:privileged": "false"}}))
    assert "does not know ecs:privileged" in refused("AccessDeniedException", limited.task_definition)
    assert len(aws.state()["crashes"]) == 1
    aws.control(reset_counters=True)


def test_every_action_with_resources_says_which() -> None:
    with_resources = {name for name, one in actions().items() if one.resource_types}
    passed_on = {"iam:PassRole", "route53:AssociateVPCWithHostedZone"}
    assert set(ASKS) | passed_on == with_resources


# --- statements and conditions


class Keys:
    """A request with these condition keys."""

    def __init__(self, **keys: Any) -> None:
        self.keys = {name.replace("_", ":", 1): value for name, value in keys.items()}

    def values(self, key: str) -> list[str] | None:
        value = self.keys.get(key.lower())
        return value if value is None or isinstance(value, list) else [value]


@pytest.mark.parametrize(("operator", "wanted", "value", "holds"), [
    ("StringEquals", "a", "a", True),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "a", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIfExists", "a", "b", False),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", "a", "b", True),
    ("StringNotEquals", "a", None, True),
    ("StringEqualsIgnoreCase", "a", "A", True),
    ("StringLike", "a*c?", "abccd", True),
    ("StringLike", "a?", "abc", False),
    ("StringLike", "[a]", "a", False),
    ("StringNotLike", "a*", "ab", False),
    ("ArnLike", "arn:aws:iam::*:role/x/*", "arn:aws:iam::1:role/x/y/z", True),
    ("ArnLike", "arn:*:role/x", "arn:aws:iam::1:role/x", False),
    ("ArnEquals", "arn:aws:iam::1:role/?", "arn:aws:iam::1:role/x", True),
    ("ArnNotEquals", "arn:aws:iam::1:role/x", "arn:aws:iam::1:role/x", False),
    ("Bool", "true", "true", True),
    ("Bool", True, "false", False),
    ("Null", "true", None, True),
    ("Null", "true", "a", False),
    ("Null", "false", "a", True),
    ("NumericLessThan", "10", "9", True),
    ("DateGreaterThan", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z", True),
    ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
    ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False),
    ("ForAllValues:StringEquals", ["a", "b"], ["a"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", ["a"], None, True),
    ("ForAnyValue:StringEquals", ["a"], ["a", "c"], True),
    ("ForAnyValue:StringEquals", ["a"], ["c"], False),
    ("ForAnyValue:StringEquals", ["a"], None, False),
    ("ForAnyValue:StringNotEquals", ["a"], ["a", "c"], True),
    ("ForAllValues:StringNotLike", ["a*"], ["ab", "c"], False),
    ("StringEquals", "${x:other}", "o", True),
    ("StringEquals", "${x:none}", "", False),
    ("StringEquals", "${x:none, 'd'}", "d", True),
    ("StringEquals", "${*}", "*", True),
    ("StringLike", "${*}", "a", False),
    ("StringLike", "${x:star}", "abc", False),
])
def test_condition_operators(operator: str, wanted: Any, value: Any, holds: bool) -> None:
    text = document(allow("a:B", when={operator: {"x:Key": wanted}}))
    context = Keys(x_key=value, x_other="o", x_star="a*")
    assert decide([text], "a:B", "*", context) == ("Allow" if holds else None)


def test_an_operator_that_aws_does_not_have() -> None:
    for operator in ("StringSounds", "ForSomeValues:StringEquals", "stringequals"):
        with pytest.raises(PolicyMistake):
            decide([document(allow("a:B", when={operator: {"x:Key": "a"}}))], "a:B", "*", Keys(x_key="a"))


@pytest.mark.parametrize(("pattern", "arn", "matches"), [
    ("*", "*", True),
    ("arn:aws:ec2:*", "*", False),
    ("arn:aws:ec2:*", "arn:aws:ec2:r:1:vpc/v", True),
    ("arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:r:1:vpc/v", True),
    ("arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:r:1:vpc-endpoint/v", False),
    ("arn:aws:ec2:*:vpc/*", "arn:aws:ec2:r:1:vpc/v", False),
    ("arn:aws:logs:*:*:log-group:/a:*", "arn:aws:logs:r:1:log-group:/a:log-stream:", True),
    ("arn:aws:logs:*:*:log-group:/a", "arn:aws:logs:r:1:log-group:/a:log-stream:", False),
    ("arn:aws:ec2:r:1:vpc/V", "arn:aws:ec2:r:1:vpc/v", False),
])
def test_resources(pattern: str, arn: str, matches: bool) -> None:
    assert decide([document(allow("a:B", on=pattern))], "a:B", arn, Keys()) == ("Allow" if matches else None)


def test_documents_of_an_older_version_have_no_variables() -> None:
    statement = {"Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": {
        "StringEquals": {"x:Key": "${x:key}"}}}
    assert decide([json.dumps({"Statement": statement})], "a:B", "*", Keys(x_key="a")) is None
    assert decide([document(statement)], "a:B", "*", Keys(x_key="a")) == "Allow"
