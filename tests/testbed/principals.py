"""Who makes a request, and what their policies are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .identities import SESSIONS, account_of


@dataclass(frozen=True)
class Principal:
    """A role in a session, or an IAM user.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
    """

    kind: str
    account: str
    #: The session's, or the user's.
    arn: str
    #: The role's, or the user's.
    principal_arn: str
    user_id: str
    name: str | None
    tags: dict[str, str]
    policies: tuple[str, ...]
    boundary: tuple[str, ...] | None


def principal_of(key: str) -> Principal | None:
    """Whose the key is; nothing where it stands for the account's administrator.

    That is who has a key of no IAM user, and a session of a role that never was in its account: so tests enter any
    account and set it up. A role that has been deleted since has no policies any more.
    """
    from moto.iam.models import iam_backends

    session = SESSIONS.get(key)
    if session is not None:
        iam = iam_backends[session.account]["aws"]
        role = next((one for one in iam.roles.values() if one.arn == session.role), None)
        if role is None and not session.of_a_role:
            return None
        return Principal(
            "AssumedRole", session.account, session.arn, session.role, session.user, None,
            tags_of(role.tags) if role else {}, _documents([role] if role else []),
            _boundary(iam, role.permissions_boundary_arn) if role else None,
        )
    account = account_of(key)
    iam = iam_backends[account]["aws"]
    name = iam.access_keys[key].user_name if key in iam.access_keys else None
    if name is None:
        return None
    user = iam.get_user(name)
    return Principal(
        "User", account, user.arn, user.arn, user.id, user.name,
        tags_of(iam.tagger.list_tags_for_resource(user.arn)["Tags"]),
        _documents([user, *iam.get_groups_for_user(user.name)]), None,
    )


def tags_of(tags: Any) -> dict[str, str]:
    """Tags as moto keeps them in one place or another, by their keys."""
    found = tags.values() if isinstance(tags, dict) else tags or []
    return {tag["Key"] if "Key" in tag else tag["key"]: tag["Value"] if "Value" in tag else tag["value"]
            for tag in found}


def _documents(holders: Iterable[Any]) -> tuple[str, ...]:
    """Inline and attached policies.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
    """
    found: list[str] = []
    for holder in holders:
        found.extend(holder.policies.values())
        found.extend(_default_version(policy) for policy in holder.managed_policies.values())
    return tuple(found)


def _default_version(policy: Any) -> str:
    return next(str(version.document) for version in policy.versions if version.is_default)


def _boundary(iam: Any, arn: str | None) -> tuple[str, ...] | None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html"""
    if not arn:
        return None
    policy = iam.managed_policies.get(arn)
    return (_default_version(policy),) if policy else ()
