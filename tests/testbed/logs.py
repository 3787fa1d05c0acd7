"""CloudWatch Logs groups."""

from __future__ import annotations

import re

from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, always

#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTIONS = frozenset({1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
                        3288, 3653})


@always("logs", "DescribeLogGroups", layer=Layer.BEHAVIOUR)
def describe(call: Call, _proceed: Proceed) -> Plain:
    """Groups by name; the ARN of a group ends in `:*`, but for where tags are asked for.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html
    """
    sent = call.parameters
    prefix, within = sent.get("logGroupNamePrefix"), sent.get("logGroupNamePattern")
    if prefix and within:
        raise AwsError("InvalidParameterException", "Use logGroupNamePrefix or logGroupNamePattern, not both")
    wanted = sent.get("logGroupIdentifiers") or []
    found = []
    for name, group in sorted(call.logs.groups.items()):
        if prefix and not name.startswith(prefix) or within and within.lower() not in name.lower():
            continue
        if wanted and name not in wanted and group.arn not in wanted:
            continue
        one: Plain = {
            "logGroupName": name,
            "creationTime": int(group.creation_time.timestamp() * 1000),
            "metricFilterCount": 0,
            "arn": f"{group.arn}:*",
            "logGroupArn": group.arn,
            "storedBytes": 0,
            "logGroupClass": call.memory("log classes").get(name, "STANDARD"),
        }
        if group.retention_in_days:
            one["retentionInDays"] = int(group.retention_in_days)
        if group.kms_key_id:
            one["kmsKeyId"] = group.kms_key_id
        found.append(one)
    return {"logGroups": found}


@always("logs", "CreateLogGroup", layer=Layer.CHECK)
def create(call: Call, proceed: Proceed) -> Plain:
    """Names are checked, and there is one group of a name.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    """
    name = call.parameters["logGroupName"]
    if not re.fullmatch(r"[.\-_/#A-Za-z0-9]{1,512}", name) or name.startswith("aws/"):
        raise AwsError("InvalidParameterException", f"Invalid log group name: {name}")
    if name in call.logs.groups:
        raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
    result = proceed()
    call.memory("log classes")[name] = call.parameters.get("logGroupClass", "STANDARD")
    return result


@always("logs", "PutRetentionPolicy", layer=Layer.CHECK)
def retention(call: Call, proceed: Proceed) -> Plain:
    """Only certain numbers of days.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    """
    if call.parameters["retentionInDays"] not in RETENTIONS:
        raise AwsError("InvalidParameterException", f"Invalid retention: {call.parameters['retentionInDays']}")
    return proceed()


def _arn(call: Call) -> None:
    arn = call.parameters["resourceArn"]
    if arn.endswith(":*"):
        raise AwsError("InvalidParameterException", f"Invalid resource ARN: {arn}")
    if not any(group.arn == arn for group in call.logs.groups.values()):
        raise AwsError("ResourceNotFoundException", "The specified resource does not exist.")


@always("logs", "ListTagsForResource", "TagResource", "UntagResource", layer=Layer.CHECK)
def tags(call: Call, proceed: Proceed) -> Plain:
    """Tags are asked for by the ARN without `:*`, of a group that exists.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html
    """
    _arn(call)
    return proceed()


@always("logs", "DeleteLogGroup", layer=Layer.BEHAVIOUR)
def delete(call: Call, proceed: Proceed) -> Plain:
    """Its tags go with a group.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogGroup.html
    """
    group = call.logs.groups.get(call.parameters["logGroupName"])
    result = proceed()
    if group is not None:
        call.logs.tagger.delete_all_tags_for_resource(group.arn)
    return result
