"""What others have done to our things before the command runs: so what repairs them is used too."""

from __future__ import annotations

from typing import Any

from convergence.bed import ACCOUNT, Bed, client
from convergence.foreign import TRUST

TIERS = [{"Name": "tag-key", "Values": ["tierctl:tier"]}]


def _named(things: list[dict[str, Any]], start: str) -> dict[str, Any]:
    """The one whose tag `tierctl:resource` starts so."""
    return next(
        one
        for one in things
        for tag in one["Tags"]
        if tag["Key"] == "tierctl:resource" and tag["Value"].startswith(start)
    )


def network_was_rewired(bed: Bed) -> None:
    """Routes lead elsewhere, subnets use other tables, settings are off."""
    ec2 = client(bed, "ec2")
    vpc = ec2.describe_vpcs(Filters=TIERS)["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=TIERS)["Subnets"]
    tables = ec2.describe_route_tables(Filters=TIERS)["RouteTables"]
    gateway = ec2.describe_internet_gateways(Filters=TIERS)["InternetGateways"][0]["InternetGatewayId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    for subnet in subnets:
        ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": not subnet["MapPublicIpOnLaunch"]})
    used = [(table, one) for table in tables for one in table["Associations"] if one.get("SubnetId")]
    others = {table["RouteTableId"] for table, _ in used}
    first, association = used[0]
    another = next(number for number in sorted(others) if number != first["RouteTableId"])
    ec2.replace_route_table_association(AssociationId=association["RouteTableAssociationId"], RouteTableId=another)
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


def tags_were_taken(bed: Bed) -> None:
    """The tags of the team are gone, wherever a thing of the tier had them."""
    ec2, elb, iam, ecs, logs = (client(bed, service) for service in ("ec2", "elbv2", "iam", "ecs", "logs"))
    found = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["tierctl:tier"]}])["Tags"]
    ec2.delete_tags(Resources=sorted({tag["ResourceId"] for tag in found}), Tags=[{"Key": "team"}])
    for role in iam.list_roles(PathPrefix="/tierctl/")["Roles"]:
        iam.untag_role(RoleName=role["RoleName"], TagKeys=["team"])
    arns = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"]]
    arns += [one["ListenerArn"] for arn in list(arns) for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]]
    arns += [one["TargetGroupArn"] for one in elb.describe_target_groups()["TargetGroups"]]
    for one in elb.describe_tags(ResourceArns=arns)["TagDescriptions"]:
        if any(tag["Key"] == "tierctl:tier" for tag in one["Tags"]):
            elb.remove_tags(ResourceArns=[one["ResourceArn"]], TagKeys=["team"])
    for cluster in ecs.list_clusters()["clusterArns"]:
        if not cluster.endswith("/theirs"):
            ecs.untag_resource(resourceArn=cluster, tagKeys=["team"])
            for service in ecs.list_services(cluster=cluster)["serviceArns"]:
                ecs.untag_resource(resourceArn=service, tagKeys=["team"])
    for group in logs.describe_log_groups(logGroupNamePrefix="/tierctl/")["logGroups"]:
        logs.untag_resource(resourceArn=group["arn"].removesuffix(":*"), tagKeys=["team"])


def tenants_were_changed(bed: Bed) -> None:
    """Rules in other places, clusters with other settings, revisions, health checks and targets that nobody asked for."""
    elb, ecs = client(bed, "elbv2"), client(bed, "ecs")
    for group in elb.describe_target_groups()["TargetGroups"]:
        arn = group["TargetGroupArn"]
        if not group["TargetGroupName"].startswith("theirs"):
            elb.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/other")
            stickiness = {"Key": "deregistration_delay.timeout_seconds", "Value": "7"}
            elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[stickiness])
    for cluster in ecs.list_clusters()["clusterArns"]:
        if cluster.endswith("/theirs"):
            continue
        ecs.put_cluster_capacity_providers(cluster=cluster, capacityProviders=[], defaultCapacityProviderStrategy=[])
        ecs.update_cluster_settings(cluster=cluster, settings=[{"name": "containerInsights", "value": "enabled"}])
        for service in ecs.list_services(cluster=cluster)["serviceArns"]:
            ecs.update_service(cluster=cluster, service=service, desiredCount=3)
            running = ecs.describe_services(cluster=cluster, services=[service])["services"][0]["taskDefinition"]
            definition = ecs.describe_task_definition(taskDefinition=running)["taskDefinition"]
            kept = ("family", "networkMode", "requiresCompatibilities", "cpu", "executionRoleArn", "containerDefinitions")
            same = {name: definition[name] for name in kept if name in definition}
            another = ecs.register_task_definition(**same, memory="1024")["taskDefinition"]["taskDefinitionArn"]
            ecs.update_service(cluster=cluster, service=service, taskDefinition=another)


def scalable_target_was_made(bed: Bed) -> None:
    """Autoscaling decides how many tasks a tenant's service has."""
    ecs = client(bed, "ecs")
    cluster = next(arn for arn in ecs.list_clusters()["clusterArns"] if not arn.endswith("/theirs"))
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
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            rules = [one["RuleArn"] for one in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"] if not one["IsDefault"]]
            for number, one in enumerate(elb.describe_tags(ResourceArns=rules)["TagDescriptions"] if rules else []):
                if any(tag["Key"] == "tierctl:tier" for tag in one["Tags"]):
                    place = {"RuleArn": one["ResourceArn"], "Priority": 40_000 + number}
                    elb.set_rule_priorities(RulePriorities=[place])
