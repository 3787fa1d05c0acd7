"""moto's answers as plain data, and plain data on the wire.

moto answers with objects of its own and looks attributes up while it writes the response. Hooks want to filter,
page, order and complete an answer, so it is turned into plain data by the names of the API before they see it, and
written from there.
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from moto.core.responses import ActionContext, ActionResult, BaseResponse
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.core.utils import MISSING, get_service_model, get_value
from moto.utilities.aws_headers import gen_amzn_requestid_long

# --- out


class PlainResult(ActionResult):
    """A result that is plain data already and is written as it stands.

    https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
    https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
    https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
    """

    def execute_result(self, context: ActionContext) -> Any:
        operation, service = context.operation_model, context.service_model
        if "json" in service.metadata.get("protocols", [service.protocol]):
            kind = f"application/x-amz-json-{service.metadata['jsonVersion']}"
            return 200, {"Content-Type": kind}, json.dumps(self.result, default=_epoch)
        namespace = operation.metadata.get("xmlNamespace", "")
        parts: list[str] = []
        if operation.output_shape is not None:
            _members(parts, operation.output_shape, self.result or {})
        body, number = "".join(parts), gen_amzn_requestid_long({})
        if service.protocol == "ec2":
            body = f"<requestId>{number}</requestId>{body}"
        else:
            wrapper = (operation.output_shape.serialization if operation.output_shape else {}).get("resultWrapper")
            body = f"<{wrapper}>{body}</{wrapper}>" if wrapper else body
            body += f"<ResponseMetadata><RequestId>{number}</RequestId></ResponseMetadata>"
        name = f"{operation.name}Response"
        return 200, {"Content-Type": "text/xml"}, f'<{name} xmlns="{namespace}">{body}</{name}>'


def _epoch(value: Any) -> Any:
    if isinstance(value, datetime):
        return calendar.timegm(value.timetuple()) + value.microsecond // 1000 / 1000
    raise TypeError(f"cannot be written: {value!r}")


def _members(parts: list[str], shape: Any, value: dict[str, Any]) -> None:
    members = shape.members
    for name, item in value.items():
        member = members.get(name)
        if member is not None and item is not None:
            _write(parts, member, member.serialization.get("name", name), item)


def _write(parts: list[str], shape: Any, tag: str, value: Any) -> None:
    kind = shape.type_name
    if kind == "structure":
        parts.append(f"<{tag}>")
        _members(parts, shape, value)
        parts.append(f"</{tag}>")
    elif kind == "list":
        member = shape.member
        if shape.serialization.get("flattened"):
            for item in value:
                _write(parts, member, tag, item)
            return
        inner = member.serialization.get("name", "member")
        parts.append(f"<{tag}>")
        for item in value:
            _write(parts, member, inner, item)
        parts.append(f"</{tag}>")
    elif kind == "map":
        parts.append(f"<{tag}>")
        for key, item in value.items():
            parts.append(f"<entry><key>{escape(key)}</key>")
            _write(parts, shape.value, "value", item)
            parts.append("</entry>")
        parts.append(f"</{tag}>")
    elif kind == "boolean":
        parts.append(f"<{tag}>{'true' if value is True or value == 'true' else 'false'}</{tag}>")
    elif isinstance(value, datetime):
        parts.append(f"<{tag}>{value.strftime('%Y-%m-%dT%H:%M:%S')}.{value.microsecond // 1000:03}Z</{tag}>")
    else:
        parts.append(f"<{tag}>{escape(str(value))}</{tag}>")


# --- in


def plain(response: BaseResponse, action: str, answer: Any) -> dict[str, Any]:
    """The answer of one of moto's actions as plain data."""
    if isinstance(answer, str):
        return json.loads(answer) if answer else {}
    if isinstance(answer, tuple):
        return json.loads(answer[-1]) if answer[-1] else {}
    model = get_service_model(response.boto3_service_name).operation_model(action)
    if model.output_shape is None or answer.result is None:
        return {}
    reader = _Reader(response)
    return reader.structure(model.output_shape, answer.result, f"{action}.{model.output_shape.name}")


#: By member and type of object. Members live as long as the model of their service, so their ids stay theirs.
_KEYS: dict[tuple[int, type], tuple[str, ...]] = {}
_PICKER = XFormedAttributePicker()


def _keys(value: Any, name: str, member: Any, parent: Any) -> tuple[str, ...]:
    """The attributes under which moto's serialiser would look for a member of an object of that type."""
    known = _KEYS.get((id(member), type(value)))
    if known is None:
        member.parent = parent
        keys = _PICKER.get_possible_keys(AttributePickerContext(value, name, member))
        known = _KEYS[id(member), type(value)] = tuple(dict.fromkeys(keys))
    return known


class _Reader:
    """Reads what moto answered with, by the shapes of the service."""

    def __init__(self, response: BaseResponse) -> None:
        self._transformers = tuple(response.RESPONSE_KEY_PATH_TO_TRANSFORMER.items())

    def _transformer(self, path: str) -> Callable[[Any], Any] | None:
        return next((transform for end, transform in self._transformers if path.endswith(end)), None)

    def structure(self, shape: Any, value: Any, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            item = None
            for key in _keys(value, name, member, shape):
                picked = get_value(value, key, MISSING)
                if picked is not MISSING:
                    item = picked
                    break
            inner = f"{path}.{name}"
            transform = self._transformer(inner)
            if transform is not None:
                item = transform(item)
            if item is not None:
                found[name] = self.value(member, item, inner)
        return found

    def value(self, shape: Any, value: Any, path: str) -> Any:
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, value, path)
        if kind == "list":
            inner = f"{path}.{shape.member.name}"
            return [self.value(shape.member, item, inner) for item in value]
        if kind == "map":
            return {key: self.value(shape.value, item, path) for key, item in value.items()}
        if kind in ("integer", "long"):
            return int(value)
        if kind == "boolean":
            return value is True or str(value).lower() == "true"
        if kind == "string" and not isinstance(value, str):
            return str(value)
        return value
