"""Task definitions with what AWS fills in, and what it refuses."""

from __future__ import annotations

import copy
import re
from typing import Any

from moto.core.utils import utcnow

from .errors import AwsError
from .hooks import Call
from .roles import usable
from .rules import Layer, Plain, Proceed, always, rule

#: CPU units, and the memory in MiB that goes with them.
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
FARGATE_SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}


def normal_container(container: Plain, network_mode: str | None) -> Plain:
    """A container as AWS keeps it.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    """
    answer = {"cpu": 0, "essential": True, "environment": [], "mountPoints": [], "volumesFrom": [],
              "portMappings": [], "systemControls": [], **copy.deepcopy(container)}
    for port in answer["portMappings"]:
        port.setdefault("protocol", "tcp")
        if network_mode in ("awsvpc", "host"):
            port.setdefault("hostPort", port.get("containerPort"))
        else:
            port.setdefault("hostPort", 0)
    check = answer.get("healthCheck")
    if check:
        answer["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, **check}
    log = answer.get("logConfiguration")
    if log:
        log.setdefault("options", {})
        log.setdefault("secretOptions", [])
    return answer


def attributes(definition: Any) -> list[Plain]:
    """What an instance must offer to run it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html#attributes
    """
    names = {"com.amazonaws.ecs.capability.docker-remote-api.1.18"}
    if definition.network_mode == "awsvpc":
        names.add("ecs.capability.task-eni")
    if getattr(definition, "task_role_arn", None):
        names.add("com.amazonaws.ecs.capability.task-iam-role")
    if getattr(definition, "execution_role_arn", None):
        names.add("ecs.capability.execution-role-awslogs")
    for container in definition.container_definitions:
        driver = (container.get("logConfiguration") or {}).get("logDriver")
        if driver:
            names.add(f"com.amazonaws.ecs.capability.logging-driver.{driver}")
        if container.get("secrets"):
            names.add("ecs.capability.secrets.asm.environment-variables")
        if container.get("healthCheck"):
            names.add("ecs.capability.container-health-check")
    return [{"name": name} for name in sorted(names)]


@rule("normal-ecs", "ecs", "RegisterTaskDefinition", "DescribeTaskDefinition", "DeregisterTaskDefinition",
      layer=Layer.NORMAL)
def normal(call: Call, proceed: Proceed) -> Plain:
    """What a task definition leaves out has AWS's default in every answer.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
    """
    result = proceed()
    definition = result["taskDefinition"]
    definition["containerDefinitions"] = [
        normal_container(one, definition.get("networkMode")) for one in definition["containerDefinitions"]
    ]
    for name in ("volumes", "placementConstraints"):
        definition.setdefault(name, [])
    for volume in definition["volumes"]:
        if not any(name in volume for name in ("efsVolumeConfiguration", "dockerVolumeConfiguration")):
            volume.setdefault("host", {})
    return result


@always("ecs", "RegisterTaskDefinition", layer=Layer.BEHAVIOUR)
def register(call: Call, proceed: Proceed) -> Plain:
    """Keeps what moto drops: who registered it, when, and what it needs. Revisions are never used again.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
    """
    sent = copy.deepcopy(call.parameters)
    containers = copy.deepcopy(sent["containerDefinitions"])
    result = proceed()
    made = result["taskDefinition"]
    definition = call.ecs.task_definitions[made["family"]][made["revision"]]
    definition.container_definitions = containers
    definition.registered_at = utcnow()
    definition.bed_sent = sent
    last = call.memory("revisions")
    number = max(last.get(made["family"], 0) + 1, made["revision"])
    if number != made["revision"]:
        family = call.ecs.task_definitions[made["family"]]
        family[number] = family.pop(made["revision"])
        definition.revision = number
        definition.arn = f"{definition.arn.rsplit(':', 1)[0]}:{number}"
    last[made["family"]] = number
    return {"taskDefinition": _view(call, definition), "tags": list(definition.tags or [])}


#: Sent as they are given back.
KEPT = ("taskRoleArn", "executionRoleArn", "networkMode", "volumes", "placementConstraints",
        "requiresCompatibilities", "cpu", "memory", "pidMode", "ipcMode", "proxyConfiguration", "runtimePlatform",
        "ephemeralStorage", "inferenceAccelerators", "enableFaultInjection")


def _view(call: Call, definition: Any) -> Plain:
    sent = getattr(definition, "bed_sent", {})
    answer: Plain = {
        "taskDefinitionArn": definition.arn,
        "family": definition.family,
        "revision": definition.revision,
        "status": definition.status,
        "containerDefinitions": copy.deepcopy(definition.container_definitions),
        "requiresAttributes": attributes(definition),
        "compatibilities": list(definition.compatibilities),
        "registeredAt": getattr(definition, "registered_at", utcnow()),
        "registeredBy": f"arn:aws:iam::{call.account.id}:root",
    }
    for name in KEPT:
        if sent.get(name) is not None:
            answer[name] = copy.deepcopy(sent[name])
    if definition.network_mode:
        answer["networkMode"] = definition.network_mode
    if definition.status == "INACTIVE":
        answer["deregisteredAt"] = utcnow()
    return answer


def lookup(call: Call, name: str) -> Any:
    """A task definition by family (its latest active revision), family and revision, or ARN."""
    family, _, revision = name.rsplit("/", 1)[-1].partition(":")
    known = call.ecs.task_definitions.get(family, {})
    if not revision:
        live = [number for number, one in known.items() if one.status == "ACTIVE"]
        if live:
            return known[max(live)]
    elif revision.isdigit() and int(revision) in known:
        return known[int(revision)]
    raise AwsError("ClientException", "Unable to describe task definition.")


@always("ecs", "DescribeTaskDefinition", "DeregisterTaskDefinition", layer=Layer.BEHAVIOUR)
def describe(call: Call, proceed: Proceed) -> Plain:
    """A revision, with its tags where asked for.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
    """
    definition = lookup(call, call.parameters["taskDefinition"])
    if call.action == "DeregisterTaskDefinition":
        proceed()
        definition.status = "INACTIVE"
        return {"taskDefinition": _view(call, definition)}
    answer: Plain = {"taskDefinition": _view(call, definition)}
    if "TAGS" in (call.parameters.get("include") or []):
        answer["tags"] = list(definition.tags or [])
    return answer


@always("ecs", "ListTaskDefinitions", layer=Layer.BEHAVIOUR)
def list_definitions(call: Call, _proceed: Proceed) -> Plain:
    """By family, status and order.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html
    """
    prefix, status = call.parameters.get("familyPrefix"), call.parameters.get("status") or "ACTIVE"
    arns = [one.arn for family in sorted(call.ecs.task_definitions)
            for _, one in sorted(call.ecs.task_definitions[family].items())
            if one.status == status and (not prefix or family == prefix)]
    return {"taskDefinitionArns": arns[::-1] if call.parameters.get("sort") == "DESC" else arns}


@always("ecs", "ListTaskDefinitionFamilies", layer=Layer.BEHAVIOUR)
def list_families(call: Call, _proceed: Proceed) -> Plain:
    """By what they begin with and by whether a revision is active.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitionFamilies.html
    """
    prefix, status = call.parameters.get("familyPrefix") or "", call.parameters.get("status") or "ALL"

    def is_active(family: str) -> bool:
        return any(one.status == "ACTIVE" for one in call.ecs.task_definitions[family].values())

    return {"families": [family for family in sorted(call.ecs.task_definitions)
                         if family.startswith(prefix) and status in ("ALL", "ACTIVE" if is_active(family) else "INACTIVE")]}


@always("ecs", "RegisterTaskDefinition", layer=Layer.CHECK)
def fargate(call: Call, proceed: Proceed) -> Plain:
    """Fargate takes certain sizes, awsvpc networking, and an execution role where logs or secrets need one.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
    """
    sent = call.parameters
    if "FARGATE" not in (sent.get("requiresCompatibilities") or []):
        return proceed()
    try:
        cpu, memory = int(sent["cpu"]), int(sent["memory"])
    except (KeyError, ValueError):
        raise AwsError("ClientException", "Fargate requires that 'cpu' and 'memory' be defined at the task level.") \
            from None
    if memory not in FARGATE_SIZES.get(cpu, ()):
        raise AwsError("ClientException", "No Fargate configuration exists for given values: "
                       f"{cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values.")
    if sent.get("networkMode") != "awsvpc":
        raise AwsError("ClientException", "Fargate only supports network mode 'awsvpc'.")
    for container in sent["containerDefinitions"]:
        driver = (container.get("logConfiguration") or {}).get("logDriver")
        if driver == "awslogs" and not sent.get("executionRoleArn"):
            raise AwsError("ClientException", "Fargate requires task definition to have execution role ARN to support "
                           "log driver awslogs.")
        if container.get("secrets") and not sent.get("executionRoleArn"):
            raise AwsError("ClientException", "When you are specifying container secrets, you must also specify a "
                           "value for 'executionRoleArn'.")
        for port in container.get("portMappings") or []:
            if port.get("hostPort") not in (None, 0, port.get("containerPort")):
                raise AwsError("ClientException", "When networkMode=awsvpc, the host ports and container ports in port "
                               "mappings must match.")
    storage = (sent.get("ephemeralStorage") or {}).get("sizeInGiB")
    if storage is not None and not 21 <= int(storage) <= 200:
        raise AwsError("ClientException", "Ephemeral storage size should be between 21 and 200 GiB.")
    return proceed()


@always("ecs", "RegisterTaskDefinition", layer=Layer.CHECK)
def containers(call: Call, proceed: Proceed) -> Plain:
    """Names are valid and differ, and one container is essential.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    sent = call.parameters
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", sent["family"]):
        raise AwsError("ClientException", "Family contains invalid characters.")
    names = [one.get("name", "") for one in sent["containerDefinitions"]]
    if len(set(names)) != len(names):
        raise AwsError("ClientException", f"Container names must be unique: {', '.join(names)}")
    if not any(one.get("essential", True) for one in sent["containerDefinitions"]):
        raise AwsError("ClientException", "Task definition must have at least one essential container.")
    for one in sent["containerDefinitions"]:
        variables = [variable.get("name") for variable in one.get("environment") or []]
        both = set(variables) & {secret.get("name") for secret in one.get("secrets") or []}
        if both:
            raise AwsError("ClientException", "The secret name must be unique and not shared with any new or existing "
                           f"environment variables set on the container, such as '{sorted(both)[0]}'.")
    return proceed()


@rule("role-delay", "ecs", "RegisterTaskDefinition")
def roles_usable(call: Call, proceed: Proceed) -> Plain:
    """A role of a task must exist, and a new one cannot be used for a while (`role_delay`).

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_roles.html
    """
    for name in ("taskRoleArn", "executionRoleArn"):
        arn = call.parameters.get(name)
        if arn and arn.startswith(f"arn:aws:iam::{call.account.id}:role/") and not usable(call, arn):
            raise AwsError("ClientException", f"Role is not valid: {arn}")
    return proceed()
