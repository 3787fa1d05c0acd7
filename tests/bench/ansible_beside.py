"""The same infra group through Ansible, with the modules that its package brings: what a run without changes takes there."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from estates import SERVICE, Estate, build, counted_by_account, set_accounts
from figures import ACCOUNT, ROOT, Project, make_service
from measuring import AWS_LIKE, LATENCY, at, bed, copy_of, measure, table

PLAYBOOK = ROOT / "tests" / "bench" / "ansible_estate.yaml"
TENANTS = 10
ESTATE = Estate(1, 1, TENANTS, with_roles=False)


def prefix_list(endpoint: str) -> str:
    """The id of the addresses of S3, which a playbook has to be told."""
    import boto3

    keys = {"aws_access_key_id": "figures", "aws_secret_access_key": "figures"}
    ec2 = boto3.client("ec2", endpoint_url=endpoint, region_name="us-east-1", **keys)
    wanted = {"Name": "prefix-list-name", "Values": ["com.amazonaws.us-east-1.s3"]}
    return ec2.describe_managed_prefix_lists(Filters=[wanted])["PrefixLists"][0]["PrefixListId"]


def play(endpoint: str, folder: Path) -> tuple[subprocess.CompletedProcess[str], float]:
    """One run of the playbook, and its seconds."""
    variables = {
        "tenants": [f"tenant-{number}" for number in range(1, TENANTS + 1)],
        "prefix_list": prefix_list(endpoint),
        "bidder": SERVICE,
    }
    environment = Project(Path("none"), folder, endpoint).environment | {
        # Ansible blots the secret out wherever it stands, in ids too: it has to be one that stands nowhere.
        "AWS_SECRET_ACCESS_KEY": "a-secret-that-opens-nothing",
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_NOCOLOR": "True",
        "LC_ALL": "C.UTF-8",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(PLAYBOOK), "--extra-vars", json.dumps(variables)]
    started = time.perf_counter()
    ended = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return ended, time.perf_counter() - started


def recap(ended: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The numbers of tasks in the last line: `ok`, `changed`, `failed`, ..."""
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", ended.stdout.split("PLAY RECAP")[-1])}


def ansible_section(binary: Path, folder: Path) -> list[str]:
    with bed(folder) as endpoint:
        make_service(endpoint, SERVICE)
        with copy_of(endpoint) as copy:
            ended, _ = play(copy, folder)
            # The load balancer's module makes a listener, or rules for one that is there, but not both in one run.
            if recap(ended).get("failed"):
                ended, _ = play(copy, folder)
            if ended.returncode != 0:
                sys.exit(f"the playbook failed\n{ended.stdout}{ended.stderr}")
            set_accounts(ESTATE, copy, AWS_LIKE)
            again, ansible_seconds = play(copy, folder)
            if again.returncode != 0 or recap(again)["changed"]:
                sys.exit(f"the playbook's rerun is not without changes\n{again.stdout}{again.stderr}")
            ansible_calls = counted_by_account(ESTATE, copy)[ACCOUNT]["calls"]
        # Looking up the prefix list is no part of the playbook.
        ansible_calls.pop("ec2:DescribeManagedPrefixLists")
        project = build(ESTATE, binary, folder, endpoint)
        set_accounts(ESTATE, endpoint, AWS_LIKE)
        run = measure(at(project, endpoint, 1), "plan", "--api-share", "1")
        if run.answer["changes"]:
            sys.exit(f"a plan that should be empty is not: {run.answer['summary']}")
        calls = counted_by_account(ESTATE, endpoint)[ACCOUNT]["calls"]
    names = sorted({*calls, *ansible_calls}, key=lambda name: (-ansible_calls.get(name, 0), name))
    rows = [
        ("**requests**", f"**{sum(calls.values()):,}**", f"**{sum(ansible_calls.values()):,}**"),
        ("**time**", f"**{run.seconds:.1f} s**", f"**{ansible_seconds:.1f} s**"),
        *((f"`{name}`", f"{calls.get(name, 0)}", f"{ansible_calls.get(name, 0)}") for name in names),
    ]
    waits = sum(ansible_calls.values()) * LATENCY
    return [
        f"## One infra group with {TENANTS} tenants beside Ansible",
        "",
        f"`tierctl plan --api-share 1`, and a rerun of [the playbook](../{PLAYBOOK.relative_to(ROOT)}) that makes",
        f"things of the same shape, both without anything to change, {LATENCY * 1000:.0f} ms before every answer, at AWS's rates:",
        f"Ansible {importlib.metadata.version('ansible')} with its collections `amazon.aws` and `community.aws`, all of whose",
        "modules that it needs work with the emulator. Requests are those that the emulator counted. Ansible looks at one thing",
        f"after another, each in a process of its own: of its time {waits:.0f} s are waits for answers. It does not look for what",
        "was left behind.",
        "",
        *table(("", "tierctl plan", "Ansible"), rows),
    ]
