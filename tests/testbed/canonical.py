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
from collections.abc import Iterator
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


def _places(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Each id in a thing, and where in it the id stands; members of a list stand in one place."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, f"{at}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from _places(item, at)
    elif isinstance(value, str):
        for found in ID.finditer(value):
            yield found[0], at


def canonical(things: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The same things with names for ids."""
    rows = [(kind, _blank(one)) for kind, found in things.items() for one in found]
    texts = [json.dumps(one) for _, one in rows]
    mentions: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    names: dict[str, str] = {}
    for number, (_, one) in enumerate(rows):
        for found, place in _places(one):
            mentions[found][number].append(place)
    for text in texts:
        for found in ID.finditer(text):
            names[found[0]] = _kind(found)

    def named(text: str) -> str:
        return json.dumps(_sorted(json.loads(ID.sub(lambda found: f"<{names[found[0]]}>", text))), sort_keys=True)

    for _ in range(ROUNDS):
        seen = [_hash(named(text)) for text in texts]
        names = {
            one: names[one].split(":")[0] + ":" + _hash(
                "\n".join(sorted(f"{seen[number]} {sorted(places)}" for number, places in where.items()))
            )
            for one, where in mentions.items()
        }
    result: dict[str, list[dict[str, Any]]] = {kind: [] for kind in things}
    for (kind, _), text in zip(rows, texts, strict=True):
        result[kind].append(json.loads(named(text)))
    return {kind: sorted(found, key=lambda one: json.dumps(one, sort_keys=True)) for kind, found in result.items()}


def _hash(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()[:12]
