"""Throttling, faults, held requests, the request log, dumps: what tests ask of the bed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from ..rules_matter import product_tests
from .conftest import TESTS, Aws, http, refused, until


def clusters(aws: Aws) -> int:
    return len(aws.ecs.list_clusters()["clusterArns"])


def test_a_seed_says_which_calls_fail_whatever_their_order(new_account: Callable[[], Aws]) -> None:
    orders = ("c" * 12 + "v" * 12, "v" * 12 + "c" * 12, "cv" * 12, "c" * 12 + "v" * 12)
    met = []
    for order, seed in zip(orders, (7, 7, 7, 8), strict=True):
        aws = new_account()
        aws.control(faults=[{"effect": "error-before", "reads": True, "times": 0, "rate": 0.5}], seed=seed)
        for letter in order:
            _code(aws.ecs.list_clusters if letter == "c" else aws.ec2.describe_vpcs)
        logged = aws.ask("requests")["requests"]
        met.append({action: [bool(one["fault"]) for one in logged if one["action"] == action]
                    for action in ("ListClusters", "DescribeVpcs")})
    assert met[0] == met[1] == met[2] != met[3]
    assert met[0]["ListClusters"] != met[0]["DescribeVpcs"]


@pytest.mark.parametrize("effect, after", [("error-before", 0), ("error-after", 1), ("drop-before", 0),
                                           ("drop-after", 1)])
def test_faults_before_and_after_the_effect(aws: Aws, effect: str, after: int) -> None:
    aws.control(faults=[{"effect": effect, "action": "CreateCluster"}])
    with pytest.raises((ClientError, ConnectionClosedError)) as error:
        aws.ecs.create_cluster(clusterName="a")
    if effect.startswith("error"):
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    else:
        assert isinstance(error.value, ConnectionClosedError)
    assert clusters(aws) == after
    aws.ecs.create_cluster(clusterName="b")
    assert clusters(aws) == after + 1


def test_which_request_a_fault_meets(aws: Aws) -> None:
    aws.control(faults=[{"effect": "error-before", "nth_write": 2, "code": "AccessDeniedException", "status": 400}])
    aws.ecs.create_cluster(clusterName="a")
    clusters(aws)
    refused("AccessDeniedException", aws.ecs.create_cluster, clusterName="b")
    aws.ecs.create_cluster(clusterName="b")
    aws.control(faults=[{"effect": "error-before", "reads": True, "times": 0, "rate": 0.5}], seed=7)
    answers = []
    for _ in range(20):
        try:
            clusters(aws)
            answers.append(True)
        except ClientError:
            answers.append(False)
    assert 2 < sum(answers) < 18
    aws.control(faults=[])
    for service, call in (("ec2", aws.ec2.describe_vpcs), ("iam", aws.iam.list_roles),
                          ("elasticloadbalancing", aws.elbv2.describe_target_groups),
                          ("logs", aws.logs.describe_log_groups)):
        aws.control(faults=[{"effect": "error-before", "reads": True}])
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500, service


def test_a_write_is_held_and_so_is_all_after_it(aws: Aws) -> None:
    aws.control(faults=[{"effect": "hang-after", "nth_write": 2}])
    aws.ecs.create_cluster(clusterName="a")
    done: list[str] = []

    def make(name: str) -> None:
        aws.client("ecs").create_cluster(clusterName=name)
        done.append(name)

    first = threading.Thread(target=make, args=("b",))
    first.start()
    hung = aws.ask("hung?timeout=5")
    assert hung["hung"][0]["action"] == "ecs:CreateCluster"
    assert hung["writes"] == 2
    second = threading.Thread(target=make, args=("c",))
    second.start()
    time.sleep(0.2)
    assert done == []
    text = aws.endpoint + f"/testbed/accounts/{aws.account}/dump"
    with urllib.request.urlopen(text) as answer:
        assert len(json.load(answer)["clusters"]) == 2
    aws.ask("release", "POST")
    first.join(5)
    second.join(5)
    assert sorted(done) == ["b", "c"]
    assert clusters(aws) == 3


def test_a_request_is_held_alone(aws: Aws) -> None:
    aws.control(faults=[{"effect": "hang-before", "action": "CreateCluster", "alone": True}])
    held = threading.Thread(target=lambda: aws.client("ecs").create_cluster(clusterName="a"))
    held.start()
    assert aws.ask("hung?timeout=5")["hung"][0]["action"] == "ecs:CreateCluster"
    aws.ecs.create_cluster(clusterName="b")
    assert clusters(aws) == 1
    aws.ask("release", "POST")
    held.join(5)
    assert clusters(aws) == 2


def test_held_requests_of_a_killed_client_are_dropped(aws: Aws) -> None:
    aws.control(faults=[{"effect": "hang-before", "nth_write": 1}])
    script = (
        "import boto3, json, sys\n"
        "boto3.client('ecs', endpoint_url=sys.argv[1], region_name='us-east-1', **json.loads(sys.argv[2]))"
        ".create_cluster(clusterName='x')\n"
    )
    client = subprocess.Popen([sys.executable, "-c", script, aws.endpoint, json.dumps(aws.credentials)])
    assert aws.ask("hung?timeout=15")["hung"]
    client.send_signal(signal.SIGKILL)
    client.wait()
    aws.ask("release", "POST")
    assert clusters(aws) == 0


def test_the_published_buckets(aws: Aws, new_account: Callable[[], Aws]) -> None:
    aws.set(throttling=True)
    aws.ec2.describe_vpcs()
    made = 0
    with pytest.raises(ClientError) as error:
        for _ in range(60):
            aws.ec2.create_tags(Resources=["vpc-0"], Tags=[]) if made < 0 else aws.ec2.create_internet_gateway()
            made += 1
    assert error.value.response["Error"]["Code"] == "RequestLimitExceeded"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert 50 <= made <= 56
    assert aws.state()["refused"] == {"RequestLimitExceeded": 1}
    with pytest.raises(ClientError) as error:
        for _ in range(60):
            aws.elbv2.describe_load_balancers()
    assert error.value.response["Error"]["Code"] == "Throttling"
    with pytest.raises(ClientError) as error:
        for number in range(30):
            aws.ecs.create_cluster(clusterName=f"c{number}")
    assert error.value.response["Error"]["Code"] == "ThrottlingException"
    new_account().ec2.create_internet_gateway()
    aws.set(time_scale=10000.0)
    for _ in range(30):
        aws.ec2.create_internet_gateway()
        aws.elbv2.describe_load_balancers()


def test_buckets_that_others_have_drawn_on(aws: Aws) -> None:
    aws.set(throttling=True, bucket_level=0.1, time_scale=0.001)
    made = 0
    with pytest.raises(ClientError):
        for made in range(60):
            aws.ec2.create_internet_gateway()
    assert made == 5, "a tenth of 50"


def test_latency(aws: Aws) -> None:
    clusters(aws)
    aws.set(latency=0.2)
    before = time.monotonic()
    clusters(aws)
    assert time.monotonic() - before >= 0.2


def test_sessions_run_out(aws: Aws, endpoint: str) -> None:
    assert aws.sts.get_caller_identity()["Account"] == aws.account
    aws.set(session_seconds=0.3)
    short = Aws(endpoint, aws.account)
    until(lambda: _code(short.ecs.list_clusters) == "ExpiredTokenException")
    assert _code(short.ec2.describe_vpcs) == "RequestExpired"
    assert _code(short.elbv2.describe_load_balancers) == "ExpiredToken"
    aws.ec2.describe_vpcs()


def test_sessions_end_on_demand(aws: Aws, endpoint: str, new_account: Callable[[], Aws]) -> None:
    other = new_account()
    aws.control(expire_sessions=True)
    assert _code(aws.ecs.list_clusters) == "ExpiredTokenException"
    other.ecs.list_clusters()
    Aws(endpoint, aws.account).ecs.list_clusters()


def _code(call: Callable[..., Any]) -> str | None:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


def test_plain_keys_are_the_default_account(endpoint: str) -> None:
    import boto3

    sts = boto3.client("sts", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="AKIAANY",
                       aws_secret_access_key="x")
    assert sts.get_caller_identity()["Account"] == "123456789012"


def test_the_request_log(aws: Aws) -> None:
    aws.ec2.describe_vpcs(Filters=[{"Name": "state", "Values": ["available"]}])
    aws.ecs.create_cluster(clusterName="c")
    refused("InvalidVpcID.NotFound", aws.ec2.delete_vpc, VpcId="vpc-00000000000000000")
    requests = aws.ask("requests")["requests"]
    assert [one["action"] for one in requests] == ["DescribeVpcs", "CreateCluster", "DeleteVpc"]
    assert requests[0]["parameters"] == {"Filters": [{"Name": "state", "Values": ["available"]}]}
    assert requests[1]["parameters"] == {"clusterName": "c"}
    assert (requests[1]["write"], requests[1]["status"], requests[1]["region"]) == (1, 200, "us-east-1")
    assert (requests[2]["status"], requests[2]["error"]) == (400, "InvalidVpcID.NotFound")
    assert len(aws.ask("requests?service=ec2")["requests"]) == 2
    assert len(aws.ask("requests?writes&after=2")["requests"]) == 1
    state = aws.state()
    assert state["calls"] == {"ec2:DeleteVpc": 1, "ec2:DescribeVpcs": 1, "ecs:CreateCluster": 1}
    assert (state["writes"], state["write_count"]) == ({"ec2:DeleteVpc": 1, "ecs:CreateCluster": 1}, 2)
    assert aws.control(reset_counters=True)["calls"] == {}


def test_bad_settings_are_refused(aws: Aws) -> None:
    for bad in ({"settings": {"nonsense": 1}}, {"settings": {"rules": {"nonsense": False}}},
                {"settings": {"quotas": {"vpcs": "5"}}}, {"settings": {"latency": "1"}}, {"nonsense": 1},
                {"faults": [{"effect": "nonsense"}]}, {"faults": [{"effect": "drop-after", "nonsense": 1}]}):
        with pytest.raises(urllib.error.HTTPError) as error:
            aws.control(**bad)
        assert error.value.code == 400
        assert "nonsense" in (text := error.value.read().decode()) or "must be" in text


def test_every_rule_names_its_page(endpoint: str) -> None:
    rules = http("GET", f"{endpoint}/testbed/rules")["rules"]
    assert len(rules) > 40
    for rule in rules:
        assert rule["summary"], rule
        assert all(page.startswith("https://docs.aws.amazon.com/") for page in rule["pages"]), rule


def test_every_rule_has_a_product_test(endpoint: str) -> None:
    table = product_tests()
    assert sorted(table) == [rule["name"] for rule in http("GET", f"{endpoint}/testbed/rules")["rules"]]
    for test in table.values():
        module, _, name = test.name.partition("::")
        assert f"#[test]\nfn {name}() {{" in (TESTS / "integration" / f"{module}.rs").read_text(), test


def test_every_rule_is_switched_off_in_a_test(endpoint: str) -> None:
    text = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    missing = [rule["name"] for rule in http("GET", f"{endpoint}/testbed/rules")["rules"]
               if f'"{rule["name"]}"' not in text]
    assert missing == []


def test_forgetting_an_account(aws: Aws, new_account: Callable[[], Aws]) -> None:
    other = new_account()
    for one in (aws, other):
        one.ecs.create_cluster(clusterName="c")
    aws.set(latency=0.01)
    http("DELETE", f"{aws.endpoint}/testbed/accounts/{aws.account}")
    assert clusters(aws) == 0
    assert clusters(other) == 1
    assert aws.state()["settings"]["latency"] == 0


def text_of(aws: Aws, query: str = "") -> str:
    with urllib.request.urlopen(f"{aws.endpoint}/testbed/accounts/{aws.account}/dump{query}") as answer:
        return str(answer.read().decode())


def test_dumps_are_the_same_while_nothing_changes(aws: Aws) -> None:
    stack = aws.stack()
    stack.create()
    stack.steady()
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    aws.logs.create_log_group(logGroupName="g", tags={"a": "b"})
    before = text_of(aws)
    stack.service()
    aws.set(page_size=1, read_lag=1.0)
    assert text_of(aws) == before
    data = json.loads(before)
    for kind in ("vpcs", "subnets", "securitygrouprules", "loadbalancers", "listeners", "rules", "targetgroups",
                 "clusters", "services", "taskdefinitions", "roles", "loggroups"):
        assert data[kind], kind
    aws.ec2.create_tags(Resources=[stack.network.vpc], Tags=[{"Key": "x", "Value": "y"}])
    assert text_of(aws) != before
    command = [sys.executable, "-m", "testbed.snapshot", "--endpoint", aws.endpoint, "--account", aws.account,
               "--region", "us-east-1"]
    made = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, text=True)
    assert json.loads(made.stdout)["vpcs"]


def test_mapped_dumps_of_equal_accounts_are_equal(aws: Aws, endpoint: str) -> None:
    texts = []
    for settings in ({}, {}, {"other": True}):
        http("DELETE", f"{endpoint}/testbed/accounts/{aws.account}")
        stack = aws.stack()
        stack.create()
        aws.ec2.create_vpc_endpoint(
            VpcId=stack.network.vpc, ServiceName="com.amazonaws.us-east-1.logs", VpcEndpointType="Interface",
            SubnetIds=stack.network.subnets, SecurityGroupIds=[stack.network.group])
        if settings:
            aws.rule(stack.listener, stack.group, 9)
        stack.steady()
        until(lambda: aws.ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"] == "available")
        until(lambda stack=stack: stack.health() == ["healthy", "healthy"])  # type: ignore[misc]
        texts.append(text_of(aws, "?mapped=1"))
    assert texts[0] == texts[1]
    assert texts[1] != texts[2]


def test_a_copy_goes_its_own_way(aws: Aws) -> None:
    aws.set(endpoint_pending=0.5)
    vpc = aws.vpc()
    endpoint = aws.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.logs", VpcEndpointType="Interface")
    made = http("POST", f"{aws.endpoint}/testbed/copies")
    copy = Aws(made["url"], aws.account)
    try:
        ids = {"VpcEndpointIds": [endpoint["VpcEndpoint"]["VpcEndpointId"]]}
        for one in (aws, copy):  # what was to come comes in both
            until(lambda one=one: one.ec2.describe_vpc_endpoints(**ids)["VpcEndpoints"][0]["State"] == "available")
        assert text_of(copy) == text_of(aws)
        copy.ecs.create_cluster(clusterName="theirs")
        aws.ecs.create_cluster(clusterName="ours")
        assert [len(one.ecs.list_clusters()["clusterArns"]) for one in (aws, copy)] == [1, 1]
        assert copy.state()["writes"]["ecs:CreateCluster"] == 1
        # A copy holds no connection of the bed's open.
        for one in (aws, copy):
            one.control(faults=[{"effect": "drop-after", "action": "CreateCluster"}])
            with pytest.raises(ConnectionClosedError):
                one.ecs.create_cluster(clusterName="dropped")
        http("POST", f"{aws.endpoint}/testbed/copies")  # has to do with the first, and not with the next
        second = http("POST", f"{copy.endpoint}/testbed/copies")
        assert len(Aws(second["url"], aws.account).ecs.list_clusters()["clusterArns"]) == 2
    finally:
        os.kill(made["pid"], signal.SIGTERM)
    until(lambda: not _alive(made["pid"]) and not _alive(second["pid"]), 10)


def test_a_copy_holds_nobody(aws: Aws) -> None:
    aws.control(faults=[{"effect": "hang-before", "action": "CreateCluster"}])
    with ThreadPoolExecutor() as pool:
        held = pool.submit(aws.ecs.create_cluster, clusterName="c")
        assert aws.ask("hung?timeout=10")["hung"]
        made = http("POST", f"{aws.endpoint}/testbed/copies")
        copy = Aws(made["url"], aws.account)
        assert copy.ask("hung")["hung"] == []
        assert copy.ecs.list_clusters()["clusterArns"] == []
        os.kill(made["pid"], signal.SIGTERM)
        aws.ask("release", "POST")
        held.result(10)
    assert clusters(aws) == 1


def test_the_bed_ends_with_its_parent_and_on_sigterm(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    port_file = tmp_path / "port"
    start = f"[{sys.executable!r}, '-m', 'testbed', '--port-file', {str(port_file)!r}, '--exit-with-parent']"
    script = f"import subprocess, time; p = subprocess.Popen({start}); print(p.pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    bed = int(parent.stdout.readline())
    until(port_file.exists, 30)
    parent.kill()
    parent.wait()
    until(lambda: not _alive(bed), 10)
    port_file.unlink()
    settings = json.dumps({"latency": 0.01, "rules": {"pages": False}})
    command = [sys.executable, "-m", "testbed", "--port-file", str(port_file), "--config", settings,
               "--time-scale", "5"]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until(port_file.exists, 30)
    defaults = http("GET", f"http://127.0.0.1:{port_file.read_text().strip()}/testbed/rules")["defaults"]
    assert (defaults["latency"], defaults["time_scale"], defaults["rules"]) == (0.01, 5.0, {"pages": False})
    running.terminate()
    output, _ = running.communicate(timeout=10)
    assert (running.returncode, output) == (0, b"")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path(f"/proc/{pid}").exists() else False


def test_the_readme_names_everything_that_can_be_set(endpoint: str) -> None:
    text = (TESTS / "testbed" / "README.md").read_text()
    known = http("GET", f"{endpoint}/testbed/rules")
    names = [rule["name"] for rule in known["rules"]] + list(known["quotas"]) + list(known["defaults"])
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_readme_says_of_each_rule_what_the_bed_says(endpoint: str) -> None:
    """`UPDATE_GENERATED=1` writes the table anew."""
    readme = TESTS / "testbed" / "README.md"
    head, separator, rest = readme.read_text().partition("| rule | what holds | pages |\n|---|---|---|\n")
    table, _, tail = rest.partition("\n\n")
    rows = []
    for rule in http("GET", f"{endpoint}/testbed/rules")["rules"]:
        pages = " ".join(f"[{number}]({page})" for number, page in enumerate(rule["pages"], 1))
        rows.append(f"| `{rule['name']}` | {rule['summary']} | {pages} |")
    if os.environ.get("UPDATE_GENERATED"):
        readme.write_text(head + separator + "\n".join(rows) + "\n\n" + tail)
    else:
        assert table.splitlines() == rows
