"""ECS clusters and capacity providers."""

from __future__ import annotations

from typing import Any

from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, always, rule

FARGATE = ("FARGATE", "FARGATE_SPOT")


def short(name_or_arn: str | None) -> str:
    return (name_or_arn or "default").rsplit("/", 1)[-1]


def active(call: Call, name: str | None) -> Any:
    """A cluster that is there.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
    """
    cluster = call.ecs.clusters.get(short(name))
    if cluster is None or cluster.status == "INACTIVE":
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return cluster


def check_providers(call: Call, names: list[str], cluster: Any | None = None) -> None:
    """Capacity providers exist and, for a service, belong to its cluster.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html
    """
    for name in names:
        if name not in FARGATE and call.ecs._get_provider(name) is None:
            raise AwsError("InvalidParameterException", f"The specified capacity provider '{name}' was not found. "
                           "Specify a valid name or ARN and try again.")
        if cluster is not None and name not in (cluster.capacity_providers or []):
            raise AwsError("InvalidParameterException", "The specified capacity provider strategy cannot contain a "
                           "capacity provider that is not associated with the cluster. Associate the capacity provider "
                           f"with the cluster and try again. ({name})")


def normal_strategy(strategy: list[Plain] | None) -> list[Plain]:
    """Weight and base are 0 unless told.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
    """
    return [{"capacityProvider": one["capacityProvider"], "weight": one.get("weight", 0), "base": one.get("base", 0)}
            for one in strategy or []]


# --- clusters


def _view(call: Call, cluster: Any, include: list[str]) -> Plain:
    services = [one for one in call.memory("services").values() if one.cluster == cluster.name]
    tasks = [task for task in call.memory("tasks").values() if task.cluster == cluster.name]
    answer: Plain = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": len(call.ecs.container_instances.get(cluster.name, {})),
        "runningTasksCount": sum(task.last_status == "RUNNING" for task in tasks),
        "pendingTasksCount": sum(task.last_status in ("PROVISIONING", "PENDING") for task in tasks),
        "activeServicesCount": sum(one.status in ("ACTIVE", "DRAINING") for one in services),
        "statistics": [],
        "tags": list(cluster.tags or []) if "TAGS" in include else [],
        "settings": list(cluster.settings or []) if "SETTINGS" in include else [],
        "capacityProviders": list(cluster.capacity_providers or []),
        "defaultCapacityProviderStrategy": normal_strategy(cluster.default_capacity_provider_strategy),
    }
    if "CONFIGURATIONS" in include and cluster.configuration:
        answer["configuration"] = cluster.configuration
    return answer


@rule("create-once", "ecs", "CreateCluster")
def cluster_once(call: Call, proceed: Proceed) -> Plain:
    """Creating a cluster that exists gives that one back, unchanged.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html
    """
    cluster = call.ecs.clusters.get(call.parameters.get("clusterName") or "default")
    if cluster is not None and cluster.status != "INACTIVE":
        return {"cluster": _view(call, cluster, ["TAGS", "SETTINGS", "CONFIGURATIONS"])}
    return proceed()


@rule("quota-clusters", "ecs", "CreateCluster")
def clusters_per_region(call: Call, proceed: Proceed) -> Plain:
    """10,000 clusters in a Region.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
    """
    there = [one for one in call.ecs.clusters.values() if one.status != "INACTIVE"]
    exists = any(one.name == (call.parameters.get("clusterName") or "default") for one in there)
    if not exists and len(there) >= call.settings.quota("clusters"):
        raise AwsError("LimitExceededException", "The limit for the resource has been exceeded: clusters per Region.")
    return proceed()


@always("ecs", "CreateCluster", "PutClusterCapacityProviders", "UpdateCluster", layer=Layer.BEHAVIOUR)
def create(call: Call, proceed: Proceed) -> Plain:
    """Capacity providers must exist.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html
    """
    sent = call.parameters
    named = sent.get("capacityProviders") or []
    check_providers(call, named)
    for one in sent.get("defaultCapacityProviderStrategy") or []:
        if one["capacityProvider"] not in named:
            raise AwsError("InvalidParameterException", "The specified default capacity provider strategy contains a "
                           f"capacity provider that is not associated with the cluster: {one['capacityProvider']}")
    if call.action != "CreateCluster":
        active(call, sent.get("cluster"))
    result = proceed()
    cluster = call.ecs.clusters[result["cluster"]["clusterName"]]
    return {"cluster": _view(call, cluster, ["TAGS", "SETTINGS", "CONFIGURATIONS"])}


@always("ecs", "DescribeClusters", layer=Layer.BEHAVIOUR)
def describe(call: Call, _proceed: Proceed) -> Plain:
    """Deleted clusters are seen as INACTIVE; those that never were, as failures.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
    """
    names, include = call.parameters.get("clusters") or ["default"], call.parameters.get("include") or []
    found, failures = [], []
    for name in dict.fromkeys(names):
        cluster = call.ecs.clusters.get(short(name))
        if cluster is not None:
            found.append(_view(call, cluster, include))
        else:
            arn = f"arn:aws:ecs:{call.region}:{call.account.id}:cluster/{short(name)}"
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"clusters": found, "failures": failures}


@rule("batch-limits", "ecs", "DescribeClusters", "DescribeServices", "DescribeTasks")
def batches(call: Call, proceed: Proceed) -> Plain:
    """100 clusters, 100 tasks, 10 services in a call.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
    """
    for name, limit, what in (("clusters", 100, "Clusters"), ("tasks", 100, "Tasks"), ("services", 10, "Services")):
        if len(call.parameters.get(name) or []) > limit:
            raise AwsError("InvalidParameterException", f"{what} cannot be empty and cannot have more than {limit} "
                           "entries.")
    return proceed()


@always("ecs", "ListClusters", layer=Layer.BEHAVIOUR)
def list_clusters(call: Call, _proceed: Proceed) -> Plain:
    """Deleted clusters are not listed.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html
    """
    return {"clusterArns": [one.arn for one in call.ecs.clusters.values() if one.status != "INACTIVE"]}


@rule("cluster-in-use", "ecs", "DeleteCluster")
def cluster_in_use(call: Call, proceed: Proceed) -> Plain:
    """A cluster with services or tasks in it cannot be deleted.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
    """
    cluster = active(call, call.parameters["cluster"])
    services = call.memory("services").values()
    if any(one.cluster == cluster.name and one.status in ("ACTIVE", "DRAINING") for one in services):
        raise AwsError("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    tasks = [task for task in call.memory("tasks").values() if task.cluster == cluster.name]
    alone = call.ecs.tasks.get(cluster.name, {}).values()
    if any(task.last_status != "STOPPED" for task in (*tasks, *alone)):
        raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    if call.ecs.container_instances.get(cluster.name):
        raise AwsError("ClusterContainsContainerInstancesException",
                       "The Cluster cannot be deleted while Container Instances are active or draining.")
    return proceed()


@always("ecs", "DeleteCluster", layer=Layer.BEHAVIOUR)
def delete(call: Call, proceed: Proceed) -> Plain:
    """It stays visible, INACTIVE.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
    """
    cluster = active(call, call.parameters["cluster"])
    proceed()
    return {"cluster": _view(call, cluster, [])}


@always("ecs", "UpdateClusterSettings", layer=Layer.BEHAVIOUR)
def update_settings(call: Call, _proceed: Proceed) -> Plain:
    """Changes the settings that are named.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateClusterSettings.html
    """
    cluster = active(call, call.parameters["cluster"])
    known = {one["name"]: one["value"] for one in [*(cluster.settings or []), *call.parameters["settings"]]}
    cluster.settings = [{"name": name, "value": value} for name, value in known.items()]
    return {"cluster": _view(call, cluster, ["TAGS", "SETTINGS", "CONFIGURATIONS"])}


# --- capacity providers


@always("ecs", "DescribeCapacityProviders", layer=Layer.BEHAVIOUR)
def describe_providers(call: Call, proceed: Proceed) -> Plain:
    """AWS's own two, and the account's.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html
    """
    asked = call.parameters.get("capacityProviders")
    names = [short(name) for name in asked] if asked else [*FARGATE, *call.ecs.capacity_providers]
    call.parameters["capacityProviders"] = [name for name in names if name not in FARGATE]
    result = proceed()
    arn = f"arn:aws:ecs:{call.region}:{call.account.id}:capacity-provider"
    own: list[Plain] = [{"capacityProviderArn": f"{arn}/{name}", "name": name, "status": "ACTIVE", "tags": []}
           for name in names if name in FARGATE]
    return {"capacityProviders": [*own, *result["capacityProviders"]], "failures": result["failures"]}


@always("ecs", "CreateCapacityProvider", layer=Layer.CHECK)
def create_provider(call: Call, proceed: Proceed) -> Plain:
    """Names are unique and not AWS's.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCapacityProvider.html
    """
    name = call.parameters["name"]
    if name in call.ecs.capacity_providers:
        raise AwsError("ClientException", "The specified capacity provider already exists. To change the configuration "
                       "of an existing capacity provider, update the capacity provider.")
    if name.lower().startswith(("aws", "ecs", "fargate")):
        raise AwsError("ClientException", "The specified capacity provider name is invalid. Up to 255 characters are "
                       "allowed, including letters, numbers, underscores, and hyphens, and it cannot be prefixed with "
                       "aws, ecs, or fargate.")
    return proceed()
