"""VPC endpoints: how they come into being, wait for acceptance, change, and go.

moto makes them available at once. Here each passes through its states as time goes by, and the provider's
account accepts and rejects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from moto.core.utils import utcnow

from .accounts import Account, accounts
from .endpoint_services import Provided, find, visible, zones_of
from .errors import AwsError
from .hooks import Call
from .network import new_interface, set_groups
from .rules import Layer, Plain, Proceed, always, declare, rule

#: https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html#default-endpoint-policy
DEFAULT_POLICY = {
    "Version": "2008-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
GONE = ("deleted",)
LIVE = ("pendingAcceptance", "pending", "available", "rejected", "failed", "expired", "deleting")

declare(
    "endpoint-pending",
    """An interface endpoint is pending for a while before it is available.

    https://docs.aws.amazon.com/vpc/latest/privatelink/create-endpoint-service.html#endpoint-states
    """,
)
declare(
    "endpoint-lingering",
    """A deleted endpoint is seen as deleting, then deleted, for a while; its interfaces stay until it is deleted.

    https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html#concepts-vpc-endpoints
    """,
)
declare(
    "acceptance",
    """Where the provider requires it, an endpoint waits as pendingAcceptance until the provider accepts it.

    https://docs.aws.amazon.com/vpc/latest/privatelink/configure-endpoint-service.html#accept-reject-connection-requests
    """,
)


def truth(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def is_interface(endpoint: Any) -> bool:
    return (endpoint.vpc_endpoint_type or "").lower() == "interface"


def live(ec2: Any, vpc_id: str) -> list[Any]:
    """The endpoints in a VPC that are not deleted."""
    return [one for one in ec2.vpc_end_points.values() if one.vpc_id == vpc_id and one.state not in GONE]


def service_of(endpoint: Any, region: str) -> Provided | None:
    from .endpoint_services import aws_service

    return aws_service(endpoint.service_name, region) or find(endpoint.service_name)


def everywhere() -> Iterator[tuple[str, str, Any, Any]]:
    """Every endpoint with its account, Region and backend."""
    from moto.ec2.models import ec2_backends

    for account_id, regions in list(ec2_backends.items()):
        for region, backend in list(dict.items(regions)):
            for endpoint in list(backend.vpc_end_points.values()):
                yield account_id, region, backend, endpoint


# --- creation


@always("ec2", "CreateVpcEndpoint", layer=Layer.BEHAVIOUR)
def create(call: Call, proceed: Proceed) -> Plain:
    """Makes the endpoint with its interfaces, in the state that it starts in.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
    """
    sent, ec2 = call.parameters, call.ec2
    kind = sent.setdefault("VpcEndpointType", "Gateway")
    service = visible(call, sent["ServiceName"], sent.get("ServiceRegion"))
    ec2.get_vpc(sent["VpcId"])
    if kind not in service.kinds:
        raise AwsError("InvalidParameter", f"Endpoint type ({kind}) does not match available service types "
                       f"({list(service.kinds)}).")
    subnets, groups = sent.get("SubnetIds") or [], sent.get("SecurityGroupIds") or []
    tables = sent.get("RouteTableIds") or []
    if kind == "Gateway" and (subnets or groups or truth(sent.get("PrivateDnsEnabled"))):
        raise AwsError("InvalidParameter", "A Gateway endpoint takes route tables, no subnets, groups or private DNS.")
    if kind == "Interface" and tables:
        raise AwsError("InvalidParameter", "Route table IDs are only supported for Gateway type VPC Endpoint.")
    for table in tables:
        if ec2.get_route_table(table).vpc_id != sent["VpcId"]:
            raise AwsError("InvalidParameter", f"Route table {table} belongs to a different network than the endpoint")
    _policy(sent.get("PolicyDocument"))
    check_subnets(call, service, sent["VpcId"], subnets)
    check_groups(call, sent["VpcId"], groups)
    private_dns = kind == "Interface" and truth(sent.get("PrivateDnsEnabled"))
    sent["PrivateDnsEnabled"] = private_dns
    sent["SubnetIds"] = []  # moto's interfaces would have addresses out of nowhere
    result = proceed()
    endpoint = ec2.vpc_end_points[result["VpcEndpoint"]["VpcEndpointId"]]
    endpoint.subnet_ids = list(subnets)
    endpoint.service_region = service.region
    endpoint.dns_entries = dns_entries(endpoint, service, subnets, call.region) if kind == "Interface" else []
    if kind == "Interface":
        endpoint.security_group_ids = list(groups) or [ec2.get_default_security_group(sent["VpcId"]).id]
        for subnet in subnets:
            add_interface(ec2, endpoint, subnet)
        begin(call, endpoint, service)
    return {"VpcEndpoint": view(endpoint, call.account.id), "ClientToken": sent.get("ClientToken")}


def begin(call: Call, endpoint: Any, service: Provided) -> None:
    """The first state."""
    if service.acceptance_required and service.owner != "amazon" and call.holds("acceptance"):
        endpoint.state = "pendingAcceptance"
    else:
        become_available(call.account, endpoint)


def become_available(account: Account, endpoint: Any) -> None:
    """Pending, and available in a while."""
    if not account.holds("endpoint-pending"):
        endpoint.state = "available"
        return
    endpoint.state = "pending"

    def available() -> None:
        if endpoint.state == "pending":
            endpoint.state = "available"

    account.after(account.settings.endpoint_pending, available)


def add_interface(ec2: Any, endpoint: Any, subnet: str) -> None:
    """One interface in each subnet.

    https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html#endpoint-network-interface
    """
    interface = new_interface(
        ec2, subnet, endpoint.security_group_ids, f"VPC Endpoint Interface {endpoint.id}", "vpc_endpoint"
    )
    endpoint.network_interface_ids.append(interface.id)


def dns_entries(endpoint: Any, service: Provided, subnets: list[str], region: str) -> list[dict[str, str]]:
    """The names of an endpoint: its own, one for each zone, and the service's where private DNS is on.

    https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html#interface-endpoint-dns-hostnames
    """
    base = f"{service.service_id or endpoint.service_name.rsplit('.', 1)[-1]}.{service.region}.vpce.amazonaws.com"
    if service.owner == "amazon":
        base = f"{endpoint.service_name.removeprefix(f'com.amazonaws.{region}.')}.{region}.vpce.amazonaws.com"
    stem = f"{endpoint.id}-{endpoint.id[-8:]}"
    zones = sorted({endpoint.ec2_backend.get_subnet(subnet).availability_zone for subnet in subnets})
    entries = [{"DnsName": f"{stem}.{base}", "HostedZoneId": "Z7HUB22UULQXV"}]
    entries += [{"DnsName": f"{stem}-{zone}.{base}", "HostedZoneId": "Z7HUB22UULQXV"} for zone in zones]
    if endpoint.private_dns_enabled and service.private_dns_name:
        entries.append({"DnsName": service.private_dns_name, "HostedZoneId": f"Z{endpoint.id[-13:].upper()}"})
    return entries


def check_subnets(
    call: Call, service: Provided, vpc_id: str, subnets: list[str], there: list[str] | None = None
) -> None:
    """Subnets are the VPC's, one in each zone, in zones that the service has.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
    """
    used = {call.ec2.get_subnet(subnet).availability_zone for subnet in there or []}
    zones = service.zones(zones_of(call))
    for subnet_id in subnets:
        subnet = call.ec2.get_subnet(subnet_id)
        if subnet.vpc_id != vpc_id:
            raise AwsError("InvalidParameter", f"Subnet {subnet_id} does not belong to VPC {vpc_id}")
        if subnet.availability_zone in used:
            raise AwsError(
                "DuplicateSubnetsInSameZone",
                f"Found another VPC endpoint subnet in the availability zone of {subnet_id}.",
            )
        if subnet.availability_zone not in zones:
            raise AwsError(
                "InvalidParameter",
                f"The VPC endpoint service {service.name} does not support the availability zone of the subnet: "
                f"{subnet_id}.",
            )
        used.add(subnet.availability_zone)


def check_groups(call: Call, vpc_id: str, groups: list[str]) -> None:
    """Security groups exist, in the VPC, and are not too many."""
    for group_id in groups:
        group = call.ec2.get_security_group_from_id(group_id)
        if group is None:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        if group.vpc_id != vpc_id:
            raise AwsError("InvalidParameter", f"Security group {group_id} does not belong to VPC {vpc_id}")
    if len(groups) > call.settings.quota("security-groups-per-interface"):
        raise AwsError("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface "
                       "has been reached.")


def _policy(document: str | None) -> None:
    if not document:
        return
    try:
        valid = isinstance(json.loads(document), dict)
    except ValueError:
        valid = False
    if not valid:
        raise AwsError("InvalidParameter", "Policy document is not valid JSON.")


@rule("quota-endpoints", "ec2", "CreateVpcEndpoint")
def endpoints_per_vpc(call: Call, proceed: Proceed) -> Plain:
    """50 interface endpoints in a VPC; an endpoint policy of at most 20,480 characters.

    https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html
    """
    sent = call.parameters
    kind = sent.get("VpcEndpointType", "Gateway")
    if kind == "Interface":
        there = sum(1 for endpoint in live(call.ec2, sent["VpcId"]) if is_interface(endpoint))
        limit = call.settings.quota("interface-endpoints-per-vpc")
    else:
        there = sum(1 for one in call.ec2.vpc_end_points.values() if not is_interface(one) and one.state not in GONE)
        limit = call.settings.quota("gateway-endpoints")
    if there >= limit:
        raise AwsError("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
    if len(sent.get("PolicyDocument") or "") > call.settings.quota("endpoint-policy-characters"):
        raise AwsError("InvalidParameter", "The policy document is too long.")
    return proceed()


@always("ec2", "CreateVpcEndpoint", layer=Layer.CHECK)
def one_gateway(call: Call, proceed: Proceed) -> Plain:
    """A route table leads to a service through one gateway endpoint only.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    """
    sent = call.parameters
    if sent.get("VpcEndpointType", "Gateway") == "Gateway":
        _route_tables_free(call, sent["ServiceName"], sent["VpcId"], sent.get("RouteTableIds") or [], None)
    return proceed()


def _route_tables_free(call: Call, service: str, vpc: str, tables: list[str], besides: str | None) -> None:
    for other in live(call.ec2, vpc):
        if other.id == besides or is_interface(other) or other.service_name != service:
            continue
        for table in tables:
            if table in other.route_table_ids:
                raise AwsError("RouteAlreadyExists", f"route table {table} already has a route with destination-prefix-"
                               f"list-id of {service}")


# --- private DNS


def _private_dns(call: Call, vpc_id: str, service: Provided, besides: str | None) -> None:
    """What must hold for private DNS, in any state.

    https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html
    """
    vpc = call.ec2.get_vpc(vpc_id)
    if not (truth(vpc.enable_dns_support) and truth(vpc.enable_dns_hostnames)):
        raise AwsError(
            "InvalidParameter",
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true "
            f"for {vpc_id}",
        )
    if not service.private_dns_name:
        raise AwsError(
            "InvalidParameter",
            f"Private DNS can't be enabled because the service {service.name} does not provide a private DNS name.",
        )
    if not service.private_dns_verified:
        raise AwsError(
            "InvalidParameter",
            f"Private DNS can't be enabled because the service {service.name} has not verified the private DNS name.",
        )
    if not call.holds("private-dns-conflict"):
        return
    for other in live(call.ec2, vpc_id):
        theirs = service_of(other, call.region)
        if (
            other.id != besides and other.private_dns_enabled and other.state != "deleting"
            and theirs is not None and theirs.private_dns_name == service.private_dns_name
        ):
            raise AwsError(
                "InvalidParameter",
                f"private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
                f"{service.private_dns_name} in the VPC {vpc_id}",
            )


declare(
    "private-dns-conflict",
    """One private DNS name is served by one endpoint in a VPC; enabling it on a second is refused.

    https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html
    """,
)


@always("ec2", "CreateVpcEndpoint", layer=Layer.CHECK)
def private_dns_at_creation(call: Call, proceed: Proceed) -> Plain:
    """Private DNS from the start.

    https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html
    """
    sent = call.parameters
    if sent.get("VpcEndpointType") == "Interface" and truth(sent.get("PrivateDnsEnabled")):
        service = visible(call, sent["ServiceName"], sent.get("ServiceRegion"))
        _private_dns(call, sent["VpcId"], service, None)
    return proceed()


NOT_BEFORE = "Private DNS can only be enabled after the endpoint connection is accepted by the owner of the service."


@rule("private-dns-before-acceptance", "ec2", "CreateVpcEndpoint", "ModifyVpcEndpoint")
def private_dns_before_acceptance(call: Call, proceed: Proceed) -> Plain:
    """Private DNS cannot be enabled on an endpoint whose connection has not been accepted.

    https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html
    """
    sent = call.parameters
    if truth(sent.get("PrivateDnsEnabled")):
        if call.action == "CreateVpcEndpoint":
            service = visible(call, sent["ServiceName"], sent.get("ServiceRegion"))
            if service.acceptance_required and service.owner != "amazon":
                raise AwsError("InvalidParameter", NOT_BEFORE)
        else:
            endpoint = call.ec2.vpc_end_points.get(sent["VpcEndpointId"])
            if endpoint is not None and endpoint.state in ("pendingAcceptance", "rejected"):
                raise AwsError("InvalidParameter", NOT_BEFORE)
    return proceed()


# --- change


@always("ec2", "ModifyVpcEndpoint", layer=Layer.BEHAVIOUR)
def modify(call: Call, _proceed: Proceed) -> Plain:
    """Changes policy, private DNS, subnets, groups and route tables; the endpoint is pending meanwhile.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpoint.html
    """
    sent, ec2 = call.parameters, call.ec2
    endpoint = ec2.vpc_end_points.get(sent["VpcEndpointId"])
    if endpoint is None or endpoint.state in GONE:
        raise AwsError(
            "InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{sent['VpcEndpointId']}' does not exist"
        )
    if endpoint.state not in ("available", "pendingAcceptance", "pending"):
        raise AwsError("InvalidState", f"The endpoint {endpoint.id} cannot be modified in state {endpoint.state}")
    if is_interface(endpoint):
        _modify_interface(call, endpoint)
    else:
        _modify_gateway(call, endpoint)
    if truth(sent.get("ResetPolicy")):
        endpoint.policy_document = json.dumps(DEFAULT_POLICY)
    elif sent.get("PolicyDocument"):
        _policy(sent["PolicyDocument"])
        endpoint.policy_document = sent["PolicyDocument"]
    return {"Return": True}


def _modify_interface(call: Call, endpoint: Any) -> None:
    sent, ec2 = call.parameters, call.ec2
    service = service_of(endpoint, call.region)
    if service is None:
        raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{endpoint.service_name}' does not exist")
    removed, added = sent.get("RemoveSubnetIds") or [], sent.get("AddSubnetIds") or []
    added = [subnet for subnet in added if subnet not in endpoint.subnet_ids]
    for subnet in removed:
        if subnet not in endpoint.subnet_ids:
            raise AwsError("InvalidParameter", f"Subnet {subnet} is not associated with the endpoint {endpoint.id}")
    kept = [subnet for subnet in endpoint.subnet_ids if subnet not in removed]
    check_subnets(call, service, endpoint.vpc_id, added, kept)
    groups = [group for group in endpoint.security_group_ids if group not in (sent.get("RemoveSecurityGroupIds") or [])]
    groups += [group for group in sent.get("AddSecurityGroupIds") or [] if group not in groups]
    check_groups(call, endpoint.vpc_id, groups)
    if not groups:
        raise AwsError("InvalidParameter", f"The endpoint {endpoint.id} must keep a security group")
    if sent.get("PrivateDnsEnabled") is not None:
        wanted = truth(sent["PrivateDnsEnabled"])
        if wanted and not endpoint.private_dns_enabled:
            _private_dns(call, endpoint.vpc_id, service, endpoint.id)
        endpoint.private_dns_enabled = wanted
    endpoint.security_group_ids = groups
    for interface_id in list(endpoint.network_interface_ids):
        interface = ec2.enis[interface_id]
        if interface.subnet.id in removed:
            ec2.enis.pop(interface_id)
            endpoint.network_interface_ids.remove(interface_id)
        else:
            set_groups(ec2, interface, groups)
    endpoint.subnet_ids = kept
    for subnet in added:
        endpoint.subnet_ids.append(subnet)
        add_interface(ec2, endpoint, subnet)
    endpoint.dns_entries = dns_entries(endpoint, service, endpoint.subnet_ids, call.region)
    if (added or removed) and endpoint.state == "available":
        become_available(call.account, endpoint)


def _modify_gateway(call: Call, endpoint: Any) -> None:
    sent, ec2 = call.parameters, call.ec2
    added, removed = sent.get("AddRouteTableIds") or [], sent.get("RemoveRouteTableIds") or []
    added = [table for table in added if table not in endpoint.route_table_ids]
    for table in added:
        if ec2.get_route_table(table).vpc_id != endpoint.vpc_id:
            raise AwsError("InvalidParameter", f"Route table {table} belongs to a different network than the endpoint")
    _route_tables_free(call, endpoint.service_name, endpoint.vpc_id, added, endpoint.id)
    for table in removed:
        if table not in endpoint.route_table_ids:
            raise AwsError("InvalidRouteTableId.NotFound", f"The routeTable ID '{table}' does not exist")
        endpoint.route_table_ids.remove(table)
        _remove_route(ec2, table, endpoint)
    for table in added:
        endpoint.route_table_ids.append(table)
        ec2.create_route(
            table, None, gateway_id=endpoint.id, destination_prefix_list_id=endpoint.destination_prefix_list_id
        )


def _remove_route(ec2: Any, table_id: str, endpoint: Any) -> None:
    table = ec2.route_tables.get(table_id)
    for route_id, route in list(table._routes.items()) if table else ():
        if route.gateway is endpoint:
            del table._routes[route_id]


# --- end


@always("ec2", "DeleteVpcEndpoints", layer=Layer.BEHAVIOUR)
def delete(call: Call, _proceed: Proceed) -> Plain:
    """Begins to delete; what cannot be deleted is listed in the answer.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpoints.html
    """
    ec2, account, failed = call.ec2, call.account, []
    for endpoint_id in call.parameters.get("VpcEndpointIds") or []:
        endpoint = ec2.vpc_end_points.get(endpoint_id)
        if endpoint is None or endpoint.state in GONE:
            failed.append({"ResourceId": endpoint_id, "Error": {
                "Code": "InvalidVpcEndpoint.NotFound", "Message": f"The VPC endpoint {endpoint_id} does not exist"}})
        elif endpoint.state != "deleting":
            endpoint.state = "deleting"
            for table in list(endpoint.route_table_ids):
                _remove_route(ec2, table, endpoint)
            lingers = is_interface(endpoint) and account.holds("endpoint-lingering")
            seconds = account.settings.endpoint_deleting if lingers else 0.0
            account.after(seconds, partial(_deleted, account, ec2, endpoint))
    return {"Unsuccessful": failed}


def _deleted(account: Account, ec2: Any, endpoint: Any) -> None:
    endpoint.state = "deleted"
    for interface in endpoint.network_interface_ids:
        ec2.enis.pop(interface, None)
    seconds = account.settings.endpoint_deleted if account.holds("endpoint-lingering") else 0.0

    def vanish() -> None:
        ec2.vpc_end_points.pop(endpoint.id, None)
        ec2.tags.pop(endpoint.id, None)

    account.after(seconds, vanish)


# --- the provider's side


def _connections(call: Call, state: str, from_states: tuple[str, ...]) -> Plain:
    service = find(call.parameters["ServiceId"])
    if service is None or service.owner != call.account.id:
        raise AwsError(
            "InvalidVpcEndpointServiceId.NotFound",
            f"The VpcEndpointService Id '{call.parameters['ServiceId']}' does not exist",
        )
    failed, by_id = [], {one.id: (account, one) for account, _, _, one in everywhere()
                         if one.service_name == service.name}
    for endpoint_id in call.parameters.get("VpcEndpointIds") or []:
        account_id, endpoint = by_id.get(endpoint_id, ("", None))
        if endpoint is None or endpoint.state in GONE:
            failed.append({"ResourceId": endpoint_id, "Error": {
                "Code": "InvalidVpcEndpointId.NotFound",
                "Message": f"The Vpc Endpoint Id '{endpoint_id}' does not exist"}})
        elif endpoint.state not in from_states:
            failed.append({"ResourceId": endpoint_id, "Error": {
                "Code": "InvalidState", "Message": f"The endpoint is in state {endpoint.state}"}})
        elif state == "available":
            become_available(accounts()[account_id], endpoint)
        else:
            endpoint.state = state
    return {"Unsuccessful": failed}


@always("ec2", "AcceptVpcEndpointConnections", layer=Layer.BEHAVIOUR)
def accept(call: Call, _proceed: Proceed) -> Plain:
    """The provider accepts.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AcceptVpcEndpointConnections.html
    """
    return _connections(call, "available", ("pendingAcceptance", "rejected"))


@always("ec2", "RejectVpcEndpointConnections", layer=Layer.BEHAVIOUR)
def reject(call: Call, _proceed: Proceed) -> Plain:
    """The provider rejects, also what it accepted before.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RejectVpcEndpointConnections.html
    """
    return _connections(call, "rejected", ("pendingAcceptance", "pending", "available"))


@always("ec2", "DescribeVpcEndpointConnections", layer=Layer.BEHAVIOUR)
def connections(call: Call, _proceed: Proceed) -> Plain:
    """What consumers connected to the provider's services.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointConnections.html
    """
    found = []
    for account_id, region, _, endpoint in everywhere():
        service = find(endpoint.service_name) if ".vpce." in endpoint.service_name else None
        if service and service.owner == call.account.id and service.region == call.region:
            found.append({
                "ServiceId": service.service_id, "VpcEndpointId": endpoint.id, "VpcEndpointOwner": account_id,
                "VpcEndpointState": endpoint.state, "CreationTimestamp": endpoint.creation_timestamp,
                "DnsEntries": endpoint.dns_entries, "IpAddressType": "ipv4", "VpcEndpointRegion": region,
            })
    return {"VpcEndpointConnections": found}


# --- what is answered


def view(endpoint: Any, owner: str) -> Plain:
    """An endpoint as DescribeVpcEndpoints tells of it."""
    groups = [endpoint.ec2_backend.get_security_group_from_id(one) for one in endpoint.security_group_ids]
    answer: Plain = {
        "VpcEndpointId": endpoint.id,
        "VpcEndpointType": endpoint.vpc_endpoint_type,
        "VpcId": endpoint.vpc_id,
        "ServiceName": endpoint.service_name,
        "ServiceRegion": getattr(endpoint, "service_region", endpoint.ec2_backend.region_name),
        "State": endpoint.state,
        "PolicyDocument": endpoint.policy_document,
        "RouteTableIds": list(endpoint.route_table_ids),
        "SubnetIds": list(endpoint.subnet_ids or []),
        "Groups": [{"GroupId": group.id, "GroupName": group.name} for group in groups if group],
        "IpAddressType": "ipv4" if is_interface(endpoint) else None,
        "DnsOptions": {"DnsRecordIpType": "ipv4"} if is_interface(endpoint) else {},
        "PrivateDnsEnabled": bool(endpoint.private_dns_enabled) if is_interface(endpoint) else False,
        "RequesterManaged": False,
        "NetworkInterfaceIds": list(endpoint.network_interface_ids) if endpoint.state not in GONE else [],
        "DnsEntries": list(endpoint.dns_entries or []),
        "CreationTimestamp": endpoint.creation_timestamp or utcnow(),
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in endpoint.get_tags()],
        "OwnerId": owner,
    }
    return {name: value for name, value in answer.items() if value is not None}


@always("ec2", "DescribeVpcEndpoints", layer=Layer.BEHAVIOUR)
def describe(call: Call, _proceed: Proceed) -> Plain:
    """Every endpoint; ids, filters and pages are carried out further out.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
    """
    return {"VpcEndpoints": [view(one, call.account.id) for one in call.ec2.vpc_end_points.values()]}
