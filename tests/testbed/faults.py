"""Faults on demand: errors and dropped connections before or after the effect, and writes that hang."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accounts import Account
    from .wire import Incoming

EFFECTS = ("error-before", "error-after", "drop-before", "drop-after", "hang-before", "hang-after")


class BadFault(ValueError):
    """A fault that cannot be set."""


@dataclass
class Fault:
    """What goes wrong, and when.

    Without `action` it meets writes only, unless `reads` is set. `nth_write` and `nth_call` count the
    requests that the fault could meet, from 1, since it was set. It happens `times` times (0: always).

    `error-*` answers `code` with `status` (by default the 5xx answer of the service), `drop-*` cuts the
    connection, `hang-*` holds the request, and every later one of the account, until released; where it is `alone`,
    that request and no other.
    """

    effect: str
    action: str | None = None
    reads: bool = False
    nth_write: int | None = None
    nth_call: int | None = None
    rate: float | None = None
    times: int = 1
    code: str | None = None
    status: int | None = None
    message: str = "An internal error has occurred"
    alone: bool = False
    seen: int = 0
    done: int = 0

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        known = {item.name for item in fields(cls)} - {"seen", "done"}
        for name in data:
            if name not in known:
                raise BadFault(f"a fault has no {name!r}; it has {', '.join(sorted(known))}")
        if data.get("effect") not in EFFECTS:
            raise BadFault(f"effect must be one of {', '.join(EFFECTS)}")
        return cls(**data)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def meets(self, account: Account, incoming: Incoming) -> bool:
        """Whether it happens to this request. Counts the request."""
        if self.action is not None:
            if self.action not in (incoming.action, incoming.name):
                return False
        elif not incoming.is_write and not self.reads:
            return False
        if self.nth_write is not None and not incoming.is_write:
            return False
        self.seen += 1
        wanted = self.nth_write if self.nth_write is not None else self.nth_call
        if wanted is not None and self.seen != wanted:
            return False
        if self.times and self.done >= self.times:
            return False
        if self.rate is not None and account.draw(f"{self.effect} {incoming.name}") >= self.rate:
            return False
        self.done += 1
        return True

    def error(self, service: str) -> tuple[str, int]:
        """The code and the status that it answers with."""
        code, status = SERVER_ERRORS.get(service, ("ServiceUnavailable", 503))
        return self.code or code, self.status or status


#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
#: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html#API_GetResources_Errors
SERVER_ERRORS = {
    "ec2": ("Unavailable", 503),
    "ecs": ("ServerException", 500),
    "elasticloadbalancing": ("ServiceUnavailable", 503),
    "iam": ("ServiceFailure", 500),
    "logs": ("ServiceUnavailableException", 500),
    "tagging": ("InternalServiceException", 500),
}


@dataclass(frozen=True)
class Hung:
    """A request that is being held."""

    number: int
    action: str
    write: int | None
    effect: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def fault_for(account: Account, incoming: Incoming) -> Fault | None:
    """The first fault that meets the request; each one counts it."""
    met = [fault for fault in account.faults if fault.meets(account, incoming)]
    return met[0] if met else None
