"""Target groups: one of a name, attributes with AWS's defaults, and targets that become healthy, drain and go."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from .accounts import Account
from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, always, rule

#: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "slow_start.duration_seconds": "0",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
RANGES = {
    "deregistration_delay.timeout_seconds": (0, 3600),
    "slow_start.duration_seconds": (0, 900),
    "stickiness.lb_cookie.duration_seconds": (1, 604800),
    "stickiness.app_cookie.duration_seconds": (1, 604800),
}

#: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
REASONS = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "unhealthy": ("Target.FailedHealthChecks", "Health checks failed"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "unused": ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"),
}


@dataclass(eq=False)
class Target:
    """One registered address and port."""

    id: str
    port: int
    zone: str
    state: str = "initial"
    healthy: bool = True

    def as_json(self, health_port: str, in_use: bool) -> Plain:
        state = self.state if in_use or self.state == "draining" else "unused"
        health: Plain = {"State": state}
        if state in REASONS:
            health["Reason"], health["Description"] = REASONS[state]
        port = str(self.port) if health_port == "traffic-port" else health_port
        return {
            "Target": {"Id": self.id, "Port": self.port, "AvailabilityZone": self.zone},
            "HealthCheckPort": port, "TargetHealth": health,
        }


def targets_of(group: Any) -> dict[tuple[str, int], Target]:
    """The targets of a group; kept on moto's group, so that they go with it."""
    return group.__dict__.setdefault("bed_targets", {})


def get(call: Call, arn: str) -> Any:
    group = call.elb.target_groups.get(arn)
    if group is None:
        raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
    return group


def forwards(data: Plain) -> list[str]:
    """The target groups that an action forwards to."""
    if data.get("Type") != "forward":
        return []
    listed = [one["TargetGroupArn"] for one in data.get("ForwardConfig", {}).get("TargetGroups", [])]
    return list(dict.fromkeys([*([data["TargetGroupArn"]] if data.get("TargetGroupArn") else []), *listed]))


def links(elb: Any) -> dict[str, list[str]]:
    """The load balancers that lead to each target group, through a listener or a rule."""
    found: dict[str, list[str]] = {}
    for balancer in elb.load_balancers.values():
        for listener in balancer.listeners.values():
            for one in listener.rules.values():
                for action in one.actions:
                    for arn in forwards(action.data):
                        balancers = found.setdefault(arn, [])
                        if balancer.arn not in balancers:
                            balancers.append(balancer.arn)
    return found


# --- creation


def _wanted(sent: Plain) -> Plain:
    """What was asked for, with the defaults that AWS fills in.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    """
    protocol = sent.get("Protocol", "HTTP")
    http = protocol in ("HTTP", "HTTPS")
    check = sent.get("HealthCheckProtocol") or (protocol if http else "TCP")
    wanted: Plain = {
        "Protocol": protocol,
        "Port": int(sent["Port"]) if sent.get("Port") is not None else None,
        "VpcId": sent.get("VpcId"),
        "TargetType": sent.get("TargetType", "instance"),
        "IpAddressType": sent.get("IpAddressType", "ipv4"),
        "ProtocolVersion": sent.get("ProtocolVersion", "HTTP1") if http else None,
        "HealthCheckProtocol": check,
        "HealthCheckPort": str(sent.get("HealthCheckPort", "traffic-port")),
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": int(sent.get("HealthCheckIntervalSeconds", 30)),
        "HealthCheckTimeoutSeconds": int(sent.get("HealthCheckTimeoutSeconds", 5 if http else 10)),
        "HealthyThresholdCount": int(sent.get("HealthyThresholdCount", 5)),
        "UnhealthyThresholdCount": int(sent.get("UnhealthyThresholdCount", 2)),
    }
    if check in ("HTTP", "HTTPS"):
        wanted["HealthCheckPath"] = sent.get("HealthCheckPath", "/")
        wanted["Matcher"] = sent.get("Matcher") or {"HttpCode": "200" if http else "200-399"}
    return wanted


@always("elasticloadbalancing", "CreateTargetGroup", layer=Layer.BEHAVIOUR)
def create(call: Call, proceed: Proceed) -> Plain:
    """Makes the group with AWS's defaults.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    """
    wanted = _wanted(call.parameters)
    _bounds(wanted)
    tags = call.parameters.pop("Tags", None)  # moto takes ten of them
    result = proceed()
    group = call.elb.target_groups[result["TargetGroups"][0]["TargetGroupArn"]]
    group.bed = wanted
    call.elb.tagging_service.tag_resource(group.arn, tags)
    group.attributes = dict(ATTRIBUTES)
    if wanted["Protocol"] not in ("HTTP", "HTTPS"):
        group.attributes = {name: value for name, value in ATTRIBUTES.items()
                            if not name.startswith(("stickiness.", "slow_start", "load_balancing.algorithm"))}
        group.attributes |= {"stickiness.enabled": "false", "stickiness.type": "source_ip",
                             "preserve_client_ip.enabled": "false", "proxy_protocol_v2.enabled": "false",
                             "deregistration_delay.connection_termination.enabled": "false"}
    return {"TargetGroups": [_view(group, {})]}


def _bounds(wanted: Plain) -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html"""
    for name, low, high in (("HealthCheckIntervalSeconds", 5, 300), ("HealthCheckTimeoutSeconds", 2, 120),
                            ("HealthyThresholdCount", 2, 10), ("UnhealthyThresholdCount", 2, 10)):
        if not low <= wanted[name] <= high:
            raise AwsError("ValidationError", f"{name} '{wanted[name]}' must be in the range {low}-{high}")
    if wanted["HealthCheckTimeoutSeconds"] >= wanted["HealthCheckIntervalSeconds"]:
        raise AwsError("ValidationError", "Health check interval must be greater than the timeout")
    if len(wanted.get("HealthCheckPath", "/")) > 1024 or not wanted.get("HealthCheckPath", "/").startswith("/"):
        raise AwsError("ValidationError", "Health check path must start with '/' and have at most 1024 characters")


@rule("duplicate-target-group", "elasticloadbalancing", "CreateTargetGroup")
def one_of_a_name(call: Call, proceed: Proceed) -> Plain:
    """A second target group of a name with the same settings is the first one; with others it is refused.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    """
    for group in call.elb.target_groups.values():
        if group.name == call.parameters["Name"]:
            if group.bed == _wanted(call.parameters):
                return {"TargetGroups": [_view(group, links(call.elb))]}
            raise AwsError(
                "DuplicateTargetGroupName",
                f"A target group with the same name '{group.name}' exists, but with different settings",
            )
    return proceed()


@rule("quota-target-groups", "elasticloadbalancing", "CreateTargetGroup")
def groups_per_region(call: Call, proceed: Proceed) -> Plain:
    """3,000 target groups in a Region.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
    """
    exists = any(group.name == call.parameters["Name"] for group in call.elb.target_groups.values())
    if not exists and len(call.elb.target_groups) >= call.settings.quota("target-groups"):
        raise AwsError("TooManyTargetGroups", "The maximum number of target groups has been reached")
    return proceed()


# --- what is answered


def _view(group: Any, linked: dict[str, list[str]]) -> Plain:
    answer: Plain = {"TargetGroupArn": group.arn, "TargetGroupName": group.name}
    answer.update({name: value for name, value in group.bed.items() if value is not None})
    answer["LoadBalancerArns"] = linked.get(group.arn, [])
    return answer


@always("elasticloadbalancing", "DescribeTargetGroups", layer=Layer.BEHAVIOUR)
def describe(call: Call, _proceed: Proceed) -> Plain:
    """Groups by ARNs, names or load balancer; LoadBalancerArns say what leads to them now.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
    """
    sent, linked = call.parameters, links(call.elb)
    found = list(call.elb.target_groups.values())
    if sum(bool(sent.get(name)) for name in ("LoadBalancerArn", "TargetGroupArns", "Names")) > 1:
        raise AwsError("ValidationError", "Target group names, target group ARNs, and a load balancer ARN cannot be "
                       "specified at the same time")
    if sent.get("TargetGroupArns"):
        found = [get(call, arn) for arn in dict.fromkeys(sent["TargetGroupArns"])]
    elif sent.get("Names"):
        by_name = {group.name: group for group in found}
        missing = [name for name in sent["Names"] if name not in by_name]
        if missing:
            raise AwsError("TargetGroupNotFound", f"One or more target groups not found: {', '.join(missing)}")
        found = [by_name[name] for name in dict.fromkeys(sent["Names"])]
    elif sent.get("LoadBalancerArn"):
        if sent["LoadBalancerArn"] not in call.elb.load_balancers:
            raise AwsError("LoadBalancerNotFound", f"Load balancers '[{sent['LoadBalancerArn']}]' not found")
        found = [group for group in found if sent["LoadBalancerArn"] in linked.get(group.arn, [])]
    return {"TargetGroups": [_view(group, linked) for group in found]}


# --- change


@always("elasticloadbalancing", "ModifyTargetGroup", layer=Layer.BEHAVIOUR)
def modify(call: Call, _proceed: Proceed) -> Plain:
    """Changes the health check, and nothing else.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html
    """
    sent, group = call.parameters, get(call, call.parameters["TargetGroupArn"])
    changed = dict(group.bed)
    for name in ("HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount",
                 "UnhealthyThresholdCount"):
        if sent.get(name) is not None:
            changed[name] = int(sent[name])
    for name in ("HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath"):
        if sent.get(name) is not None:
            changed[name] = str(sent[name])
    if sent.get("Matcher"):
        changed["Matcher"] = dict(sent["Matcher"])
    _bounds(changed)
    group.bed = changed
    return {"TargetGroups": [_view(group, links(call.elb))]}


@always("elasticloadbalancing", "DescribeTargetGroupAttributes", "ModifyTargetGroupAttributes",
        layer=Layer.BEHAVIOUR)
def attributes(call: Call, _proceed: Proceed) -> Plain:
    """All attributes with their values; those that the type does not have are refused.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
    """
    group = get(call, call.parameters["TargetGroupArn"])
    changes = {one["Key"]: str(one.get("Value", "")) for one in call.parameters.get("Attributes") or []}
    for name, value in changes.items():
        if name not in group.attributes:
            raise AwsError("ValidationError", f"Target group attribute key '{name}' is not recognized")
        low, high = RANGES.get(name, (0, 0))
        if high and not (value.isdigit() and low <= int(value) <= high):
            raise AwsError("ValidationError", f"'{name}' must be between {low} and {high} inclusive")
    slow = changes.get("slow_start.duration_seconds", "0")
    if slow.isdigit() and 0 < int(slow) < 30:
        raise AwsError("ValidationError", "'slow_start.duration_seconds' must be 0 or between 30 and 900 inclusive")
    wanted = {**group.attributes, **changes}
    if wanted.get("stickiness.type") == "app_cookie" and wanted["stickiness.enabled"] == "true" \
            and not wanted["stickiness.app_cookie.cookie_name"]:
        raise AwsError("InvalidConfigurationRequest", "An application cookie name must be set to enable app_cookie "
                       "stickiness")
    group.attributes = wanted
    return {"Attributes": [{"Key": name, "Value": value} for name, value in group.attributes.items()]}


# --- targets


def register(account: Account, group: Any, address: str, port: int, zone: str, healthy: bool) -> Target:
    """Adds a target; it is looked at for a while before it counts as healthy or not."""
    target = targets_of(group).get((address, port))
    if target is None or target.state == "draining":
        target = targets_of(group)[address, port] = Target(address, port, zone, healthy=healthy)

        def checked(target: Target = target) -> None:
            if target.state == "initial":
                good = target.healthy and target.id not in account.settings.unhealthy_addresses
                target.state = "healthy" if good else "unhealthy"

        account.after(account.settings.target_healthy, checked)
    return target


def deregister(account: Account, group: Any, address: str, port: int) -> None:
    """Takes a target out; it drains for a while."""
    target = targets_of(group).get((address, port))
    if target is None or target.state == "draining":
        return
    target.state = "draining"

    def gone() -> None:
        if targets_of(group).get((address, port)) is target:
            del targets_of(group)[address, port]

    delay = float(group.attributes.get("deregistration_delay.timeout_seconds", 300))
    account.after(min(account.settings.target_draining, delay), gone)


def zone_of(call: Call, group: Any, address: str) -> str:
    """The zone of an address of the VPC, or `all` of one outside.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html
    """
    for zone in call.ec2.subnets.values():
        for subnet in zone.values():
            if subnet.vpc_id == group.vpc_id and ipaddress.ip_address(address) in ipaddress.ip_network(
                    subnet.cidr_block):
                return subnet.availability_zone
    return "all"


PRIVATE = tuple(ipaddress.ip_network(block) for block in
                ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"))


@always("elasticloadbalancing", "RegisterTargets", layer=Layer.BEHAVIOUR)
def register_targets(call: Call, proceed: Proceed) -> Plain:
    """Registers targets; an address outside the VPC is private, and its zone is `all`.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    """
    group = get(call, call.parameters["TargetGroupArn"])
    if group.target_type != "ip":
        return proceed()
    chosen = []
    for one in call.parameters.get("Targets") or []:
        try:
            address = ipaddress.ip_address(one["Id"])
        except ValueError:
            raise AwsError("ValidationError", f"The IP address '{one['Id']}' is not a valid IPv4 address") from None
        blocks = [ipaddress.ip_network(block["cidr_block"])
                  for block in call.ec2.get_vpc(group.vpc_id).cidr_block_association_set]
        inside = any(address in block for block in blocks)
        if not any(address in block for block in PRIVATE):
            raise AwsError("ValidationError", f"The IP address '{one['Id']}' is not within the VPC or private ranges")
        if not inside and one.get("AvailabilityZone") != "all":
            raise AwsError("ValidationError", "You must specify an Availability Zone of 'all' for IP addresses "
                           f"outside the VPC: {one['Id']}")
        zone = zone_of(call, group, one["Id"]) if inside else "all"
        chosen.append((one["Id"], int(one.get("Port") or group.port), zone))
    _targets_quota(call, group, len(chosen))
    for address_text, port, zone in chosen:
        register(call.account, group, address_text, port, zone, True)
    return {}


def _targets_quota(call: Call, group: Any, more: int) -> None:
    if not call.holds("quota-targets"):
        return
    if len(targets_of(group)) + more > call.settings.quota("targets-per-target-group"):
        raise AwsError("TooManyTargets", "The maximum number of targets per target group has been reached")
    linked = links(call.elb)
    for balancer in linked.get(group.arn, []):
        there = sum(len(targets_of(other)) for arn, other in call.elb.target_groups.items()
                    if balancer in linked.get(arn, []))
        if there + more > call.settings.quota("targets-per-load-balancer"):
            raise AwsError("TooManyTargets", "The maximum number of targets per load balancer has been reached")


@rule("quota-targets", "elasticloadbalancing", "RegisterTargets")
def targets(call: Call, proceed: Proceed) -> Plain:
    """1,000 targets in a target group, and behind a load balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
    """
    return proceed()  # counted where they are registered


@always("elasticloadbalancing", "DeregisterTargets", layer=Layer.BEHAVIOUR)
def deregister_targets(call: Call, proceed: Proceed) -> Plain:
    """Targets drain; without a port every port of an address goes.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html
    """
    group = get(call, call.parameters["TargetGroupArn"])
    if group.target_type != "ip":
        return proceed()
    for one in call.parameters.get("Targets") or []:
        matching = [key for key in targets_of(group)
                    if key[0] == one["Id"] and (one.get("Port") is None or key[1] == int(one["Port"]))]
        if not matching:
            raise AwsError("InvalidTarget", f"The following targets are not registered: {one['Id']}")
        for address, port in matching:
            deregister(call.account, group, address, port)
    return {}


@always("elasticloadbalancing", "DescribeTargetHealth", layer=Layer.BEHAVIOUR)
def health(call: Call, proceed: Proceed) -> Plain:
    """The state of each target, and why it is not healthy.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
    """
    group = get(call, call.parameters["TargetGroupArn"])
    if group.target_type != "ip":
        return proceed()
    in_use, port = bool(links(call.elb).get(group.arn)), group.bed["HealthCheckPort"]
    asked = call.parameters.get("Targets")
    known = targets_of(group)
    if not asked:
        return {"TargetHealthDescriptions": [one.as_json(port, in_use) for one in known.values()]}
    answers: list[Plain] = []
    for one in asked:
        key = (one["Id"], int(one.get("Port") or group.port))
        if key in known:
            answers.append(known[key].as_json(port, in_use))
        else:
            answers.append({
                "Target": {"Id": key[0], "Port": key[1]}, "HealthCheckPort": str(key[1]),
                "TargetHealth": {"State": "unused", "Reason": "Target.NotRegistered",
                                 "Description": "Target is not registered to the target group"},
            })
    return {"TargetHealthDescriptions": answers}


@always("elasticloadbalancing", "DeleteTargetGroup", layer=Layer.BEHAVIOUR)
def delete(call: Call, proceed: Proceed) -> Plain:
    """Not while a listener or rule leads to it; deleting what does not exist succeeds.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html
    """
    arn = call.parameters["TargetGroupArn"]
    if arn not in call.elb.target_groups:
        return {}
    if links(call.elb).get(arn):
        raise AwsError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
    result = proceed()
    call.elb.tagging_service.delete_all_tags_for_resource(arn)
    return result
