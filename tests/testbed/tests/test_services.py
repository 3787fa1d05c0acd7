"""Services roll out as time passes."""

from __future__ import annotations

from typing import Any

from .conftest import Aws, refused, until


def test_a_first_deployment(aws: Aws) -> None:
    stack = aws.stack()
    made = stack.create()
    assert made["status"] == "ACTIVE"
    assert made["runningCount"] == 0
    deployment = made["deployments"][0]
    assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "IN_PROGRESS")
    until(lambda: stack.health() == ["initial", "initial"])
    assert stack.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    service = stack.steady()
    assert stack.health() == ["healthy", "healthy"]
    assert "has reached a steady state" in service["events"][0]["message"]
    tasks = aws.ecs.list_tasks(cluster="c", serviceName="s")["taskArns"]
    described = aws.ecs.describe_tasks(cluster="c", tasks=tasks)["tasks"]
    assert {task["lastStatus"] for task in described} == {"RUNNING"}
    subnets = {detail["value"] for task in described for detail in task["attachments"][0]["details"]
               if detail["name"] == "subnetId"}
    assert subnets == set(stack.network.subnets)
    addresses = aws.elbv2.describe_target_health(TargetGroupArn=stack.group)["TargetHealthDescriptions"]
    assert {one["Target"]["Id"].rsplit(".", 1)[0] for one in addresses} == {"10.0.0", "10.0.1"}


def test_a_new_revision_replaces_the_old(aws: Aws) -> None:
    stack = aws.stack()
    stack.create()
    stack.steady()
    second = aws.task_definition("app:2")
    updated = aws.ecs.update_service(cluster="c", service="s", taskDefinition=second)["service"]
    assert [one["status"] for one in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert updated["deployments"][0]["taskDefinition"] == second
    until(lambda: len(stack.health()) == 4)
    until(lambda: "draining" in stack.health())
    service = stack.steady()
    assert service["taskDefinition"] == second
    until(lambda: stack.health() == ["healthy", "healthy"])
    stopped = aws.ecs.list_tasks(cluster="c", desiredStatus="STOPPED")["taskArns"]
    reasons = {task["stoppedReason"] for task in aws.ecs.describe_tasks(cluster="c", tasks=stopped)["tasks"]}
    assert all(reason.startswith("Scaling activity initiated by (deployment ecs-svc/") for reason in reasons)


def test_an_image_that_cannot_be_pulled_trips_the_breaker_and_rolls_back(aws: Aws) -> None:
    stack = aws.stack()
    configuration = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    good = stack.create(deploymentConfiguration=configuration)["taskDefinition"]
    stack.steady()
    bad = aws.task_definition("missing:1")
    aws.ecs.update_service(cluster="c", service="s", taskDefinition=bad)
    until(lambda: any("rolling back" in event["message"] for event in stack.service()["events"]))
    service = stack.steady()
    assert service["taskDefinition"] == good
    assert stack.health() == ["healthy", "healthy"]
    stopped = aws.ecs.list_tasks(cluster="c", serviceName="s", desiredStatus="STOPPED")["taskArns"]
    tasks = aws.ecs.describe_tasks(cluster="c", tasks=stopped)["tasks"]
    assert any(task["stoppedReason"].startswith("CannotPullContainerError") for task in tasks)


def test_a_first_deployment_has_nothing_to_return_to(aws: Aws) -> None:
    stack = aws.stack()
    stack.create(aws.task_definition("missing:1"),
                 deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    failed = until(lambda: next((one for one in stack.service()["deployments"] if one["rolloutState"] == "FAILED"),
                                None))
    assert failed["status"] == "PRIMARY"
    assert failed["failedTasks"] >= 3
    assert "circuit breaker" in failed["rolloutStateReason"]
    assert stack.service()["runningCount"] == 0


def test_a_failed_update_without_rollback_leaves_the_old_tasks(aws: Aws) -> None:
    stack = aws.stack()
    stack.create(deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    stack.steady()
    bad = aws.task_definition("missing:1")
    aws.ecs.update_service(cluster="c", service="s", taskDefinition=bad)
    until(lambda: stack.service()["deployments"][0]["rolloutState"] == "FAILED")
    service = stack.service()
    assert service["taskDefinition"] == bad
    assert service["deployments"][1]["runningCount"] == 2
    assert stack.health() == ["healthy", "healthy"]


def test_without_a_breaker_it_is_tried_again_and_again(aws: Aws) -> None:
    aws.set(task_start=0.02)
    stack = aws.stack()
    stack.create(aws.task_definition("missing:1"))
    until(lambda: stack.service()["deployments"][0]["failedTasks"] >= 6)
    service = stack.service()
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert any("unable to consistently start tasks" in event["message"] for event in service["events"])


def test_a_failing_health_check(aws: Aws) -> None:
    stack = aws.stack()
    stack.create(aws.task_definition("unhealthy:1"),
                 deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    unhealthy = until(lambda: next((
        one for one in aws.elbv2.describe_target_health(TargetGroupArn=stack.group)["TargetHealthDescriptions"]
        if one["TargetHealth"]["State"] == "unhealthy"), None))
    assert unhealthy["TargetHealth"]["Reason"] == "Target.FailedHealthChecks"
    until(lambda: stack.service()["deployments"][0]["rolloutState"] == "FAILED")
    stopped = aws.ecs.list_tasks(cluster="c", desiredStatus="STOPPED")["taskArns"]
    reasons = {task["stoppedReason"] for task in aws.ecs.describe_tasks(cluster="c", tasks=stopped)["tasks"]}
    assert f"Task failed ELB health checks in (target-group {stack.group})" in reasons


def test_failures_and_health_checks_can_be_switched_off(aws: Aws) -> None:
    aws.off("image-not-found")
    stack = aws.stack()
    stack.create(aws.task_definition("missing:1"))
    stack.steady()
    aws.off("failing-health-check")
    aws.ecs.update_service(cluster="c", service="s", taskDefinition=aws.task_definition("unhealthy:1"))
    stack.steady()
    aws.set(rules={"image-not-found": True, "circuit-breaker": False}, task_start=0.02)
    aws.ecs.update_service(cluster="c", service="s", taskDefinition=aws.task_definition("missing:2"),
                           deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    until(lambda: stack.service()["deployments"][0]["failedTasks"] > 5)
    assert stack.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"


def test_gradual_rollout_can_be_switched_off(aws: Aws) -> None:
    aws.off("gradual-rollout")
    stack = aws.stack()
    assert stack.create()["deployments"][0]["rolloutState"] == "COMPLETED"


def test_what_starts_a_deployment(aws: Aws) -> None:
    stack = aws.stack()
    definition = stack.create()["taskDefinition"]
    first = stack.steady()["deployments"][0]["id"]

    def deployment(**changes: Any) -> str:
        answer = aws.ecs.update_service(cluster="c", service="s", **changes)["service"]
        return str(answer["deployments"][0]["id"])

    for quiet in (
        {"desiredCount": 3}, {"healthCheckGracePeriodSeconds": 5}, {"enableExecuteCommand": True},
        {"propagateTags": "SERVICE"}, {"taskDefinition": definition}, {"availabilityZoneRebalancing": "DISABLED"},
        {"deploymentConfiguration": {"maximumPercent": 150}},
    ):
        assert deployment(**quiet) == first, quiet
    service = stack.steady()
    assert service["healthCheckGracePeriodSeconds"] == 5
    assert service["enableExecuteCommand"] is True
    assert service["availabilityZoneRebalancing"] == "DISABLED"
    assert service["deploymentConfiguration"]["maximumPercent"] == 150
    assert service["deploymentConfiguration"]["minimumHealthyPercent"] == 100
    assert len(stack.health()) == 3
    network = {"awsvpcConfiguration": {"subnets": stack.network.subnets[:1], "securityGroups": [stack.network.group]}}
    seen = {first}
    for loud in ({"networkConfiguration": network}, {"forceNewDeployment": True}, {"platformVersion": "1.4.0"},
                 {"loadBalancers": [], "healthCheckGracePeriodSeconds": 0}):
        made = deployment(**loud)
        assert made not in seen, loud
        seen.add(made)
    stack.steady()


def test_scaling(aws: Aws) -> None:
    stack = aws.stack()
    stack.create()
    stack.steady()
    aws.ecs.update_service(cluster="c", service="s", desiredCount=4)
    until(lambda: stack.health() == ["healthy"] * 4)
    aws.ecs.update_service(cluster="c", service="s", desiredCount=1)
    until(lambda: stack.health() == ["healthy"])
    aws.ecs.update_service(cluster="c", service="s", desiredCount=0)
    until(lambda: stack.health() == [])
    assert stack.steady()["runningCount"] == 0


def test_desired_zero_from_the_start(aws: Aws) -> None:
    stack = aws.stack()
    stack.create(desiredCount=0)
    assert stack.steady()["deployments"][0]["rolloutState"] == "COMPLETED"
    assert stack.health() == []


def test_a_stopped_task_is_replaced(aws: Aws) -> None:
    stack = aws.stack()
    stack.create()
    stack.steady()
    task = aws.ecs.list_tasks(cluster="c", serviceName="s")["taskArns"][0]
    stopped = aws.ecs.stop_task(cluster="c", task=task, reason="by hand")["task"]
    assert (stopped["lastStatus"], stopped["stoppedReason"]) == ("STOPPED", "by hand")
    until(lambda: stack.health() == ["healthy", "healthy"])
    assert task not in aws.ecs.list_tasks(cluster="c", serviceName="s")["taskArns"]


def test_deleting_drains(aws: Aws) -> None:
    stack = aws.stack()
    definition = stack.create()["taskDefinition"]
    stack.steady()
    refused("InvalidParameterException", aws.ecs.delete_service, cluster="c", service="s")
    assert aws.ecs.delete_service(cluster="c", service="s", force=True)["service"]["status"] == "DRAINING"
    assert stack.service()["status"] == "DRAINING"
    assert set(stack.health()) == {"draining"}
    assert aws.ecs.list_services(cluster="c")["serviceArns"] == []
    message = refused("InvalidParameterException", aws.ecs.create_service, **stack.parameters(definition))
    assert "Draining" in message
    refused("ServiceNotActiveException", aws.ecs.update_service, cluster="c", service="s", desiredCount=1)
    until(lambda: stack.service()["status"] == "INACTIVE")
    assert stack.health() == []
    stack.create(definition)
    stack.steady()


def test_draining_can_be_switched_off(aws: Aws) -> None:
    aws.off("service-draining")
    stack = aws.stack()
    definition = stack.create()["taskDefinition"]
    aws.ecs.delete_service(cluster="c", service="s", force=True)
    assert stack.service()["status"] == "INACTIVE"
    stack.create(definition)


def test_a_service_is_made_once(aws: Aws) -> None:
    stack = aws.stack()
    definition = stack.create(desiredCount=0)["taskDefinition"]
    refused("InvalidParameterException", aws.ecs.create_service, **stack.parameters(definition))
    aws.off("create-once")
    assert stack.create(definition, desiredCount=1)["desiredCount"] == 1


def test_a_client_token_makes_one_service(aws: Aws) -> None:
    stack = aws.stack()
    definition = aws.task_definition()
    first = stack.create(definition, clientToken="token")
    assert stack.create(definition, clientToken="token")["deployments"][0]["id"] == first["deployments"][0]["id"]
    refused("InvalidParameterException", aws.ecs.create_service,
            **stack.parameters(definition, clientToken="token", desiredCount=3))
    refused("InvalidParameterException", aws.ecs.create_service,
            **stack.parameters(definition, clientToken="t" * 37, serviceName="other"))
    aws.off("client-token", "create-once")
    assert stack.create(definition, clientToken="token")["deployments"][0]["id"] != first["deployments"][0]["id"]


def test_a_target_group_needs_a_listener(aws: Aws) -> None:
    stack = aws.stack()
    lone = aws.target_group(stack.network, "lone")
    definition = aws.task_definition()
    balancers = [{"targetGroupArn": lone, "containerName": "app", "containerPort": 8080}]
    parameters = stack.parameters(definition, loadBalancers=balancers)
    message = refused("InvalidParameterException", aws.ecs.create_service, **parameters)
    assert "does not have an associated load balancer" in message
    aws.off("target-group-needs-listener")
    aws.ecs.create_service(**parameters)


def test_what_a_service_must_have(aws: Aws) -> None:
    stack = aws.stack()
    definition = aws.task_definition()
    create = aws.ecs.create_service
    code = "InvalidParameterException"
    refused(code, create, **stack.parameters(definition, networkConfiguration={"awsvpcConfiguration": {
        "subnets": ["subnet-none"]}}))
    refused(code, create, **stack.parameters(definition, networkConfiguration={"awsvpcConfiguration": {
        "subnets": stack.network.subnets, "securityGroups": ["sg-none"]}}))
    refused(code, create, **stack.parameters(definition, loadBalancers=[
        {"targetGroupArn": stack.group, "containerName": "app", "containerPort": 1}]))
    refused(code, create, **stack.parameters(definition, loadBalancers=[
        {"targetGroupArn": stack.group, "containerName": "none", "containerPort": 8080}]))
    refused(code, create, **stack.parameters(definition, capacityProviderStrategy=[
        {"capacityProvider": "FARGATE", "weight": 1}]))
    refused("ClusterNotFoundException", create, **stack.parameters(definition, cluster="none"))
    refused("ClientException", create, **stack.parameters("none:1"))
    refused("ServiceNotFoundException", aws.ecs.update_service, cluster="c", service="none", desiredCount=1)


def test_answers_are_complete(aws: Aws) -> None:
    stack = aws.stack()
    made = stack.create()
    assert made["schedulingStrategy"] == "REPLICA"
    assert made["platformVersion"] == "LATEST"
    assert made["platformFamily"] == "Linux"
    assert made["deploymentController"] == {"type": "ECS"}
    assert made["propagateTags"] == "NONE"
    assert made["enableECSManagedTags"] is False
    assert made["enableExecuteCommand"] is False
    assert made["healthCheckGracePeriodSeconds"] == 0
    assert made["availabilityZoneRebalancing"] == "ENABLED"
    assert made["placementConstraints"] == made["placementStrategy"] == made["serviceRegistries"] == []
    assert made["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    configuration = made["deploymentConfiguration"]
    assert (configuration["maximumPercent"], configuration["minimumHealthyPercent"]) == (200, 100)
    assert configuration["deploymentCircuitBreaker"] == {"enable": False, "rollback": False}
    assert made["roleArn"].endswith("role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
    assert made["deployments"][0]["platformVersion"] == "1.4.0"
    aws.off("normal-ecs")
    assert "platformVersion" not in stack.service()


def test_tags_are_answered_when_asked_for(aws: Aws) -> None:
    stack = aws.stack()
    stack.create(tags=[{"key": "a", "value": "b"}], propagateTags="SERVICE", enableECSManagedTags=True)
    assert "tags" not in stack.service() or stack.service()["tags"] == []
    assert stack.service(include=["TAGS"])["tags"] == [{"key": "a", "value": "b"}]
    stack.steady()
    task = aws.ecs.list_tasks(cluster="c", serviceName="s")["taskArns"][0]
    tags = aws.ecs.describe_tasks(cluster="c", tasks=[task], include=["TAGS"])["tasks"][0]["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {
        "a": "b", "aws:ecs:clusterName": "c", "aws:ecs:serviceName": "s"}
    arn = stack.service()["serviceArn"]
    aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "d"}])
    aws.ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "c", "value": "d"}]


def test_capacity_providers(aws: Aws) -> None:
    stack = aws.stack()
    aws.ecs.put_cluster_capacity_providers(cluster="c", capacityProviders=["FARGATE", "FARGATE_SPOT"],
                                           defaultCapacityProviderStrategy=[])
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    parameters = stack.parameters(aws.task_definition(), capacityProviderStrategy=strategy)
    parameters.pop("launchType")
    made = aws.ecs.create_service(**parameters)["service"]
    assert made["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    assert "launchType" not in made
    stack.steady()
    task = aws.ecs.list_tasks(cluster="c", serviceName="s")["taskArns"][0]
    assert aws.ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]["capacityProviderName"] == "FARGATE_SPOT"
    group = "arn:aws:autoscaling:us-east-1:1:autoScalingGroup:x:autoScalingGroupName/x"
    aws.ecs.create_capacity_provider(name="own", autoScalingGroupProvider={"autoScalingGroupArn": group})
    refused("ClientException", aws.ecs.create_capacity_provider, name="own",
            autoScalingGroupProvider={"autoScalingGroupArn": group})
    names = [one["name"] for one in aws.ecs.describe_capacity_providers()["capacityProviders"]]
    assert names == ["FARGATE", "FARGATE_SPOT", "own"]
    aws.ecs.put_cluster_capacity_providers(cluster="c", capacityProviders=["own"], defaultCapacityProviderStrategy=[])
    refused("InvalidParameterException", aws.ecs.put_cluster_capacity_providers, cluster="c",
            capacityProviders=["none"], defaultCapacityProviderStrategy=[])
