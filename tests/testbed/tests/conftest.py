"""One bed for the whole run, and an account of its own for each test."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

TESTS = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
T = TypeVar("T")
#: Shared, since a session reads the models of the services anew.
SESSION = boto3.Session()
STS: dict[str, Any] = {}


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running bed."""
    port_file = tmp_path_factory.mktemp("bed") / "port"
    command = [sys.executable, "-m", "testbed", "--port", "0", "--port-file", str(port_file), "--exit-with-parent"]
    bed = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TESTS)})
    try:
        until(port_file.exists, 30)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        bed.terminate()
        bed.wait(10)


def until(condition: Callable[[], T | None], seconds: float = 10) -> T:
    """Waits until something holds, and gives back what it is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.03)
    raise AssertionError("did not come to pass in time")


def refused(code: str, call: Callable[..., Any], **parameters: Any) -> str:
    """The message of the error that a call must answer with."""
    try:
        result = call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return str(error.response["Error"]["Message"])
    raise AssertionError(f"not refused with {code}: {result}")


def http(method: str, url: str, data: Any = None) -> Any:
    """A control call."""
    body = json.dumps(data).encode() if data is not None else None
    with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=20) as response:
        return json.load(response)


class Aws:
    """An account with its clients."""

    def __init__(self, endpoint: str, account: str) -> None:
        self.endpoint, self.account = endpoint, account
        if endpoint not in STS:
            STS[endpoint] = SESSION.client("sts", endpoint_url=endpoint, region_name=REGION,
                                           aws_access_key_id="test", aws_secret_access_key="test")
        made = STS[endpoint].assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/test", RoleSessionName="test")["Credentials"]
        self.credentials = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"],
                            "aws_session_token": made["SessionToken"]}
        self._clients: dict[str, Any] = {}

    def client(self, service: str, region: str = REGION, **config: Any) -> Any:
        settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 10, **config}
        return SESSION.client(service, endpoint_url=self.endpoint, region_name=region, config=Config(**settings),
                              **self.credentials)

    def __getattr__(self, service: str) -> Any:
        if service.startswith("_"):
            raise AttributeError(service)
        if service not in self._clients:
            self._clients[service] = self.client(service.replace("_", "-"))
        return self._clients[service]

    # --- control

    def set(self, **settings: Any) -> Any:
        return self.control(settings=settings)

    def control(self, **data: Any) -> Any:
        return http("POST", f"{self.endpoint}/testbed/accounts/{self.account}", data)

    def off(self, *rules: str) -> None:
        self.set(rules={rule: False for rule in rules})

    def state(self) -> Any:
        return http("GET", f"{self.endpoint}/testbed/accounts/{self.account}")

    def ask(self, what: str, method: str = "GET") -> Any:
        return http(method, f"{self.endpoint}/testbed/accounts/{self.account}/{what}")

    # --- things that tests need

    def vpc(self, cidr: str = "10.0.0.0/16", dns: bool = True) -> str:
        vpc = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        if dns:
            self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        return str(vpc)

    def network(self, cidr: str = "10.0") -> Network:
        vpc = self.vpc(f"{cidr}.0.0/16")
        subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"{cidr}.{number}.0/24",
                                   AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        group = self.ec2.create_security_group(GroupName="tasks", Description="d", VpcId=vpc)["GroupId"]
        return Network(vpc, subnets, group)

    def balancer(self, network: Network, name: str = "alb") -> tuple[str, str]:
        balancer = self.elbv2.create_load_balancer(
            Name=name, Subnets=network.subnets, SecurityGroups=[network.group], Scheme="internal"
        )["LoadBalancers"][0]["LoadBalancerArn"]
        listener = self.elbv2.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Listeners"][0]["ListenerArn"]
        return balancer, listener

    def target_group(self, network: Network, name: str = "tg", **more: Any) -> str:
        return str(self.elbv2.create_target_group(
            Name=name, Protocol="HTTP", Port=8080, VpcId=network.vpc, TargetType="ip", **more
        )["TargetGroups"][0]["TargetGroupArn"])

    def rule(self, listener: str, group: str, priority: int = 1) -> str:
        return str(self.elbv2.create_rule(
            ListenerArn=listener, Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [f"/t{priority}/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )["Rules"][0]["RuleArn"])

    def task_definition(self, image: str = "app:1", family: str = "family", **more: Any) -> str:
        return str(self.ecs.register_task_definition(
            family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[{"name": "app", "image": image, "portMappings": [{"containerPort": 8080}], **more}],
        )["taskDefinition"]["taskDefinitionArn"])

    def stack(self) -> Stack:
        """All that a service needs."""
        network = self.network()
        balancer, listener = self.balancer(network)
        group = self.target_group(network)
        rule = self.rule(listener, group)
        self.ecs.create_cluster(clusterName="c")
        return Stack(self, network, balancer, listener, group, rule)


class Network:
    def __init__(self, vpc: str, subnets: list[str], group: str) -> None:
        self.vpc, self.subnets, self.group = vpc, subnets, group


class Stack:
    def __init__(self, aws: Aws, network: Network, balancer: str, listener: str, group: str, rule: str) -> None:
        self.aws, self.network, self.balancer = aws, network, balancer
        self.listener, self.group, self.rule = listener, group, rule

    def parameters(self, definition: str, **more: Any) -> dict[str, Any]:
        return {
            "cluster": "c", "serviceName": "s", "taskDefinition": definition, "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {
                "subnets": self.network.subnets, "securityGroups": [self.network.group]}},
            "loadBalancers": [{"targetGroupArn": self.group, "containerName": "app", "containerPort": 8080}],
            **more,
        }

    def create(self, definition: str | None = None, **more: Any) -> dict[str, Any]:
        return dict(self.aws.ecs.create_service(
            **self.parameters(definition or self.aws.task_definition(), **more))["service"])

    def service(self, **more: Any) -> dict[str, Any]:
        return dict(self.aws.ecs.describe_services(cluster="c", services=["s"], **more)["services"][0])

    def health(self) -> list[str]:
        found = self.aws.elbv2.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        return sorted(one["TargetHealth"]["State"] for one in found)

    def steady(self) -> dict[str, Any]:
        def complete() -> Any:
            service = self.service()
            deployments = service["deployments"]
            done = len(deployments) == 1 and deployments[0]["rolloutState"] == "COMPLETED"
            return service if done and service["runningCount"] == service["desiredCount"] else None

        return until(complete)


NUMBERS = itertools.count(random.SystemRandom().randrange(10**11, 8 * 10**11))


@pytest.fixture
def new_account(endpoint: str) -> Callable[[], Aws]:
    """Makes further accounts."""
    return lambda: Aws(endpoint, str(next(NUMBERS)))


@pytest.fixture
def aws(new_account: Callable[[], Aws]) -> Iterator[Aws]:
    """An account; at the end nothing in it may have gone wrong inside the bed."""
    account = new_account()
    yield account
    crashes = account.state()["crashes"]
    http("DELETE", f"{account.endpoint}/testbed/accounts/{account.account}")
    assert not crashes, "\n".join(crashes)
