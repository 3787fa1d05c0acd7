"""moto's answers as plain data: dictionaries and lists by the names of the AWS API.

moto answers with objects of its own and looks attributes up while it writes the response. Hooks want
to filter, page, order and complete an answer, so it is turned into plain data before they see it.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionContext, ActionResult, BaseResponse
from moto.core.serialize import AttributePickerContext, DefaultAttributePicker, XFormedAttributePicker
from moto.core.utils import get_service_model


class PlainResult(ActionResult):
    """A result that is plain data already and is written as it stands."""

    def execute_result(self, context: ActionContext) -> Any:
        serializer = context.serializer_class(
            operation_model=context.operation_model, value_picker=DefaultAttributePicker()
        )
        serialized = serializer.serialize(self.result)
        return serialized["status_code"], serialized["headers"], serialized["body"]


def plain(response: BaseResponse, action: str, answer: Any) -> dict[str, Any]:
    """The answer of one of moto's actions as plain data."""
    if isinstance(answer, str):
        return json.loads(answer) if answer else {}
    if isinstance(answer, tuple):
        return json.loads(answer[-1]) if answer[-1] else {}
    model = get_service_model(response.boto3_service_name).operation_model(action)
    if model.output_shape is None or answer.result is None:
        return {}
    picker = XFormedAttributePicker(response_transformers=response.RESPONSE_KEY_PATH_TO_TRANSFORMER)
    return _structure(picker, action, model.output_shape, answer.result, [action, model.output_shape.name])


def _structure(picker: Any, action: str, shape: Any, value: Any, path: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        member.parent = shape
        item = picker(AttributePickerContext(value, name, member, key_path=".".join(path)))
        if item is not None:
            found[name] = _value(picker, action, member, item, [*path, name])
    return found


def _value(picker: Any, action: str, shape: Any, value: Any, path: list[str]) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(picker, action, shape, value, path)
    if kind == "list":
        inner = [*path, shape.member.name]
        return [_value(picker, action, shape.member, item, inner) for item in value]
    if kind == "map":
        return {key: _value(picker, action, shape.value, item, path) for key, item in value.items()}
    if kind in ("integer", "long"):
        return int(value)
    if kind == "boolean":
        return value is True or str(value).lower() == "true"
    if kind == "string" and not isinstance(value, str):
        return str(value)
    return value
