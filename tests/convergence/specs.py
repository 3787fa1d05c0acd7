"""Small tiers and tenants, as the specs that users write."""

from __future__ import annotations

import copy
from typing import Any

from .bed import ACCOUNT, REGION

Spec = dict[str, Any]

OWNER = "999999999999"
SERVICE = f"com.amazonaws.vpce.{REGION}.vpce-svc-0a1b2c3d4e5f60718"
OTHER_SERVICE = f"com.amazonaws.vpce.{REGION}.vpce-svc-0f9e8d7c6b5a40312"
#: Two providers of one private DNS name.
NAMED = f"com.amazonaws.vpce.{REGION}.vpce-svc-01c2d3e4f5a6b7c88"
OTHER_NAMED = f"com.amazonaws.vpce.{REGION}.vpce-svc-02d3e4f5a6b7c8d99"
PRIVATE_NAME = "profiles.example.com"

EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
POWER_USER = "arn:aws:iam::aws:policy/PowerUserAccess"
#: What `foreign.plant` made, by its name there.
CERTIFICATE = "{certificate}"

BIDDER: Spec = {"name": "bidder", "service": SERVICE, "port": 8443}
PROFILES: Spec = {"name": "profiles", "service": NAMED, "port": 443, "private_dns": True}
LOGS: Spec = {"name": "logs", "service": "logs", "port": 443, "private_dns": True}
ARTIFACTS: Spec = {"name": "artifacts", "service": "s3", "gateway": True}

INTERNET: Spec = {"scheme": "internet-facing", "allow": ["0.0.0.0/0"], "certificate": CERTIFICATE}


def endpoint_services() -> list[dict[str, Any]]:
    """The endpoint services that other accounts provide, as the bed takes them."""
    own = [{"name": name, "owner": OWNER, "allowed_principals": ["*"]} for name in (SERVICE, OTHER_SERVICE)]
    named = [
        {"name": name, "owner": OWNER, "allowed_principals": ["*"], "private_dns_name": PRIVATE_NAME}
        for name in (NAMED, OTHER_NAMED)
    ]
    return own + named


def statement(*actions: str) -> Spec:
    return {"effect": "Allow", "actions": list(actions), "resources": ["arn:aws:s3:::artifacts/*"]}


def made_vpc(cidr: str = "10.20.0.0/16") -> Spec:
    return {"cidr": cidr, "zones": [f"{REGION}a", f"{REGION}b"]}


def tier(downstreams: list[Spec] | None = None, vpc: Spec | None = None, load_balancer: Spec | None = None, **more: Any) -> Spec:
    """A tier of one infra group."""
    group: Spec = {"name": "ig-1", "vpc": vpc or made_vpc()}
    if load_balancer:
        group["load_balancer"] = load_balancer
    spec: Spec = {
        "tier": "test",
        "region": REGION,
        "tags": {"team": "ads"},
        "downstreams": [PROFILES, LOGS, ARTIFACTS] if downstreams is None else downstreams,
        "egress": [{"cidr": "10.9.0.0/16", "port": 5432}],
        "roles": {
            "task": {"statements": [statement("s3:GetObject")]},
            "execution": {"managed_policies": [EXECUTION]},
        },
        "monitoring": {"log_retention_days": 30},
    }
    spec.update(more)
    spec["cells"] = [{"name": "cell-1", "account": ACCOUNT, "infra_groups": [group]}]
    return copy.deepcopy(spec)


def service(
    name: str, tags: Spec | None = None, route: Spec | None = None, environment: Spec | None = None, **fields: Any
) -> Spec:
    """A tenant with a service."""
    spec: Spec = {
        "tenant": name,
        "tier": "test",
        "service": {
            "image": "registry.example.com/ad-server:1.0",
            "port": 8080,
            "cpu": 256,
            "memory": 512,
            "desired": 1,
            "health_check": {"path": "/healthz"},
            **fields,
        },
    }
    return copy.deepcopy(spec | _optional(tags=tags, route=route, environment=environment))


def fleet(name: str, addresses: list[str], port: int = 9000, route: Spec | None = None, **fields: Any) -> Spec:
    """A tenant that is registered by address."""
    spec: Spec = {"tenant": name, "tier": "test", "targets": {"port": port, "addresses": addresses, **fields}}
    return copy.deepcopy(spec | _optional(route=route))


def _optional(**fields: Any) -> Spec:
    return {name: value for name, value in fields.items() if value is not None}


def filled(value: Any, ids: dict[str, str]) -> Any:
    """The same with ids in the place of their names in braces."""
    if isinstance(value, dict):
        return {name: filled(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ids) for item in value]
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        return ids[value[1:-1]]
    return value
