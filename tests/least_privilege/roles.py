"""Who runs tierctl: credentials that may only assume a role, and the role with exactly a document.

A cell's `assume_role` names the role. The administrator, whom nobody asks, makes both.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from convergence.bed import ACCOUNT, Bed, client
from convergence.foreign import Dump
from convergence.program import Specs

from .documents import Document

ROLE = "deployer"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
USER = "pipeline"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    ],
}
ENTER: Document = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Enter", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE_ARN}],
}
#: Several documents at once are more than a role takes.
ROOMY = {"inline-policy-characters": 100_000}


def make(bed: Bed) -> dict[str, str]:
    """The user, and the role with nothing yet; the environment of a process with the user's credentials."""
    iam = client(bed, "iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_user(UserName=USER)
    iam.put_user_policy(UserName=USER, PolicyName="enter", PolicyDocument=json.dumps(ENTER))
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def allow(bed: Bed, *documents: Document) -> None:
    """From now on the role may do what these documents say, as many as the ones before, and nothing else."""
    for number, document in enumerate(documents):
        client(bed, "iam").put_role_policy(
            RoleName=ROLE, PolicyName=f"tierctl-{number}", PolicyDocument=json.dumps(document)
        )


def entered(bed: Bed, environment: dict[str, str]) -> Callable[[str], Any]:
    """Makes clients of somebody in the role, with credentials of the user."""
    key = {name.lower(): value for name, value in environment.items()}
    session = client(bed, "sts", key).assume_role(RoleArn=ROLE_ARN, RoleSessionName="somebody")["Credentials"]
    credentials = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    made: dict[str, Any] = {}

    def clients(service: str) -> Any:
        if service not in made:
            made[service] = client(bed, service, credentials)
        return made[service]

    return clients


def entering(specs: Specs) -> Specs:
    """The specs with the role in every cell, to read and to write."""
    specs = copy.deepcopy(specs)
    for path, spec in specs.items():
        if path.startswith("tiers/"):
            for cell in spec["cells"]:
                cell["assume_role"] = {"read": ROLE_ARN, "write": ROLE_ARN}
    return specs


def without_role(dump: Dump) -> Dump:
    """An account but for the role, whose document differs from run to run."""
    return {kind: [one for one in things if not _is_role(one)] for kind, things in dump.items()}


def _is_role(thing: dict[str, Any]) -> bool:
    return bool(thing.get("RoleName") == ROLE)
