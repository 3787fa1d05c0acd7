"""Figures that the documents quote: `make bench`, or `figures.py BINARY [--markdown]`.

Requests to AWS are those that tierctl counts itself (`run.calls` of its JSON), polls of waits apart. The AWS is the test
bed's, so the counts are true and the times of requests are not: what is timed here needs no AWS, or takes as long as the
rates allow that AWS publishes, which the bed keeps to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "make bench ARGUMENTS=--markdown"
DOCUMENT = ROOT / "docs" / "figures.md"

TENANTS = 50
SPECS = 2000
STARTS = 20
ENDPOINTS = 20
# Changes to endpoints that AWS takes at once, and then in a second.
# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
ENDPOINT_BURST, ENDPOINT_RATE = 4, 0.3
# What the project promises, by figure; `pace` as a multiple of what the rates allow at best.
LIMITS = {"plan": 80, "onboard": 25, "start": 20.0, "validate": 1.0, "memory": 150.0, "pace": 1.15, "refused": 2, "rendering": 200.0}

ACCOUNT = "123456789012"
TIER = """\
tier: figures
region: us-east-1
tags:
  team: platform
downstreams:
  - {{name: bidder, service: {service}, port: 8443}}
  - {{name: ecr-api, service: ecr.api, port: 443, private_dns: true}}
  - {{name: ecr-dkr, service: ecr.dkr, port: 443, private_dns: true}}
  - {{name: logs, service: logs, port: 443, private_dns: true}}
  - {{name: secrets, service: secretsmanager, port: 443, private_dns: true}}
  - {{name: images, service: s3, gateway: true}}
roles:
  task:
    statements:
      - {{effect: Allow, actions: ["s3:GetObject"], resources: ["arn:aws:s3:::artifacts/*"]}}
  execution:
    managed_policies: [arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy]
tenants:
  max_per_infra_group: 100
cells:
"""
GROUP = """\
      - name: ig-{number}
        vpc: {{cidr: 10.{block}.0.0/16, zones: [us-east-1a, us-east-1b]}}
"""
MANY_ENDPOINTS = """\
tier: paced
region: us-east-1
downstreams:
{downstreams}
cells:
  - name: cell-1
    account: "{account}"
    infra_groups: [{{name: ig-1, vpc: {{cidr: 10.1.0.0/16, zones: [us-east-1a, us-east-1b]}}}}]
"""
TENANT = """\
tenant: tenant-{number}
tier: figures
placement: {{cell: cell-{cell}, infra_group: ig-{group}}}
service:
  image: registry.example.com/ad-server:1.42.0
  port: 8080
  cpu: 256
  memory: 512
  desired: 1
  health_check: {{path: /healthz}}
environment:
  CACHE_ENDPOINT: tenant-{number}.cache.internal:6379
"""


def tier(cells: int, groups: int, service: str) -> str:
    text = TIER.format(service=service)
    for cell in range(1, cells + 1):
        account = str(int(ACCOUNT) + cell - 1)
        text += f'  - name: cell-{cell}\n    account: "{account}"\n    infra_groups:\n'
        first = (cell - 1) * groups
        text += "".join(GROUP.format(number=number, block=first + number) for number in range(1, groups + 1))
    return text


class Project:
    """A folder with specs, and tierctl run in it with nothing of the user's AWS settings."""

    def __init__(self, binary: Path, folder: Path, endpoint: str = "") -> None:
        self.binary, self.folder = binary, folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIERCTL_"))}
        nowhere = str(folder / "none")
        self.environment = kept | {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "figures",
            "AWS_SECRET_ACCESS_KEY": "figures",
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> str:
        ended = subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            sys.exit(f"tierctl {' '.join(arguments)} ended with {ended.returncode}\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    def json(self, *arguments: str) -> dict:
        return json.loads(self.run(*arguments, "--format", "json"))

    def without_throttling(self) -> Project:
        """Where the bed does not throttle, nothing is learnt by keeping to AWS's rates."""
        self.environment["TIERCTL_API_TIME_SCALE"] = "1000"
        return self


def start_bed(folder: Path, *arguments: str) -> tuple[subprocess.Popen, str]:
    port = folder / "port"
    bed = subprocess.Popen(
        [sys.executable, "-m", "testbed", "--port", "0", "--port-file", str(port), "--exit-with-parent", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
    )
    while not port.exists():
        if bed.poll() is not None:
            sys.exit("the emulated AWS did not start")
        time.sleep(0.1)
    return bed, f"http://127.0.0.1:{port.read_text().strip()}"


def ask(endpoint: str, path: str, data: dict | None = None) -> dict:
    """Asks the bed itself."""
    body = None if data is None else json.dumps(data).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{endpoint}/testbed/{path}", body), timeout=60) as answer:
        return json.load(answer)


def make_service(endpoint: str, name: str) -> None:
    ask(endpoint, "endpoint-services", {"name": name, "owner": "999999999999", "allowed_principals": ["*"]})


def counted(answer: dict) -> tuple[int, int]:
    def total(services: dict) -> int:
        return sum(count for actions in services.values() for count in actions.values())

    return total(answer["run"]["calls"]), total(answer["run"]["polls"])


def count_calls(binary: Path, folder: Path) -> dict[str, tuple[int, int, float | None]]:
    """Calls and polls of a plan without changes, of onboarding one more tenant, and of a pull request with another; the
    seconds of the last, and of the full plan beside it."""
    bed, endpoint = start_bed(folder)
    try:
        service = "com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f60718"
        make_service(endpoint, service)
        project = Project(binary, folder, endpoint).without_throttling()
        project.write("tiers/figures.yaml", tier(1, 1, service))
        for number in range(1, TENANTS + 1):
            project.write(f"tenants/tenant-{number}.yaml", TENANT.format(number=number, cell=1, group=1))
        project.run("apply", "--yes", "tiers")
        project.run("onboard", "--yes", "tenants")
        plan = project.json("plan")
        if plan["changes"]:
            sys.exit(f"the second plan is not empty: {plan['summary']}")
        number = TENANTS + 1
        project.write(f"tenants/tenant-{number}.yaml", TENANT.format(number=number, cell=1, group=1))
        onboarded = project.json("onboard", "--yes", f"tenants/tenant-{number}.yaml")
        request = f"tenants/tenant-{number + 1}.yaml"
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "add", "tiers", "tenants")
        git(folder, "commit", "--quiet", "--message", "so far")
        project.write(request, TENANT.format(number=number + 1, cell=1, group=1))
        scoped, scoped_seconds = timed(project, "plan", "--changed-since", "main")
        full, full_seconds = timed(project, "plan")
        if scoped["changes"] != full["changes"]:
            sys.exit("the plan of a pull request is not that part of the full plan")
        return {
            "plan": (*counted(plan), None),
            "onboard": (*counted(onboarded), None),
            "scoped": (*counted(scoped), scoped_seconds),
            "full": (*counted(full), full_seconds),
        }
    finally:
        bed.terminate()
        bed.wait()


def git(folder: Path, *arguments: str) -> None:
    identity = [f"GIT_{role}_{what}=figures@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    environment = os.environ | dict(entry.split("=", 1) for entry in identity)
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True)


def timed(project: Project, *arguments: str) -> tuple[dict, float]:
    started = time.perf_counter()
    answer = project.json(*arguments)
    return answer, time.perf_counter() - started


def rendering() -> dict[str, float]:
    """Milliseconds that a plan of 2,000 new tenants takes to be written, in each format."""
    command = [os.environ.get("CARGO", "cargo"), "bench", "--quiet", "--bench", "rendering"]
    answer = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def apply_at_published_rates(binary: Path, folder: Path) -> tuple[float, int]:
    """Seconds that a tier with many endpoints takes at AWS's rates, all of them used, and the requests throttled in it."""
    bed, endpoint = start_bed(folder)
    try:
        names = [f"com.amazonaws.vpce.us-east-1.vpce-svc-{number:017x}" for number in range(ENDPOINTS)]
        for name in names:
            make_service(endpoint, name)
        downstreams = (f"  - {{name: d-{number}, service: {name}, port: 443}}" for number, name in enumerate(names))
        project = Project(binary, folder, endpoint)
        project.write("tiers/paced.yaml", MANY_ENDPOINTS.format(downstreams="\n".join(downstreams), account=ACCOUNT))
        ask(endpoint, f"accounts/{ACCOUNT}", {"settings": {"throttling": True}})
        started = time.perf_counter()
        project.run("apply", "--yes", "--api-share", "1", "tiers")
        seconds = time.perf_counter() - started
        return seconds, sum(ask(endpoint, f"accounts/{ACCOUNT}")["refused"].values())
    finally:
        bed.terminate()
        bed.wait()


def start_time(binary: Path) -> float:
    """Milliseconds until `tierctl --version` has ended: the median."""
    times = []
    for _ in range(STARTS):
        started = time.perf_counter()
        subprocess.run([binary, "--version"], stdout=subprocess.DEVNULL, check=True)
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def validation(binary: Path, folder: Path) -> tuple[float, float]:
    """Seconds and megabytes that `validate` of many tenants takes."""
    per_group, groups = 50, 20
    project = Project(binary, folder)
    service = "com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f60718"
    project.write("tiers/figures.yaml", tier(SPECS // (per_group * groups), groups, service))
    for number in range(SPECS):
        group, cell = number // per_group % groups + 1, number // (per_group * groups) + 1
        path = f"tenants/figures/cell-{cell}/ig-{group}/tenant-{number}.yaml"
        project.write(path, TENANT.format(number=number, cell=cell, group=group))
    project.run("validate")  # the files are in the cache from here on
    started = time.perf_counter()
    child = subprocess.Popen([binary, "validate"], cwd=folder, env=project.environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"tierctl validate ended with {child.returncode}")
    return seconds, megabytes(usage)


def megabytes(usage: resource.struct_rusage) -> float:
    # Kilobytes on Linux, bytes on macOS.
    return usage.ru_maxrss / (1_000_000 if sys.platform == "darwin" else 1_000)


def machine(binary: Path) -> str:
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    build = binary.parent.name
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    processor = f"{os.cpu_count()} processors" + (f" ({model})" if model else "")
    size = binary.stat().st_size / 1_000_000
    return f"{version}, {build} build of {size:.0f} MB, on {platform.system()} {platform.machine()}, {processor}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Prints the figures that the documents quote.")
    parser.add_argument("binary", type=Path, help="the tierctl to measure")
    parser.add_argument("--markdown", action="store_true", help=f"also write {DOCUMENT.relative_to(ROOT)}")
    options = parser.parse_args()
    binary = options.binary.resolve()
    with tempfile.TemporaryDirectory(prefix="tierctl-figures.") as name:
        folder = Path(name)
        (folder / "aws").mkdir()
        (folder / "many").mkdir()
        (folder / "paced").mkdir()
        calls = count_calls(binary, folder / "aws")
        paced, refused = apply_at_published_rates(binary, folder / "paced")
        started = start_time(binary)
        seconds, memory = validation(binary, folder / "many")
        written = rendering()

    def with_polls(figure: str) -> str:
        count, polls, seconds = calls[figure]
        text = f"{count} calls" + (f" (and {polls} polls)" if polls else "")
        return text + (f", {seconds:.2f} s" if seconds is not None else "")

    best = (ENDPOINTS - ENDPOINT_BURST) / ENDPOINT_RATE
    rows = [
        (
            f"plan without changes: one infra group, 6 endpoints, {TENANTS} tenants",
            with_polls("plan"),
            calls["plan"][0],
            f"{LIMITS['plan']} calls",
            LIMITS["plan"],
        ),
        (
            f"onboarding one tenant, with a placement, beside {TENANTS} others",
            with_polls("onboard"),
            calls["onboard"][0],
            f"{LIMITS['onboard']} calls",
            LIMITS["onboard"],
        ),
        (
            f"`tierctl plan --changed-since main` with one new tenant, with a placement, beside {TENANTS} others",
            with_polls("scoped"),
            calls["scoped"][0],
            f"{LIMITS['onboard']} calls",
            LIMITS["onboard"],
        ),
        # Two tenants more, and so two services more to ask for.
        ("`tierctl plan` of the same", with_polls("full"), calls["full"][0], f"{LIMITS['plan'] + 2} calls", LIMITS["plan"] + 2),
        *(
            (
                f"writing a plan of 2,000 new tenants ({written['changes']:,} changes) as {form}",
                f"{written[form]:.0f} ms",
                written[form],
                f"{LIMITS['rendering']:.0f} ms",
                LIMITS["rendering"],
            )
            for form in ("text", "json", "markdown")
        ),
        (f"`tierctl --version`, median of {STARTS}", f"{started:.1f} ms", started, f"{LIMITS['start']:.0f} ms", LIMITS["start"]),
        (
            f"`tierctl validate` of {SPECS:,} tenant files, in a folder for each infra group",
            f"{seconds:.2f} s",
            seconds,
            f"{LIMITS['validate']:.0f} s",
            LIMITS["validate"],
        ),
        ("its memory at the peak", f"{memory:.0f} MB", memory, f"{LIMITS['memory']:.0f} MB", LIMITS["memory"]),
        (
            f"`tierctl apply --api-share 1` of a tier with {ENDPOINTS} interface endpoints, at AWS's published rates",
            f"{paced:.1f} s",
            paced,
            f"{LIMITS['pace']} × {best:.1f} s",
            LIMITS["pace"] * best,
        ),
        ("its requests that were throttled", f"{refused}", refused, f"{LIMITS['refused']}", LIMITS["refused"]),
    ]
    about = machine(binary)
    width = max(len(row[0]) for row in rows)
    print(about)
    for text, shown, value, limit, bound in rows:
        print(f"  {text.replace('`', ''):<{width}}  {shown:>22}  {'within' if value <= bound else 'OVER'} {limit}")
    if options.markdown:
        lines = [
            "# Figures",
            "",
            f"Printed and written by `{COMMAND}`; do not edit.",
            "",
            f"{about}.",
            "",
            "| what | figure | at most |",
            "|---|---:|---:|",
            *(f"| {text} | {shown} | {limit} |" for text, shown, _, limit, _ in rows),
            "",
            "Calls are requests to AWS, counted in the client with their retries; polls ask whether something is ready, and",
            "depend on how long AWS takes.",
            "",
            f"AWS takes {ENDPOINT_BURST} changes to endpoints at once and then {ENDPOINT_RATE} a second: {ENDPOINTS} endpoints take",
            f"{best:.1f} s at best. The emulated AWS throttles as AWS says that it does.",
            "",
        ]
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text("\n".join(lines), encoding="utf-8")
    return int(any(value > bound for _, _, value, _, bound in rows))


if __name__ == "__main__":
    sys.exit(main())
