"""IAM roles and CloudWatch Logs groups."""

from __future__ import annotations

import json

from .conftest import Aws, refused

TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": ["ecs-tasks.amazonaws.com"]}}]}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": ["*"]}]}
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def role(aws: Aws, name: str = "r") -> str:
    return str(aws.iam.create_role(RoleName=name, Path="/a/b/", AssumeRolePolicyDocument=json.dumps(TRUST),
                                   Tags=[{"Key": "a", "Value": "b"}])["Role"]["Arn"])


def test_roles(aws: Aws) -> None:
    arn = role(aws)
    assert arn == f"arn:aws:iam::{aws.account}:role/a/b/r"
    refused("EntityAlreadyExists", aws.iam.create_role, RoleName="R", AssumeRolePolicyDocument="{}")
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(POLICY))
    aws.iam.attach_role_policy(RoleName="r", PolicyArn=EXECUTION)
    refused("NoSuchEntity", aws.iam.attach_role_policy, RoleName="r", PolicyArn="arn:aws:iam::aws:policy/Nonsense")
    found = aws.iam.get_role(RoleName="r")["Role"]
    assert found["MaxSessionDuration"] == 3600
    assert found["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"
    assert found["Tags"] == [{"Key": "a", "Value": "b"}]
    assert "Tags" not in aws.iam.list_roles()["Roles"][0]
    document = aws.iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"]
    assert document["Statement"][0]["Resource"] == "*"
    detail = aws.iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"][0]
    assert detail["AttachedManagedPolicies"][0]["PolicyArn"] == EXECUTION
    assert detail["RolePolicyList"][0]["PolicyDocument"] == document
    assert detail["AssumeRolePolicyDocument"] == found["AssumeRolePolicyDocument"]
    refused("DeleteConflict", aws.iam.delete_role, RoleName="r")
    aws.iam.detach_role_policy(RoleName="r", PolicyArn=EXECUTION)
    refused("DeleteConflict", aws.iam.delete_role, RoleName="r")
    aws.off("normal-policies")
    assert aws.iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"] == POLICY
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    aws.iam.delete_role(RoleName="r")
    refused("NoSuchEntity", aws.iam.get_role, RoleName="r")
    refused("MalformedPolicyDocument", aws.iam.create_role, RoleName="x", AssumeRolePolicyDocument="{")
    refused("NoSuchEntity", aws.iam.create_role, RoleName="x", AssumeRolePolicyDocument="{}",
            PermissionsBoundary=f"arn:aws:iam::{aws.account}:policy/none")


def test_permissions_boundary(aws: Aws) -> None:
    boundary = aws.iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(POLICY))["Policy"]["Arn"]
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}", PermissionsBoundary=boundary)
    found = aws.iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]
    assert found["PermissionsBoundaryArn"] == boundary
    aws.iam.delete_role_permissions_boundary(RoleName="r")
    assert "PermissionsBoundary" not in aws.iam.get_role(RoleName="r")["Role"]
    refused("NoSuchEntity", aws.iam.put_role_permissions_boundary, RoleName="r",
            PermissionsBoundary="arn:aws:iam::aws:policy/Nonsense")


def test_role_quotas(aws: Aws) -> None:
    role(aws)
    aws.set(quotas={"roles": 1, "policies-per-role": 0, "inline-policy-characters": 10})
    refused("LimitExceeded", aws.iam.create_role, RoleName="s", AssumeRolePolicyDocument="{}")
    refused("LimitExceeded", aws.iam.attach_role_policy, RoleName="r", PolicyArn=EXECUTION)
    refused("LimitExceeded", aws.iam.put_role_policy, RoleName="r", PolicyName="p", PolicyDocument=json.dumps(POLICY))
    aws.off("quota-roles", "quota-role-policies")
    role(aws, "s")
    aws.iam.attach_role_policy(RoleName="r", PolicyArn=EXECUTION)


def test_roles_come_in_pages(aws: Aws) -> None:
    for name in "abc":
        role(aws, name)
    page = aws.iam.get_account_authorization_details(Filter=["Role"], MaxItems=2)
    assert page["IsTruncated"] is True
    rest = aws.iam.get_account_authorization_details(Filter=["Role"], MaxItems=2, Marker=page["Marker"])
    names = {one["RoleName"] for one in page["RoleDetailList"] + rest["RoleDetailList"]}
    assert names == {"a", "b", "c"}
    assert rest["IsTruncated"] is False


def test_log_groups(aws: Aws) -> None:
    aws.logs.create_log_group(logGroupName="/a/b", tags={"a": "b"})
    refused("ResourceAlreadyExistsException", aws.logs.create_log_group, logGroupName="/a/b")
    refused("InvalidParameterException", aws.logs.create_log_group, logGroupName="a b")
    aws.logs.put_retention_policy(logGroupName="/a/b", retentionInDays=30)
    refused("InvalidParameterException", aws.logs.put_retention_policy, logGroupName="/a/b", retentionInDays=31)
    group = aws.logs.describe_log_groups(logGroupNamePrefix="/a")["logGroups"][0]
    assert group["retentionInDays"] == 30
    assert group["arn"] == f"arn:aws:logs:us-east-1:{aws.account}:log-group:/a/b:*"
    assert group["logGroupClass"] == "STANDARD"
    arn = group["logGroupArn"]
    assert aws.logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b"}
    refused("InvalidParameterException", aws.logs.list_tags_for_resource, resourceArn=group["arn"])
    aws.logs.tag_resource(resourceArn=arn, tags={"c": "d"})
    aws.logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert aws.logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
    aws.logs.delete_log_group(logGroupName="/a/b")
    refused("ResourceNotFoundException", aws.logs.list_tags_for_resource, resourceArn=arn)
    for number in range(60):
        aws.logs.create_log_group(logGroupName=f"g{number}")
    page = aws.logs.describe_log_groups()
    assert len(page["logGroups"]) == 50
    assert len(aws.logs.describe_log_groups(nextToken=page["nextToken"])["logGroups"]) == 10
