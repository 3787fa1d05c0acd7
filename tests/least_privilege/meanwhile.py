"""What others have done to our things before the command runs: so what repairs them is used too."""

from __future__ import annotations

from typing import Any

from convergence import specs
from convergence.bed import ACCOUNT, Bed, client
from convergence.foreign import TRUST

TIERS = [{"Name": "tag-key", "Values": ["tierctl:tier"]}]


def network_was_rewired(bed: Bed) -> None:
    """Routes lead elsewhere, a subnet uses a table of theirs, settings are off."""
    ec2 = client(bed, "ec2")
    vpc = ec2.describe_vpcs(Filters=TIERS)["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=TIERS)["Subnets"]
    tables = ec2.describe_route_tables(Filters=TIERS)["RouteTables"]
    gateway = ec2.describe_internet_gateways(Filters=TIERS)["InternetGateways"][0]["InternetGatewayId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    for subnet in subnets:
        ec2.modify_subnet_attribute(
            SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": not subnet["MapPublicIpOnLaunch"]}
        )
    association = next(one for table in tables for one in table["Associations"] if one.get("SubnetId"))
    stray = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.replace_route_table_association(AssociationId=association["RouteTableAssociationId"], RouteTableId=stray)
    interface = ec2.create_network_interface(SubnetId=subnets[0]["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    for table in tables:
        if any(route.get("GatewayId") == gateway for route in table["Routes"]):
            ec2.replace_route(
                RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=interface
            )
            ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="10.99.0.0/16", GatewayId=gateway)


def gateway_was_detached(bed: Bed) -> None:
    """The gateway is in no VPC."""
    ec2 = client(bed, "ec2")
    vpc = ec2.describe_vpcs(Filters=TIERS)["Vpcs"][0]["VpcId"]
    gateway = ec2.describe_internet_gateways(Filters=TIERS)["InternetGateways"][0]["InternetGatewayId"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)


def load_balancer_was_moved(bed: Bed) -> None:
    """It has another security group, its listeners say something else."""
    ec2, elb = client(bed, "ec2"), client(bed, "elbv2")
    vpc = ec2.describe_vpcs(Filters=TIERS)["Vpcs"][0]["VpcId"]
    balancer = next(one for one in elb.describe_load_balancers()["LoadBalancers"] if one["VpcId"] == vpc)
    group = ec2.create_security_group(GroupName="stray", Description="stray", VpcId=vpc)["GroupId"]
    elb.set_security_groups(LoadBalancerArn=balancer["LoadBalancerArn"], SecurityGroups=[group])
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "false"}],
    )
    for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
        elb.modify_listener(
            ListenerArn=listener["ListenerArn"],
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
        )


def roles_were_changed(bed: Bed) -> None:
    """Trust, policies and boundary are others."""
    iam = client(bed, "iam")
    for role in iam.list_roles(PathPrefix="/tierctl/")["Roles"]:
        name = role["RoleName"]
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=TRUST.replace("ecs-tasks", "ec2"))
        iam.put_role_policy(RoleName=name, PolicyName="stray", PolicyDocument=TRUST_NOBODY)
        iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess")


TRUST_NOBODY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}'


def tiers_tags_were_taken(bed: Bed) -> None:
    """The team's own tag is gone wherever a thing of the tier had it."""
    ec2, elb, iam, logs = (client(bed, service) for service in ("ec2", "elbv2", "iam", "logs"))
    found = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["tierctl:tier"]}])["Tags"]
    ec2.delete_tags(Resources=sorted({tag["ResourceId"] for tag in found}), Tags=[{"Key": "team"}])
    for role in iam.list_roles(PathPrefix="/tierctl/")["Roles"]:
        iam.untag_role(RoleName=role["RoleName"], TagKeys=["team"])
    balancers = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"]]
    listeners = [
        one["ListenerArn"] for arn in balancers for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    ]
    _take_tags(elb, [*balancers, *listeners])
    for group in logs.describe_log_groups(logGroupNamePrefix="/tierctl/")["logGroups"]:
        logs.untag_resource(resourceArn=group["arn"].removesuffix(":*"), tagKeys=["team"])


def tenants_tags_were_taken(bed: Bed) -> None:
    """The team's own tag is gone wherever a thing of a tenant had it."""
    elb, ecs = client(bed, "elbv2"), client(bed, "ecs")
    _take_tags(elb, [*_rules(elb), *(one["TargetGroupArn"] for one in elb.describe_target_groups()["TargetGroups"])])
    for cluster in _clusters(ecs):
        ecs.untag_resource(resourceArn=cluster, tagKeys=["team"])
        for service in ecs.list_services(cluster=cluster)["serviceArns"]:
            ecs.untag_resource(resourceArn=service, tagKeys=["team"])


def _take_tags(elb: Any, arns: list[str]) -> None:
    ours = _tagged(elb, arns)
    elb.remove_tags(ResourceArns=ours, TagKeys=["team"])


def _tagged(elb: Any, arns: list[str]) -> list[str]:
    found = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
    return [one["ResourceArn"] for one in found if any(tag["Key"] == "tierctl:tier" for tag in one["Tags"])]


def _rules(elb: Any) -> list[str]:
    """Of all listeners, but for their default rules."""
    balancers = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"]]
    listeners = [
        one["ListenerArn"] for arn in balancers for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    ]
    rules = [rule for arn in listeners for rule in elb.describe_rules(ListenerArn=arn)["Rules"]]
    return [rule["RuleArn"] for rule in rules if not rule["IsDefault"]]


def _clusters(ecs: Any) -> list[str]:
    return [arn for arn in ecs.list_clusters()["clusterArns"] if not arn.endswith("/theirs")]


#: An instance profile with a role of ours.
PROFILE = "stray-profile"


def things_are_used(bed: Bed) -> None:
    """Something of theirs is in a subnet of ours, and a role of ours in a profile."""
    ec2, iam = client(bed, "ec2"), client(bed, "iam")
    subnet = ec2.describe_subnets(Filters=TIERS)["Subnets"][0]["SubnetId"]
    ec2.create_network_interface(SubnetId=subnet, Description="theirs")
    iam.create_instance_profile(InstanceProfileName=PROFILE)
    role = iam.list_roles(PathPrefix="/tierctl/")["Roles"][0]["RoleName"]
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=role)


#: The service of theirs.
STRAY = "stray"


def a_service_was_added(bed: Bed) -> None:
    """Something of theirs stands in a tenant's cluster."""
    client(bed, "ecs").create_service(serviceName=STRAY, desiredCount=0, **_in_a_cluster(bed))


def a_task_was_started(bed: Bed) -> None:
    """Something of theirs runs in a tenant's cluster, and is no service's."""
    client(bed, "ecs").run_task(count=1, **_in_a_cluster(bed))


def _in_a_cluster(bed: Bed) -> dict[str, Any]:
    """What says where something of theirs runs."""
    ec2, ecs = client(bed, "ec2"), client(bed, "ecs")
    subnet = ec2.describe_subnets(Filters=TIERS)["Subnets"][0]
    groups = ec2.describe_security_groups(Filters=[*TIERS, {"Name": "vpc-id", "Values": [subnet["VpcId"]]}])[
        "SecurityGroups"
    ]
    ecs.register_task_definition(
        family="theirs",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "x", "image": "x:1", "cpu": 256, "memory": 512}],
    )
    network = {"subnets": [subnet["SubnetId"]], "securityGroups": [groups[0]["GroupId"]]}
    return {
        "cluster": _clusters(ecs)[0],
        "taskDefinition": "theirs",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": network},
    }


def endpoints_were_narrowed(bed: Bed) -> None:
    """An endpoint is in a subnet less, and the gateway's route is in no table."""
    ec2 = client(bed, "ec2")
    for one in ec2.describe_vpc_endpoints(Filters=TIERS)["VpcEndpoints"]:
        if one["VpcEndpointType"] == "Gateway":
            ec2.modify_vpc_endpoint(VpcEndpointId=one["VpcEndpointId"], RemoveRouteTableIds=one["RouteTableIds"])
        else:
            ec2.modify_vpc_endpoint(VpcEndpointId=one["VpcEndpointId"], RemoveSubnetIds=one["SubnetIds"][:1])


def an_endpoint_waits(bed: Bed) -> None:
    """Somebody has made an endpoint anew, and the owner of its service has to accept it."""
    bed.endpoint_services(
        [{"name": specs.SERVICE, "owner": specs.OWNER, "allowed_principals": ["*"], "acceptance_required": True}]
    )
    ec2 = client(bed, "ec2")
    was = next(
        one for one in ec2.describe_vpc_endpoints(Filters=TIERS)["VpcEndpoints"] if one["ServiceName"] == specs.SERVICE
    )
    ec2.delete_vpc_endpoints(VpcEndpointIds=[was["VpcEndpointId"]])
    ec2.create_vpc_endpoint(
        VpcEndpointType="Interface",
        VpcId=was["VpcId"],
        ServiceName=was["ServiceName"],
        SubnetIds=was["SubnetIds"],
        SecurityGroupIds=[group["GroupId"] for group in was["Groups"]],
        PrivateDnsEnabled=False,
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": was["Tags"]}],
    )


def an_answer_will_be_lost(bed: Bed) -> None:
    """A role is made, and the answer does not arrive: asked again, AWS says that it is there."""
    bed.control(faults=[{"effect": "drop-after", "action": "CreateRole"}])


def tenants_were_changed(bed: Bed) -> None:
    """Clusters and target groups have other settings, and services other revisions and numbers of tasks."""
    elb, ecs = client(bed, "elbv2"), client(bed, "ecs")
    for group in elb.describe_target_groups()["TargetGroups"]:
        arn = group["TargetGroupArn"]
        if not group["TargetGroupName"].startswith("theirs"):
            elb.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/other")
            stickiness = {"Key": "deregistration_delay.timeout_seconds", "Value": "7"}
            elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[stickiness])
    for cluster in _clusters(ecs):
        ecs.put_cluster_capacity_providers(
            cluster=cluster, capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
        )
        ecs.update_cluster_settings(cluster=cluster, settings=[{"name": "containerInsights", "value": "disabled"}])
        for service in ecs.list_services(cluster=cluster)["serviceArns"]:
            ecs.update_service(cluster=cluster, service=service, desiredCount=3)
            running = ecs.describe_services(cluster=cluster, services=[service])["services"][0]["taskDefinition"]
            definition = ecs.describe_task_definition(taskDefinition=running)["taskDefinition"]
            kept = (
                "family",
                "networkMode",
                "requiresCompatibilities",
                "cpu",
                "executionRoleArn",
                "containerDefinitions",
            )
            same = {name: definition[name] for name in kept if name in definition}
            another = ecs.register_task_definition(**same, memory="1024")["taskDefinition"]["taskDefinitionArn"]
            ecs.update_service(cluster=cluster, service=service, taskDefinition=another)


def scalable_target_was_made(bed: Bed) -> None:
    """Autoscaling decides how many tasks a tenant's service has."""
    ecs = client(bed, "ecs")
    cluster = _clusters(ecs)[0]
    service = ecs.list_services(cluster=cluster)["serviceArns"][0]
    client(bed, "application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=service.split(":", 5)[5],
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=4,
        RoleARN=f"arn:aws:iam::{ACCOUNT}:role/theirs",
    )


def rules_were_moved(bed: Bed) -> None:
    """Our rules on another team's listener have places that are not ours."""
    elb = client(bed, "elbv2")
    for number, rule in enumerate(_tagged(elb, _rules(elb))):
        elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule, "Priority": 40_000 + number}])
