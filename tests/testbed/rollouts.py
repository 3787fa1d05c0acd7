"""How a service's tasks come and go as time passes: deployments, tasks, targets, and the circuit breaker.

A deployment starts its tasks, waits until they are healthy, stops those of the deployments before it, and is then
complete. An image whose name has `missing` in it cannot be pulled; one with `unhealthy` starts and fails its health
check. Whatever fails is tried again, until the circuit breaker, where it is switched on, has had enough.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

from .accounts import Account
from .clusters import normal_strategy
from .network import new_interface
from .rules import Plain, declare
from .target_groups import deregister, register, targets_of

EVENTS_KEPT = 100
PLATFORM = "1.4.0"

declare(
    "image-not-found",
    """A task whose image cannot be pulled stops with CannotPullContainerError.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
    """,
)
declare(
    "failing-health-check",
    """A task that fails its load balancer's or its container's health check is stopped and replaced.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/troubleshoot-service-load-balancers.html
    """,
)
declare(
    "circuit-breaker",
    """A deployment whose tasks keep failing fails, and with rollback the service returns to the last that completed;
    a first deployment has none.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """,
)
declare(
    "gradual-rollout",
    """A deployment is in progress until its tasks run, are healthy, and those before them are gone.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
    """,
)


@dataclass(eq=False)
class Task:
    """One task of a service."""

    arn: str
    cluster: str
    cluster_arn: str
    service: str
    deployment: str
    definition: Any
    launch: Plain
    subnet: str
    zone: str
    interface: Any
    group: str
    tags: list[Plain]
    created: datetime = field(default_factory=utcnow)
    started: datetime | None = None
    stopped: datetime | None = None
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    health: str = "UNKNOWN"
    reason: str | None = None
    code: str | None = None
    container_reason: str | None = None
    exit_code: int | None = None
    targets: list[tuple[Any, str, int]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def address(self) -> str:
        return str(self.interface.private_ip_address)

    def as_json(self, include: list[str]) -> Plain:
        """A task as DescribeTasks tells of it.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
        """
        containers: list[Plain] = []
        for one in self.definition.container_definitions:
            container: Plain = {
                "containerArn": f"{self.arn.replace(':task/', ':container/')}/{one['name']}",
                "taskArn": self.arn,
                "name": one["name"],
                "image": one["image"],
                "lastStatus": self.last_status,
                "healthStatus": self.health if one.get("healthCheck") else "UNKNOWN",
                "networkBindings": [],
                "networkInterfaces": [{"attachmentId": self.interface.id, "privateIpv4Address": self.address}],
                "cpu": str(one.get("cpu", 0)),
            }
            if self.container_reason:
                container["reason"] = self.container_reason
            if self.exit_code is not None:
                container["exitCode"] = self.exit_code
            containers.append(container)
        answer: Plain = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition.arn,
            "group": self.group,
            "startedBy": self.deployment,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "healthStatus": self.health,
            "availabilityZone": self.zone,
            "createdAt": self.created,
            "connectivity": "CONNECTED",
            "containers": containers,
            "overrides": {"containerOverrides": [{"name": one["name"]} for one in containers],
                          "inferenceAcceleratorOverrides": []},
            "tags": self.tags if "TAGS" in include else [],
            "version": 1,
            "cpu": self.definition.cpu,
            "memory": self.definition.memory,
            "enableExecuteCommand": bool(self.launch.get("enableExecuteCommand")),
            "attachments": [{
                "id": self.interface.id, "type": "ElasticNetworkInterface",
                "status": "DELETED" if self.last_status == "STOPPED" else "ATTACHED",
                "details": [
                    {"name": "subnetId", "value": self.subnet},
                    {"name": "networkInterfaceId", "value": self.interface.id},
                    {"name": "macAddress", "value": self.interface.mac_address},
                    {"name": "privateIPv4Address", "value": self.address},
                ],
            }],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        }
        for name in ("launchType", "capacityProviderName", "platformVersion", "platformFamily"):
            if self.launch.get(name):
                answer[name] = self.launch[name]
        for name, value in (("startedAt", self.started), ("stoppingAt", self.stopped), ("stoppedAt", self.stopped),
                            ("stoppedReason", self.reason), ("stopCode", self.code)):
            if value:
                answer[name] = value
        return {name: value for name, value in answer.items() if value is not None}


@dataclass(eq=False)
class Deployment:
    """One deployment of a service, with what it was started with."""

    id: str
    definition: Any
    desired: int
    network: Plain
    load_balancers: list[Plain]
    status: str = "PRIMARY"
    created: datetime = field(default_factory=utcnow)
    updated: datetime = field(default_factory=utcnow)
    state: str = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0
    attempts: int = 0
    tasks: list[Task] = field(default_factory=list)
    healthy: set[str] = field(default_factory=set)

    @property
    def running(self) -> int:
        return sum(task.last_status == "RUNNING" for task in self.tasks)

    @property
    def pending(self) -> int:
        return sum(task.last_status in ("PROVISIONING", "PENDING") for task in self.tasks)


@dataclass(eq=False)
class Service:
    """A service as the bed keeps it."""

    account: Account
    region: str
    cluster: str
    cluster_arn: str
    name: str
    arn: str
    desired: int
    definition: Any
    settings: Plain
    created: datetime = field(default_factory=utcnow)
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    events: list[Plain] = field(default_factory=list)
    last_completed: Deployment | None = None

    # --- the backends it lives on

    @property
    def ec2(self) -> Any:
        from moto.ec2.models import ec2_backends

        return ec2_backends[self.account.id][self.region]

    @property
    def elb(self) -> Any:
        from moto.elbv2.models import elbv2_backends

        return elbv2_backends[self.account.id][self.region]

    @property
    def moto(self) -> Any:
        """moto's own record of it, which has the tags."""
        from moto.ecs.models import ecs_backends

        return ecs_backends[self.account.id][self.region].services[f"{self.cluster}:{self.name}"]

    @property
    def all_tasks(self) -> dict[str, Task]:
        return self.account.memory(self.region, "tasks")

    @property
    def primary(self) -> Deployment | None:
        return next((one for one in self.deployments if one.status == "PRIMARY"), None)

    @property
    def running(self) -> int:
        return sum(one.running for one in self.deployments)

    @property
    def pending(self) -> int:
        return sum(one.pending for one in self.deployments)

    def event(self, text: str) -> None:
        """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html"""
        self.events.insert(0, {"id": str(mock_random.uuid4()), "createdAt": utcnow(),
                               "message": f"(service {self.name}) {text}"})
        del self.events[EVENTS_KEPT:]

    # --- deployments

    def deploy(self) -> Deployment:
        """Starts a deployment of the service as it now is."""
        for one in self.deployments:
            if one.status == "PRIMARY":
                one.status, one.updated = "ACTIVE", utcnow()
        number = "".join(str(mock_random.randint(0, 9)) for _ in range(19))
        made = Deployment(
            f"ecs-svc/{number}", self.definition, self.desired,
            self.settings.get("networkConfiguration") or {}, list(self.settings.get("loadBalancers") or []),
        )
        made.reason = f"ECS deployment {made.id} in progress."
        self.deployments.insert(0, made)
        if self.account.holds("gradual-rollout"):
            self.account.after(self.account.settings.task_start, lambda: self._start(made))
        else:
            self._start(made)
        return made

    def _wanted(self, deployment: Deployment) -> bool:
        """Whether a deployment still is what the service is going towards."""
        return self.status == "ACTIVE" and deployment.status == "PRIMARY" and deployment.state != "FAILED"

    def _start(self, deployment: Deployment) -> None:
        """Starts the tasks that are missing."""
        if not self._wanted(deployment):
            return
        missing = deployment.desired - len(deployment.tasks)
        started = [self._new_task(deployment) for _ in range(max(0, missing))]
        if started:
            deployment.attempts += 1
        bad = [one["image"] for one in deployment.definition.container_definitions if "missing" in one["image"]]
        if started and bad and self.account.holds("image-not-found"):
            for task in started:
                self._stop(
                    deployment, task,
                    f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
                    f"{bad[0]}: {bad[0]}: not found",
                    "TaskFailedToStart",
                )
            self._failed(deployment, len(started), "tasks failed to start.")
            return
        for task in started:
            task.last_status, task.started = "RUNNING", utcnow()
            self._register(deployment, task)
        if started:
            names = " ".join(f"(task {task.id})" for task in started)
            self.event(f"has started {len(started)} tasks: {names}.")
        seconds = self.account.settings.target_healthy if started else 0.0
        if not self.account.holds("gradual-rollout"):
            seconds = 0.0
        self.account.after(seconds, lambda: self._checked(deployment, started))

    def _checked(self, deployment: Deployment, started: list[Task]) -> None:
        """The health checks of new tasks have come to a result."""
        if not self._wanted(deployment):
            return
        started = [task for task in started if task.last_status == "RUNNING"]
        sick = any("unhealthy" in one["image"] for one in deployment.definition.container_definitions)
        if started and sick and self.account.holds("failing-health-check"):
            checked = self._health_check(deployment)
            if checked:
                for task in started:
                    task.health = "UNHEALTHY"
                    self.event(f"(task {task.id}) (port {task.targets[0][2]}) is unhealthy in (target-group "
                               f"{task.targets[0][0].arn}) due to (reason Health checks failed)."
                               if task.targets else f"(task {task.id}) failed container health checks.")
                # AWS looks for as long again before it gives a task up: here the target can be seen as unhealthy.
                self.account.after(self.account.settings.target_healthy,
                                   lambda: self._give_up(deployment, started, checked))
                return
        for task in started:
            task.health = "HEALTHY"
            deployment.healthy.add(task.arn)
        if len(deployment.healthy) >= deployment.desired:
            self._replace_others(deployment)

    def _health_check(self, deployment: Deployment) -> str:
        """What its tasks are checked by, as the reason names it that one of them is stopped with."""
        groups = [one["targetGroupArn"] for one in deployment.load_balancers if one.get("targetGroupArn")]
        if groups:
            return f"Task failed ELB health checks in (target-group {groups[0]})"
        if any(one.get("healthCheck") for one in deployment.definition.container_definitions):
            return "Task failed container health checks"
        return ""

    def _give_up(self, deployment: Deployment, tasks: list[Task], reason: str) -> None:
        if not self._wanted(deployment):
            return
        for task in tasks:
            self._stop(deployment, task, reason, "ServiceSchedulerInitiated")
        self._failed(deployment, len(tasks), "tasks failed to start.")

    def _failed(self, deployment: Deployment, count: int, what: str) -> None:
        """Counts failed tasks; the circuit breaker may have had enough, else they are tried again."""
        deployment.failed += count
        deployment.updated = utcnow()
        breaker = self.settings["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
        limit = max(self.account.settings.failures_to_trip, min(200, math.ceil(deployment.desired / 2)))
        if breaker.get("enable") and deployment.state == "IN_PROGRESS" and deployment.failed >= limit \
                and self.account.holds("circuit-breaker"):
            self._trip(deployment, bool(breaker.get("rollback")), what)
            return
        self.event("is unable to consistently start tasks successfully. For more information, see the Troubleshooting "
                   "section of the Amazon ECS Developer Guide.")
        wait = self.account.settings.task_start * min(deployment.attempts, 5)
        self.account.after(max(wait, 0.05), lambda: self._start(deployment))

    def _trip(self, deployment: Deployment, rollback: bool, what: str) -> None:
        deployment.state, deployment.updated = "FAILED", utcnow()
        deployment.reason = f"ECS deployment circuit breaker: {what}"
        self.event(f"(deployment {deployment.id}) deployment failed: {what}")
        for task in list(deployment.tasks):
            self._stop(deployment, task, f"Scaling activity initiated by (deployment {deployment.id})",
                       "ServiceSchedulerInitiated")
        back = self.last_completed
        if not rollback or back is None or back is deployment or back not in self.deployments:
            return
        deployment.reason = f"ECS deployment circuit breaker: rolling back to deploymentId {back.id}."
        self.event(f"rolling back to (deployment {back.id}).")
        deployment.status = "ACTIVE"
        back.status, back.state, back.updated = "PRIMARY", "IN_PROGRESS", utcnow()
        back.reason = f"ECS deployment circuit breaker: rolling back to deploymentId {back.id}."
        back.desired = self.desired
        self.definition = back.definition
        self.deployments.remove(back)
        self.deployments.insert(0, back)
        self.account.after(self.account.settings.task_start, lambda: self._start(back))

    def _replace_others(self, deployment: Deployment) -> None:
        """The deployment's tasks are healthy: those of others are stopped, and when they are gone it is complete."""
        for other in self.deployments:
            if other is not deployment:
                self._stop_all(other, f"Scaling activity initiated by (deployment {deployment.id})")
        others = any(other is not deployment for other in self.deployments)
        seconds = self.account.settings.target_draining if others else 0.0
        if not self.account.holds("gradual-rollout"):
            seconds = 0.0

        def complete() -> None:
            if self._wanted(deployment) and len(deployment.healthy) >= deployment.desired:
                self.deployments = [deployment]
                if deployment.state != "COMPLETED":
                    deployment.state, deployment.updated = "COMPLETED", utcnow()
                    deployment.reason = f"ECS deployment {deployment.id} completed."
                    self.event(f"(deployment {deployment.id}) deployment completed.")
                self.last_completed = deployment
                self.event("has reached a steady state.")

        self.account.after(seconds, complete)

    def resize(self, desired: int) -> None:
        """More tasks are started, too many stopped; no new deployment.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
        """
        self.desired = desired
        deployment = self.primary
        if deployment is None:
            return
        deployment.desired, deployment.updated = desired, utcnow()
        surplus = deployment.tasks[desired:]
        for task in surplus:
            self._stop(deployment, task, "Scaling activity initiated by (deployment "
                       f"{deployment.id})", "ServiceSchedulerInitiated")
        if surplus:
            self.event(f"has stopped {len(surplus)} running tasks.")
        self.account.after(self.account.settings.task_start, lambda: self._start(deployment))

    def drain(self) -> None:
        """The service is deleted: everything stops, and in a while it is INACTIVE.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
        """
        self.status, self.desired = "DRAINING", 0
        for deployment in self.deployments:
            self._stop_all(deployment, "Task stopped due to service deletion")

        def inactive() -> None:
            if self.status == "DRAINING":
                self.status, self.deployments = "INACTIVE", []

        if self.account.holds("service-draining"):
            self.account.after(self.account.settings.service_draining, inactive)
        else:
            inactive()

    # --- tasks

    def _new_task(self, deployment: Deployment) -> Task:
        network = deployment.network.get("awsvpcConfiguration") or {}
        subnets = network.get("subnets") or [self._any_subnet()]
        used = [task.subnet for task in self.all_tasks.values()
                if task.service == self.name and task.cluster == self.cluster and task.last_status != "STOPPED"]
        subnet_id = min(subnets, key=lambda one: (used.count(one), subnets.index(one)))
        interface = new_interface(self.ec2, subnet_id, network.get("securityGroups") or [],
                                  f"arn:aws:ecs:{self.region}:{self.account.id}:attachment/{mock_random.uuid4()}",
                                  requester="amazon-ecs")
        number = mock_random.get_random_hex(32)
        task = Task(
            f"arn:aws:ecs:{self.region}:{self.account.id}:task/{self.cluster}/{number}", self.cluster, self.cluster_arn,
            self.name, deployment.id, deployment.definition, self._launch(), subnet_id,
            self.ec2.get_subnet(subnet_id).availability_zone, interface, f"service:{self.name}", self._tags(),
        )
        deployment.tasks.append(task)
        self.all_tasks[task.arn] = task
        return task

    def _any_subnet(self) -> str:
        return str(next(subnet.id for zone in self.ec2.subnets.values() for subnet in zone.values()))

    def _launch(self) -> Plain:
        strategy = normal_strategy(self.settings.get("capacityProviderStrategy"))
        launch: Plain = {"enableExecuteCommand": self.settings.get("enableExecuteCommand", False)}
        if strategy:
            heaviest = max(strategy, key=lambda one: (one["weight"], one["base"]))
            launch["capacityProviderName"] = heaviest["capacityProvider"]
            launch["launchType"] = "FARGATE" if heaviest["capacityProvider"].startswith("FARGATE") else "EC2"
        else:
            launch["launchType"] = self.settings.get("launchType", "EC2")
        if launch["launchType"] == "FARGATE":
            launch["platformVersion"], launch["platformFamily"] = PLATFORM, "Linux"
        return launch

    def _tags(self) -> list[Plain]:
        tags: list[Plain] = []
        if self.settings.get("enableECSManagedTags"):
            tags += [{"key": "aws:ecs:clusterName", "value": self.cluster},
                     {"key": "aws:ecs:serviceName", "value": self.name}]
        source = self.settings.get("propagateTags")
        if source == "SERVICE":
            tags += list(self.moto.tags or [])
        elif source == "TASK_DEFINITION":
            tags += list(self.definition.tags or [])
        return tags

    def _register(self, deployment: Deployment, task: Task) -> None:
        """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html"""
        sick = any("unhealthy" in one["image"] for one in deployment.definition.container_definitions)
        for one in deployment.load_balancers:
            group = self.elb.target_groups.get(one.get("targetGroupArn"))
            if group is None:
                continue
            port = int(one["containerPort"])
            register(self.account, group, task.address, port, task.zone,
                     not (sick and self.account.holds("failing-health-check")))
            task.targets.append((group, task.address, port))
        if task.targets:
            self.event(f"registered 1 targets in (target-group {task.targets[0][0].arn})")

    def _stop(self, deployment: Deployment, task: Task, reason: str, code: str) -> None:
        """Stops a task: its targets drain, its interface goes."""
        if task in deployment.tasks:
            deployment.tasks.remove(task)
        deployment.healthy.discard(task.arn)
        if task.last_status == "STOPPED":
            return
        for group, address, port in task.targets:
            if group.arn in self.elb.target_groups:
                deregister(self.account, group, address, port)
        if task.targets:
            self.event(f"deregistered 1 targets in (target-group {task.targets[0][0].arn})")
        task.last_status = task.desired_status = "STOPPED"
        task.reason, task.code, task.stopped = reason, code, utcnow()
        if reason.startswith("CannotPullContainerError"):
            task.container_reason = reason
        elif task.started:
            task.exit_code = 0
        self.ec2.enis.pop(task.interface.id, None)
        tasks, arn = self.all_tasks, task.arn
        self.account.after(self.account.settings.task_stopped_visible, lambda: tasks.pop(arn, None))

    def _stop_all(self, deployment: Deployment, reason: str) -> None:
        stopped = list(deployment.tasks)
        for task in stopped:
            self._stop(deployment, task, reason, "ServiceSchedulerInitiated")
        if stopped:
            self.event(f"has stopped {len(stopped)} running tasks.")

    def stop_task(self, task: Task, reason: str) -> None:
        """A task that a user stops is replaced.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
        """
        for deployment in self.deployments:
            if task in deployment.tasks:
                self._stop(deployment, task, reason, "UserInitiated")
                self.account.after(self.account.settings.task_start, partial(self._start, deployment))
                return

    def targets_left(self) -> bool:
        """Whether a target of one of its tasks is registered still."""
        addresses = {task.address for task in self.all_tasks.values()
                     if task.service == self.name and task.cluster == self.cluster}
        groups = [self.elb.target_groups.get(one.get("targetGroupArn")) for one in self.settings["loadBalancers"]]
        return any(address in addresses for group in groups if group for address, _ in targets_of(group))
