"""The emulated AWS: one bed to set things up in, and copies of it to try things on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
REGION = "us-east-1"
#: Everything happens in the account that keys of no session belong to: copies keep accounts apart. Names are hashes of
#: the account, so only in one account can two runs make the same.
ACCOUNT = "123456789012"
START_TIMEOUT = 60.0

#: What takes time takes none. The rest is as strict as ever.
QUICK = {
    "endpoint_pending": 0,
    "endpoint_deleting": 0,
    "endpoint_deleted": 0,
    "load_balancer_interfaces_linger": 0,
    "task_start": 0,
    "target_healthy": 0,
    "target_draining": 0,
    "service_draining": 0,
}
#: What takes time takes a little of it, so that a run meets things on their way.
SLOW = {
    "endpoint_pending": 0.3,
    "endpoint_deleting": 0.2,
    "endpoint_deleted": 0.1,
    "load_balancer_interfaces_linger": 0.2,
    "task_start": 0.2,
    "target_healthy": 0.2,
    "target_draining": 0.2,
    "service_draining": 0.2,
}
#: What is switched on only to disturb.
CALM = {"latency": 0, "read_lag": 0, "role_delay": 0, "throttling": False, "time_scale": 1}
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Bed:
    """A bed, or a copy of one."""

    def __init__(self, url: str, process: subprocess.Popen[bytes] | None, pid: int) -> None:
        self.url, self._process, self._pid = url, process, pid

    @classmethod
    def start(cls, settings: dict[str, Any] | None = None) -> Bed:
        """A bed of this process's own."""
        with tempfile.TemporaryDirectory(prefix="tierctl-bed.") as folder:
            port = Path(folder) / "port"
            command = [sys.executable, "-m", "testbed", "--port", "0", "--port-file", str(port), "--exit-with-parent"]
            command += ["--config", json.dumps(QUICK | (settings or {}))]
            environment = os.environ | {"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"}
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
            end = time.monotonic() + START_TIMEOUT
            while not port.exists():
                if process.poll() is not None or time.monotonic() > end:
                    process.kill()
                    raise RuntimeError("the emulated AWS did not start")
                time.sleep(0.02)
            return cls(f"http://127.0.0.1:{port.read_text().strip()}", process, process.pid)

    def copy(self) -> Bed:
        """A bed with all that is in this one."""
        made = self._ask("POST", "/testbed/copies", {})
        return Bed(made["url"], None, made["pid"])

    def close(self) -> None:
        if self._process is None:
            with contextlib.suppress(ProcessLookupError):  # it went with the bed that it comes from
                os.kill(self._pid, signal.SIGTERM)
        else:
            self._process.terminate()
            self._process.wait()

    def __enter__(self) -> Bed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, path: str, data: Any = None, timeout: float = 60) -> Any:
        body = json.dumps(data).encode() if data is not None else None
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"}, method=method)
        try:
            with _OPENER.open(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()}") from error

    def endpoint_services(self, services: list[dict[str, Any]]) -> None:
        self._ask("POST", "/testbed/endpoint-services", {"services": services})

    def control(self, **data: Any) -> Any:
        return self._ask("POST", f"/testbed/accounts/{ACCOUNT}", data)

    def state(self) -> Any:
        return self._ask("GET", f"/testbed/accounts/{ACCOUNT}")

    def writes(self) -> list[dict[str, Any]]:
        """The requests that change something, in their order."""
        return self._ask("GET", f"/testbed/accounts/{ACCOUNT}/requests?writes=1")["requests"]  # type: ignore[no-any-return]

    def requests(self) -> list[dict[str, Any]]:
        """All requests, in their order."""
        return self._ask("GET", f"/testbed/accounts/{ACCOUNT}/requests")["requests"]  # type: ignore[no-any-return]

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        return self._ask("GET", f"/testbed/accounts/{ACCOUNT}/dump")  # type: ignore[no-any-return]

    def faults(self) -> int:
        """How many faults have happened."""
        return sum(fault["done"] for fault in self.state()["faults"])

    def is_held(self, seconds: float) -> bool:
        """Whether a request is being held, or comes to be within some seconds."""
        return bool(self._ask("GET", f"/testbed/accounts/{ACCOUNT}/hung?timeout={seconds}", timeout=seconds + 60)["hung"])

    def release(self) -> None:
        """Nothing disturbs any more, and what is held goes on; a request whose client has gone does not."""
        self.control(faults=[], settings=QUICK | CALM)
        self._ask("POST", f"/testbed/accounts/{ACCOUNT}/release", {})


#: boto3's sessions are not for several threads, and reading the models of the services takes a second.
_BOTO = threading.Lock()
_SESSION: Any = None


def client(bed: Bed, service: str, credentials: dict[str, str] | None = None) -> Any:
    """A client of another make than tierctl: of the account's administrator, or of whom the credentials are."""
    global _SESSION
    with _BOTO:
        if _SESSION is None:
            import boto3

            _SESSION = boto3.Session()
        keys = credentials or {"aws_access_key_id": "theirs", "aws_secret_access_key": "theirs"}
        return _SESSION.client(service, endpoint_url=bed.url, region_name=REGION, **keys)
