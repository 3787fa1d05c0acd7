"""The expressions in workflows and actions, as far as ours have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(&&|\|\||==|!=|[!(),])|([A-Za-z_][\w.-]*)|(\d+))")
_STATUS = re.compile(r"\b(?:always|success|failure|cancelled)\(\)")


class _Parser:
    def __init__(self, text: str, contexts: dict[str, Any], functions: dict[str, Callable[..., Any]]) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._contexts, self._functions, self._at = contexts, functions, 0
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            assert found, f"not understood: {text[position:]!r} of {text!r}"
            kinds = ("text", "operator", "name", "number")
            kind, value = next(
                (kind, value) for kind, value in zip(kinds, found.groups(), strict=True) if value is not None
            )
            self._tokens.append((kind, value))
            position = found.end()

    def whole(self) -> Any:
        value = self._either()
        assert self._at == len(self._tokens), f"left over: {self._tokens[self._at :]}"
        return value

    def _takes(self, operator: str) -> bool:
        is_next = self._at < len(self._tokens) and self._tokens[self._at] == ("operator", operator)
        self._at += is_next
        return is_next

    def _either(self) -> Any:
        value = self._both()
        while self._takes("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._takes("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> Any:
        value = self._negated()
        for operator in ("==", "!="):
            if self._takes(operator):
                # GitHub compares text without case, and nothing equals an empty text.
                other = self._negated()
                is_equal = str("" if value is None else value).lower() == str("" if other is None else other).lower()
                return is_equal == (operator == "==")
        return value

    def _negated(self) -> Any:
        return not self._negated() if self._takes("!") else self._one()

    def _one(self) -> Any:
        if self._takes("("):
            value = self._either()
            assert self._takes(")")
            return value
        kind, value = self._tokens[self._at]
        self._at += 1
        if kind == "text":
            return value[1:-1].replace("''", "'")
        if kind == "number":
            return int(value)
        assert kind == "name", value
        if self._takes("("):
            arguments = []
            while not self._takes(")"):
                arguments.append(self._either())
                self._takes(",")
            return self._functions[value](*arguments)
        found: Any = self._contexts
        for part in value.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found


def _format(pattern: str, *values: Any) -> str:
    return re.sub(r"\{(\d+)\}", lambda found: str(values[int(found[1])]), pattern)


def evaluate(text: str, contexts: dict[str, Any], failed: bool = False) -> Any:
    functions: dict[str, Callable[..., Any]] = {
        "always": lambda: True,
        "success": lambda: not failed,
        "failure": lambda: failed,
        "format": _format,
    }
    return _Parser(text, contexts, functions).whole()


def holds(condition: str | bool | None, contexts: dict[str, Any], failed: bool) -> bool:
    """Whether a step runs: after a failure only one that asks for it."""
    if condition is None:
        return not failed
    text = str(condition).strip().removeprefix("${{").removesuffix("}}")
    if not _STATUS.search(text):
        return not failed and bool(evaluate(text, contexts, failed))
    return bool(evaluate(text, contexts, failed))


def filled(value: Any, contexts: dict[str, Any]) -> str:
    """A value with its expressions replaced, as a step is given it."""
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)

    def one(found: re.Match[str]) -> str:
        result = evaluate(found[1], contexts)
        return "" if result is None or result is False else str(result)

    return re.sub(r"\$\{\{(.*?)\}\}", one, text)
