"""Load balancers: one of a name, interfaces in their subnets, attributes with AWS's defaults."""

from __future__ import annotations

import re
from typing import Any

from .clock import now
from .errors import AwsError
from .hooks import Call
from .network import new_interface, set_groups
from .rules import Layer, Plain, Proceed, always, rule

HOSTED_ZONE = "Z35SXDOTRQ7X7K"

#: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "health_check_logs.s3.enabled": "false",
    "health_check_logs.s3.bucket": "",
    "health_check_logs.s3.prefix": "",
    "idle_timeout.timeout_seconds": "60",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
NETWORK_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "false",
    "zonal_shift.config.enabled": "false",
}


def get(call: Call, arn: str) -> Any:
    """A load balancer, or the error that there is none."""
    balancer = call.elb.load_balancers.get(arn)
    if balancer is None:
        raise AwsError("LoadBalancerNotFound", f"Load balancers '[{arn}]' not found")
    return balancer


def rules_of(balancer: Any) -> list[Any]:
    """Its rules, the default ones not among them."""
    return [one for listener in balancer.listeners.values() for one in listener._non_default_rules.values()]


def subnet_ids(sent: Plain) -> list[str]:
    return sent.get("Subnets") or [one["SubnetId"] for one in sent.get("SubnetMappings") or []]


# --- creation


@always("elasticloadbalancing", "CreateLoadBalancer", layer=Layer.BEHAVIOUR)
def create(call: Call, proceed: Proceed) -> Plain:
    """Internet-facing and an application load balancer unless told; in the VPC's default group where none is named.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    sent, ec2 = call.parameters, call.ec2
    sent.setdefault("Scheme", "internet-facing")
    sent.setdefault("Type", "application")
    subnets = _subnets(call, subnet_ids(sent), sent["Type"])
    vpc_id = subnets[0].vpc_id
    if sent["Scheme"] == "internet-facing" and not any(
        gateway.vpc and gateway.vpc.id == vpc_id for gateway in ec2.internet_gateways.values()
    ):
        raise AwsError("InvalidSubnet", f"VPC {vpc_id} has no internet gateway")
    if sent["Type"] == "application" and not sent.get("SecurityGroups"):
        sent["SecurityGroups"] = [ec2.get_default_security_group(vpc_id).id]
    _groups(call, vpc_id, sent.get("SecurityGroups") or [])
    result = proceed()
    balancer = call.elb.load_balancers[result["LoadBalancers"][0]["LoadBalancerArn"]]
    number = int(balancer.arn.rsplit("/", 1)[-1], 16) % 10**10
    prefix = "internal-" if balancer.scheme == "internal" else ""
    balancer.dns_name = f"{prefix}{balancer.name}-{number}.{call.region}.elb.amazonaws.com"
    balancer.canonical_hosted_zone_id = HOSTED_ZONE
    balancer.attrs = dict(ATTRIBUTES if balancer.type == "application" else NETWORK_ATTRIBUTES)
    if balancer.scheme == "internal":
        balancer.attrs["ipv6.deny_all_igw_traffic"] = "true"
    balancer.interfaces = {}
    for subnet in subnets:
        _add_interface(ec2, balancer, subnet.id)
    seconds = call.settings.load_balancer_provisioning
    balancer.provisioned_at = now() + seconds
    return {"LoadBalancers": [_view(call, balancer)]}


def _subnets(call: Call, wanted: list[str], kind: str) -> list[Any]:
    subnets = []
    for subnet_id in wanted:
        found = [zone[subnet_id] for zone in call.ec2.subnets.values() if subnet_id in zone]
        if not found:
            raise AwsError("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist")
        subnets.append(found[0])
    if not subnets:
        raise AwsError("ValidationError", "At least one subnet must be specified")
    zones = [subnet.availability_zone for subnet in subnets]
    if len(set(zones)) != len(zones):
        raise AwsError("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the "
                       "same Availability Zone")
    if kind == "application" and len(zones) < 2:
        raise AwsError("InvalidSubnet", "At least two subnets in two different Availability Zones must be specified")
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise AwsError("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
    return subnets


def _groups(call: Call, vpc_id: str, groups: list[str]) -> None:
    for group_id in groups:
        group = call.ec2.get_security_group_from_id(group_id)
        if group is None or group.vpc_id != vpc_id:
            raise AwsError("InvalidSecurityGroup", f"One or more security groups are invalid: {group_id}")
    limit = call.settings.quota("security-groups-per-interface")
    if len(groups) > limit:
        raise AwsError("InvalidConfigurationRequest", f"At most {limit} security groups can be specified")


def _add_interface(ec2: Any, balancer: Any, subnet_id: str) -> None:
    name = "/".join(balancer.arn.rsplit("/", 3)[-3:])
    interface = new_interface(ec2, subnet_id, balancer.security_groups, f"ELB {name}", requester="amazon-elb")
    balancer.interfaces[subnet_id] = interface.id


@rule("duplicate-load-balancer", "elasticloadbalancing", "CreateLoadBalancer")
def one_of_a_name(call: Call, proceed: Proceed) -> Plain:
    """A second load balancer of a name with the same settings is the first one; with others it is refused.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    sent = call.parameters
    for balancer in call.elb.load_balancers.values():
        if balancer.name != sent["Name"]:
            continue
        groups = sent.get("SecurityGroups")
        same = (
            {subnet.id for subnet in balancer.subnets} == set(subnet_ids(sent))
            and balancer.scheme == sent.get("Scheme", "internet-facing")
            and balancer.type == sent.get("Type", "application")
            and balancer.ip_address_type == sent.get("IpAddressType", "ipv4")
            and (groups is None or set(groups) == set(balancer.security_groups))
        )
        if same:
            return {"LoadBalancers": [_view(call, balancer)]}
        raise AwsError(
            "DuplicateLoadBalancerName",
            f"A load balancer with the same name '{balancer.name}' exists, but with different settings",
        )
    return proceed()


@always("elasticloadbalancing", "CreateLoadBalancer", layer=Layer.CHECK)
def names(call: Call, proceed: Proceed) -> Plain:
    """Up to 32 letters, digits and hyphens, no hyphen at an end, and not like AWS's own internal names.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    name = call.parameters["Name"]
    if not re.fullmatch(r"(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?", name):
        raise AwsError("ValidationError", f"The load balancer name '{name}' is not valid")
    return proceed()


@rule("quota-load-balancers", "elasticloadbalancing", "CreateLoadBalancer")
def balancers_per_region(call: Call, proceed: Proceed) -> Plain:
    """50 application load balancers in a Region.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
    """
    limit = call.settings.quota("load-balancers")
    exists = any(balancer.name == call.parameters["Name"] for balancer in call.elb.load_balancers.values())
    if not exists and len(call.elb.load_balancers) >= limit:
        raise AwsError("TooManyLoadBalancers", f"The maximum number of load balancers has been reached: {limit}")
    return proceed()


# --- what is answered


def _view(call: Call, balancer: Any) -> Plain:
    provisioning = now() < getattr(balancer, "provisioned_at", 0)
    return {
        "LoadBalancerArn": balancer.arn,
        "DNSName": balancer.dns_name,
        "CanonicalHostedZoneId": balancer.canonical_hosted_zone_id,
        "CreatedTime": balancer.created_time,
        "LoadBalancerName": balancer.name,
        "Scheme": balancer.scheme,
        "VpcId": balancer.vpc_id,
        "State": {"Code": "provisioning" if provisioning else "active"},
        "Type": balancer.type,
        "AvailabilityZones": [
            {"ZoneName": subnet.availability_zone, "SubnetId": subnet.id, "LoadBalancerAddresses": []}
            for subnet in balancer.subnets
        ],
        "SecurityGroups": list(balancer.security_groups or []),
        "IpAddressType": balancer.ip_address_type,
    }


@always("elasticloadbalancing", "DescribeLoadBalancers", layer=Layer.BEHAVIOUR)
def describe(call: Call, _proceed: Proceed) -> Plain:
    """All load balancers, or those of these ARNs or names; one that does not exist is an error.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html
    """
    arns, names_asked = call.parameters.get("LoadBalancerArns") or [], call.parameters.get("Names") or []
    if arns and names_asked:
        raise AwsError("ValidationError", "Load balancer names and load balancer ARNs cannot be specified at the same "
                       "time")
    found = list(call.elb.load_balancers.values())
    if arns:
        found = [get(call, arn) for arn in dict.fromkeys(arns)]
    elif names_asked:
        by_name = {balancer.name: balancer for balancer in found}
        missing = [name for name in names_asked if name not in by_name]
        if missing:
            raise AwsError("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
        found = [by_name[name] for name in dict.fromkeys(names_asked)]
    return {"LoadBalancers": [_view(call, balancer) for balancer in found]}


@rule("batch-limits", "elasticloadbalancing", "DescribeLoadBalancers", "DescribeTags")
def twenty(call: Call, proceed: Proceed) -> Plain:
    """At most 20 ARNs in a call.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
    """
    for name in ("LoadBalancerArns", "ResourceArns", "Names"):
        if len(call.parameters.get(name) or []) > 20:
            raise AwsError("ValidationError", f"Up to 20 {name} can be specified")
    return proceed()


# --- change


@always("elasticloadbalancing", "DescribeLoadBalancerAttributes", "ModifyLoadBalancerAttributes",
        layer=Layer.BEHAVIOUR)
def attributes(call: Call, _proceed: Proceed) -> Plain:
    """All attributes with their values; those that the type does not have are refused.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
    """
    balancer = get(call, call.parameters["LoadBalancerArn"])
    changes = {one["Key"]: one.get("Value", "") for one in call.parameters.get("Attributes") or []}
    for name in changes:
        if name not in balancer.attrs:
            raise AwsError("ValidationError", f"Load balancer attribute key '{name}' is not recognized")
    wanted = {**balancer.attrs, **changes}
    for kind in ("access_logs", "connection_logs"):
        if wanted.get(f"{kind}.s3.enabled") == "true" and not wanted[f"{kind}.s3.bucket"]:
            raise AwsError("InvalidConfigurationRequest", f"{kind}.s3.bucket must be set to enable {kind}")
    balancer.attrs = wanted
    return {"Attributes": [{"Key": name, "Value": str(value)} for name, value in balancer.attrs.items()]}


@always("elasticloadbalancing", "SetSecurityGroups", layer=Layer.BEHAVIOUR)
def set_security_groups(call: Call, _proceed: Proceed) -> Plain:
    """The interfaces follow.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSecurityGroups.html
    """
    balancer, groups = get(call, call.parameters["LoadBalancerArn"]), call.parameters["SecurityGroups"]
    _groups(call, balancer.vpc_id, groups)
    balancer.security_groups = list(groups)
    for interface in balancer.interfaces.values():
        set_groups(call.ec2, call.ec2.enis[interface], groups)
    return {"SecurityGroupIds": list(groups)}


@always("elasticloadbalancing", "SetSubnets", layer=Layer.BEHAVIOUR)
def set_subnets(call: Call, _proceed: Proceed) -> Plain:
    """The subnets are exactly these; interfaces come and go with them.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSubnets.html
    """
    balancer = get(call, call.parameters["LoadBalancerArn"])
    subnets = _subnets(call, subnet_ids(call.parameters), balancer.type)
    wanted = {subnet.id for subnet in subnets}
    for subnet_id in list(balancer.interfaces):
        if subnet_id not in wanted:
            call.ec2.enis.pop(balancer.interfaces.pop(subnet_id), None)
    for subnet in subnets:
        if subnet.id not in balancer.interfaces:
            _add_interface(call.ec2, balancer, subnet.id)
    balancer.subnets = subnets
    return {"AvailabilityZones": _view(call, balancer)["AvailabilityZones"], "IpAddressType": balancer.ip_address_type}


@always("elasticloadbalancing", "DeleteLoadBalancer", layer=Layer.BEHAVIOUR)
def delete(call: Call, proceed: Proceed) -> Plain:
    """Not while it is protected. Its listeners and rules go at once, its interfaces after a while.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
    """
    balancer = call.elb.load_balancers.get(call.parameters["LoadBalancerArn"])
    if balancer is None:
        return {}  # deleting what does not exist succeeds
    if balancer.attrs.get("deletion_protection.enabled") == "true":
        raise AwsError(
            "OperationNotPermitted", f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection is "
            "enabled",
        )
    gone = [balancer.arn, *balancer.listeners, *(one.arn for one in rules_of(balancer))]
    result = proceed()
    for arn in gone:
        call.elb.tagging_service.delete_all_tags_for_resource(arn)
    ec2, interfaces = call.ec2, list(balancer.interfaces.values())

    def remove() -> None:
        for interface in interfaces:
            ec2.enis.pop(interface, None)

    call.account.after(call.settings.load_balancer_interfaces_linger, remove)
    return result


#: What DescribeAccountLimits calls the quotas.
LIMITS = {
    "application-load-balancers": "load-balancers",
    "target-groups": "target-groups",
    "targets-per-application-load-balancer": "targets-per-load-balancer",
    "listeners-per-application-load-balancer": "listeners-per-load-balancer",
    "rules-per-application-load-balancer": "rules-per-load-balancer",
    "target-groups-per-application-load-balancer": "target-groups-per-load-balancer",
    "targets-per-target-group": "targets-per-target-group",
    "condition-values-per-alb-rule": "condition-values-per-rule",
}


@always("elasticloadbalancing", "DescribeAccountLimits", layer=Layer.BEHAVIOUR)
def limits(call: Call, _proceed: Proceed) -> Plain:
    """The quotas as they are for the account.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeAccountLimits.html
    """
    return {"Limits": [{"Name": name, "Max": str(call.settings.quota(quota))} for name, quota in LIMITS.items()]}
