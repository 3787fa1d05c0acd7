"""IAM roles and policies."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import quote

from .clock import now
from .errors import AwsError
from .hooks import Call
from .managed_policies import DOCUMENTS
from .rules import Layer, Plain, Proceed, always, rule


def install_managed_policies() -> None:
    """Gives each account the AWS managed policies of `managed_policies`, and not all thousand of them.

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html
    """
    from moto.iam.models import AWSManagedPolicy, IAMBackend

    made = datetime(2020, 1, 1).isoformat()

    def policies(self: Any) -> list[Any]:
        if self.partition != "aws":
            return []
        return [
            AWSManagedPolicy.from_data(
                name, self.account_id, self.region_name,
                {"DefaultVersionId": "v1", "Path": path, "Document": document, "CreateDate": made, "UpdateDate": made},
            )
            for (path, name), document in DOCUMENTS.items()
        ]

    IAMBackend._init_aws_policies = policies  # type: ignore[method-assign]


install_managed_policies()


def install_policy_variables() -> None:
    """An ARN in a policy may have variables, which moto takes apart at their colons.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    from moto.iam.policy_validation import IAMPolicyDocumentValidator

    validate = IAMPolicyDocumentValidator._validate_resource_format

    def without_variables(self: Any, resource: str) -> None:
        validate(self, re.sub(r"\$\{[^}]*\}", "x", resource))

    IAMPolicyDocumentValidator._validate_resource_format = without_variables  # type: ignore[method-assign]


install_policy_variables()


@rule("quota-roles", "iam", "CreateRole")
def roles_per_account(call: Call, proceed: Proceed) -> Plain:
    """1,000 roles in an account, and a trust policy of at most 2,048 characters, whitespace not counted.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    if len(call.iam.roles) >= call.settings.quota("roles"):
        raise AwsError("LimitExceeded", f"Cannot exceed quota for RolesPerAccount: {call.settings.quota('roles')}", 409)
    if _length(call.parameters["AssumeRolePolicyDocument"]) > call.settings.quota("trust-policy-characters"):
        raise AwsError("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: "
                       f"{call.settings.quota('trust-policy-characters')}", 409)
    return proceed()


def _length(document: str) -> int:
    return len("".join(document.split()))


@rule("quota-role-policies", "iam", "AttachRolePolicy", "PutRolePolicy")
def policies_per_role(call: Call, proceed: Proceed) -> Plain:
    """Ten managed policies on a role; inline policies of at most 10,240 characters in all.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    role, sent = call.iam.get_role(call.parameters["RoleName"]), call.parameters
    if call.action == "AttachRolePolicy":
        limit = call.settings.quota("policies-per-role")
        if sent["PolicyArn"] not in role.managed_policies and len(role.managed_policies) >= limit:
            raise AwsError("LimitExceeded", f"Cannot exceed quota for PoliciesPerRole: {limit}", 409)
        return proceed()
    limit = call.settings.quota("inline-policy-characters")
    others = sum(_length(document) for name, document in role.policies.items() if name != sent["PolicyName"])
    if others + _length(sent["PolicyDocument"]) > limit:
        raise AwsError("LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for role {role.name}", 409)
    return proceed()


@always("iam", "CreateRole", layer=Layer.CHECK)
def role_names(call: Call, proceed: Proceed) -> Plain:
    """A name is unique in the account whatever the case.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    """
    name = call.parameters["RoleName"]
    if any(role.name.lower() == name.lower() for role in call.iam.roles.values()):
        raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
    boundary = call.parameters.get("PermissionsBoundary")
    if boundary and boundary not in call.iam.managed_policies:
        raise AwsError("NoSuchEntity", f"Scope ARN: {boundary} does not exist or is not attachable.", 404)
    return proceed()


@always("iam", "PutRolePermissionsBoundary", layer=Layer.CHECK)
def boundary_exists(call: Call, proceed: Proceed) -> Plain:
    """A permissions boundary is a policy that exists.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html
    """
    boundary = call.parameters["PermissionsBoundary"]
    if boundary not in call.iam.managed_policies:
        raise AwsError("NoSuchEntity", f"Scope ARN: {boundary} does not exist or is not attachable.", 404)
    return proceed()


@always("iam", "CreateRole", "GetRole", "ListRoles", "GetAccountAuthorizationDetails", layer=Layer.BEHAVIOUR)
def role_defaults(call: Call, proceed: Proceed) -> Plain:
    """A role's sessions last an hour unless set; documents are URL-encoded; no tags are no member.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
    """
    result = proceed()
    roles = [result["Role"]] if "Role" in result else result.get("Roles", [])
    for role in roles:
        role["MaxSessionDuration"] = role.get("MaxSessionDuration") or 3600
        if role.get("Description") in (None, "None", ""):
            role.pop("Description", None)
    for role in result.get("RoleDetailList", []):
        document = role["AssumeRolePolicyDocument"]
        role["AssumeRolePolicyDocument"] = document if document.startswith("%7B") else quote(document)
        role.setdefault("Tags", [])
    return result


def collapsed(value: Any, inside: str = "") -> Any:
    """Lists of one that may be a single value are one, and members come in another order."""
    if isinstance(value, dict):
        return {name: collapsed(value[name], name) for name in sorted(value, key=lambda name: (len(name), name))}
    if isinstance(value, list):
        items = [collapsed(item, inside) for item in value]
        return items[0] if len(items) == 1 and inside != "Statement" and isinstance(items[0], str) else items
    return value


def normal_document(text: str) -> str:
    """A policy document as a service gives it back: compact, its members in the service's own order."""
    try:
        return json.dumps(collapsed(json.loads(text)), separators=(",", ":"))
    except ValueError:
        return text


@rule("normal-policies", "iam", "GetRole", "ListRoles", "GetRolePolicy", "GetAccountAuthorizationDetails",
      layer=Layer.NORMAL)
def normal_policies(call: Call, proceed: Proceed) -> Plain:
    """A document means the same with its members in another order and a list of one as a single value.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    from urllib.parse import unquote

    def normal(encoded: str) -> str:
        return quote(normal_document(unquote(encoded)), safe="")

    result = proceed()
    roles = [result["Role"]] if "Role" in result else result.get("Roles", []) + result.get("RoleDetailList", [])
    for role in roles:
        role["AssumeRolePolicyDocument"] = normal(role["AssumeRolePolicyDocument"])
        for policy in role.get("RolePolicyList", []):
            policy["PolicyDocument"] = normal(policy["PolicyDocument"])
    if "PolicyDocument" in result:
        result["PolicyDocument"] = normal(result["PolicyDocument"])
    return result


@rule("normal-policies", "ec2", "CreateVpcEndpoint", "DescribeVpcEndpoints", layer=Layer.NORMAL)
def normal_endpoint_policies(call: Call, proceed: Proceed) -> Plain:
    """An endpoint's policy comes back as a compact string.

    https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
    """
    result = proceed()
    for endpoint in [result["VpcEndpoint"]] if "VpcEndpoint" in result else result["VpcEndpoints"]:
        endpoint["PolicyDocument"] = normal_document(endpoint["PolicyDocument"])
    return result


@always("iam", "DeleteRole", layer=Layer.CHECK)
def delete_role(call: Call, proceed: Proceed) -> Plain:
    """A role goes only after its policies.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
    """
    role = call.iam.get_role(call.parameters["RoleName"])
    if role.managed_policies:
        raise AwsError("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)
    if role.policies:
        raise AwsError("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
    if role.instance_profile_list:
        raise AwsError("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.", 409)
    return proceed()


@always("iam", "PutRolePolicy", "CreateRole", "UpdateAssumeRolePolicy", layer=Layer.CHECK)
def documents(call: Call, proceed: Proceed) -> Plain:
    """A document that is no JSON is refused.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
    """
    text = (call.parameters.get("PolicyDocument") or call.parameters.get("AssumeRolePolicyDocument") or "")
    try:
        if not isinstance(json.loads(text), dict):
            raise ValueError
    except ValueError:
        raise AwsError("MalformedPolicyDocument", "This policy contains invalid Json") from None
    return proceed()


def usable(call: Call, arn: str) -> bool:
    """Whether a role exists and, where `role_delay` is set, is old enough to be assumed."""
    role = next((one for one in call.iam.roles.values() if one.arn == arn), None)
    if role is None:
        return False
    made = call.account.memory("", "made").get(role.name)
    return made is None or not call.holds("role-delay") or now() - made >= call.settings.role_delay
