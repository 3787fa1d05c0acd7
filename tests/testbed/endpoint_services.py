"""Endpoint services: AWS's own, those that other accounts provide, and those that tests seed with fixed names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import AwsError
from .hooks import Call
from .identities import SESSIONS
from .rules import Layer, Plain, Proceed, always, declare

GATEWAY_SERVICES = ("s3", "dynamodb")
#: What each AWS service that is called by another name than its own is called by.
PRIVATE_NAMES = {
    "ecr.api": "api.ecr.{region}.amazonaws.com",
    "ecr.dkr": "*.dkr.ecr.{region}.amazonaws.com",
    "kinesis-streams": "kinesis.{region}.amazonaws.com",
    "kinesis-firehose": "firehose.{region}.amazonaws.com",
    "sagemaker.api": "api.sagemaker.{region}.amazonaws.com",
    "sagemaker.runtime": "runtime.sagemaker.{region}.amazonaws.com",
}


@dataclass
class Provided:
    """An endpoint service as its consumers see it."""

    name: str
    region: str
    owner: str
    service_id: str = ""
    acceptance_required: bool = False
    allowed_principals: list[str] = field(default_factory=list)
    private_dns_name: str | None = None
    private_dns_verified: bool = True
    availability_zones: list[str] = field(default_factory=list)
    supported_regions: list[str] = field(default_factory=list)
    kinds: tuple[str, ...] = ("Interface",)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Provided:
        known = {item.name for item in fields(cls)} - {"service_id", "kinds"}
        for name in data:
            if name not in known:
                raise ValueError(f"an endpoint service has no {name!r}; it has {', '.join(sorted(known))}")
        found = re.fullmatch(r"com\.amazonaws\.vpce\.([a-z0-9-]+)\.(vpce-svc-[0-9a-f]+)", data["name"])
        if not found:
            raise ValueError(f"not the name of an endpoint service: {data['name']}")
        data = {"region": found[1], **data}
        if data["region"] != found[1]:
            raise ValueError(f"{data['name']} is not in {data['region']}")
        return cls(**data, service_id=found[2])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def allows(self, account: str, callers: set[str]) -> bool:
        """Whether a caller of that account may connect."""
        allowed = {"*", f"arn:aws:iam::{account}:root", account, *callers}
        return account == self.owner or bool(allowed & set(self.allowed_principals))

    def zones(self, all_zones: list[str]) -> list[str]:
        return self.availability_zones or all_zones


_SEEDED: dict[str, Provided] = {}


def provided() -> dict[str, Provided]:
    """The services that were seeded."""
    return _SEEDED


def seed(service: Provided) -> Provided:
    """Makes a service exist, or be as now told."""
    _SEEDED[service.name] = service
    return service


def _configured() -> Iterator[Provided]:
    """The services that accounts of the bed made themselves."""
    from moto.ec2.models import ec2_backends

    for account_id, regions in list(ec2_backends.items()):
        for region, backend in list(dict.items(regions)):
            for made in backend.configurations.values():
                yield Provided(
                    made.service_name, region, account_id, made.id,
                    str(made.acceptance_required).lower() == "true", list(made.principals),
                    made.private_dns_name, True, sorted(set(made.availability_zones)),
                    list(made._supported_region_names),
                )


def find(name_or_id: str) -> Provided | None:
    """A service that some account provides, by name or id."""
    for service in (*_SEEDED.values(), *_configured()):
        if name_or_id in (service.name, service.service_id):
            return service
    return None


def _aws_names() -> frozenset[str]:
    from moto.ec2.models.vpcs import AWS_ENDPOINT_SERVICES, COVERED_ENDPOINT_SERVICES

    return frozenset(AWS_ENDPOINT_SERVICES) | frozenset(COVERED_ENDPOINT_SERVICES)


def aws_service(name: str, region: str) -> Provided | None:
    """One of AWS's own services in a Region.

    https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
    """
    prefix = f"com.amazonaws.{region}."
    short = name.removeprefix(prefix)
    if short == name or short not in _aws_names():
        return None
    kinds = ("Gateway", "Interface") if short in GATEWAY_SERVICES else ("Interface",)
    dns = PRIVATE_NAMES.get(short, f"{short}.{{region}}.amazonaws.com").format(region=region)
    number = hashlib.md5(name.encode()).hexdigest()[:17]
    return Provided(name, region, "amazon", f"vpce-svc-{number}", private_dns_name=dns, kinds=kinds)


def callers(call: Call) -> set[str]:
    """The ARNs by which the caller may be allowed."""
    session = SESSIONS.get(call.response.get_access_key())
    return {session.arn, session.role} if session else set()


def visible(call: Call, name: str, region: str | None = None) -> Provided:
    """The service of that name, where the caller may see it.

    https://docs.aws.amazon.com/vpc/latest/privatelink/configure-endpoint-service.html
    """
    region = region or call.region
    service = aws_service(name, region) or find(name)
    allowed = (
        service is not None
        and (service.region == region)
        and (region == call.region or call.region in service.supported_regions)
        and (service.owner == "amazon" or not call.holds("allowed-principals")
             or service.allows(call.account.id, callers(call)))
    )
    if service is None or not allowed:
        raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    return service


declare(
    "allowed-principals",
    """Only principals that the provider allows see a service at all; to others it does not exist.

    https://docs.aws.amazon.com/vpc/latest/privatelink/configure-endpoint-service.html#add-remove-permissions
    """,
)


def zones_of(call: Call) -> list[str]:
    return [zone.name for zone in call.ec2.describe_availability_zones()]


def details(service: Provided, zones: list[str]) -> Plain:
    """A service as DescribeVpcEndpointServices tells of it."""
    amazon = service.owner == "amazon"
    answer: Plain = {
        "ServiceName": service.name,
        "ServiceId": service.service_id,
        "ServiceType": [{"ServiceType": service.kinds[0]}],
        "ServiceRegion": service.region,
        "AvailabilityZones": service.zones(zones),
        "Owner": service.owner,
        "BaseEndpointDnsNames": [f"{service.service_id}.{service.region}.vpce.amazonaws.com"],
        "VpcEndpointPolicySupported": amazon,
        "AcceptanceRequired": service.acceptance_required,
        "ManagesVpcEndpoints": False,
        "Tags": [],
        "SupportedIpAddressTypes": ["ipv4"],
    }
    if service.private_dns_name and service.kinds[0] == "Interface":
        answer["PrivateDnsName"] = service.private_dns_name
        answer["PrivateDnsNames"] = [{"PrivateDnsName": service.private_dns_name}]
        verified = "verified" if service.private_dns_verified else "pendingVerification"
        answer["PrivateDnsNameVerificationState"] = verified
    return answer


@always("ec2", "DescribeVpcEndpointServices", layer=Layer.BEHAVIOUR)
def describe(call: Call, _proceed: Proceed) -> Plain:
    """AWS's services of the Region and those of others that the caller may use.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointServices.html
    """
    zones = zones_of(call)
    names = call.parameters.get("ServiceNames") or []
    filters = call.parameters.get("Filters") or []
    for one in filters:
        known = one["Name"] in ("owner", "service-name", "service-region", "service-type", "supported-ip-address-types",
                                "tag-key") or one["Name"].startswith("tag:")
        if not known:
            raise AwsError("InvalidParameterValue", f"The filter '{one['Name']}' is invalid")
    wanted = [name for one in filters if one["Name"] == "service-name" for name in one["Values"]]
    if names:
        found = [visible(call, name) for name in names]
    else:
        own = [service for service in (*_SEEDED.values(), *_configured())
               if service.region == call.region and service.allows(call.account.id, callers(call))]
        amazons = [aws_service(f"com.amazonaws.{call.region}.{name}", call.region) for name in sorted(_aws_names())]
        found = [*(service for service in amazons if service), *own]
        if wanted:
            found = [service for service in found if service.name in wanted]
    listed: list[Plain] = []
    for service in found:
        for kind in service.kinds:
            listed.append({**details(service, zones), "ServiceType": [{"ServiceType": kind}]})
    for one in filters:
        if one["Name"] == "service-type":
            listed = [item for item in listed if item["ServiceType"][0]["ServiceType"] in one["Values"]]
        elif one["Name"] == "owner":
            listed = [item for item in listed if item["Owner"] in one["Values"]]
    return {"ServiceDetails": listed, "ServiceNames": [item["ServiceName"] for item in listed]}
