"""Policies as AWS evaluates them: whether statements match a request, and what follows from those that do.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Protocol

#: Stand for `*`, `?` and `$` that are meant as such, since they came out of a policy variable.
LITERAL = {"*": "\ue000", "?": "\ue001", "$": "\ue002"}
AS_WRITTEN = {stand_in: sign for sign, stand_in in LITERAL.items()}
VARIABLE = re.compile(r"\$\{([^}]*)\}")

Statement = dict[str, Any]


class PolicyMistake(ValueError):
    """A policy that cannot be evaluated, and that nobody should believe to have been."""


class Context(Protocol):
    """What a request tells of itself."""

    def values(self, key: str) -> list[str] | None:
        """The values of a condition key; nothing where the request does not have it."""


# --- documents


@lru_cache(maxsize=4096)
def statements(document: str) -> tuple[tuple[Statement, bool], ...]:
    """The statements of a document, each with whether it may use variables.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
    """
    data = json.loads(document)
    return tuple((one, data.get("Version") == "2012-10-17") for one in _listed(data["Statement"]))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def decide(documents: Iterable[str], action: str, arn: str, context: Context) -> str | None:
    """`Deny` where a statement denies, else `Allow` where one allows, else nothing.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
    """
    allowed = None
    for document in documents:
        for statement, variables in statements(document):
            if _matches(statement, variables, action, arn, context):
                if statement["Effect"] == "Deny":
                    return "Deny"
                allowed = "Allow"
    return allowed


def _matches(statement: Statement, variables: bool, action: str, arn: str, context: Context) -> bool:
    if "Action" in statement:
        if not any(_action(pattern, action) for pattern in _listed(statement["Action"])):
            return False
    elif any(_action(pattern, action) for pattern in _listed(statement["NotAction"])):
        return False

    def resource(pattern: str) -> bool:
        expanded = expand(pattern, context) if variables else pattern
        return expanded is not None and arn_matches(expanded, arn)

    if "Resource" in statement:
        if not any(resource(pattern) for pattern in _listed(statement["Resource"])):
            return False
    elif any(resource(pattern) for pattern in _listed(statement["NotResource"])):
        return False
    return all(
        _holds(operator, key, wanted, variables, context)
        for operator, pairs in statement.get("Condition", {}).items()
        for key, wanted in pairs.items()
    )


# --- patterns


@lru_cache(maxsize=8192)
def _expression(pattern: str) -> re.Pattern[str]:
    signs = {"*": ".*", "?": "."}
    return re.compile("".join(signs.get(sign) or re.escape(AS_WRITTEN.get(sign, sign)) for sign in pattern), re.DOTALL)


def _like(pattern: str, value: str) -> bool:
    return _expression(pattern).fullmatch(value) is not None


def _written(value: str) -> str:
    return "".join(AS_WRITTEN.get(sign, sign) for sign in value)


def _action(pattern: str, action: str) -> bool:
    """Actions are the same whatever the case.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    """
    return _like(pattern.lower(), action.lower())


def arn_matches(pattern: str, arn: str) -> bool:
    """Each of the six parts by itself; parts that are missing at the end may be anything.

    A request without a resource has `*`, which only `*` matches.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    if pattern == "*":
        return True
    wanted, parts = pattern.split(":", 5), arn.split(":", 5)
    if len(parts) < 6:
        return pattern == arn
    wanted += ["*"] * (6 - len(wanted))
    return all(_like(one, part) for one, part in zip(wanted, parts, strict=True))


def expand(text: str, context: Context) -> str | None:
    """A text with its variables filled in; nothing where one has no value and no default.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        inside = found[1].strip()
        if inside in LITERAL:
            return LITERAL[inside]
        key, _, default = inside.partition(",")
        values = context.values(key.strip())
        if values is None and default:
            values = [default.strip().strip("'")]
        if values is None or len(values) != 1:
            missing = True
            return ""
        return "".join(LITERAL.get(sign, sign) for sign in values[0])

    text = VARIABLE.sub(value, text)
    return None if missing else text


# --- conditions


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def compared(wanted: str, value: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return compared


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _date(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, value: compare(_moment(value), _moment(wanted))


def _address(wanted: str, value: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


#: How a value that is wanted is compared with one that the request has, and whether neither may match.
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (lambda wanted, value: _written(wanted) == value, False),
    "StringNotEquals": (lambda wanted, value: _written(wanted) == value, True),
    "StringEqualsIgnoreCase": (lambda wanted, value: _written(wanted).lower() == value.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda wanted, value: _written(wanted).lower() == value.lower(), True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "NumericEquals": (_number(lambda value, wanted: value == wanted), False),
    "NumericNotEquals": (_number(lambda value, wanted: value == wanted), True),
    "NumericLessThan": (_number(lambda value, wanted: value < wanted), False),
    "NumericLessThanEquals": (_number(lambda value, wanted: value <= wanted), False),
    "NumericGreaterThan": (_number(lambda value, wanted: value > wanted), False),
    "NumericGreaterThanEquals": (_number(lambda value, wanted: value >= wanted), False),
    "DateEquals": (_date(lambda value, wanted: value == wanted), False),
    "DateNotEquals": (_date(lambda value, wanted: value == wanted), True),
    "DateLessThan": (_date(lambda value, wanted: value < wanted), False),
    "DateLessThanEquals": (_date(lambda value, wanted: value <= wanted), False),
    "DateGreaterThan": (_date(lambda value, wanted: value > wanted), False),
    "DateGreaterThanEquals": (_date(lambda value, wanted: value >= wanted), False),
    "Bool": (lambda wanted, value: wanted.lower() == value.lower(), False),
    "BinaryEquals": (lambda wanted, value: base64.b64decode(wanted) == base64.b64decode(value), False),
    "IpAddress": (_address, False),
    "NotIpAddress": (_address, True),
    "ArnEquals": (arn_matches, False),
    "ArnLike": (arn_matches, False),
    "ArnNotEquals": (arn_matches, True),
    "ArnNotLike": (arn_matches, True),
}


def _holds(operator: str, key: str, wanted: Any, variables: bool, context: Context) -> bool:
    """Whether a condition holds: by itself, of any value (`ForAnyValue`), of all (`ForAllValues`), if there is one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in _listed(wanted)]
    values = context.values(key)
    if name == "Null":
        return any((values is None) == (text.lower() == "true") for text in texts)
    if name not in OPERATORS or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise PolicyMistake(f"no condition operator {operator!r}")
    compare, negated = OPERATORS[name]
    if values is None:
        return if_exists or quantifier == "ForAllValues" or (negated and quantifier == "")
    expanded = [expand(text, context) if variables else text for text in texts]
    matching = [any(one is not None and compare(one, value) for one in expanded) for value in values]
    if quantifier == "ForAllValues":
        return all(match != negated for match in matching)
    if quantifier == "ForAnyValue":
        return any(match != negated for match in matching)
    return any(matching) != negated
