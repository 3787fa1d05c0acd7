"""What tests ask of the bed itself, below `/testbed/`. The README lists it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from .accounts import Account, Accounts
from .copies import copy
from .dump import dump
from .endpoint_services import Provided, provided, seed
from .faults import BadFault, Fault
from .identities import expire
from .rules import RULES
from .settings import QUOTAS, UnknownSetting

ACCOUNT_KEYS = frozenset({"settings", "faults", "add_faults", "seed", "reset_counters", "expire_sessions"})


def add_routes(application: web.Application, accounts: Accounts, again: Callable[[], web.Application]) -> None:
    """Adds the control calls; `again` makes the application of a copy."""
    control = Control(accounts, again)
    route = application.router.add_route
    route("GET", "/testbed/health", control.health)
    route("GET", "/testbed/rules", control.rules)
    route("POST", "/testbed/copies", control.copy)
    route("GET", "/testbed/endpoint-services", control.list_services)
    route("POST", "/testbed/endpoint-services", control.seed_services)
    route("GET", "/testbed/accounts", control.list_accounts)
    route("GET", "/testbed/accounts/{id}", control.show)
    route("POST", "/testbed/accounts/{id}", control.change)
    route("DELETE", "/testbed/accounts/{id}", control.forget)
    route("GET", "/testbed/accounts/{id}/requests", control.requests)
    route("GET", "/testbed/accounts/{id}/dump", control.dump)
    route("GET", "/testbed/accounts/{id}/hung", control.hung)
    route("POST", "/testbed/accounts/{id}/release", control.release)
    route("*", "/testbed/{tail:.*}", control.unknown)


def _json(data: Any, status: int = 200) -> web.Response:
    return web.json_response(data, status=status, dumps=lambda value: json.dumps(value, default=str))


class Control:
    """The control calls."""

    def __init__(self, accounts: Accounts, again: Callable[[], web.Application]) -> None:
        self.accounts, self.again = accounts, again

    async def unknown(self, request: web.Request) -> web.Response:
        return _json({"error": f"no {request.method} {request.path}"}, 404)

    async def health(self, _request: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def rules(self, _request: web.Request) -> web.Response:
        rules = [
            {"name": rule.name, "summary": rule.summary, "pages": rule.pages}
            for _, rule in sorted(RULES.items())
        ]
        return _json({"rules": rules, "quotas": QUOTAS, "defaults": self.accounts.defaults.as_json()})

    async def copy(self, _request: web.Request) -> web.Response:
        pid, port = copy(self.accounts, self.again)
        return _json({"pid": pid, "url": f"http://127.0.0.1:{port}"})

    async def list_accounts(self, _request: web.Request) -> web.Response:
        return _json({"accounts": sorted(account.id for account in self.accounts.known())})

    async def show(self, request: web.Request) -> web.Response:
        return _json(_describe(self.accounts[request.match_info["id"]]))

    async def change(self, request: web.Request) -> web.Response:
        account = self.accounts[request.match_info["id"]]
        try:
            data = await request.json()
            unknown = set(data) - ACCOUNT_KEYS
            if unknown:
                raise UnknownSetting(f"no {', '.join(sorted(unknown))}; there are {', '.join(sorted(ACCOUNT_KEYS))}")
            settings = account.settings.changed(data.get("settings", {}))
            faults = [Fault.from_json(fault) for fault in data["faults"]] if "faults" in data else account.faults
            faults = [*faults, *(Fault.from_json(fault) for fault in data.get("add_faults", []))]
        except (ValueError, TypeError, UnknownSetting, BadFault) as error:
            return _json({"error": str(error)}, 400)
        account.settings, account.faults = settings, faults
        if "seed" in data:
            account.sow(data["seed"])
        if data.get("reset_counters"):
            account.reset_counters()
        if data.get("expire_sessions"):
            expire(account.id)
        return _json(_describe(account))

    async def forget(self, request: web.Request) -> web.Response:
        self.accounts.forget(request.match_info["id"])
        return _json({})

    async def requests(self, request: web.Request) -> web.Response:
        """The request log, narrowed by `service`, `action`, `after` (a number), `writes`."""
        account, query = self.accounts[request.match_info["id"]], request.query
        after, writes = int(query.get("after", 0)), "writes" in query
        chosen = [
            logged.as_json()
            for logged in account.log
            if logged.number > after
            and query.get("service", logged.incoming.service) == logged.incoming.service
            and query.get("action", logged.incoming.action) == logged.incoming.action
            and (not writes or logged.incoming.is_write)
        ]
        return _json({"requests": chosen})

    async def dump(self, request: web.Request) -> web.Response:
        region = request.query.get("region")
        text = dump(request.match_info["id"], [region] if region else None, "mapped" in request.query)
        return web.Response(text=text, content_type="application/json")

    async def hung(self, request: web.Request) -> web.Response:
        """Waits, up to `timeout` seconds, until a request is held."""
        account = self.accounts[request.match_info["id"]]
        if not account.hung:
            account.hung_changed.clear()
            try:
                await asyncio.wait_for(account.hung_changed.wait(), float(request.query.get("timeout", 0)))
            except asyncio.TimeoutError:
                pass
        return _json({"hung": [item.as_json() for item in account.hung], "writes": account.write_count})

    async def release(self, request: web.Request) -> web.Response:
        """Lets held requests go on; those whose client has gone are dropped, unless already done."""
        account = self.accounts[request.match_info["id"]]
        await asyncio.sleep(0.02)  # for the news of clients that have gone
        account.hung.clear()
        account.released.set()
        account.alone_released.set()
        return _json(_describe(account))

    async def list_services(self, _request: web.Request) -> web.Response:
        return _json({"services": [service.as_json() for service in provided().values()]})

    async def seed_services(self, request: web.Request) -> web.Response:
        try:
            data = await request.json()
            items = data["services"] if "services" in data else [data]
            made = [seed(Provided.from_json(item)) for item in items]
        except (ValueError, TypeError, KeyError) as error:
            return _json({"error": str(error)}, 400)
        return _json({"services": [service.as_json() for service in made]})


def _describe(account: Account) -> dict[str, Any]:
    return {
        "account": account.id,
        "settings": account.settings.as_json(),
        "faults": [fault.as_json() for fault in account.faults],
        "calls": dict(sorted(account.calls.items())),
        "writes": dict(sorted(account.writes.items())),
        "write_count": account.write_count,
        "refused": dict(sorted(account.refused.items())),
        "hung": [item.as_json() for item in account.hung],
        "crashes": account.crashes,
    }
