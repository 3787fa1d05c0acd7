"""Clusters and task definitions."""

from __future__ import annotations

from functools import partial
from typing import Any

from .conftest import Aws, refused, until


def test_clusters(aws: Aws) -> None:
    made = aws.ecs.create_cluster(clusterName="c", tags=[{"key": "a", "value": "b"}],
                                  settings=[{"name": "containerInsights", "value": "enabled"}])["cluster"]
    assert made["status"] == "ACTIVE"
    again = aws.ecs.create_cluster(clusterName="c", tags=[{"key": "z", "value": "z"}])["cluster"]
    assert again["tags"] == [{"key": "a", "value": "b"}]
    described = aws.ecs.describe_clusters(clusters=["c", "none"], include=["TAGS", "SETTINGS"])
    assert described["clusters"][0]["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert described["failures"][0]["reason"] == "MISSING"
    settings = [{"name": "containerInsights", "value": "disabled"}]
    assert aws.ecs.update_cluster_settings(cluster="c", settings=settings)["cluster"]["settings"] == settings
    assert aws.ecs.delete_cluster(cluster="c")["cluster"]["status"] == "INACTIVE"
    assert aws.ecs.describe_clusters(clusters=["c"])["clusters"][0]["status"] == "INACTIVE"
    assert aws.ecs.list_clusters()["clusterArns"] == []
    refused("ClusterNotFoundException", aws.ecs.list_services, cluster="c")
    assert aws.ecs.create_cluster(clusterName="c")["cluster"]["tags"] == []
    aws.off("create-once")
    assert aws.ecs.create_cluster(clusterName="c", tags=[{"key": "z", "value": "z"}])["cluster"]["tags"] == [
        {"key": "z", "value": "z"}]


def test_a_cluster_in_use_stays(aws: Aws) -> None:
    stack = aws.stack()
    stack.create()
    refused("ClusterContainsServicesException", aws.ecs.delete_cluster, cluster="c")
    stack.steady()
    cluster = aws.ecs.describe_clusters(clusters=["c"])["clusters"][0]
    assert (cluster["activeServicesCount"], cluster["runningTasksCount"]) == (1, 2)
    aws.ecs.delete_service(cluster="c", service="s", force=True)
    refused("ClusterContainsServicesException", aws.ecs.delete_cluster, cluster="c")
    until(lambda: stack.service()["status"] == "INACTIVE")
    aws.task_definition(family="own", cpu=256, memory=512)
    alone = {"subnets": stack.network.subnets[:1], "securityGroups": [stack.network.group]}
    task = aws.ecs.run_task(
        cluster="c", taskDefinition="own", launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": alone}
    )["tasks"][0]["taskArn"]
    refused("ClusterContainsTasksException", aws.ecs.delete_cluster, cluster="c")
    aws.ecs.stop_task(cluster="c", task=task)
    aws.ecs.delete_cluster(cluster="c")
    other = aws.ecs.create_cluster(clusterName="d")["cluster"]["clusterName"]
    aws.off("cluster-in-use")
    aws.ecs.delete_cluster(cluster=other)


def test_batches_and_pages(aws: Aws) -> None:
    for number in range(3):
        aws.ecs.create_cluster(clusterName=f"c{number}")
    refused("InvalidParameterException", aws.ecs.describe_clusters, clusters=["c0"] * 101)
    refused("InvalidParameterException", aws.ecs.describe_services, cluster="c0", services=["s"] * 11)
    refused("InvalidParameterException", aws.ecs.list_clusters, maxResults=101)
    page = aws.ecs.list_clusters(maxResults=2)
    rest = aws.ecs.list_clusters(maxResults=2, nextToken=page["nextToken"])
    assert len(set(page["clusterArns"] + rest["clusterArns"])) == 3
    aws.off("batch-limits")
    assert len(aws.ecs.describe_clusters(clusters=["c0"] * 101)["clusters"]) == 1


def test_cluster_quotas(aws: Aws) -> None:
    aws.set(quotas={"clusters": 1, "services-per-cluster": 1})
    stack = aws.stack()
    stack.create(desiredCount=0)
    refused("LimitExceededException", aws.ecs.create_cluster, clusterName="d")
    parameters = stack.parameters(aws.task_definition(), serviceName="t")
    refused("InvalidParameterException", aws.ecs.create_service, **parameters)
    aws.off("quota-clusters", "quota-services")
    aws.ecs.create_cluster(clusterName="d")
    aws.ecs.create_service(**parameters)


def definition(**more: Any) -> dict[str, Any]:
    return {"family": "f", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "containerDefinitions": [{"name": "app", "image": "app:1"}], **more}


def test_task_definitions_are_completed(aws: Aws) -> None:
    environment = [{"name": name, "value": "x"} for name in "abcdefgh"]
    made = aws.ecs.register_task_definition(**definition(
        runtimePlatform={"cpuArchitecture": "ARM64"},
        containerDefinitions=[{
            "name": "app", "image": "app:1", "portMappings": [{"containerPort": 80}], "environment": environment,
            "healthCheck": {"command": ["CMD", "true"]}}],
        tags=[{"key": "a", "value": "b"}]))["taskDefinition"]
    container = made["containerDefinitions"][0]
    assert container["essential"] is True
    assert container["cpu"] == 0
    assert container["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
    assert container["healthCheck"] == {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}
    assert container["mountPoints"] == container["volumesFrom"] == container["systemControls"] == []
    assert container["environment"] != environment
    assert sorted(container["environment"], key=lambda one: str(one["name"])) == environment
    assert made["compatibilities"] == ["EC2", "FARGATE"]
    assert made["runtimePlatform"] == {"cpuArchitecture": "ARM64"}
    assert made["volumes"] == made["placementConstraints"] == []
    assert {"name": "ecs.capability.task-eni"} in made["requiresAttributes"]
    answer = aws.ecs.describe_task_definition(taskDefinition="f", include=["TAGS"])
    assert answer["taskDefinition"]["containerDefinitions"] == made["containerDefinitions"]
    assert answer["tags"] == [{"key": "a", "value": "b"}]
    aws.off("normal-ecs")
    plain = aws.ecs.describe_task_definition(taskDefinition="f")["taskDefinition"]["containerDefinitions"][0]
    assert "essential" not in plain


def test_revisions(aws: Aws) -> None:
    first = aws.task_definition("a:1")
    second = aws.task_definition("a:2")
    assert (first[-2:], second[-2:]) == (":1", ":2")
    assert aws.ecs.describe_task_definition(taskDefinition="family")["taskDefinition"]["revision"] == 2
    assert aws.ecs.deregister_task_definition(taskDefinition=second)["taskDefinition"]["status"] == "INACTIVE"
    assert aws.ecs.list_task_definitions(familyPrefix="family")["taskDefinitionArns"] == [first]
    assert aws.ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"] == [second]
    families = partial(aws.ecs.list_task_definition_families, familyPrefix="fam")
    assert families(status="ACTIVE")["families"] == ["family"] and not families(status="INACTIVE")["families"]
    aws.ecs.deregister_task_definition(taskDefinition=first)
    assert families(status="INACTIVE")["families"] == ["family"] == families()["families"]
    assert not families(status="ACTIVE")["families"] and not families(familyPrefix="amily")["families"]
    aws.ecs.delete_task_definitions(taskDefinitions=[second])
    assert aws.task_definition("a:3").endswith(":3")
    refused("ClientException", aws.ecs.describe_task_definition, taskDefinition="none")


def test_what_fargate_takes(aws: Aws) -> None:
    register = aws.ecs.register_task_definition
    code = "ClientException"
    refused(code, register, **definition(memory="4096"))
    refused(code, register, **definition(networkMode="bridge"))
    refused(code, register, **definition(ephemeralStorage={"sizeInGiB": 5}))
    logs = {"logDriver": "awslogs", "options": {}}
    awslogs = definition(containerDefinitions=[{"name": "app", "image": "a", "logConfiguration": logs}])
    refused(code, register, **awslogs)
    secrets = [{"name": "S", "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/x"}]
    refused(code, register, **definition(containerDefinitions=[{"name": "app", "image": "a", "secrets": secrets}]))
    refused(code, register, **definition(containerDefinitions=[{"name": "app", "image": "a"}] * 2))
    refused(code, register, **definition(containerDefinitions=[{"name": "app", "image": "a", "essential": False}]))


def test_roles_take_a_while(aws: Aws) -> None:
    arn = f"arn:aws:iam::{aws.account}:role/r"
    refused("ClientException", aws.ecs.register_task_definition, **definition(taskRoleArn=arn))
    aws.set(role_delay=0.3)
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    message = refused("ClientException", aws.ecs.register_task_definition, **definition(taskRoleArn=arn))
    assert "Role is not valid" in message

    def register() -> Any:
        try:
            return aws.ecs.register_task_definition(**definition(taskRoleArn=arn))
        except aws.ecs.exceptions.ClientException:
            return None

    until(register)
    aws.off("role-delay")
    aws.ecs.register_task_definition(**definition(taskRoleArn=f"{arn}-none"))


def test_scalable_targets(aws: Aws) -> None:
    scaling = aws.client("application-autoscaling")
    stack = aws.stack()
    stack.create()
    resource = {"ServiceNamespace": "ecs", "ResourceId": "service/c/s", "ScalableDimension": "ecs:service:DesiredCount"}
    scaling.register_scalable_target(**resource, MinCapacity=1, MaxCapacity=4)
    found = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert [one["ResourceId"] for one in found] == ["service/c/s"]
    scaling.deregister_scalable_target(**resource)
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
