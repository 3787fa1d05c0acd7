"""What the test bed knows of an account besides what moto keeps: settings, counters, faults, the request log."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .clock import now
from .faults import Fault, Hung
from .settings import Settings
from .wire import Incoming

LOG_LENGTH = 50_000


@dataclass
class Logged:
    """One request: what was sent and how it was answered."""

    number: int
    at: float
    incoming: Incoming
    write: int | None
    status: int | None = None
    error: str | None = None
    fault: str | None = None
    #: Whose policies were asked, and for what; nothing where none were.
    principal: str | None = None
    authorized: list[dict[str, str]] | None = None

    def as_json(self) -> dict[str, Any]:
        asked = {} if self.authorized is None else {"principal": self.principal, "authorized": self.authorized}
        return {
            "number": self.number,
            "at": round(self.at, 4),
            "service": self.incoming.service,
            "action": self.incoming.action,
            "region": self.incoming.region,
            "parameters": self.incoming.parameters(),
            "write": self.write,
            "status": self.status,
            "error": self.error,
            "fault": self.fault,
            **asked,
        }


@dataclass
class Account:
    """One account of the bed."""

    id: str
    settings: Settings
    calls: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    write_count: int = 0
    log: deque[Logged] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    faults: list[Fault] = field(default_factory=list)
    hung: list[Hung] = field(default_factory=list)
    hung_changed: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    alone_released: asyncio.Event = field(default_factory=asyncio.Event)
    crashes: list[str] = field(default_factory=list)
    seed: int = 0
    buckets: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    started: float = field(default_factory=now)
    #: Told of what happened later on, see `after`.
    watchers: dict[str, Callable[[], object]] = field(default_factory=dict)
    _memory: dict[tuple[str, str], dict[Any, Any]] = field(default_factory=lambda: defaultdict(dict))
    _drawn: Counter[str] = field(default_factory=Counter)
    _timers: dict[asyncio.TimerHandle, Callable[[], object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.released.set()

    def holds(self, rule: str) -> bool:
        """Whether a rule is switched on, as all are unless set otherwise."""
        return self.settings.rules.get(rule, True)

    def memory(self, region: str, topic: str) -> dict[Any, Any]:
        """What a behaviour remembers in a Region. It goes with the account."""
        return self._memory[region, topic]

    def draw(self, what: str) -> float:
        """A number from 0 to 1 that follows from the seed and how often the same was asked: not from what else was,
        since the order of requests is another each time."""
        self._drawn[what] += 1
        return random.Random(f"{self.seed} {what} {self._drawn[what]}").random()

    def sow(self, seed: int) -> None:
        """Starts drawing anew."""
        self.seed = seed
        self._drawn.clear()

    def after(self, seconds: float, then: Callable[[], object]) -> None:
        """Does something later, or at once where no time is to pass. It goes with the account."""
        if seconds <= 0:
            then()
            return

        def run() -> None:
            self._timers.pop(handle, None)
            try:
                then()
                for watcher in self.watchers.values():
                    watcher()
            except Exception:
                self.crashes.append(f"{then!r}\n{traceback.format_exc()}")

        handle = asyncio.get_running_loop().call_later(seconds, run)
        self._timers[handle] = then

    def move(self) -> None:
        """Goes on in the running loop, where another had it: what is to come still comes, and nobody is held."""
        self.hung.clear()
        self.hung_changed, self.released, self.alone_released = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.released.set()
        timers, self._timers = self._timers, {}
        for handle, then in timers.items():
            self.after(max(handle.when() - now(), 0.000_001), then)

    def close(self) -> None:
        """Nothing happens any more in this account."""
        for handle in self._timers:
            handle.cancel()
        self._timers.clear()
        self.released.set()
        self.alone_released.set()

    def reset_counters(self) -> None:
        """Starts counting, and logging, anew."""
        self.calls.clear()
        self.writes.clear()
        self.refused.clear()
        self.write_count = 0
        self.log.clear()
        self.crashes.clear()


class Accounts:
    """All accounts, made when they are first seen."""

    def __init__(self, defaults: Settings) -> None:
        self.defaults = defaults
        self._accounts: dict[str, Account] = {}

    def __getitem__(self, account_id: str) -> Account:
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = Account(account_id, self.defaults)
        return account

    def known(self) -> list[Account]:
        return list(self._accounts.values())

    def forget(self, account_id: str) -> None:
        """Drops the account: what the bed knows of it and what moto keeps for it."""
        from moto.core.base_backend import BackendDict

        account = self._accounts.pop(account_id, None)
        if account is not None:
            account.close()
        for backends in list(BackendDict._instances):
            dict.pop(backends, account_id, None)


_ACCOUNTS: Accounts | None = None


def accounts() -> Accounts:
    """The accounts of this process."""
    if _ACCOUNTS is None:
        raise RuntimeError("the test bed has not been set up")
    return _ACCOUNTS


def set_up(defaults: Settings) -> Accounts:
    """Makes the accounts of this process."""
    global _ACCOUNTS
    _ACCOUNTS = Accounts(defaults)
    return _ACCOUNTS
