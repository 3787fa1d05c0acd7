"""Whether two accounts are equal: the same after ids, ARNs and times have given way to names.

Four things more are no difference. A revision of a task definition may exist that nothing uses, one for each fault. What
AWS hands out follows from the order of requests, or is its own choice: addresses, and the zone of a task. And so does
which of several new rules gets which of the lowest free places; the places together have to be the same. A target that
drains goes by itself.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from testbed.canonical import canonical

from .foreign import Dump

NAME = re.compile(r"<([a-z-]+):[0-9a-f]{12}>")
#: Of a kind so many different lines are shown.
SHOWN = 12
#: What is part of another thing and comes and goes with it.
PARTS = frozenset({"networkinterfaces", "securitygrouprules", "taskdefinitions"})


@dataclass(frozen=True)
class Account:
    """An account in a form that can be compared."""

    things: dict[str, list[dict[str, Any]]]
    #: Registered revisions by family and status.
    revisions: Counter[tuple[str, str]]
    #: Priorities of our rules by listener, in order.
    places: dict[str, list[int]]


def account(dump: Dump) -> Account:
    dump = json.loads(json.dumps(dump))
    definitions = dump.pop("taskdefinitions", [])
    revisions = Counter((str(one["family"]), str(one["status"])) for one in definitions)
    contents = {one["taskDefinitionArn"]: _content(one) for one in definitions}
    for service in dump["services"]:
        _name_revision(service, contents)
    dump["vpcendpoints"] = [one for one in dump["vpcendpoints"] if one["State"].lower() != "deleted"]
    places: dict[str, list[int]] = defaultdict(list)
    for rule in dump["rules"]:
        if owner("rules", rule):
            places[rule["ListenerArn"].split("/")[-3]].append(int(rule["Priority"]))
            rule["Priority"] = "*"
    handed_out = {one["PrivateIpAddress"] for one in dump["networkinterfaces"]}
    for interface in dump["networkinterfaces"]:
        if interface.get("RequesterId") == "amazon-ecs":
            interface.update(SubnetId="*", AvailabilityZone="*")
    for group in dump["targetgroups"]:
        group["Targets"] = [one for one in group["Targets"] if one["TargetHealth"]["State"] != "draining"]
        for target in (one["Target"] for one in group["Targets"]):
            if target["Id"] in handed_out:
                target["AvailabilityZone"] = "*"
    things = canonical(_without(dump, handed_out))
    return Account(things, revisions, {name: sorted(found) for name, found in places.items()})


def _content(definition: dict[str, Any]) -> dict[str, Any]:
    varying = ("taskDefinitionArn", "revision", "registeredAt")
    return {name: value for name, value in definition.items() if name not in varying}


def _name_revision(service: dict[str, Any], contents: dict[str, dict[str, Any]]) -> None:
    """Puts what a revision says in the place of its number."""
    number = service["taskDefinition"].rsplit(":", 1)[-1]
    for tag in service["tags"]:
        if tag["key"] == "tierctl:revision" and tag["value"] == number:
            tag["value"] = "the one that runs"
    for one in (service, *service["deployments"]):
        one["taskDefinition"] = contents.get(one["taskDefinition"], one["taskDefinition"])


#: The record of what was applied: hashes of ids that vary, and after a run that was broken off it may be an old one.
RECORD = "tierctl:applied"


def _without(value: Any, addresses: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, addresses) for name, item in value.items() if not str(name).startswith(RECORD)}
    if isinstance(value, list):
        return [_without(item, addresses) for item in value if not _is_record(item)]
    return "<address>" if isinstance(value, str) and value in addresses else value


def _is_record(item: Any) -> bool:
    return isinstance(item, dict) and str(item.get("Key", item.get("key", ""))).startswith(RECORD)


def owner(kind: str, thing: dict[str, Any]) -> tuple[str, ...]:
    """Whose a thing is, as tierctl's tags say: kind, tier, cell, infra group, tenant and name; nothing for others'."""
    listed = thing.get("Tags") or thing.get("tags") or thing.get("TagSet") or []
    if isinstance(listed, dict):
        tags = dict(listed)
    else:
        tags = {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in listed}
    if "tierctl:tier" not in tags:
        return ()
    names = ("tier", "cell", "infra-group", "tenant", "resource")
    return (kind, *(str(tags.get(f"tierctl:{name}", "")) for name in names))


def owned(dump: Dump) -> Counter[tuple[str, ...]]:
    """How often each identity is there."""
    found = (owner(kind, one) for kind, things in dump.items() if kind not in PARTS for one in things if not _has_gone(kind, one))
    return Counter(identity for identity in found if identity)


def named(identity: tuple[str, ...]) -> str:
    return " ".join(part for part in identity if part)


def _has_gone(kind: str, thing: dict[str, Any]) -> bool:
    return kind == "vpcendpoints" and thing["State"].lower() == "deleted"


def doubles(dump: Dump) -> list[str]:
    """What is there twice: things of one identity, and rules of one place."""
    twice = [f"{count} {named(identity)}" for identity, count in owned(dump).items() if count > 1]
    places = Counter((rule["ListenerArn"], rule["Priority"]) for rule in dump["rules"])
    twice += [f"{count} rules of priority {priority} on {arn}" for (arn, priority), count in places.items() if count > 1]
    return [f"there are {text}" for text in twice]


def differences(
    expected: Account, found: Account, spare_revisions: int, same_places: bool = True, same_revisions: bool = True
) -> list[str]:
    """What is not equal, in words; nothing where the accounts are.

    Where something else went on in between, other places may be taken, and revisions that nothing uses may be deregistered.
    """
    kinds = sorted({*expected.things, *found.things})
    problems: list[str] = []
    # Where things differ, so do the names of all that they are connected with: those say something only on their own.
    for shorten in (True, False):
        problems = problems or [text for kind in kinds for text in _different(kind, expected, found, shorten)]
    if same_places and expected.places != found.places:
        problems.append(f"priorities of our rules: expected {expected.places}, found {found.places}")
    were, are = (one.revisions if same_revisions else _by_family(one.revisions) for one in (expected, found))
    if were - are:
        problems.append(f"revisions of task definitions are missing: {dict(were - are)}")
    if (are - were).total() > spare_revisions:
        problems.append(f"more revisions than the {spare_revisions} that faults explain: {dict(are - were)}")
    return problems


def _by_family(revisions: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """The same, whatever their status."""
    counted: Counter[tuple[str, str]] = Counter()
    for (family, _), count in revisions.items():
        counted[family, "any"] += count
    return counted


def _different(kind: str, expected: Account, found: Account, shorten: bool) -> list[str]:
    texts = []
    for rows in (expected.things.get(kind, []), found.things.get(kind, [])):
        lines = [json.dumps(row, sort_keys=True) for row in rows]
        texts.append(Counter(NAME.sub(r"<\1>", line) if shorten else line for line in lines))
    if texts[0] == texts[1]:
        return []
    less, more = sorted((texts[0] - texts[1]).elements()), sorted((texts[1] - texts[0]).elements())
    was, now = (json.dumps([json.loads(row) for row in rows], indent=1, sort_keys=True).splitlines() for rows in (less, more))
    lines = list(difflib.unified_diff(was, now, n=1, lineterm=""))[2:]
    rest = f"\n    and {len(lines) - SHOWN} lines more" if len(lines) > SHOWN else ""
    shown = "".join(f"\n    {line}" for line in lines[:SHOWN])
    return [f"{kind}: {len(less)} not as expected, {len(more)} in their place{shown}{rest}"]
