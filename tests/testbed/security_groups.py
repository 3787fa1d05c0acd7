"""Security groups and their rules, where moto answers less than AWS or accepts more."""

from __future__ import annotations

from typing import Any

from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, always, rule


@always("ec2", "CreateSecurityGroup", layer=Layer.CHECK)
def names(call: Call, proceed: Proceed) -> Plain:
    """A name is unique in its VPC whatever the case, and does not start like an id.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    """
    name, vpc_id = call.parameters.get("GroupName", ""), call.parameters.get("VpcId")
    if name.lower().startswith("sg-"):
        raise AwsError("InvalidParameterValue", f"Invalid value '{name}' for groupName. Group names may not be in the "
                       "format sg-*")
    if vpc_id:
        call.ec2.get_vpc(vpc_id)
        for group in call.ec2.groups.get(vpc_id, {}).values():
            if group.name.lower() == name.lower():
                raise AwsError(
                    "InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc_id}'"
                )
    return proceed()


@rule("quota-security-groups", "ec2", "CreateSecurityGroup")
def groups_per_region(call: Call, proceed: Proceed) -> Plain:
    """2,500 security groups in a Region.

    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
    """
    if sum(len(groups) for groups in call.ec2.groups.values()) >= call.settings.quota("security-groups"):
        raise AwsError("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.")
    return proceed()


def _rules(call: Call) -> list[Any]:
    group = call.ec2.get_security_group_from_id(call.parameters.get("GroupId") or "")
    if group is None:
        raise AwsError(
            "InvalidGroup.NotFound", f"The security group '{call.parameters.get('GroupId')}' does not exist"
        )
    return group.egress_rules if call.action.endswith("Egress") else group.ingress_rules


@always("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", layer=Layer.BEHAVIOUR)
def authorize(call: Call, proceed: Proceed) -> Plain:
    """All rules of a call are added, or none; the answer names them all.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
    """
    rules = _rules(call)
    before = list(rules)
    for permission in call.parameters.get("IpPermissions") or []:
        _check(call, permission)
    try:
        proceed()
        if len(rules) > call.settings.quota("rules-per-security-group") and call.holds("quota-security-group-rules"):
            raise AwsError(
                "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached."
            )
    except Exception:
        rules[:] = before
        raise
    added = [one for one in rules if one not in before or one.id not in {old.id for old in before}]
    return {"Return": True, "SecurityGroupRules": [_view(call, one) for one in added]}


def _check(call: Call, permission: dict[str, Any]) -> None:
    sources = [*(permission.get("IpRanges") or []), *(permission.get("Ipv6Ranges") or []),
               *(permission.get("UserIdGroupPairs") or []), *(permission.get("PrefixListIds") or [])]
    if not sources:
        raise AwsError("InvalidParameterValue", "Invalid value '' for IpPermissions: a source or destination is needed")
    for pair in permission.get("PrefixListIds") or []:
        if pair["PrefixListId"] not in call.ec2.managed_prefix_lists:
            raise AwsError(
                "InvalidPrefixListId.NotFound", f"The prefix list ID '{pair['PrefixListId']}' does not exist"
            )
    protocol = str(permission.get("IpProtocol"))
    if protocol in ("tcp", "udp", "6", "17"):
        first, last = permission.get("FromPort"), permission.get("ToPort")
        if first is None or last is None or not 0 <= int(first) <= int(last) <= 65535:
            raise AwsError(
                "InvalidParameterValue", f"Invalid value for portRange. Must be between 0 and 65535: {first}-{last}"
            )


@rule("quota-security-group-rules", "ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def rules_per_group(call: Call, proceed: Proceed) -> Plain:
    """60 rules in a group for each direction.

    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
    """
    return proceed()  # counted where the rules are added


@always("ec2", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress", layer=Layer.BEHAVIOUR)
def revoke(call: Call, proceed: Proceed) -> Plain:
    """All rules of a call are revoked, or none.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
    """
    rules = _rules(call)
    before = list(rules)
    known = {one.id for one in before}
    for wanted in call.parameters.get("SecurityGroupRuleIds") or []:
        if wanted not in known:
            raise AwsError(
                "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{wanted}' does not exist"
            )
    try:
        proceed()
    except Exception:
        rules[:] = before
        raise
    removed = [one for one in before if one.id not in {left.id for left in rules}]
    for one in removed:
        call.ec2.tags.pop(one.id, None)
    return {"Return": True}


def _view(call: Call, one: Any) -> Plain:
    """A rule as DescribeSecurityGroupRules tells of it: one source or destination in each.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    """
    answer: Plain = {
        "SecurityGroupRuleId": one.id,
        "GroupId": one.group_id,
        "GroupOwnerId": call.account.id,
        "IsEgress": one.is_egress,
        "IpProtocol": one.ip_protocol,
        "FromPort": -1 if one.from_port is None else one.from_port,
        "ToPort": -1 if one.to_port is None else one.to_port,
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in one.get_tags()],
        "SecurityGroupRuleArn": f"arn:aws:ec2:{call.region}:{call.account.id}:security-group-rule/{one.id}",
    }
    if one.ip_range.get("CidrIp"):
        answer["CidrIpv4"] = one.ip_range["CidrIp"]
    elif one.ip_range.get("CidrIpv6"):
        answer["CidrIpv6"] = one.ip_range["CidrIpv6"]
    elif one.prefix_list_id:
        answer["PrefixListId"] = one.prefix_list_id
    elif one.source_group:
        answer["ReferencedGroupInfo"] = {
            "GroupId": one.source_group["GroupId"], "UserId": one.source_group.get("UserId", call.account.id)
        }
    description = one.ip_range.get("Description") or one.source_group.get("Description") \
        or getattr(one, "prefix_list_description", None)
    if description:
        answer["Description"] = description
    return answer


@always("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", layer=Layer.REPAIR)
def prefix_list_descriptions(call: Call, proceed: Proceed) -> Plain:
    """Rules for prefix lists keep their description.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_PrefixListId.html
    """
    known = {one.id for one in _rules(call)}
    result = proceed()
    told = {pair["PrefixListId"]: pair.get("Description")
            for permission in call.parameters.get("IpPermissions") or []
            for pair in permission.get("PrefixListIds") or []}
    for one in _rules(call):
        if one.id not in known and one.prefix_list_id in told:
            one.prefix_list_description = told[one.prefix_list_id]
    return result


@always("ec2", "DescribeSecurityGroupRules", layer=Layer.BEHAVIOUR)
def describe_rules(call: Call, _proceed: Proceed) -> Plain:
    """The rules of all groups; ids, filters and pages are carried out further out.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html
    """
    return {"SecurityGroupRules": [
        _view(call, one)
        for groups in call.ec2.groups.values() for group in groups.values()
        for one in (*group.ingress_rules, *group.egress_rules)
    ]}


@always("ec2", "CreateSecurityGroup", layer=Layer.BEHAVIOUR)
def tags_in_answer(call: Call, proceed: Proceed) -> Plain:
    """The answer repeats the tags.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    """
    result = proceed()
    tags = call.ec2.tags.get(result["GroupId"], {})
    return {**result, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@always("ec2", "ModifySecurityGroupRules", layer=Layer.BEHAVIOUR)
def modify_rules(call: Call, _proceed: Proceed) -> Plain:
    """Replaces what rules say; a rule keeps its kind of source.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
    """
    group = call.ec2.get_security_group_from_id(call.parameters["GroupId"])
    if group is None:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{call.parameters['GroupId']}' does not exist")
    by_id = {one.id: one for one in (*group.ingress_rules, *group.egress_rules)}
    for update in call.parameters.get("SecurityGroupRules") or []:
        one, wanted = by_id.get(update["SecurityGroupRuleId"]), update["SecurityGroupRule"]
        if one is None:
            raise AwsError("InvalidSecurityGroupRuleId.NotFound",
                           f"The security group rule ID '{update['SecurityGroupRuleId']}' does not exist")
        kinds = {"CidrIpv4": one.ip_range.get("CidrIp"), "CidrIpv6": one.ip_range.get("CidrIpv6"),
                 "PrefixListId": one.prefix_list_id, "ReferencedGroupId": one.source_group.get("GroupId")}
        given = [name for name in kinds if wanted.get(name)]
        if len(given) != 1 or not kinds[given[0]]:
            raise AwsError("InvalidParameterValue", "A rule has one source or destination and keeps its kind")
        one.ip_protocol = str(wanted["IpProtocol"])
        everything = one.ip_protocol == "-1"
        one.from_port = None if everything else int(wanted["FromPort"])
        one.to_port = None if everything else int(wanted["ToPort"])
        description = {"Description": wanted["Description"]} if wanted.get("Description") else {}
        if given[0] == "CidrIpv4":
            one.ip_range = {"CidrIp": wanted["CidrIpv4"], **description}
        elif given[0] == "CidrIpv6":
            one.ip_range = {"CidrIpv6": wanted["CidrIpv6"], **description}
        elif given[0] == "PrefixListId":
            one.prefix_list_id, one.prefix_list_description = wanted["PrefixListId"], wanted.get("Description")
        else:
            one.source_group = {"GroupId": wanted["ReferencedGroupId"], "UserId": call.account.id, **description}
    return {"Return": True}
