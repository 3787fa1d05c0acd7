"""Puts the hooks around moto's actions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from .accounts import Account, accounts
from .errors import AwsError
from .plain import PlainResult, plain
from .rules import HOOKS, Hook, Plain, Proceed, Registered


@dataclass
class Call:
    """A call of one of moto's actions."""

    response: BaseResponse
    service: str
    action: str

    @cached_property
    def account(self) -> Account:
        return accounts()[self.response.current_account]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """What was sent, by the names of the API; what a hook changes here is what moto gets to see."""
        if self.response.automated_parameter_parsing:
            return self.response.params
        return json.loads(self.response.body or "{}")

    @property
    def region(self) -> str:
        return self.response.region

    @property
    def settings(self) -> Any:
        return self.account.settings

    def holds(self, rule: str) -> bool:
        return self.account.holds(rule)

    def memory(self, topic: str) -> dict[Any, Any]:
        return self.account.memory(self.region, topic)

    @property
    def ec2(self) -> Any:
        from moto.ec2.models import ec2_backends

        return ec2_backends[self.account.id][self.region]

    @property
    def ecs(self) -> Any:
        from moto.ecs.models import ecs_backends

        return ecs_backends[self.account.id][self.region]

    @property
    def elb(self) -> Any:
        from moto.elbv2.models import elbv2_backends

        return elbv2_backends[self.account.id][self.region]

    @property
    def iam(self) -> Any:
        from moto.iam.models import iam_backends

        return iam_backends[self.account.id]["aws"]

    @property
    def logs(self) -> Any:
        from moto.logs.models import logs_backends

        return logs_backends[self.account.id][self.region]


def response_classes() -> dict[str, type[BaseResponse]]:
    """moto's class for each service, by the name that the service signs with."""
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
    from moto.ec2.responses import EC2Response
    from moto.ecs.responses import EC2ContainerServiceResponse
    from moto.elbv2.responses import ELBV2Response
    from moto.iam.responses import IamResponse
    from moto.logs.responses import LogsResponse
    from moto.resourcegroupstaggingapi.responses import ResourceGroupsTaggingAPIResponse
    from moto.sts.responses import TokenResponse

    return {
        "application-autoscaling": ApplicationAutoScalingResponse,
        "ec2": EC2Response,
        "ecs": EC2ContainerServiceResponse,
        "elasticloadbalancing": ELBV2Response,
        "iam": IamResponse,
        "logs": LogsResponse,
        "sts": TokenResponse,
        "tagging": ResourceGroupsTaggingAPIResponse,
    }


def install() -> None:
    """Replaces each of moto's actions that has hooks by one that goes through them."""
    classes = response_classes()
    by_action: dict[tuple[str, str], list[Registered]] = defaultdict(list)
    for registered in HOOKS:
        by_action[registered.service, registered.action].append(registered)
    for (service, action), hooks in by_action.items():
        method = camelcase_to_underscores(action)
        inner = getattr(classes[service], method, None)
        hooks.sort(key=lambda item: item.layer)
        setattr(classes[service], method, _hooked(service, action, inner, hooks))


def _hooked(
    service: str, action: str, inner: Callable[[BaseResponse], Any] | None, hooks: list[Registered]
) -> Callable[[BaseResponse], Any]:
    def method(response: BaseResponse) -> Any:
        call = Call(response, service, action)

        def moto() -> Plain:
            if inner is None:
                raise NotImplementedError(f"moto has no {service}:{action}")
            if not response.automated_parameter_parsing:
                response.body = json.dumps(call.parameters)  # with what hooks changed
            return plain(response, action, inner(response))

        proceed: Proceed = moto
        for registered in hooks:
            if registered.rule is None or call.holds(registered.rule):
                proceed = _around(registered.hook, call, proceed)
        try:
            result = proceed()
        except AwsError as error:
            if error.status is None:
                raise
            _, headers, body = response.serialized(ActionResult(error))
            return error.status, {**headers, "status": error.status}, body
        return PlainResult(result) if response.automated_parameter_parsing else json.dumps(result)

    method.__name__ = camelcase_to_underscores(action)
    return method


def _around(hook: Hook, call: Call, proceed: Proceed) -> Proceed:
    return lambda: hook(call, proceed)
