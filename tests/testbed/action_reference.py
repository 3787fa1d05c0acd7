"""What AWS's Service Authorization Reference says of each action: the table is `action_reference.json`.

For each service its page, the ARNs of its resource types and its actions: the access level, the condition keys, and the
resource types, each with whether it is required and with the keys that hold for it alone. Only types that the bed has
are in it. A type's own keys hold with every action that names the type; EC2 and Elastic Load Balancing repeat with each
action which keys it has, so there they are left with the actions.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ResourceType:
    """A resource type of an action."""

    required: bool
    #: Condition keys, in lower case, `aws:resourcetag/${tagkey}` as `aws:resourcetag`.
    keys: frozenset[str]


@dataclass(frozen=True)
class Action:
    """An action of the reference."""

    access: str
    page: str
    keys: frozenset[str]
    #: Empty where only `*` can be named as the resource.
    resource_types: dict[str, ResourceType]


def base(key: str) -> str:
    """A condition key without the tag or attribute that it names; keys are the same whatever the case.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
    """
    return key.partition("/")[0].lower()


@cache
def _services() -> dict[str, Any]:
    return json.loads(Path(__file__).with_suffix(".json").read_text())


@cache
def actions() -> dict[str, Action]:
    """Every action that the bed can decide on, by its full name."""
    known = {}
    for prefix, service in _services().items():
        own = {name: one["keys"] for name, one in service["resource_types"].items()}
        for name, action in service["actions"].items():
            kinds = {}
            for kind, one in action["resource_types"].items():
                keys = {base(key) for key in (*one["keys"], *own[kind])}
                kinds[kind] = ResourceType(
                    one["required"], frozenset(keys - {base(key) for key in one.get("unreliable", [])})
                )
            known[f"{prefix}:{name}"] = Action(
                action["access"], service["page"], frozenset(base(key) for key in action["keys"]), kinds
            )
    return known
