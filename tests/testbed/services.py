"""ECS services and tasks: what the API takes, refuses and answers. How they run is in `rollouts`."""

from __future__ import annotations

import copy
from typing import Any

from .clusters import FARGATE, active, check_providers, normal_strategy, short
from .errors import AwsError
from .hooks import Call
from .rollouts import PLATFORM, Deployment, Service, Task
from .rules import Layer, Plain, Proceed, always, declare, rule
from .target_groups import links
from .task_definitions import lookup

INVALID = "InvalidParameterException"

declare(
    "service-draining",
    """A deleted service is DRAINING for a while before it is INACTIVE.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
    """,
)

#: What a service keeps as it was sent.
KEPT = (
    "capacityProviderStrategy", "deploymentConfiguration", "deploymentController", "enableECSManagedTags",
    "enableExecuteCommand", "healthCheckGracePeriodSeconds", "launchType", "loadBalancers", "networkConfiguration",
    "placementConstraints", "placementStrategy", "platformVersion", "propagateTags", "schedulingStrategy",
    "serviceRegistries", "serviceConnectConfiguration", "volumeConfigurations", "availabilityZoneRebalancing",
)
#: A change of these starts a deployment.
#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
DEPLOYED = ("loadBalancers", "networkConfiguration", "platformVersion", "serviceRegistries",
            "serviceConnectConfiguration", "volumeConfigurations")


def services(call: Call) -> dict[tuple[str, str], Service]:
    return call.memory("services")


def get(call: Call, cluster: str | None, name: str) -> Service:
    """A service that was made, in whatever state."""
    found_cluster = active(call, cluster)
    service = services(call).get((found_cluster.name, name.rsplit("/", 1)[-1]))
    if service is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    return service


def normal_network(network: Plain | None) -> Plain | None:
    """No public address unless told; the group of the VPC stays unnamed.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html
    """
    if not network or not network.get("awsvpcConfiguration"):
        return None
    sent = network["awsvpcConfiguration"]
    return {"awsvpcConfiguration": {
        "subnets": list(sent["subnets"]), "securityGroups": list(sent.get("securityGroups") or []),
        "assignPublicIp": sent.get("assignPublicIp") or "DISABLED",
    }}


def normal_configuration(sent: Plain | None, before: Plain | None = None) -> Plain:
    """200 and 100 percent, no circuit breaker, unless told; what an update leaves out stays.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
    """
    known = {"deploymentCircuitBreaker": {"enable": False, "rollback": False}, "maximumPercent": 200,
             "minimumHealthyPercent": 100, "strategy": "ROLLING", "bakeTimeInMinutes": 0}
    return {**known, **(before or {}), **{name: value for name, value in (sent or {}).items() if value is not None}}


# --- what is refused


@rule("create-once", "ecs", "CreateService")
def service_once(call: Call, proceed: Proceed) -> Plain:
    """A service of a name that is active is not made again.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
    """
    cluster = active(call, call.parameters.get("cluster"))
    existing = services(call).get((cluster.name, call.parameters["serviceName"]))
    if existing is not None and existing.status == "ACTIVE":
        raise AwsError(INVALID, "Creation of service was not idempotent.")
    return proceed()


@rule("service-draining", "ecs", "CreateService")
def name_of_a_draining_service(call: Call, proceed: Proceed) -> Plain:
    """While a service drains its name cannot be used.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
    """
    cluster = active(call, call.parameters.get("cluster"))
    existing = services(call).get((cluster.name, call.parameters["serviceName"]))
    if existing is not None and existing.status == "DRAINING":
        raise AwsError(INVALID, "Unable to Start a service that is still Draining.")
    return proceed()


@rule("target-group-needs-listener", "ecs", "CreateService", "UpdateService")
def target_group_needs_listener(call: Call, proceed: Proceed) -> Plain:
    """A target group must be led to by a listener before a service can use it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html
    """
    linked = links(call.elb)
    for one in call.parameters.get("loadBalancers") or []:
        arn = one.get("targetGroupArn")
        if arn and arn in call.elb.target_groups and not linked.get(arn):
            raise AwsError(INVALID, f"The target group with targetGroupArn {arn} does not have an associated load "
                           "balancer.")
    return proceed()


@rule("quota-services", "ecs", "CreateService")
def services_per_cluster(call: Call, proceed: Proceed) -> Plain:
    """5,000 services in a cluster.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
    """
    cluster = active(call, call.parameters.get("cluster"))
    there = sum(one.cluster == cluster.name and one.status == "ACTIVE" for one in services(call).values())
    if there >= call.settings.quota("services-per-cluster"):
        raise AwsError(INVALID, "The maximum number of services per cluster has been reached.")
    return proceed()


def _check(call: Call, sent: Plain, definition: Any, cluster: Any) -> None:
    """What a service must have.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/troubleshooting.html
    """
    if sent.get("launchType") and sent.get("capacityProviderStrategy"):
        raise AwsError(INVALID, "Specifying both a launch type and capacity provider strategy is not supported. Remove "
                       "one and try again.")
    check_providers(call, [one["capacityProvider"] for one in sent.get("capacityProviderStrategy") or []], cluster)
    network = sent.get("networkConfiguration") or {}
    configured = network.get("awsvpcConfiguration") or {}
    if definition.network_mode == "awsvpc":
        if not configured.get("subnets"):
            raise AwsError(INVALID, "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        vpcs = set()
        for subnet_id in configured["subnets"]:
            found = [zone[subnet_id] for zone in call.ec2.subnets.values() if subnet_id in zone]
            if not found:
                raise AwsError(INVALID, f"Error retrieving subnet information for [{subnet_id}]: The subnet ID "
                               f"'{subnet_id}' does not exist (ErrorCode: InvalidSubnetID.NotFound)")
            vpcs.add(found[0].vpc_id)
        if len(vpcs) > 1:
            raise AwsError(INVALID, "subnets must all belong to the same VPC.")
        for group_id in configured.get("securityGroups") or []:
            group = call.ec2.get_security_group_from_id(group_id)
            if group is None:
                raise AwsError(INVALID, f"Error retrieving security group information for [{group_id}]: The security "
                               f"group '{group_id}' does not exist (ErrorCode: InvalidGroup.NotFound)")
            if group.vpc_id not in vpcs:
                raise AwsError(INVALID, "Security group(s) and subnets must all belong to the same VPC.")
        if len(configured.get("securityGroups") or []) > 5 or len(configured["subnets"]) > 16:
            raise AwsError(INVALID, "There is a limit of 16 subnets and 5 security groups in awsvpcConfiguration.")
    for one in sent.get("loadBalancers") or []:
        _check_load_balancer(call, one, definition)
    if len(sent.get("loadBalancers") or []) > 5:
        raise AwsError(INVALID, "load balancers can have at most 5 items.")
    if sent.get("healthCheckGracePeriodSeconds") and not sent.get("loadBalancers"):
        raise AwsError(INVALID, "Health check grace period is only valid for services configured to use load balancers")


def _check_load_balancer(call: Call, one: Plain, definition: Any) -> None:
    arn = one.get("targetGroupArn")
    group = call.elb.target_groups.get(arn)
    if group is None:
        raise AwsError(INVALID, f"The specified target group does not exist: {arn}")
    if definition.network_mode == "awsvpc" and group.target_type != "ip":
        raise AwsError(INVALID, f"The provided target group {arn} has target type {group.target_type}, which is "
                       "incompatible with the awsvpc network mode specified in the task definition.")
    container = next((found for found in definition.container_definitions if found["name"] == one["containerName"]),
                     None)
    if container is None:
        raise AwsError(INVALID, f"The container {one['containerName']} does not exist in the task definition.")
    ports = {port.get("containerPort") for port in container.get("portMappings") or []}
    if one["containerPort"] not in ports:
        raise AwsError(INVALID, f"The container {one['containerName']} did not have a container port "
                       f"{one['containerPort']} defined.")


# --- services


@always("ecs", "CreateService", layer=Layer.BEHAVIOUR)
def create(call: Call, proceed: Proceed) -> Plain:
    """Makes the service and starts its first deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
    """
    sent = copy.deepcopy(call.parameters)
    cluster = active(call, sent.get("cluster"))
    definition = lookup(call, sent.get("taskDefinition") or "")
    if definition.status != "ACTIVE":
        raise AwsError("ClientException", "TaskDefinition is inactive")
    _check(call, sent, definition, cluster)
    settings = {name: sent[name] for name in KEPT if sent.get(name) is not None}
    if not sent.get("launchType") and not sent.get("capacityProviderStrategy"):
        if cluster.default_capacity_provider_strategy:
            settings["capacityProviderStrategy"] = list(cluster.default_capacity_provider_strategy)
        else:
            settings["launchType"] = "EC2"
    if settings.get("launchType") == "FARGATE" and "FARGATE" not in (definition.requires_compatibilities or []):
        raise AwsError(INVALID, "Task definition does not support launch_type FARGATE.")
    settings["deploymentConfiguration"] = normal_configuration(sent.get("deploymentConfiguration"))
    settings["networkConfiguration"] = normal_network(sent.get("networkConfiguration"))
    settings.setdefault("loadBalancers", [])
    settings.setdefault("availabilityZoneRebalancing", "ENABLED")
    call.parameters["launchType"] = "FARGATE"
    call.parameters["networkConfiguration"] = None
    call.parameters["loadBalancers"] = []
    made = proceed()["service"]
    service = Service(
        call.account, call.region, cluster.name, cluster.arn, sent["serviceName"], made["serviceArn"],
        int(sent.get("desiredCount") or 0), definition, settings,
    )
    services(call)[cluster.name, service.name] = service
    service.deploy()
    return {"service": view(service, ["TAGS"])}


@always("ecs", "UpdateService", layer=Layer.BEHAVIOUR)
def update(call: Call, _proceed: Proceed) -> Plain:
    """Changes the service; task definition, network, load balancers and the like start a deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
    """
    sent = call.parameters
    service = get(call, sent.get("cluster"), sent["service"])
    if service.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    definition = lookup(call, sent["taskDefinition"]) if sent.get("taskDefinition") else service.definition
    if definition.status != "ACTIVE" and definition is not service.definition:
        raise AwsError("ClientException", "TaskDefinition is inactive")
    changed = {name: sent[name] for name in KEPT if sent.get(name) is not None}
    wanted = {**service.settings, **changed}
    if "capacityProviderStrategy" in changed:
        wanted.pop("launchType", None)
    wanted["deploymentConfiguration"] = normal_configuration(
        sent.get("deploymentConfiguration"), service.settings["deploymentConfiguration"]
    )
    wanted["networkConfiguration"] = normal_network(wanted.get("networkConfiguration"))
    _check(call, wanted, definition, active(call, sent.get("cluster")))
    starts = sent.get("forceNewDeployment") is True or definition is not service.definition or any(
        wanted.get(name) != service.settings.get(name) for name in DEPLOYED
    )
    service.settings, service.definition = wanted, definition
    desired = sent.get("desiredCount")
    if starts:
        if desired is not None:
            service.desired = int(desired)
        service.deploy()
    elif desired is not None and int(desired) != service.desired:
        service.resize(int(desired))
    return {"service": view(service, ["TAGS"])}


@always("ecs", "DeleteService", layer=Layer.BEHAVIOUR)
def delete(call: Call, proceed: Proceed) -> Plain:
    """Not while it is scaled above 0, unless forced.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
    """
    sent = call.parameters
    service = get(call, sent.get("cluster"), sent["service"])
    if service.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    if service.desired > 0 and not sent.get("force"):
        raise AwsError(INVALID, "The service cannot be stopped while it is scaled above 0.")
    sent["force"] = True
    proceed()
    service.drain()
    return {"service": view(service, [])}


@always("ecs", "DescribeServices", layer=Layer.BEHAVIOUR)
def describe(call: Call, _proceed: Proceed) -> Plain:
    """Services of one cluster by name or ARN; deleted ones are seen as INACTIVE, unknown ones as failures.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
    """
    cluster = active(call, call.parameters.get("cluster"))
    names = call.parameters.get("services") or []
    if not names:
        raise AwsError(INVALID, "Services cannot be empty.")
    found, failures = [], []
    for name in dict.fromkeys(names):
        service = services(call).get((cluster.name, name.rsplit("/", 1)[-1]))
        if service is not None:
            found.append(view(service, call.parameters.get("include") or []))
        else:
            arn = f"arn:aws:ecs:{call.region}:{call.account.id}:service/{cluster.name}/{short(name)}"
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"services": found, "failures": failures}


@always("ecs", "ListServices", layer=Layer.BEHAVIOUR)
def list_services(call: Call, _proceed: Proceed) -> Plain:
    """Active services only; those that drain are no longer listed.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
    """
    sent = call.parameters
    cluster = active(call, sent.get("cluster"))
    found = [one for one in services(call).values() if one.cluster == cluster.name and one.status == "ACTIVE"]
    if sent.get("launchType"):
        found = [one for one in found if one.settings.get("launchType") == sent["launchType"]]
    return {"serviceArns": [one.arn for one in found]}


# --- what is answered


def view(service: Service, include: list[str]) -> Plain:
    """A service as the API tells of it. The rule `normal-ecs` completes it."""
    settings = service.settings
    answer: Plain = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": service.running,
        "pendingCount": service.pending,
        "taskDefinition": service.definition.arn,
        "deployments": [_deployment(service, one) for one in service.deployments],
        "events": list(service.events),
        "createdAt": service.created,
        "createdBy": f"arn:aws:iam::{service.account.id}:root",
        **{name: copy.deepcopy(value) for name, value in settings.items() if value is not None},
    }
    if settings.get("capacityProviderStrategy"):
        answer.pop("launchType", None)
    if "TAGS" in include:
        answer["tags"] = list(service.moto.tags or [])
    return answer


def _fargate(settings: Plain) -> bool:
    strategy = settings.get("capacityProviderStrategy")
    if strategy:
        return all(one["capacityProvider"] in FARGATE for one in strategy)
    return settings.get("launchType") == "FARGATE"


def _deployment(service: Service, one: Deployment) -> Plain:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html"""
    answer: Plain = {
        "id": one.id, "status": one.status, "taskDefinition": one.definition.arn, "desiredCount": one.desired,
        "pendingCount": max(one.pending, one.desired - one.running if one.state == "IN_PROGRESS" else 0),
        "runningCount": one.running, "failedTasks": one.failed, "createdAt": one.created, "updatedAt": one.updated,
        "rolloutState": one.state, "rolloutStateReason": one.reason,
    }
    if one.status != "PRIMARY":
        answer["desiredCount"] = len(one.tasks)
        answer["pendingCount"] = one.pending
    if one.network:
        answer["networkConfiguration"] = copy.deepcopy(one.network)
    if service.settings.get("capacityProviderStrategy"):
        answer["capacityProviderStrategy"] = normal_strategy(service.settings["capacityProviderStrategy"])
    else:
        answer["launchType"] = service.settings.get("launchType")
    if _fargate(service.settings):
        answer["platformVersion"], answer["platformFamily"] = PLATFORM, "Linux"
    return answer


@rule("normal-ecs", "ecs", "CreateService", "UpdateService", "DescribeServices", "DeleteService", layer=Layer.NORMAL)
def normal(call: Call, proceed: Proceed) -> Plain:
    """What a service leaves out has AWS's default in every answer.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
    """
    result = proceed()
    for one in [result["service"]] if "service" in result else result["services"]:
        for name in ("loadBalancers", "serviceRegistries", "placementConstraints", "placementStrategy"):
            one.setdefault(name, [])
        one.setdefault("schedulingStrategy", "REPLICA")
        one.setdefault("deploymentController", {"type": "ECS"})
        one.setdefault("enableECSManagedTags", False)
        one.setdefault("propagateTags", "NONE")
        one.setdefault("enableExecuteCommand", False)
        one.setdefault("availabilityZoneRebalancing", "ENABLED")
        one.setdefault("roleArn", f"arn:aws:iam::{call.account.id}:role/aws-service-role/ecs.amazonaws.com/"
                       "AWSServiceRoleForECS")
        if one["loadBalancers"]:
            one.setdefault("healthCheckGracePeriodSeconds", 0)
        if one.get("capacityProviderStrategy"):
            one["capacityProviderStrategy"] = normal_strategy(one["capacityProviderStrategy"])
        if _fargate(one):
            one.setdefault("platformVersion", "LATEST")
            one.setdefault("platformFamily", "Linux")
    return result


# --- tasks


def tasks(call: Call) -> dict[str, Task]:
    return call.memory("tasks")


@always("ecs", "ListTasks", layer=Layer.BEHAVIOUR)
def list_tasks(call: Call, proceed: Proceed) -> Plain:
    """By service, family, what started them and desired status; running ones unless told.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
    """
    sent = call.parameters
    cluster = active(call, sent.get("cluster"))
    status, name = sent.get("desiredStatus") or "RUNNING", short(sent.get("serviceName")) \
        if sent.get("serviceName") else None
    if name and (cluster.name, name) not in services(call):
        raise AwsError("ServiceNotFoundException", "Service not found.")
    found = [
        task.arn for task in tasks(call).values()
        if task.cluster == cluster.name and task.desired_status == status and (not name or task.service == name)
        and sent.get("family", task.definition.family) == task.definition.family
        and sent.get("startedBy", task.deployment) == task.deployment
    ]
    others = proceed()["taskArns"] if not name else []
    return {"taskArns": [*found, *others]}


@always("ecs", "DescribeTasks", layer=Layer.BEHAVIOUR)
def describe_tasks(call: Call, proceed: Proceed) -> Plain:
    """Tasks by id or ARN, with why they were stopped; unknown ones as failures.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
    """
    sent = call.parameters
    cluster = active(call, sent.get("cluster"))
    asked = sent.get("tasks") or []
    if not asked:
        raise AwsError(INVALID, "Tasks cannot be empty.")
    by_id = {task.id: task for task in tasks(call).values() if task.cluster == cluster.name}
    own = [by_id[short(name)] for name in asked if short(name) in by_id]
    rest = [name for name in asked if short(name) not in by_id]
    others: list[Plain] = []
    if rest:
        sent["tasks"] = rest
        others = proceed()["tasks"]
    known = {short(one["taskArn"]) for one in others}
    failures = [{"arn": name, "reason": "MISSING"} for name in rest if short(name) not in known]
    return {"tasks": [*(task.as_json(sent.get("include") or []) for task in own), *others], "failures": failures}


@always("ecs", "StopTask", layer=Layer.BEHAVIOUR)
def stop_task(call: Call, proceed: Proceed) -> Plain:
    """Stops a task; that of a service is replaced.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
    """
    cluster = active(call, call.parameters.get("cluster"))
    wanted = short(call.parameters["task"])
    task = next((one for one in tasks(call).values() if one.id == wanted and one.cluster == cluster.name), None)
    if task is None:
        return proceed()
    services(call)[cluster.name, task.service].stop_task(task, call.parameters.get("reason") or "Task stopped by user")
    return {"task": task.as_json([])}
