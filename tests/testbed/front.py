"""The wire: an asyncio server in moto's own process.

moto has no locks, so it runs one request at a time; waiting (latency, held requests) costs no thread.
"""

from __future__ import annotations

import asyncio
import io
import sys
import traceback
from contextlib import nullcontext
from typing import Any

from aiohttp import web

from . import control
from .accounts import Account, Accounts, Logged
from .authorization import authorize, refusal
from .buckets import ERRORS, take
from .clock import now
from .errors import Answer, wire_error
from .faults import Fault, Hung, fault_for
from .hooks import response_classes
from .identities import account_of, expired, expired_error
from .tagging import noting
from .wire import Incoming, identify

#: What aiohttp sets itself.
OWN_HEADERS = frozenset({"content-length", "connection", "date", "status", "transfer-encoding"})


class Front:
    """Answers requests: control itself, everything else through moto."""

    def __init__(self, accounts: Accounts) -> None:
        from moto.moto_server.werkzeug_app import BackendRequest, DomainDispatcherApplication, create_backend_app

        self.accounts = accounts
        self._request_class = BackendRequest
        self._classes = response_classes()
        self._other_services = DomainDispatcherApplication(create_backend_app)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=64 << 20)
        control.add_routes(application, self.accounts, self.application)
        application.router.add_route("*", "/{tail:.*}", self.handle)
        return application

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        incoming = identify(request.headers, body)
        if incoming is None:
            return _response(self._ask_moto(request, body, None, None))
        account = self.accounts[account_of(incoming.key)]
        logged = self._log(account, incoming)
        if account.settings.latency:
            await asyncio.sleep(account.settings.latency)
        refused = self._refusal(account, incoming)
        if refused is None and account.settings.enforce_policies:
            refused = self._not_authorized(account, incoming, logged)
        if refused:
            account.refused[refused[0]] += 1
            return _finish(logged, wire_error(incoming.service, *refused), refused[0])
        if not await self._not_held(account, request):
            return _dropped(request)
        if incoming.is_write:
            account.write_count += 1
            account.writes[incoming.name] += 1
            logged.write = account.write_count
        fault = fault_for(account, incoming)
        if fault:
            logged.fault = fault.effect
            early = await self._before(fault, account, incoming, request, logged)
            if early is not None:
                return early
        answer = self._ask_moto(request, body, account, incoming)
        if fault:
            late = await self._after(fault, account, incoming, request, logged)
            if late is not None:
                return late
        return _finish(logged, answer, None)

    def _log(self, account: Account, incoming: Incoming) -> Logged:
        account.calls[incoming.name] += 1
        logged = Logged(sum(account.calls.values()), now() - account.started, incoming, None)
        account.log.append(logged)
        return logged

    def _refusal(self, account: Account, incoming: Incoming) -> tuple[str, str, int] | None:
        """What AWS refuses before it looks at the action."""
        if expired(incoming.key):
            return expired_error(incoming.service)
        if account.settings.throttling and not take(account, incoming):
            return ERRORS[incoming.service]
        return None

    def _not_authorized(self, account: Account, incoming: Incoming, logged: Logged) -> tuple[str, str, int] | None:
        """What the policies of who calls do not allow. What cannot be decided is refused too, and never passed over."""
        try:
            return authorize(account, incoming, logged)
        except Exception as error:
            account.crashes.append(f"{incoming.name}\n{traceback.format_exc()}")
            return refusal(incoming.service, f"the test bed cannot decide on {incoming.name}: {error}")

    async def _not_held(self, account: Account, request: web.Request) -> bool:
        """Waits while the account's requests are held; false where the client has gone meanwhile."""
        if account.released.is_set():
            return True
        await account.released.wait()
        return request.transport is not None and not request.transport.is_closing()

    async def _before(
        self, fault: Fault, account: Account, incoming: Incoming, request: web.Request, logged: Logged
    ) -> web.StreamResponse | None:
        """The answer of a fault that comes before the effect."""
        if fault.effect == "error-before":
            return self._error(fault, incoming, logged)
        if fault.effect == "drop-before":
            return _dropped(request)
        if fault.effect == "hang-before":
            await self._hold(account, logged, fault)
            if request.transport is None or request.transport.is_closing():
                return _dropped(request)
        return None

    async def _after(
        self, fault: Fault, account: Account, incoming: Incoming, request: web.Request, logged: Logged
    ) -> web.StreamResponse | None:
        """The answer of a fault that comes after the effect."""
        if fault.effect == "error-after":
            return self._error(fault, incoming, logged)
        if fault.effect == "drop-after":
            return _dropped(request)
        if fault.effect == "hang-after":
            await self._hold(account, logged, fault)
        return None

    async def _hold(self, account: Account, logged: Logged, fault: Fault) -> None:
        until = account.alone_released if fault.alone else account.released
        until.clear()
        account.hung.append(Hung(logged.number, logged.incoming.name, logged.write, fault.effect))
        account.hung_changed.set()
        await until.wait()

    def _error(self, fault: Fault, incoming: Incoming, logged: Logged) -> web.StreamResponse:
        code, status = fault.error(incoming.service)
        return _finish(logged, wire_error(incoming.service, code, fault.message, status), code)

    def _ask_moto(
        self, request: web.Request, body: bytes, account: Account | None, incoming: Incoming | None
    ) -> Answer:
        environ = _environ(request, body, account)
        kind = self._classes.get(incoming.service) if incoming else None
        if kind and b"Version=2012-06-01" in body:
            kind = None  # the classic load balancers sign with the same name
        try:
            with noting(account, incoming) if account and incoming and incoming.is_write else nullcontext():
                if kind is None:
                    return self._through_wsgi(environ)
                moto_request = self._request_class(environ)
                status, headers, text = kind.dispatch(moto_request, moto_request.raw_url, dict(moto_request.headers))
            return int(status), headers, text.encode() if isinstance(text, str) else text
        except Exception as error:
            if account:
                account.crashes.append(f"{incoming.name if incoming else request.path}\n{traceback.format_exc()}")
            service = incoming.service if incoming else ""
            return wire_error(service, "InternalFailure", f"the test bed failed: {error!r}", 500)

    def _through_wsgi(self, environ: dict[str, Any]) -> Answer:
        """Services without hooks, through moto's own routing."""
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
            started.extend((int(status[:3]), dict(headers)))

        body = b"".join(self._other_services(environ, start))
        return started[0], started[1], body


def _environ(request: web.Request, body: bytes, account: Account | None) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "RAW_URI": request.raw_path,
        "QUERY_STRING": request.query_string,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    environ["CONTENT_LENGTH"] = str(len(body))
    if account:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account.id
    return environ


def _response(answer: Answer) -> web.Response:
    status, headers, body = answer
    response = web.Response(status=status, body=body)
    for name, value in headers.items():
        if name.lower() not in OWN_HEADERS:
            response.headers[name] = str(value)
    return response


def _finish(logged: Logged, answer: Answer, error: str | None) -> web.Response:
    logged.status = answer[0]
    logged.error = error if error or answer[0] < 400 else _error_code(answer)
    return _response(answer)


def _error_code(answer: Answer) -> str:
    """The code of an error that moto answered with."""
    import re

    found = re.search(rb"<Code>([^<]+)</Code>|\"__type\": ?\"([^\"]+)\"", answer[2])
    return next((group.decode() for group in found.groups() if group), "") if found else ""


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
