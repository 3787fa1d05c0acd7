"""What can be set for an account: how long things take, how much is allowed, which rules hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any


class UnknownSetting(ValueError):
    """A setting, quota or rule that the test bed does not have, or a value of the wrong type."""


#: Default quotas, by the names used in `Settings.quotas`.
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
#: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
QUOTAS: dict[str, int] = {
    "load-balancers": 50,
    "listeners-per-load-balancer": 50,
    "rules-per-load-balancer": 100,
    "target-groups": 3000,
    "target-groups-per-load-balancer": 100,
    "targets-per-load-balancer": 1000,
    "targets-per-target-group": 1000,
    "condition-values-per-rule": 5,
    "vpcs": 5,
    "subnets-per-vpc": 200,
    "security-groups": 2500,
    "rules-per-security-group": 60,
    "security-groups-per-interface": 5,
    "interface-endpoints-per-vpc": 50,
    "gateway-endpoints": 20,
    "endpoint-policy-characters": 20480,
    "roles": 1000,
    "policies-per-role": 10,
    "trust-policy-characters": 2048,
    "inline-policy-characters": 10240,
    "clusters": 10000,
    "services-per-cluster": 5000,
}


@dataclass(frozen=True)
class Settings:
    """Durations are in seconds."""

    # How long things take.
    endpoint_pending: float = 0.2
    endpoint_deleting: float = 0.2
    endpoint_deleted: float = 0.2
    load_balancer_provisioning: float = 0.0
    load_balancer_interfaces_linger: float = 0.2
    task_start: float = 0.2
    target_healthy: float = 0.2
    target_draining: float = 0.2
    service_draining: float = 0.2
    task_stopped_visible: float = 3600.0
    latency: float = 0.0
    # On demand.
    read_lag: float = 0.0
    tagging_lag: float = 0.0
    tagging_token: float = 900.0
    role_delay: float = 0.0
    session_seconds: float = 0.0
    throttling: bool = False
    enforce_policies: bool = False
    # How full each bucket is at first: others use the account too.
    bucket_level: float = 1.0
    time_scale: float = 1.0
    page_size: int = 0
    # How much is allowed, which rules hold.
    failures_to_trip: int = 3
    unhealthy_addresses: list[str] = field(default_factory=list)
    quotas: dict[str, int] = field(default_factory=dict)
    rules: dict[str, bool] = field(default_factory=dict)

    def quota(self, name: str) -> int:
        """The quota of that name, as set or by default."""
        return self.quotas.get(name, QUOTAS[name])

    def changed(self, changes: dict[str, Any]) -> Settings:
        """These settings with some changed; `quotas` and `rules` are merged, everything else replaced."""
        from .rules import RULES

        known = {item.name: item for item in fields(self)}
        values: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                raise UnknownSetting(f"no setting {name!r}; there are {', '.join(sorted(known))}")
            if name in ("quotas", "rules"):
                allowed = QUOTAS if name == "quotas" else RULES
                kind: type = int if name == "quotas" else bool
                for key, item in value.items():
                    if key not in allowed:
                        raise UnknownSetting(f"no {name[:-1]} {key!r}; there are {', '.join(sorted(allowed))}")
                    if type(item) is not kind:
                        raise UnknownSetting(f"{name}.{key} must be {kind.__name__}, not {item!r}")
                values[name] = {**getattr(self, name), **value}
            else:
                kind = type(getattr(self, name))
                if kind is float and type(value) is int:
                    value = float(value)
                if type(value) is not kind:
                    raise UnknownSetting(f"{name} must be {kind.__name__}, not {value!r}")
                values[name] = value
        return replace(self, **values)

    def as_json(self) -> dict[str, Any]:
        """As control answers them."""
        return asdict(self)
