"""A tierctl of a few lines with one fault of its own, for tests of the harness: which fault, its first argument says.

It makes a VPC, a cluster, a log group and a revision of a task definition, finds by tags what is there, and plans what is
missing. Its requests are not signed, which the bed does not mind.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

TAGS = {"tierctl:tier": "test", "tierctl:cell": "cell-1", "tierctl:infra-group": "ig-1"}
NAME = "test-cell-1-ig-1-acme"
GROUP = "/tierctl/test/cell-1/ig-1"
TARGETS = {"ecs": "AmazonEC2ContainerServiceV20141113", "logs": "Logs_20140328"}


def ask(service: str, action: str, body: bytes, headers: dict[str, str]) -> bytes:
    credential = f"AWS4-HMAC-SHA256 Credential=fake/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"],
        body,
        {"Authorization": credential, "Host": f"{service}.us-east-1.amazonaws.com", **headers},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return bytes(answer.read())


def ask_json(service: str, action: str, **parameters: Any) -> Any:
    headers = {"X-Amz-Target": f"{TARGETS[service]}.{action}", "Content-Type": "application/x-amz-json-1.1"}
    return json.loads(ask(service, action, json.dumps(parameters).encode(), headers) or b"{}")


def ask_ec2(action: str, **parameters: str) -> str:
    body = urllib.parse.urlencode(
        {"Action": action, "Version": "2016-11-15", **{k.replace("_", "."): v for k, v in parameters.items()}}
    )
    return ask("ec2", action, body.encode(), {"Content-Type": "application/x-www-form-urlencoded"}).decode()


def vpcs() -> list[str]:
    answer = ask_ec2("DescribeVpcs", Filter_1_Name="tag-key", Filter_1_Value_1="tierctl:tier")
    return sorted(set(re.findall(r"<vpcId>(vpc-[0-9a-f]+)</vpcId>", answer)))


def make_vpc() -> None:
    tags = {**TAGS, "tierctl:resource": "vpc"}
    fields = {"TagSpecification_1_ResourceType": "vpc"}
    for number, (key, value) in enumerate(tags.items(), 1):
        fields |= {f"TagSpecification_1_Tag_{number}_Key": key, f"TagSpecification_1_Tag_{number}_Value": value}
    ask_ec2("CreateVpc", CidrBlock="10.20.0.0/16", **fields)


def has_cluster() -> bool:
    return any(arn.endswith(f"/{NAME}") for arn in ask_json("ecs", "ListClusters")["clusterArns"])


def has_logs() -> bool:
    return bool(ask_json("logs", "DescribeLogGroups", logGroupNamePrefix=GROUP)["logGroups"])


def revisions() -> list[str]:
    return list(ask_json("ecs", "ListTaskDefinitions", familyPrefix=NAME)["taskDefinitionArns"])


def register() -> None:
    ask_json(
        "ecs",
        "RegisterTaskDefinition",
        family=NAME,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "app:1"}],
    )


def missing() -> list[str]:
    there = {"vpc": bool(vpcs()), "cluster": has_cluster(), "log_group": has_logs(), "task_definition": bool(revisions())}
    return [kind for kind, is_there in there.items() if not is_there]


def plan(fault: str) -> None:
    absent = [] if fault == "undone" else missing()
    if fault == "never empty" and not absent:
        absent = ["cluster"]
    changes = [{"action": "create", "kind": kind, "name": kind} for kind in absent]
    unclaimed = [{"kind": "vpc", "id": one} for one in vpcs()[1:]]
    if fault == "unclaimed" and not absent:
        unclaimed = [{"kind": "cluster", "id": "left"}]
    summary = {"create": len(changes), "update": 0, "replace": 0, "delete": 0, "blocked": 0, "unchanged": 0}
    print(json.dumps({"summary": summary, "changes": changes, "unclaimed": unclaimed}))
    if fault == "plan writes":
        ask_json("ecs", "CreateCluster", clusterName=NAME)


def apply(fault: str) -> None:
    absent = missing()
    is_rerun = 0 < len(absent) < 4
    if is_rerun and fault == "rerun fails":
        sys.exit("error: no\ndo: run the same command again")
    if is_rerun and fault == "undone":
        return
    if is_rerun and fault == "hangs":
        time.sleep(3600)
    if "vpc" in absent or is_rerun and fault == "double":
        make_vpc()
    if "cluster" in absent:
        settings = [{"name": "containerInsights", "value": "enabled"}] if is_rerun and fault == "other" else []
        ask_json(
            "ecs",
            "CreateCluster",
            clusterName=NAME,
            settings=settings,
            tags=[{"key": key, "value": value} for key, value in {**TAGS, "tierctl:resource": "cluster"}.items()],
        )
    if "log_group" in absent:
        ask_json("logs", "CreateLogGroup", logGroupName=GROUP, tags={**TAGS, "tierctl:resource": "logs"})
    for _ in range(3 if is_rerun and fault == "wasteful" else int("task_definition" in absent)):
        register()
    if is_rerun and fault == "changes a foreign thing":
        ask_json("logs", "PutRetentionPolicy", logGroupName="/theirs", retentionInDays=1)
    if is_rerun and fault == "removes a foreign thing":
        ask_json("logs", "DeleteLogGroup", logGroupName="/theirs")


def main(fault: str) -> None:
    try:
        plan(fault) if sys.argv[1] == "plan" else apply(fault)
    except OSError as error:  # an error of the service, or a connection that was cut
        if fault == "panics":
            sys.exit("thread 'main' panicked at src/main.rs:1:1")
        if fault == "raw":
            sys.exit("error: DispatchFailure(DispatchFailure { source: ConnectorError { kind: Io } })")
        if fault == "odd code":
            sys.exit(7)
        if fault == "lies":
            return
        if fault == "silent":
            os._exit(1)
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1 if fault == "no way out" else "do: run the same command again")
