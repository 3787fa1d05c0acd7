"""The same account, whatever its ids: two runs that made equal things give equal text.

Ids, the random parts of ARNs, and times differ from run to run. Each id is given a name that follows from what is
said about it: to begin with its kind, then, round by round, everything that mentions it, with the ids in there by
their names so far. Ids in the same position get the same name; what is left is equal where the accounts are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from typing import Any

ID = re.compile(
    r"\b(?P<kind>vpc|subnet|sgr|sg|rtb|rtbassoc|igw|eni|vpce|nat|eipalloc|eipassoc|acl|dopt|pl|vpc-cidr-assoc)"
    r"-[0-9a-f]{8,17}\b"
    r"|(?P<uuid>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<role>\bAROA[A-Z0-9]{16,17}\b|\bANPA[A-Z0-9]{16,17}\b)"
    r"|(?P<deployment>ecs-svc/\d+)"
    r"|(?<=/)(?P<hex>[0-9a-f]{16}|[0-9a-f]{32}|\d{12,20})(?![0-9a-zA-Z])"
)
TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?")
#: Members that are times, or follow from an id, whatever their form.
VARYING = frozenset({
    "creationTime", "CreatedTime", "CreateDate", "CreationTimestamp", "registeredAt", "createdAt", "updatedAt",
    "UpdateDate", "CreateTime", "DNSName", "DnsName", "HostedZoneId", "MacAddress", "PrivateDnsName", "events",
    "DnsEntries",
})
ROUNDS = 6


def _kind(found: re.Match[str]) -> str:
    return found["kind"] or str(found.lastgroup)


def _blank(value: Any, key: str = "") -> Any:
    if key in VARYING:
        return "*"
    if isinstance(value, dict):
        return {name: _blank(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_blank(item) for item in value]
    return TIME.sub("*", value) if isinstance(value, str) else value


def _sorted(value: Any) -> Any:
    """Lists whose order followed from ids get one that follows from what is left."""
    if isinstance(value, dict):
        return {name: _sorted(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def canonical(things: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The same things with names for ids."""
    rows = [(kind, json.dumps(_blank(one), sort_keys=True)) for kind, found in things.items() for one in found]
    mentions: dict[str, set[int]] = defaultdict(set)
    names: dict[str, str] = {}
    for number, (_, text) in enumerate(rows):
        for found in ID.finditer(text):
            mentions[found[0]].add(number)
            names[found[0]] = _kind(found)

    def named(text: str, own: str = "") -> str:
        text = ID.sub(lambda found: "SELF" if found[0] == own else f"<{names[found[0]]}>", text)
        return json.dumps(_sorted(json.loads(text)), sort_keys=True)

    for _ in range(ROUNDS):
        names = {
            one: names[one].split(":")[0] + ":" + hashlib.md5(
                "\n".join(sorted(named(rows[number][1], one) for number in numbers)).encode()
            ).hexdigest()[:12]
            for one, numbers in mentions.items()
        }
    result: dict[str, list[dict[str, Any]]] = {kind: [] for kind in things}
    for kind, text in rows:
        result[kind].append(json.loads(named(text)))
    return {kind: sorted(found, key=lambda one: json.dumps(one, sort_keys=True)) for kind, found in result.items()}
