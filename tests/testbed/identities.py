"""Whose request it is: keys, and the sessions that AssumeRole gave out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow

from .accounts import accounts
from .clock import now
from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, always

DEFAULT_ACCOUNT = "123456789012"


@dataclass
class Session:
    """What AssumeRole gave out."""

    account: str
    arn: str
    user: str
    role: str
    expires: float | None = None
    #: Whether its role was in the account when it was given out.
    of_a_role: bool = False


#: By access key. They outlive their account's reset, as AWS's do.
SESSIONS: dict[str, Session] = {}


def account_of(key: str) -> str:
    """The account that a key belongs to: a session's, a user's, or the default account."""
    session = SESSIONS.get(key)
    if session:
        return session.account
    from moto.iam.models import iam_backends

    for account_id, partitions in list(iam_backends.items()):
        backend = dict.get(partitions, "aws")
        if backend and key in backend.access_keys:
            return account_id
    return DEFAULT_ACCOUNT


def expired(key: str) -> bool:
    """Whether the key is a session's that has run out."""
    session = SESSIONS.get(key)
    return session is not None and session.expires is not None and now() >= session.expires


def expire(account_id: str) -> None:
    """Ends every session in an account that has been given out so far."""
    for session in SESSIONS.values():
        if session.account == account_id:
            session.expires = now()


EXPIRED = {
    "ec2": ("RequestExpired", "Request has expired.", 400),
    "ecs": ("ExpiredTokenException", "The security token included in the request is expired", 400),
    "logs": ("ExpiredTokenException", "The security token included in the request is expired", 400),
    "tagging": ("ExpiredTokenException", "The security token included in the request is expired", 400),
}


def expired_error(service: str) -> tuple[str, str, int]:
    """Code, message and status for a session that has run out.

    https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
    """
    return EXPIRED.get(service, ("ExpiredToken", "The security token included in the request is expired", 403))


@always("sts", "AssumeRole", "AssumeRoleWithWebIdentity", layer=Layer.BEHAVIOUR)
def remember_session(call: Call, proceed: Proceed) -> Plain:
    """Keeps who the key stands for, and how long.

    The role need not exist, so that any account can be entered; its account is the ARN's.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    from moto.iam.models import iam_backends

    arn = call.parameters["RoleArn"]
    found = re.fullmatch(r"arn:aws[\w-]*:iam::(\d{12}):role/(.+)", arn)
    if not found:
        raise AwsError("ValidationError", f"{arn} is invalid")
    result = proceed()
    credentials: dict[str, Any] = result["Credentials"]
    account_id = found[1]
    session = Session(account_id, result["AssumedRoleUser"]["Arn"], result["AssumedRoleUser"]["AssumedRoleId"], arn)
    session.of_a_role = any(role.arn == arn for role in iam_backends[account_id]["aws"].roles.values())
    seconds = accounts()[account_id].settings.session_seconds
    if seconds:
        session.expires = now() + seconds
        credentials["Expiration"] = utcnow() + timedelta(seconds=seconds)
    SESSIONS[credentials["AccessKeyId"]] = session
    return result


@always("sts", "GetCallerIdentity", layer=Layer.BEHAVIOUR)
def caller_identity(call: Call, proceed: Proceed) -> Plain:
    """Answers for the session.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    session = SESSIONS.get(call.response.get_access_key())
    if session is None:
        return proceed()
    return {"UserId": session.user, "Account": session.account, "Arn": session.arn}
