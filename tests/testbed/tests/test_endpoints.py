"""VPC endpoints and endpoint services."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .conftest import Aws, Network, http, refused, until

ECR = "com.amazonaws.us-east-1.ecr.api"
NAME = "com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f6{:04d}"


def interface(network: Network, **more: Any) -> dict[str, Any]:
    return {"VpcId": network.vpc, "ServiceName": ECR, "VpcEndpointType": "Interface", "SubnetIds": network.subnets,
            "SecurityGroupIds": [network.group], **more}


def make(aws: Aws, network: Network, **more: Any) -> dict[str, Any]:
    return dict(aws.ec2.create_vpc_endpoint(**interface(network, **more))["VpcEndpoint"])


def only(aws: Aws) -> dict[str, Any]:
    found = aws.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    return dict(found[0]) if found else {"State": "gone"}


def seed(aws: Aws, number: int, **more: Any) -> str:
    name = NAME.format(number)
    service = {"name": name, "owner": "999999999999", "allowed_principals": [f"arn:aws:iam::{aws.account}:root"],
               **more}
    http("POST", f"{aws.endpoint}/testbed/endpoint-services", service)
    return name


def test_the_life_of_an_endpoint(aws: Aws) -> None:
    network = aws.network()
    endpoint = make(aws, network, TagSpecifications=[
        {"ResourceType": "vpc-endpoint", "Tags": [{"Key": "a", "Value": "b"}]}])
    assert endpoint["State"] == "pending"
    assert endpoint["Groups"] == [{"GroupId": network.group, "GroupName": "tasks"}]
    assert len(endpoint["NetworkInterfaceIds"]) == 2
    assert endpoint["PrivateDnsEnabled"] is False
    assert endpoint["Tags"] == [{"Key": "a", "Value": "b"}]
    assert endpoint["DnsEntries"][0]["DnsName"].endswith(".ecr.api.us-east-1.vpce.amazonaws.com")
    until(lambda: only(aws)["State"] == "available")
    interfaces = aws.ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])
    addresses = sorted(one["PrivateIpAddress"] for one in interfaces["NetworkInterfaces"])
    assert addresses == ["10.0.0.4", "10.0.1.4"]
    assert aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])["Unsuccessful"] == []
    assert only(aws)["State"] == "deleting"
    refused("DependencyViolation", aws.ec2.delete_security_group, GroupId=network.group)
    refused("DependencyViolation", aws.ec2.delete_subnet, SubnetId=network.subnets[0])
    until(lambda: only(aws)["State"] in ("deleted", "gone"))
    aws.ec2.delete_security_group(GroupId=network.group)
    for subnet in network.subnets:
        aws.ec2.delete_subnet(SubnetId=subnet)
    aws.ec2.delete_vpc(VpcId=network.vpc)
    until(lambda: only(aws)["State"] == "gone")
    failed = aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])["Unsuccessful"]
    assert failed[0]["Error"]["Code"] == "InvalidVpcEndpoint.NotFound"


def test_pending_and_lingering_can_be_switched_off(aws: Aws) -> None:
    aws.off("endpoint-pending", "endpoint-lingering")
    network = aws.network()
    endpoint = make(aws, network)
    assert endpoint["State"] == "available"
    aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    assert only(aws)["State"] == "gone"
    aws.ec2.delete_security_group(GroupId=network.group)


def test_a_client_token_makes_one_endpoint(aws: Aws) -> None:
    network = aws.network()
    first = make(aws, network, ClientToken="token")
    assert make(aws, network, ClientToken="token")["VpcEndpointId"] == first["VpcEndpointId"]
    refused("IdempotentParameterMismatch", aws.ec2.create_vpc_endpoint,
            **interface(network, ClientToken="token", SubnetIds=network.subnets[:1]))
    aws.off("client-token")
    assert make(aws, network, ClientToken="token")["VpcEndpointId"] != first["VpcEndpointId"]


def test_policies(aws: Aws) -> None:
    network = aws.network()
    endpoint = make(aws, network)
    default = json.loads(endpoint["PolicyDocument"])
    assert default["Statement"][0] == {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    until(lambda: only(aws)["State"] == "available")
    policy = {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": ["s3:Get*"], "Resource": "*"}]}
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(policy, indent=2))
    text = only(aws)["PolicyDocument"]
    assert " " not in text
    assert json.loads(text)["Statement"][0]["Action"] == "s3:Get*"
    aws.off("normal-policies")
    assert only(aws)["PolicyDocument"] == json.dumps(policy, indent=2)
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], ResetPolicy=True)
    assert json.loads(only(aws)["PolicyDocument"]) == default
    refused("InvalidParameter", aws.ec2.modify_vpc_endpoint, VpcEndpointId=endpoint["VpcEndpointId"],
            PolicyDocument="{")


def test_modify_subnets_and_groups(aws: Aws) -> None:
    network = aws.network()
    other = aws.ec2.create_security_group(GroupName="other", Description="d", VpcId=network.vpc)["GroupId"]
    endpoint = make(aws, network, SubnetIds=network.subnets[:1])["VpcEndpointId"]
    until(lambda: only(aws)["State"] == "available")
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddSubnetIds=network.subnets[1:], AddSecurityGroupIds=[other],
                                RemoveSecurityGroupIds=[network.group])
    after = only(aws)
    assert sorted(after["SubnetIds"]) == sorted(network.subnets)
    assert [group["GroupId"] for group in after["Groups"]] == [other]
    assert len(after["NetworkInterfaceIds"]) == 2
    aws.ec2.delete_security_group(GroupId=network.group)
    refused("DependencyViolation", aws.ec2.delete_security_group, GroupId=other)
    until(lambda: only(aws)["State"] == "available")
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveSubnetIds=network.subnets[:1])
    assert len(only(aws)["NetworkInterfaceIds"]) == 1
    refused("InvalidVpcEndpointId.NotFound", aws.ec2.modify_vpc_endpoint, VpcEndpointId="vpce-0", ResetPolicy=True)


def test_subnets_and_groups_are_checked(aws: Aws) -> None:
    network = aws.network()
    same_zone = aws.ec2.create_subnet(VpcId=network.vpc, CidrBlock="10.0.9.0/24", AvailabilityZone="us-east-1a")
    create = aws.ec2.create_vpc_endpoint
    refused("DuplicateSubnetsInSameZone", create, **interface(
        network, SubnetIds=[network.subnets[0], same_zone["Subnet"]["SubnetId"]]))
    refused("InvalidGroup.NotFound", create, **interface(network, SecurityGroupIds=["sg-00000000000000000"]))
    refused("InvalidVpcID.NotFound", create, **interface(network, VpcId="vpc-00000000"))
    refused("InvalidSubnetID.NotFound", create, **interface(network, SubnetIds=["subnet-00000000"]))
    refused("InvalidServiceName", create, **interface(network, ServiceName="com.amazonaws.us-east-1.nonsense"))
    refused("InvalidServiceName", create, **interface(network, ServiceName="com.amazonaws.eu-west-1.ecr.api"))
    name = seed(aws, 1, availability_zones=["us-east-1a"])
    message = refused("InvalidParameter", create, **interface(network, ServiceName=name))
    assert "does not support the availability zone" in message
    make(aws, network, ServiceName=name, SubnetIds=network.subnets[:1])


def test_no_group_is_the_default_group(aws: Aws) -> None:
    network = aws.network()
    parameters = interface(network)
    del parameters["SecurityGroupIds"]
    groups = aws.ec2.create_vpc_endpoint(**parameters)["VpcEndpoint"]["Groups"]
    assert groups[0]["GroupName"] == "default"


def test_gateway_endpoints_bring_routes(aws: Aws) -> None:
    network = aws.network()
    tables = [aws.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"] for _ in range(2)]
    name = "com.amazonaws.us-east-1.s3"
    endpoint = aws.ec2.create_vpc_endpoint(VpcId=network.vpc, ServiceName=name, RouteTableIds=tables[:1])["VpcEndpoint"]
    assert (endpoint["VpcEndpointType"], endpoint["State"]) == ("Gateway", "available")
    lists = aws.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [name]}])
    prefix = lists["PrefixLists"][0]["PrefixListId"]

    def routes(table: str) -> list[dict[str, Any]]:
        found = aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return [route for route in found if route.get("DestinationPrefixListId")]

    route = routes(tables[0])[0]
    assert (route["DestinationPrefixListId"], route["GatewayId"]) == (prefix, endpoint["VpcEndpointId"])
    assert "DestinationCidrBlock" not in route
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], AddRouteTableIds=tables[1:],
                                RemoveRouteTableIds=tables[:1])
    assert routes(tables[0]) == []
    assert len(routes(tables[1])) == 1
    assert only(aws)["RouteTableIds"] == tables[1:]
    refused("RouteAlreadyExists", aws.ec2.create_vpc_endpoint, VpcId=network.vpc, ServiceName=name,
            RouteTableIds=tables[1:])
    refused("InvalidParameter", aws.ec2.create_vpc_endpoint, VpcId=network.vpc, ServiceName=ECR)
    cidrs = aws.ec2.describe_prefix_lists(PrefixListIds=[prefix])["PrefixLists"][0]["Cidrs"]
    assert cidrs
    aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    assert routes(tables[1]) == []


def test_private_dns(aws: Aws) -> None:
    network = aws.network()
    first = make(aws, network, PrivateDnsEnabled=True)
    assert "api.ecr.us-east-1.amazonaws.com" in {entry["DnsName"] for entry in first["DnsEntries"]}
    message = refused("InvalidParameter", aws.ec2.create_vpc_endpoint, **interface(network, PrivateDnsEnabled=True))
    assert "conflicting DNS domain" in message
    second = make(aws, network)["VpcEndpointId"]
    until(lambda: {one["State"] for one in aws.ec2.describe_vpc_endpoints()["VpcEndpoints"]} == {"available"})
    refused("InvalidParameter", aws.ec2.modify_vpc_endpoint, VpcEndpointId=second, PrivateDnsEnabled=True)
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=first["VpcEndpointId"], PrivateDnsEnabled=False)
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=second, PrivateDnsEnabled=True)
    found = aws.ec2.describe_vpc_endpoints(VpcEndpointIds=[second])["VpcEndpoints"][0]
    assert found["PrivateDnsEnabled"] is True
    aws.off("private-dns-conflict")
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=first["VpcEndpointId"], PrivateDnsEnabled=True)


def test_private_dns_needs_both_attributes(aws: Aws) -> None:
    network = aws.network()
    aws.ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsHostnames={"Value": False})
    message = refused("InvalidParameter", aws.ec2.create_vpc_endpoint, **interface(network, PrivateDnsEnabled=True))
    assert "enableDnsHostnames" in message
    named = seed(aws, 2)
    aws.ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsHostnames={"Value": True})
    message = refused("InvalidParameter", aws.ec2.create_vpc_endpoint,
                      **interface(network, ServiceName=named, PrivateDnsEnabled=True))
    assert "does not provide a private DNS name" in message
    unverified = seed(aws, 3, private_dns_name="a.example.com", private_dns_verified=False)
    refused("InvalidParameter", aws.ec2.create_vpc_endpoint,
            **interface(network, ServiceName=unverified, PrivateDnsEnabled=True))


def test_seeded_services_and_their_principals(aws: Aws) -> None:
    network = aws.network()
    refused("InvalidServiceName", aws.ec2.create_vpc_endpoint, **interface(network, ServiceName=NAME.format(9999)))
    hidden = seed(aws, 4, allowed_principals=["arn:aws:iam::111111111111:root"])
    refused("InvalidServiceName", aws.ec2.create_vpc_endpoint, **interface(network, ServiceName=hidden))
    refused("InvalidServiceName", aws.ec2.describe_vpc_endpoint_services, ServiceNames=[hidden])
    aws.off("allowed-principals")
    make(aws, network, ServiceName=hidden)
    shown = seed(aws, 5, private_dns_name="bidder.example.com", acceptance_required=True)
    found = aws.ec2.describe_vpc_endpoint_services(ServiceNames=[shown])["ServiceDetails"][0]
    assert found["AcceptanceRequired"] is True
    assert found["PrivateDnsName"] == "bidder.example.com"
    assert found["Owner"] == "999999999999"
    assert "us-east-1a" in found["AvailabilityZones"]


def test_aws_services_are_described(aws: Aws) -> None:
    name = "com.amazonaws.us-east-1.s3"
    found = aws.ec2.describe_vpc_endpoint_services(ServiceNames=[name])["ServiceDetails"]
    assert {one["ServiceType"][0]["ServiceType"] for one in found} == {"Gateway", "Interface"}
    filtered = aws.ec2.describe_vpc_endpoint_services(
        ServiceNames=[name], Filters=[{"Name": "service-type", "Values": ["Gateway"]}])
    assert len(filtered["ServiceDetails"]) == 1
    assert len(aws.ec2.describe_vpc_endpoint_services()["ServiceNames"]) > 200


def test_acceptance(aws: Aws, new_account: Callable[[], Aws]) -> None:
    provider = new_account()
    name = seed(aws, 6, owner=provider.account, acceptance_required=True, private_dns_name="x.example.com")
    service = name.rsplit(".", 1)[-1]
    network = aws.network()
    message = refused("InvalidParameter", aws.ec2.create_vpc_endpoint,
                      **interface(network, ServiceName=name, PrivateDnsEnabled=True))
    assert "accepted by the owner" in message
    endpoint = make(aws, network, ServiceName=name)
    assert endpoint["State"] == "pendingAcceptance"
    refused("InvalidParameter", aws.ec2.modify_vpc_endpoint, VpcEndpointId=endpoint["VpcEndpointId"],
            PrivateDnsEnabled=True)
    connection = provider.ec2.describe_vpc_endpoint_connections(
        Filters=[{"Name": "service-id", "Values": [service]}])["VpcEndpointConnections"][0]
    assert connection["VpcEndpointOwner"] == aws.account
    assert connection["VpcEndpointState"] == "pendingAcceptance"
    theirs = {"ServiceId": service, "VpcEndpointIds": [endpoint["VpcEndpointId"]]}
    refused("InvalidVpcEndpointServiceId.NotFound", aws.ec2.accept_vpc_endpoint_connections, **theirs)
    assert provider.ec2.accept_vpc_endpoint_connections(**theirs)["Unsuccessful"] == []
    assert only(aws)["State"] == "pending"
    until(lambda: only(aws)["State"] == "available")
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PrivateDnsEnabled=True)
    assert only(aws)["PrivateDnsEnabled"] is True
    provider.ec2.reject_vpc_endpoint_connections(**theirs)
    assert only(aws)["State"] == "rejected"
    failed = provider.ec2.accept_vpc_endpoint_connections(ServiceId=service, VpcEndpointIds=["vpce-0"])
    assert failed["Unsuccessful"][0]["Error"]["Code"] == "InvalidVpcEndpointId.NotFound"


def test_acceptance_can_be_switched_off(aws: Aws) -> None:
    name = seed(aws, 7, acceptance_required=True, private_dns_name="y.example.com")
    network = aws.network()
    aws.off("acceptance", "private-dns-before-acceptance")
    assert make(aws, network, ServiceName=name, PrivateDnsEnabled=True)["State"] == "pending"


def test_a_service_of_another_account(aws: Aws, new_account: Callable[[], Aws]) -> None:
    provider = new_account()
    network = provider.network()
    balancer = provider.elbv2.create_load_balancer(Name="nlb", Type="network", Subnets=network.subnets,
                                                   Scheme="internal")["LoadBalancers"][0]
    made = provider.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[balancer["LoadBalancerArn"]], AcceptanceRequired=False)["ServiceConfiguration"]
    ours = aws.network()
    refused("InvalidServiceName", aws.ec2.create_vpc_endpoint, **interface(ours, ServiceName=made["ServiceName"]))
    provider.ec2.modify_vpc_endpoint_service_permissions(
        ServiceId=made["ServiceId"], AddAllowedPrincipals=[f"arn:aws:iam::{aws.account}:root"])
    assert make(aws, ours, ServiceName=made["ServiceName"])["State"] == "pending"


def test_endpoint_quotas(aws: Aws) -> None:
    network = aws.network()
    aws.set(quotas={"interface-endpoints-per-vpc": 1})
    make(aws, network)
    refused("VpcEndpointLimitExceeded", aws.ec2.create_vpc_endpoint, **interface(network))
    aws.off("quota-endpoints")
    make(aws, network)


def test_endpoints_are_filtered_and_paged(aws: Aws) -> None:
    network = aws.network()
    made = [make(aws, network)["VpcEndpointId"] for _ in range(3)]
    describe = aws.ec2.describe_vpc_endpoints
    found = describe(Filters=[{"Name": "vpc-endpoint-id", "Values": made[:2]},
                              {"Name": "service-name", "Values": ["*ecr*"]}])["VpcEndpoints"]
    assert {one["VpcEndpointId"] for one in found} == set(made[:2])
    assert describe(Filters=[{"Name": "vpc-endpoint-state", "Values": ["deleted"]}])["VpcEndpoints"] == []
    refused("InvalidParameterValue", describe, Filters=[{"Name": "subnet-id", "Values": ["x"]}])
    refused("InvalidVpcEndpointId.NotFound", describe, VpcEndpointIds=["vpce-0"])
    page = describe(MaxResults=2)
    rest = describe(MaxResults=2, NextToken=page["NextToken"])
    ids = [one["VpcEndpointId"] for one in page["VpcEndpoints"] + rest["VpcEndpoints"]]
    assert sorted(ids) == sorted(made)
    assert "NextToken" not in rest
    refused("InvalidNextToken", describe, NextToken="nonsense")
