"""The rules that make the bed as strict as AWS. Each can be switched off singly, per account.

A rule is declared where it is carried out: `@rule("name", service, action...)` on a function whose docstring
says what holds and names the AWS page. Several functions may carry out one rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

Plain = dict[str, Any]
Proceed = Callable[[], Plain]


#: A function around one of moto's actions, given the call (`hooks.Call`): it may answer, refuse, or change what
#: comes back.
Hook = Callable[[Any, Proceed], Plain]


class Layer(IntEnum):
    """From the outside in: a hook of a higher layer sees a call first and its answer last."""

    REPAIR = 0  # makes moto do what the API says
    TIME = 1  # lets time pass before anything is looked at
    BEHAVIOUR = 2  # what the action does beyond moto
    CHECK = 3  # refuses
    NORMAL = 4  # AWS's defaults and normal forms in the answer
    LAG = 5  # reads that are behind
    LIST = 6  # filters and pages
    TOKEN = 7  # idempotency


@dataclass
class Rule:
    """A named rule, and what is said about it where it is carried out."""

    name: str
    texts: list[str] = field(default_factory=list)

    @property
    def pages(self) -> list[str]:
        """The AWS pages that the rule follows."""
        return sorted({page for text in self.texts for page in re.findall(r"https://\S+", text)})

    @property
    def summary(self) -> str:
        """The first paragraph of each function that carries the rule out; what several say is said once."""
        paragraphs = [" ".join(text.strip().split("\n\n")[0].split()) for text in self.texts]
        return " ".join(dict.fromkeys(paragraphs))


@dataclass(frozen=True)
class Registered:
    """A hook with where it belongs."""

    service: str
    action: str
    layer: Layer
    hook: Hook
    rule: str | None


RULES: dict[str, Rule] = {}
HOOKS: list[Registered] = []


def declare(name: str, text: str) -> None:
    """Adds to what a rule says. Rules that have no hook of their own are asked for with `call.holds(name)`."""
    if "https://" not in text:
        raise ValueError(f"rule {name} does not name the AWS page that it follows")
    RULES.setdefault(name, Rule(name)).texts.append(text)


def rule(name: str, service: str, *actions: str, layer: Layer = Layer.CHECK) -> Callable[[Hook], Hook]:
    """A hook that acts only where the rule holds."""

    def register(hook: Hook) -> Hook:
        declare(name, hook.__doc__ or "")
        HOOKS.extend(Registered(service, action, layer, hook, name) for action in actions)
        return hook

    return register


def always(service: str, *actions: str, layer: Layer = Layer.REPAIR) -> Callable[[Hook], Hook]:
    """A hook that always acts: without it moto would not be the AWS that a correct client meets."""

    def register(hook: Hook) -> Hook:
        HOOKS.extend(Registered(service, action, layer, hook, None) for action in actions)
        return hook

    return register
