"""The Resource Groups Tagging API: filters, pages, how far it is behind, what it costs and who may ask."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import REGION, SESSION, Aws, Stack, refused, until

TIER = [{"Key": "tier", "Value": "high"}]
LOWER = [{"key": "tier", "value": "high"}]
HIGH = {"Key": "tier", "Values": ["high"]}


def found(aws: Aws, **parameters: Any) -> dict[str, dict[str, str]]:
    """The tags of everything that is listed, in however many pages, by ARN."""
    things: dict[str, dict[str, str]] = {}
    for page in aws.resourcegroupstaggingapi.get_paginator("get_resources").paginate(**parameters):
        for one in page["ResourceTagMappingList"]:
            assert one["ResourceARN"] not in things
            things[one["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
    return things


def kinds(aws: Aws, *filters: str) -> list[str]:
    """The types of what is listed, as the ARNs name them."""
    parts = [arn.split(":", 5) for arn in found(aws, ResourceTypeFilters=list(filters))]
    return sorted(f"{part[2]}:{part[5].replace(':', '/').split('/')[0]}" for part in parts)


def tagged(aws: Aws) -> Stack:
    """One thing at least of every type that the product has, with tags."""
    stack = aws.stack()
    network = stack.network
    table = aws.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    endpoint = aws.ec2.create_vpc_endpoint(
        VpcId=network.vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway",
        RouteTableIds=[table])["VpcEndpoint"]["VpcEndpointId"]
    aws.ec2.create_tags(Resources=[network.vpc, *network.subnets, network.group, table, endpoint], Tags=TIER)
    aws.elbv2.add_tags(ResourceArns=[stack.balancer, stack.listener, stack.group, stack.rule], Tags=TIER)
    aws.logs.create_log_group(logGroupName="/a/b", tags={"tier": "high"})
    cluster = f"arn:aws:ecs:{REGION}:{aws.account}:cluster/c"
    definition = aws.task_definition()
    service = stack.create(definition)["serviceArn"]
    for arn in (cluster, definition, service):
        aws.ecs.tag_resource(resourceArn=arn, tags=LOWER)
    return stack


def test_what_has_tags_is_listed(aws: Aws) -> None:
    stack = tagged(aws)
    ec2 = ["ec2:route-table", "ec2:security-group", "ec2:subnet", "ec2:subnet", "ec2:vpc", "ec2:vpc-endpoint"]
    elb = ["elasticloadbalancing:listener", "elasticloadbalancing:listener-rule", "elasticloadbalancing:loadbalancer",
           "elasticloadbalancing:targetgroup"]
    ecs = ["ecs:cluster", "ecs:service", "ecs:task-definition"]
    assert kinds(aws, "ec2") == ec2
    assert kinds(aws, "elasticloadbalancing") == elb
    assert kinds(aws, "logs") == kinds(aws, "logs:log-group") == ["logs:log-group"]
    assert kinds(aws, "ecs") == ecs
    for kind in {*ec2, *elb, *ecs}:
        assert set(kinds(aws, kind)) == {kind}
    assert kinds(aws, "ecs:cluster", "ec2:subnet") == ["ec2:subnet", "ec2:subnet", "ecs:cluster"]
    assert kinds(aws, "elasticloadbalancing:loadbalancer/app") == ["elasticloadbalancing:loadbalancer"]
    assert kinds(aws, "ecs:serv") == []
    everything = found(aws, TagFilters=[HIGH])
    assert everything[f"arn:aws:ec2:{REGION}:{aws.account}:vpc/{stack.network.vpc}"] == {"tier": "high"}
    assert everything[stack.rule] == everything[stack.group] == {"tier": "high"}
    assert f"arn:aws:logs:{REGION}:{aws.account}:log-group:/a/b" in everything
    assert len(everything) == 14
    other = SESSION.client("resourcegroupstaggingapi", endpoint_url=aws.endpoint, region_name="eu-west-1",
                           **aws.credentials)
    assert other.get_resources()["ResourceTagMappingList"] == []


def test_tasks_have_the_tags_of_their_service(aws: Aws) -> None:
    stack = aws.stack()
    stack.create(tags=LOWER, propagateTags="SERVICE")
    assert len(until(lambda: found(aws, ResourceTypeFilters=["ecs:task"], TagFilters=[HIGH]))) == 2


def test_filters(aws: Aws) -> None:
    names = {"a": {"env": "prod", "tier": "high"}, "b": {"env": "test", "tier": "high"}, "c": {"env": "prod", "x": ""}}
    for name, tags in names.items():
        aws.logs.create_log_group(logGroupName=name, tags=tags)

    def groups(*filters: dict[str, Any]) -> str:
        return "".join(sorted(arn[-1] for arn in found(aws, TagFilters=list(filters))))

    assert groups({"Key": "env", "Values": ["prod"]}) == "ac"
    assert groups({"Key": "env", "Values": ["prod", "test"]}) == groups({"Key": "env"}) == "abc"
    assert groups({"Key": "env", "Values": ["prod"]}, {"Key": "tier", "Values": []}) == "a"
    assert groups({"Key": "env", "Values": ["prod"]}, {"Key": "env", "Values": ["test"]}) == ""
    assert groups({"Key": "x"}) == groups({"Key": "x", "Values": [""]}) == "c"
    assert groups({"Key": "ENV"}) == groups({"Key": "env", "Values": ["pro*"]}) == ""
    arn = f"arn:aws:logs:{REGION}:{aws.account}:log-group:"
    tagging = aws.resourcegroupstaggingapi
    listed = tagging.get_resources(ResourceARNList=[f"{arn}a", f"{arn}nonsense"])
    assert [one["ResourceARN"] for one in listed["ResourceTagMappingList"]] == [f"{arn}a"]
    assert listed["PaginationToken"] == ""
    for more in ({"TagFilters": [HIGH]}, {"ResourceTypeFilters": ["logs"]}, {"ResourcesPerPage": 5},
                 {"TagsPerPage": 100}, {"PaginationToken": "x"}):
        refused("InvalidParameterException", tagging.get_resources, ResourceARNList=[f"{arn}a"], **more)


def test_what_is_refused(aws: Aws) -> None:
    get = aws.resourcegroupstaggingapi.get_resources
    message = refused("InvalidParameterException", get, ResourceTypeFilters=["elbv2:listener"])
    assert message == "Unsupported service=elbv2 in ResourceTypeFilter - elbv2:listener"
    refused("InvalidParameterException", get, ResourcesPerPage=0)
    refused("InvalidParameterException", get, ResourcesPerPage=101)
    refused("InvalidParameterException", get, TagsPerPage=99)
    refused("InvalidParameterException", get, ResourceARNList=["nonsense"])
    refused("InvalidParameterException", get, ExcludeCompliantResources=True)
    message = refused("ValidationException", get, TagFilters=[{"Key": "k", "Values": [str(n) for n in range(21)]}])
    assert "'tagFilters.1.member.values'" in message
    refused("ValidationException", get, TagFilters=[{"Key": str(n)} for n in range(51)])
    refused("ValidationException", get, ResourceTypeFilters=["ec2"] * 101)
    refused("ValidationException", get, ResourceARNList=["arn:aws:ecs:us-east-1:1:cluster/c"] * 101)


def test_what_had_tags_is_listed_without(aws: Aws) -> None:
    """But not what never had any."""
    stack = tagged(aws)
    definition = aws.task_definition(family="other")
    aws.ecs.tag_resource(resourceArn=definition, tags=LOWER)
    aws.ecs.untag_resource(resourceArn=definition, tagKeys=["tier"])
    aws.ec2.delete_tags(Resources=[stack.network.vpc], Tags=[{"Key": "tier"}])
    aws.elbv2.remove_tags(ResourceArns=[stack.rule], TagKeys=["tier"])
    aws.logs.untag_resource(resourceArn=f"arn:aws:logs:{REGION}:{aws.account}:log-group:/a/b", tagKeys=["tier"])
    aws.logs.create_log_group(logGroupName="never")
    without = {arn for arn, tags in found(aws).items() if not tags}
    vpc = f"arn:aws:ec2:{REGION}:{aws.account}:vpc/{stack.network.vpc}"
    assert without == {definition, vpc, stack.rule, f"arn:aws:logs:{REGION}:{aws.account}:log-group:/a/b"}
    assert not without & set(found(aws, TagFilters=[{"Key": "tier"}]))


# --- pages


def test_pages(aws: Aws) -> None:
    for number in range(53):
        aws.logs.create_log_group(logGroupName=f"g{number}", tags={str(tag): "" for tag in range(4)})
    get = aws.resourcegroupstaggingapi.get_resources
    first = get()
    assert len(first["ResourceTagMappingList"]) == 50
    rest = get(PaginationToken=first["PaginationToken"])
    assert len(rest["ResourceTagMappingList"]) == 3
    assert rest["PaginationToken"] == ""
    assert get(ResourcesPerPage=53)["PaginationToken"] == ""
    assert len(found(aws, ResourcesPerPage=7)) == len(found(aws, TagsPerPage=100)) == 53
    assert len(get(TagsPerPage=100)["ResourceTagMappingList"]) == 25
    arn = f"arn:aws:logs:{REGION}:{aws.account}:log-group:g"
    assert len(get(ResourceARNList=[f"{arn}{number}" for number in range(53)])["ResourceTagMappingList"]) == 53
    aws.set(page_size=2)
    assert len(get()["ResourceTagMappingList"]) == 2
    assert len(found(aws)) == 53
    aws.off("pages")
    assert len(get(ResourcesPerPage=1)["ResourceTagMappingList"]) == 53


def test_tokens_run_out(aws: Aws) -> None:
    for name in "abc":
        aws.logs.create_log_group(logGroupName=name, tags={"tier": "high"})
    get = aws.resourcegroupstaggingapi.get_resources
    token = get(ResourcesPerPage=1)["PaginationToken"]
    refused("InvalidParameterException", get, PaginationToken="nonsense")
    assert len(get(PaginationToken=token)["ResourceTagMappingList"]) == 2
    aws.logs.delete_log_group(logGroupName="a")
    aws.logs.create_log_group(logGroupName="d", tags={"tier": "high"})
    assert len(get(PaginationToken=token)["ResourceTagMappingList"]) == 2  # a listing goes on as it began
    aws.set(tagging_token=0)
    refused("PaginationTokenExpiredException", get, PaginationToken=token)


# --- behind


def groups(aws: Aws) -> dict[str, str | None]:
    return {arn.rsplit(":", 1)[1]: tags.get("tier") for arn, tags in found(aws, ResourceTypeFilters=["logs"]).items()}


def test_it_is_behind(aws: Aws) -> None:
    """What is new, tagged otherwise or deleted shows as it was."""
    logs, arn = aws.logs, f"arn:aws:logs:{REGION}:{aws.account}:log-group:"
    for name in ("old", "changed", "deleted"):
        logs.create_log_group(logGroupName=name, tags={"tier": "high"})
    logs.create_log_group(logGroupName="plain")
    before = {"old": "high", "changed": "high", "deleted": "high"}
    aws.set(tagging_lag=1.5)
    logs.create_log_group(logGroupName="new", tags={"tier": "high"})
    logs.tag_resource(resourceArn=f"{arn}changed", tags={"tier": "low"})
    logs.tag_resource(resourceArn=f"{arn}plain", tags={"tier": "late"})
    logs.delete_log_group(logGroupName="deleted")
    assert groups(aws) == before
    after = {"old": "high", "changed": "low", "new": "high", "plain": "late"}
    until(lambda: groups(aws) == after)
    logs.delete_log_group(logGroupName="new")
    logs.create_log_group(logGroupName="new", tags={"tier": "again"})
    assert groups(aws) == after
    aws.set(tagging_lag=0)
    assert groups(aws) == {**after, "new": "again"}


def test_each_change_comes_in_its_time(aws: Aws) -> None:
    aws.set(tagging_lag=0.8)
    aws.logs.create_log_group(logGroupName="g", tags={"tier": "1"})
    seen: list[str | None] = []
    for number in range(2, 13):
        time.sleep(0.2)
        aws.logs.tag_resource(resourceArn=f"arn:aws:logs:{REGION}:{aws.account}:log-group:g",
                              tags={"tier": str(number)})
        seen.append(groups(aws).get("g"))
    assert seen[0] is None
    shown = [int(one) for one in seen if one]
    assert shown == sorted(shown)
    assert 1 < len(set(shown)) and shown[-1] < 12


def test_what_is_deleted_stays_for_a_while(aws: Aws) -> None:
    """Listeners and rules that are deleted with their load balancer too.

    https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2588
    """
    stack = tagged(aws)
    stack.steady()
    aws.set(tagging_lag=1, service_draining=1)
    start = time.monotonic()
    aws.ecs.delete_service(cluster="c", service="s", force=True)
    aws.elbv2.delete_rule(RuleArn=stack.rule)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=stack.balancer)
    gone = {stack.rule, stack.listener, stack.balancer}
    assert gone <= set(found(aws))
    service = f"arn:aws:ecs:{REGION}:{aws.account}:service/c/s"
    until(lambda: not gone & set(found(aws)))
    assert service in found(aws)  # it was DRAINING for a while
    until(lambda: service not in found(aws))
    assert time.monotonic() - start >= 2
    assert f"arn:aws:ecs:{REGION}:{aws.account}:cluster/c" in found(aws)


def test_a_lag_begins_with_what_is_there(aws: Aws) -> None:
    aws.logs.create_log_group(logGroupName="a", tags={"tier": "high"})
    aws.set(tagging_lag=60)
    assert groups(aws) == {"a": "high"}
    aws.logs.create_log_group(logGroupName="b", tags={"tier": "high"})
    assert groups(aws) == {"a": "high"}


# --- as other services


def test_it_is_counted_and_logged(aws: Aws) -> None:
    aws.resourcegroupstaggingapi.get_resources(TagFilters=[HIGH])
    state = aws.state()
    assert state["calls"] == {"tagging:GetResources": 1}
    assert state["writes"] == {}
    logged = aws.ask("requests?service=tagging")["requests"][0]
    assert (logged["action"], logged["status"], logged["region"]) == ("GetResources", 200, REGION)
    assert logged["parameters"] == {"TagFilters": [HIGH]}
    refused("InvalidParameterException", aws.resourcegroupstaggingapi.get_resources, ResourcesPerPage=0)
    assert aws.ask("requests?service=tagging")["requests"][1]["error"] == "InvalidParameterException"


def test_throttling(aws: Aws, new_account: Callable[[], Aws]) -> None:
    aws.set(throttling=True, time_scale=0.001)
    get = aws.resourcegroupstaggingapi.get_resources
    for _ in range(15):
        get()
    assert refused("ThrottledException", get) == "Rate exceeded"
    aws.ecs.list_clusters()
    aws.set(time_scale=100)
    time.sleep(0.05)
    get()
    new_account().resourcegroupstaggingapi.get_resources()


def test_faults_and_latency(aws: Aws) -> None:
    get = aws.resourcegroupstaggingapi.get_resources
    aws.control(faults=[{"effect": "error-before", "action": "tagging:GetResources"}])
    with pytest.raises(ClientError) as error:
        get()
    assert error.value.response["Error"]["Code"] == "InternalServiceException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    get()
    aws.set(latency=0.3)
    start = time.monotonic()
    get()
    assert time.monotonic() - start >= 0.3


def test_sessions_run_out(aws: Aws) -> None:
    aws.control(expire_sessions=True)
    refused("ExpiredTokenException", aws.resourcegroupstaggingapi.get_resources)


def test_who_may_ask(aws: Aws) -> None:
    """It needs its own permission and none of the services'; its action is `tag:GetResources`."""
    aws.logs.create_log_group(logGroupName="a", tags={"tier": "high"})
    aws.iam.create_role(RoleName="limited", AssumeRolePolicyDocument="{}")
    aws.set(enforce_policies=True)
    limited = Aws(aws.endpoint, aws.account)
    made = aws.sts.assume_role(RoleArn=f"arn:aws:iam::{aws.account}:role/limited", RoleSessionName="me")["Credentials"]
    limited.credentials = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"],
                           "aws_session_token": made["SessionToken"]}

    def allow(action: str, resource: str = "*") -> None:
        aws.iam.put_role_policy(RoleName="limited", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}))

    get = limited.resourcegroupstaggingapi.get_resources
    who = f"arn:aws:sts::{aws.account}:assumed-role/limited/me"
    assert refused("AccessDeniedException", get) == (
        f"User: {who} is not authorized to perform: tag:GetResources because no identity-based policy allows the "
        "tag:GetResources action")
    allow("tagging:GetResources")
    refused("AccessDeniedException", get)
    allow("tag:GetResources", f"arn:aws:logs:{REGION}:{aws.account}:*")
    refused("AccessDeniedException", get)
    allow("tag:GetResources")
    assert len(get()["ResourceTagMappingList"]) == 1
    logged = aws.ask("requests?service=tagging")["requests"][-1]
    assert logged["authorized"] == [{"action": "tag:GetResources", "resource": "*"}]
