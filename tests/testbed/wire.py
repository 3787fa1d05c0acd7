"""Requests as they come in: whose they are, which service and action, and their parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

READS = ("Describe", "List", "Get", "BatchGet", "Simulate", "Lookup")
#: Not a change to anything that a test looks at.
NOT_WRITES = frozenset({"sts"})


@dataclass(frozen=True)
class Incoming:
    """A request to an AWS service."""

    key: str
    service: str
    region: str
    action: str
    body: bytes

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"

    @property
    def is_write(self) -> bool:
        return self.service not in NOT_WRITES and not self.action.startswith(READS)

    def parameters(self) -> dict[str, Any]:
        """The parameters by the names and in the shape of the service's API."""
        if self.body[:1] == b"{":
            return json.loads(self.body)
        from moto.core.parse import PROTOCOL_PARSERS
        from moto.core.utils import get_service_model
        from werkzeug.datastructures import MultiDict

        form = MultiDict(parse_qsl(self.body.decode(), keep_blank_values=True))
        try:
            model = get_service_model({"elasticloadbalancing": "elbv2"}.get(self.service, self.service))
            operation = model.operation_model(self.action)
            parser = PROTOCOL_PARSERS["ec2" if self.service == "ec2" else "query"](operation)
            return parser.parse({"values": form, "headers": {}, "body": b"", "method": "POST",
                                 "url_path": "/", "url_params": {}})
        except Exception:  # an action or parameter that the service does not have
            return {name: value for name, value in form.items() if name not in ("Action", "Version")}


def identify(headers: Mapping[str, str], body: bytes) -> Incoming | None:
    """Reads who calls what out of the signature and the body; nothing where it is no such request.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    target = headers.get("X-Amz-Target")
    if target:
        action = target.rsplit(".", 1)[-1]
    else:
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)) if body[:1] != b"{" else {}
        action = form.get("Action", "")
    if not action:
        return None
    try:
        scope = headers["Authorization"].split("Credential=", 1)[1].split(",", 1)[0]
        key, _date, region, service, _end = scope.strip().split("/")
    except (KeyError, IndexError, ValueError):
        if action.startswith("AssumeRole"):  # with a web identity: not signed
            return Incoming("", "sts", "us-east-1", action, body)
        return None
    return Incoming(key, service, region, action, body)
