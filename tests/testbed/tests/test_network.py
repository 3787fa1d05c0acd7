"""VPCs, subnets, route tables and security groups."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws, refused, until


def test_vpc_attributes(aws: Aws) -> None:
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    assert vpc["OwnerId"] == aws.account

    def attribute(name: str) -> bool:
        key = name[0].upper() + name[1:]
        return bool(aws.ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=name)[key]["Value"])

    assert (attribute("enableDnsSupport"), attribute("enableDnsHostnames")) == (True, False)
    aws.ec2.modify_vpc_attribute(VpcId=vpc["VpcId"], EnableDnsHostnames={"Value": True})
    aws.ec2.modify_vpc_attribute(VpcId=vpc["VpcId"], EnableDnsSupport={"Value": False})
    assert (attribute("enableDnsSupport"), attribute("enableDnsHostnames")) == (False, True)
    refused("InvalidParameterCombination", aws.ec2.modify_vpc_attribute, VpcId=vpc["VpcId"],
            EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True})


def test_a_vpc_in_use_stays(aws: Aws) -> None:
    vpc = aws.vpc()
    gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    refused("DependencyViolation", aws.ec2.delete_vpc, VpcId=vpc)
    aws.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    group = aws.ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    refused("DependencyViolation", aws.ec2.delete_vpc, VpcId=vpc)
    aws.off("vpc-in-use")
    aws.ec2.delete_vpc(VpcId=vpc)
    assert group


def test_a_subnet_in_use_stays(aws: Aws) -> None:
    network = aws.network()
    interface = aws.ec2.create_network_interface(SubnetId=network.subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    refused("DependencyViolation", aws.ec2.delete_subnet, SubnetId=network.subnets[0])
    aws.off("subnet-in-use")
    aws.ec2.delete_subnet(SubnetId=network.subnets[0])
    assert interface


def test_a_deleted_subnet_leaves_its_route_table(aws: Aws) -> None:
    network = aws.network()
    table = aws.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    aws.ec2.associate_route_table(RouteTableId=table, SubnetId=network.subnets[0])
    other = aws.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    refused("Resource.AlreadyAssociated", aws.ec2.associate_route_table, RouteTableId=other,
            SubnetId=network.subnets[0])
    refused("DependencyViolation", aws.ec2.delete_route_table, RouteTableId=table)
    aws.ec2.delete_subnet(SubnetId=network.subnets[0])
    aws.ec2.delete_route_table(RouteTableId=table)


def test_routes(aws: Aws) -> None:
    network = aws.network()
    gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    table = aws.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    aws.ec2.create_route(**route)
    refused("RouteAlreadyExists", aws.ec2.create_route, **route)
    found = aws.ec2.describe_route_tables(Filters=[{"Name": "route.gateway-id", "Values": [gateway]}])["RouteTables"]
    assert [one["RouteTableId"] for one in found] == [table]
    aws.ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")


def test_network_quotas(aws: Aws) -> None:
    aws.set(quotas={"vpcs": 2, "subnets-per-vpc": 1, "security-groups": 3})
    vpc = aws.vpc()
    refused("VpcLimitExceeded", aws.ec2.create_vpc, CidrBlock="10.1.0.0/16")
    aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")
    refused("SubnetLimitExceeded", aws.ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.1.0/24")
    aws.ec2.create_security_group(GroupName="a", Description="d", VpcId=vpc)
    refused("SecurityGroupLimitExceeded", aws.ec2.create_security_group, GroupName="b", Description="d", VpcId=vpc)
    aws.off("quota-vpcs", "quota-subnets", "quota-security-groups")
    aws.vpc("10.1.0.0/16")
    aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    aws.ec2.create_security_group(GroupName="b", Description="d", VpcId=vpc)


def permission(**source: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **source}


def test_security_group_rules(aws: Aws) -> None:
    vpc = aws.vpc()
    groups = [aws.ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"] for name in "ab"]
    rules = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": groups[:1]}])
    default = rules["SecurityGroupRules"][0]
    assert (default["IsEgress"], default["IpProtocol"], default["CidrIpv4"]) == (True, "-1", "0.0.0.0/0")
    assert (default["FromPort"], default["ToPort"], default["GroupOwnerId"]) == (-1, -1, aws.account)
    prefix = aws.ec2.describe_managed_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    added = aws.ec2.authorize_security_group_ingress(
        GroupId=groups[0],
        IpPermissions=[
            permission(IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "net"}]),
            permission(UserIdGroupPairs=[{"GroupId": groups[1], "Description": "group"}]),
            permission(PrefixListIds=[{"PrefixListId": prefix, "Description": "list"}]),
        ],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "b"}]}],
    )["SecurityGroupRules"]
    assert sorted(one["Description"] for one in added) == ["group", "list", "net"]
    assert all(one["Tags"] == [{"Key": "a", "Value": "b"}] for one in added)
    reference = next(one for one in added if "ReferencedGroupInfo" in one)
    assert reference["ReferencedGroupInfo"] == {"GroupId": groups[1], "UserId": aws.account}
    tagged = aws.ec2.describe_security_group_rules(Filters=[{"Name": "tag:a", "Values": ["b"]}])["SecurityGroupRules"]
    assert len(tagged) == 3
    aws.ec2.modify_security_group_rules(GroupId=groups[0], SecurityGroupRules=[{
        "SecurityGroupRuleId": reference["SecurityGroupRuleId"],
        "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 90, "ToPort": 91, "ReferencedGroupId": groups[1],
                              "Description": "changed"}}])
    changed = aws.ec2.describe_security_group_rules(
        SecurityGroupRuleIds=[reference["SecurityGroupRuleId"]])["SecurityGroupRules"][0]
    assert (changed["FromPort"], changed["ToPort"], changed["Description"]) == (90, 91, "changed")
    aws.ec2.create_tags(Resources=[changed["SecurityGroupRuleId"]], Tags=[{"Key": "c", "Value": "d"}])
    refused("InvalidPermission.Duplicate", aws.ec2.authorize_security_group_ingress, GroupId=groups[0],
            IpPermissions=[permission(IpRanges=[{"CidrIp": "11.0.0.0/8"}]),
                           permission(IpRanges=[{"CidrIp": "10.0.0.0/8"}])])
    assert len(aws.ec2.describe_security_group_rules()["SecurityGroupRules"]) >= 5
    refused("DependencyViolation", aws.ec2.delete_security_group, GroupId=groups[1])
    aws.ec2.revoke_security_group_ingress(GroupId=groups[0],
                                          SecurityGroupRuleIds=[one["SecurityGroupRuleId"] for one in added])
    aws.ec2.revoke_security_group_egress(GroupId=groups[0], SecurityGroupRuleIds=[default["SecurityGroupRuleId"]])
    left = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": groups[:1]}])
    assert left["SecurityGroupRules"] == []
    refused("InvalidSecurityGroupRuleId.NotFound", aws.ec2.revoke_security_group_ingress, GroupId=groups[0],
            SecurityGroupRuleIds=["sgr-00000000000000000"])
    aws.ec2.delete_security_group(GroupId=groups[1])


def test_security_groups_in_use_and_their_names(aws: Aws) -> None:
    network = aws.network()
    create = aws.ec2.create_security_group
    refused("InvalidGroup.Duplicate", create, GroupName="TASKS", Description="d", VpcId=network.vpc)
    refused("InvalidParameterValue", create, GroupName="sg-x", Description="d", VpcId=network.vpc)
    aws.ec2.create_network_interface(SubnetId=network.subnets[0], Groups=[network.group])
    refused("DependencyViolation", aws.ec2.delete_security_group, GroupId=network.group)
    default = aws.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network.vpc]},
                                                        {"Name": "group-name", "Values": ["default"]}])
    refused("CannotDelete", aws.ec2.delete_security_group, GroupId=default["SecurityGroups"][0]["GroupId"])
    aws.off("security-group-in-use")
    aws.ec2.delete_security_group(GroupId=network.group)
    refused("InvalidGroup.NotFound", aws.ec2.delete_security_group, GroupId=network.group)


def test_rules_per_group(aws: Aws) -> None:
    network = aws.network()
    aws.set(quotas={"rules-per-security-group": 2})
    ranges = [{"CidrIp": f"10.{number}.0.0/16"} for number in range(3)]
    call = {"GroupId": network.group, "IpPermissions": [permission(IpRanges=ranges)]}
    refused("RulesPerSecurityGroupLimitExceeded", aws.ec2.authorize_security_group_ingress, **call)
    aws.off("quota-security-group-rules")
    aws.ec2.authorize_security_group_ingress(**call)


def test_dry_run_makes_nothing(aws: Aws) -> None:
    before = len(aws.ec2.describe_vpcs()["Vpcs"])
    with pytest.raises(ClientError) as error:
        aws.ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    assert error.value.response["Error"]["Code"] == "DryRunOperation"
    assert len(aws.ec2.describe_vpcs()["Vpcs"]) == before


def test_filters(aws: Aws) -> None:
    network = aws.network()
    aws.ec2.create_tags(Resources=[network.vpc], Tags=[{"Key": "k", "Value": "a value"}])

    def vpcs(**wanted: str) -> list[str]:
        filters = [{"Name": name.replace("__", ":"), "Values": [value]} for name, value in wanted.items()]
        return [vpc["VpcId"] for vpc in aws.ec2.describe_vpcs(Filters=filters)["Vpcs"]]

    assert vpcs(tag__k="a value") == vpcs(tag__k="a*") == vpcs(tag__k="a?value") == [network.vpc]
    assert vpcs(tag__k="A*") == []
    assert vpcs(cidr="10.0.0.0/16") == [network.vpc]
    refused("InvalidParameterValue", aws.ec2.describe_vpcs, Filters=[{"Name": "nonsense", "Values": ["x"]}])
    for describe in ("subnets", "route_tables", "security_groups", "network_interfaces", "internet_gateways",
                     "managed_prefix_lists"):
        refused("InvalidParameterValue", getattr(aws.ec2, f"describe_{describe}"),
                Filters=[{"Name": "nonsense", "Values": ["x"]}])
    refused("InvalidVpcID.NotFound", aws.ec2.describe_vpcs, VpcIds=["vpc-00000000000000000"])
    refused("InvalidSubnetID.NotFound", aws.ec2.describe_subnets, SubnetIds=["subnet-00000000000000000"])
    refused("InvalidGroup.NotFound", aws.ec2.describe_security_groups, GroupIds=["sg-00000000000000000"])


def test_pages(aws: Aws) -> None:
    aws.set(page_size=2)
    paginator = aws.ec2.get_paginator("describe_subnets")
    pages = list(paginator.paginate())
    assert len(pages) == 3
    assert len({subnet["SubnetId"] for page in pages for subnet in page["Subnets"]}) == 6
    refused("InvalidParameterValue", aws.ec2.describe_subnets, MaxResults=2000)
    unchecked = aws.client("ec2", parameter_validation=False)
    refused("InvalidParameterValue", unchecked.describe_subnets, MaxResults=2)
    aws.off("pages")
    assert len(aws.ec2.describe_subnets()["Subnets"]) == 6


def test_lag(aws: Aws) -> None:
    aws.set(read_lag=0.4)
    vpc = aws.vpc(dns=False)
    refused("InvalidVpcID.NotFound", aws.ec2.describe_vpcs, VpcIds=[vpc])
    assert vpc not in [one["VpcId"] for one in aws.ec2.describe_vpcs()["Vpcs"]]
    until(lambda: vpc in [one["VpcId"] for one in aws.ec2.describe_vpcs()["Vpcs"]])
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    refused("InvalidSubnetID.NotFound", aws.ec2.describe_subnets, SubnetIds=[subnet])
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    refused("NoSuchEntity", aws.iam.get_role, RoleName="r")
    assert aws.iam.list_roles()["Roles"] == []
    until(lambda: len(aws.iam.list_roles()["Roles"]) == 1)
    aws.off("read-lag")
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    aws.ec2.describe_subnets(SubnetIds=[subnet])


def test_sets_come_in_an_order_of_their_own(aws: Aws) -> None:
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{
        "ResourceType": "vpc", "Tags": [{"Key": str(number), "Value": "x"} for number in range(8)]}])["Vpc"]["VpcId"]

    def tags() -> list[str]:
        return [tag["Key"] for tag in aws.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]]

    mixed = tags()
    assert mixed == tags()
    assert mixed != sorted(mixed)
    aws.off("order")
    assert tags() == sorted(mixed)
