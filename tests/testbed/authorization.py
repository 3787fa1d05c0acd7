"""Whether a request is allowed: the policies of who makes it, asked for every action and resource of the request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from .accounts import Account, Logged
from .action_reference import Action, actions
from .policies import PolicyMistake, decide
from .principals import Principal, principal_of
from .requested_resources import SERVICE_LINKED_ROLES, Asked, NotInReference, Request, asked, service_linked_role
from .wire import Incoming

#: Code and status of each service.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/CommonErrors.html
#: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/CommonErrors.html
REFUSALS = {
    "application-autoscaling": ("AccessDeniedException", 400),
    "ec2": ("UnauthorizedOperation", 403),
    "ecs": ("AccessDeniedException", 400),
    "logs": ("AccessDeniedException", 400),
    "tagging": ("AccessDeniedException", 400),
}
#: Always allowed, even against a statement that denies it.
#: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
NEVER_ASKED = frozenset({"sts:GetCallerIdentity"})

Refusal = tuple[str, str, int]
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
ROLE_NOT_THERE: Refusal = (
    "InvalidParameterException",
    "Unable to assume the service linked role. Please verify that the ECS service linked role exists.", 400,
)


def authorize(account: Account, incoming: Incoming, logged: Logged) -> Refusal | None:
    """The error of a request that is not allowed. What was asked goes into the log."""
    principal = principal_of(incoming.key)
    if principal is not None:
        logged.principal, logged.authorized = principal.arn, []
        if incoming.name in NEVER_ASKED:
            return None
        request = Request(account.id, incoming.region, incoming.service, incoming.action, incoming.parameters())
        if request.name not in actions():
            raise NotInReference(f"action_reference.json lacks {request.name}")
        for one in asked(request):
            message = _refused(principal, one, incoming, logged)
            if message and one.instead and not _refused(principal, one.instead, incoming, logged):
                message = None
            if message:
                return refusal(incoming.service, message)
    if incoming.name in SERVICE_LINKED_ROLES:
        return _service_linked_role(account, incoming, principal, logged)
    return None


def refusal(service: str, message: str) -> Refusal:
    """The error in the words of the service that was called."""
    code, status = REFUSALS.get(service, ("AccessDenied", 403))
    if service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return code, message, status


def _refused(principal: Principal, one: Asked, incoming: Incoming, logged: Logged) -> str | None:
    """Why an action on a resource is not allowed.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    reference = actions().get(one.action)
    if reference is None:
        raise NotInReference(f"action_reference.json lacks {one.action}")
    kind = one.resource.kind
    if bool(kind) != bool(reference.resource_types) or kind and kind not in reference.resource_types:
        raise NotInReference(f"{one.action} has no resource type {kind or '*'!r} ({one.resource.arn})")
    assert logged.authorized is not None
    pair = {"action": one.action, "resource": one.resource.arn}
    if pair not in logged.authorized:
        logged.authorized.append(pair)
    context = RequestContext(principal, one, reference, incoming.region)
    by_identity = decide(principal.policies, one.action, one.resource.arn, context)
    by_boundary: str | None = "Allow"
    if principal.boundary is not None:
        by_boundary = decide(principal.boundary, one.action, one.resource.arn, context)
    if by_identity == "Deny":
        reason = "with an explicit deny in an identity-based policy"
    elif by_boundary == "Deny":
        reason = "with an explicit deny in a permissions boundary"
    elif by_identity is None:
        reason = f"because no identity-based policy allows the {one.action} action"
    elif by_boundary is None:
        reason = f"because no permissions boundary allows the {one.action} action"
    else:
        return None
    called = one.resource.called or one.resource.arn
    where = "" if called == "*" and one.action.startswith(("ec2:", "elasticloadbalancing:", "tag:")) \
        else f" on resource: {called}"
    return f"User: {principal.arn} is not authorized to perform: {one.action}{where} {reason}"


def _service_linked_role(
    account: Account, incoming: Incoming, principal: Principal | None, logged: Logged
) -> Refusal | None:
    """Makes the role that the service needs, where whoever calls may; once in an account.

    Elastic Load Balancing refuses without. ECS makes a cluster without the role; what needs the role then fails.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html
    """
    from moto.iam.models import iam_backends

    service, name = SERVICE_LINKED_ROLES[incoming.name]
    iam = iam_backends[account.id]["aws"]
    path = f"/aws-service-role/{service}/"
    if any(role.path == path for role in iam.roles.values()):
        return None
    if principal is not None:
        message = _refused(principal, service_linked_role(account.id, service, name), incoming, logged)
        if message and incoming.service != "ecs":
            return refusal(incoming.service, message)
        if message:
            needed = incoming.name != "ecs:CreateCluster" or incoming.parameters().get("capacityProviders")
            return ROLE_NOT_THERE if needed else None
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}
    iam.create_role(name, json.dumps(trust), path, None, "", [], "3600", linked_service=service)
    return None


@dataclass(frozen=True)
class RequestContext:
    """The condition keys of an action on a resource.

    A key of a service, and a key for tags, is there only where the reference has it for the action or its resource.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """

    principal: Principal
    asked: Asked
    reference: Action
    region: str

    def values(self, key: str) -> list[str] | None:
        name, _, rest = key.lower().partition("/")
        if name == "aws:principaltag":
            return _tag(self.principal.tags, rest)
        if name.startswith("aws:") and name not in ("aws:requesttag", "aws:resourcetag", "aws:tagkeys"):
            return self._global(name)
        if name not in self._listed():
            return None
        if name == "aws:requesttag":
            return _tag(self.asked.request_tags or {}, rest)
        if name == "aws:tagkeys":
            return list(self.asked.request_tags or {}) or None
        if name.endswith(":resourcetag"):
            return _tag(self.asked.resource.tags, rest)
        for keys in (self.asked.resource.keys, self.asked.keys):
            if name in keys:
                return keys[name]
        raise PolicyMistake(f"the test bed does not know {key} of {self.asked.action}")

    def _listed(self) -> frozenset[str]:
        kind = self.reference.resource_types.get(self.asked.resource.kind)
        return self.reference.keys | (kind.keys if kind else frozenset())

    def _global(self, name: str) -> list[str] | None:
        """Keys that every request has.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
        """
        principal = self.principal
        if name == "aws:username":
            return [principal.name] if principal.name else None
        if name == "aws:resourceaccount":
            parts = self.asked.resource.arn.split(":", 5)
            return [parts[4] if len(parts) == 6 else principal.account]
        known = {
            "aws:currenttime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:epochtime": str(int(time.time())),
            "aws:principalaccount": principal.account,
            "aws:principalarn": principal.principal_arn,
            "aws:principalisawsservice": "false",
            "aws:principaltype": principal.kind,
            "aws:requestedregion": self.region,
            "aws:securetransport": "true",
            "aws:sourceip": "127.0.0.1",
            "aws:userid": principal.user_id,
            "aws:viaawsservice": "false",
        }
        return [known[name]] if name in known else None


def _tag(tags: Mapping[str, str], name: str) -> list[str] | None:
    """The value of a tag, whatever the case of its key."""
    return next(([value] for key, value in tags.items() if key.lower() == name), None)
