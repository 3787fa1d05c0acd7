"""After the merge: the plan that was reviewed is carried out, and anything else is not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from convergence import specs
from convergence.bed import Bed, client

from .stand_in import TOKEN, Fault, Hub
from .workflows import Job
from .world import PullRequest, World, acme, aws_environment, digest


def desired(bed: Bed) -> int:
    found = client(bed, "ecs").describe_services(cluster="test-cell-1-ig-1-acme", services=["acme"])
    return int(found["services"][0]["desiredCount"])


def reviewed(world: World, **inputs: str) -> tuple[PullRequest, Job]:
    """A pull request with a plan that somebody has approved."""
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    job = world.plan(pull_request, **inputs)
    assert job.is_success
    world.approve(pull_request)
    return pull_request, job


def is_refused(world: World, code: str, *words: str, **inputs: str) -> None:
    """It ends with a code and a reason, in annotation and summary, and writes nothing."""
    with world.writing_nothing():
        job = world.apply(**inputs)
    assert not job.is_success and job.outputs["exit-code"] == code, job.log
    for word in words:
        assert word in job.said() and word in job.summary, job.said()


@pytest.mark.parametrize("squash", [False, True], ids=["merge-commit", "squash"])
def test_what_was_reviewed_is_carried_out(world: World, squash: bool) -> None:
    pull_request, plan = reviewed(world)
    commit = world.merge(pull_request, squash)
    job = world.apply(pull_request.head, commit)
    assert job.is_success and desired(world.bed) == 2
    assert job.outputs["exit-code"] == "0" and job.outputs["plan-sha256"] == plan.outputs["plan-sha256"]
    assert "tierctl apply: done" in job.summary and "pull request #5" in job.summary and "1 step done" in job.summary
    # A second run of the job finds everything done.
    with world.writing_nothing():
        again = world.apply()
    assert again.is_success


def test_only_the_workflows_of_others_are_used_that_are_meant(world: World) -> None:
    pull_request, plan = reviewed(world)
    assert plan.used == ["actions/checkout", "aws-actions/configure-aws-credentials", "actions/upload-artifact"]
    world.merge(pull_request)
    assert world.apply().used == ["actions/checkout", "aws-actions/configure-aws-credentials"]


def test_the_token_goes_to_the_api_alone(world: World) -> None:
    pull_request, _ = reviewed(world)
    world.merge(pull_request)
    job = world.apply()
    assert job.is_success and TOKEN not in job.log + job.summary
    (fetched,) = world.hub.storage.asked
    assert "Authorization" not in fetched.headers


def test_what_moved_since_is_exit_code_3_and_says_what_to_do(world: World) -> None:
    pull_request, _ = reviewed(world)
    world.merge(pull_request)
    client(world.bed, "ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=4)
    with world.writing_nothing():
        job = world.apply()
    assert not job.is_success and job.outputs["exit-code"] == "3" and desired(world.bed) == 4
    assert "since the plan was made" in job.summary and "**nothing was written**" in job.summary
    assert "running the plan workflow by hand" in job.summary


def test_what_moves_while_the_plan_is_carried_out_is_left_alone_and_what_is_done_stays_done(world: World) -> None:
    pull_request = world.open({"tenants/acme": acme(image="registry.example.com/ad-server:2.0")})
    assert world.plan(pull_request).is_success
    world.approve(pull_request)
    world.merge(pull_request)
    before = world.writes()
    held = {"effect": "hang-before", "action": "RegisterTaskDefinition", "alone": True}
    world.bed.control(add_faults=[held])
    with ThreadPoolExecutor() as pool:
        run = pool.submit(world.apply)
        try:
            assert world.bed.is_held(60)
            client(world.bed, "ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=4)
        finally:
            world.bed.release()
        job = run.result()
    assert not job.is_success and job.outputs["exit-code"] == "3" and desired(world.bed) == 4
    # The new revision is there, and the service has not got it.
    assert world.writes() == before + 2 and "1 step done" in job.summary
    assert "why:  while the plan was carried out: arn:aws:ecs:" in job.summary
    assert "- `while the plan was carried out`: something moved after this run had begun." in job.summary
    # The same plan does not go on: what is left is in a new one.
    with world.writing_nothing():
        again = world.apply()
    assert again.outputs["exit-code"] == "3" and "blocked: since the plan was made: " in again.summary
    plan = world.plan_by_hand()
    assert world.apply_by_hand(str(world.run_number), plan.outputs["plan-sha256"]).is_success
    assert desired(world.bed) == 1


def test_a_plan_that_only_makes_things_makes_them_again_after_they_were_deleted(world: World) -> None:
    """Which is why old jobs are not to be run again, as the document says."""
    pull_request = world.open({"tenants/hooli": specs.service("hooli", desired=1)})
    world.plan(pull_request)
    world.approve(pull_request)
    world.merge(pull_request)
    assert world.apply().is_success
    done = subprocess.run(
        [world.binary, "offboard", "--yes", "hooli", "--tier", "test"],
        cwd=world.repository.folder,
        env=aws_environment(world.bed, world.home),
        check=False,
    )
    assert done.returncode == 0
    job = world.apply()
    assert job.is_success and "5 steps done (5 created)" in job.summary


def test_the_way_to_go_after_that(world: World) -> None:
    """A plan by hand on main; whoever has looked at it gives its run and digest to the apply workflow."""
    pull_request, _ = reviewed(world)
    world.merge(pull_request)
    client(world.bed, "ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=4)
    assert not world.apply().is_success
    plan = world.plan_by_hand()
    assert plan.is_success and plan.outputs["plan-sha256"] in plan.summary and not world.hub.comments.get(0)
    assert plan.outputs["plan-sha256"] in plan.said("notice")
    run = str(world.run_number)
    with world.writing_nothing():
        wrong = world.apply_by_hand(run, digest(b"another"))
    assert not wrong.is_success and wrong.outputs["exit-code"] == "3" and "no file with the SHA-256" in wrong.said()
    job = world.apply_by_hand(run, plan.outputs["plan-sha256"])
    assert job.is_success and desired(world.bed) == 2 and f"run {run}" in job.summary


def test_a_run_by_hand_of_another_branch_is_not_taken(world: World) -> None:
    reviewed(world)
    plan = world.plan_by_hand()
    world.hub.runs[-1]["head_branch"] = "change"
    job = world.apply_by_hand(str(world.run_number), plan.outputs["plan-sha256"])
    assert not job.is_success and job.outputs["exit-code"] == "3" and "it ran on `change`" in job.said()


@pytest.mark.parametrize(
    "run_id, sha256, words",
    [
        ("7", "", "`plan-sha256` is missing"),
        ("", "0" * 64, "needs `run-id` or `plan-file`"),
        ("7; ls", "0" * 64, "`run-id`"),
        ("7", "0123", "64 hexadecimal digits"),
        ("7", "0" * 64, "answered with 404"),
    ],
)
def test_a_run_by_hand_has_to_say_what_it_means(world: World, run_id: str, sha256: str, words: str) -> None:
    job = world.apply_by_hand(run_id, sha256)
    assert not job.is_success and words in job.said()


def test_a_swapped_artifact_is_not_taken(world: World) -> None:
    pull_request, plan = reviewed(world)
    world.merge(pull_request)
    (artifact,) = world.hub.artifacts[world.run_number]
    data = Path(plan.outputs["plan-file"]).read_bytes()
    world.hub.artifacts[world.run_number].clear()
    world.hub.keep(
        world.run_number, artifact["name"], "tierctl.plan", data.replace(b'"tenants": true', b'"tenants":  true')
    )
    is_refused(world, "3", "has kept a file with the SHA-256", plan.outputs["plan-sha256"])


def test_a_plan_of_other_specs_is_not_taken_even_if_its_digest_is_recorded(world: World) -> None:
    """Who can write statuses and artifacts still cannot have anything carried out that was not merged."""
    pull_request, plan = reviewed(world)
    forged = json.loads(Path(plan.outputs["plan-file"]).read_bytes())
    (spec,) = [spec for spec in forged["plan"]["specs"] if spec["path"] == "tenants/acme.yaml"]
    spec["text"] = spec["text"].replace("ad-server:1.0", "miner:1.0")
    data = json.dumps(forged).encode()
    world.hub.statuses[pull_request.head][-1]["description"] = f"sha256:{digest(data)}"
    world.hub.artifacts.clear()
    world.hub.keep(world.run_number, world.artifact, "tierctl.plan", data)
    world.merge(pull_request)
    is_refused(world, "3", "other specs", "tenants/acme.yaml: other text in the repository")


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/hostname"])
def test_a_plan_with_specs_outside_of_the_repository_is_not_taken(world: World, path: str) -> None:
    pull_request, plan = reviewed(world)
    forged = json.loads(Path(plan.outputs["plan-file"]).read_bytes())
    forged["plan"]["specs"][0]["path"] = path
    data = json.dumps(forged).encode()
    (world.folder / "outside.yaml").write_text(forged["plan"]["specs"][0]["text"])
    world.hub.statuses[pull_request.head][-1]["description"] = f"sha256:{digest(data)}"
    world.hub.artifacts.clear()
    world.hub.keep(world.run_number, world.artifact, "tierctl.plan", data)
    world.merge(pull_request)
    is_refused(world, "3", f"{path}: outside the repository")


def test_specs_that_were_merged_meanwhile_spoil_a_plan_only_where_it_is_made_of_them(world: World) -> None:
    first = world.open({"tenants/acme": acme(desired=2)}, "first", 5)
    assert world.plan(first).is_success
    other = world.open({"tenants/hooli": specs.service("hooli", desired=1)}, "other", 6)
    assert world.plan(other).is_success
    same = world.open({"tenants/acme": acme(desired=2) | {"tags": {"a": "b"}}}, "same", 7)
    assert world.plan(same).is_success
    for pull_request in (first, other, same):
        world.approve(pull_request)
    world.merge(first)
    assert world.apply().is_success
    world.merge(other)
    assert world.apply().is_success
    world.repository.commit_to_main({"tenants/acme": acme(desired=5)})
    world.repository.git("checkout", "-q", "-f", "main")
    # As if it had been merged without a conflict.
    world.hub.pulls[world.repository.git("rev-parse", "HEAD")] = [
        {
            "number": 7,
            "merged_at": world.hub.now(),
            "merge_commit_sha": world.repository.git("rev-parse", "HEAD"),
            "head": {"sha": same.head, "repo": {"full_name": Hub.REPOSITORY}},
            "base": {"ref": "main"},
        }
    ]
    is_refused(world, "3", "tenants/acme.yaml: other text")


def test_a_commit_without_a_pull_request(world: World) -> None:
    world.repository.commit_to_main({"tenants/acme": acme(desired=9)})
    is_refused(world, "3", "was not merged from a pull request")


def test_a_pull_request_without_a_plan(world: World) -> None:
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    world.approve(pull_request)
    world.merge(pull_request)
    is_refused(world, "3", "has no status `tierctl/plan`")


def test_a_pull_request_whose_last_plan_was_blocked(world: World) -> None:
    pull_request, _ = reviewed(world)
    assert not world.plan(pull_request, **{"max-tenants": "0"}).is_success
    world.approve(pull_request)
    world.merge(pull_request)
    is_refused(world, "3", "the last plan of pull request #5 says: exit code 3")


def test_a_pull_request_from_a_fork(world: World) -> None:
    pull_request = world.open({"tenants/acme": acme(desired=2)}, from_fork=True)
    world.plan(pull_request)
    world.approve(pull_request)
    world.merge(pull_request)
    is_refused(world, "3", "came from a fork")


def test_an_artifact_that_has_expired(world: World) -> None:
    pull_request, _ = reviewed(world)
    world.hub.artifacts[world.run_number][0]["expired"] = True
    world.merge(pull_request)
    is_refused(world, "3", "it has expired")


def test_a_plan_that_was_made_after_the_merge(world: World) -> None:
    pull_request, _ = reviewed(world)
    world.merge(pull_request)
    world.repository.git("checkout", "-q", "-f", "--detach", "main")
    world.plan(pull_request)
    world.repository.git("checkout", "-q", "-f", "main")
    is_refused(world, "3", "after it was merged")


def test_an_approval_that_is_older_than_the_plan(world: World) -> None:
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    world.approve(pull_request)
    world.plan(pull_request)
    world.merge(pull_request)
    is_refused(world, "3", "nobody has approved pull request #5")
    assert world.apply(**{"require-approval": "false"}).is_success and desired(world.bed) == 2


def test_the_same_plan_again_needs_no_new_approval_and_another_one_does(world: World) -> None:
    pull_request, _ = reviewed(world)
    world.plan(pull_request)
    world.merge(pull_request)
    assert world.apply().is_success

    changed = world.open({"tenants/acme": acme(desired=3)}, "more", 6)
    world.plan(changed)
    world.approve(changed)
    client(world.bed, "ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=7)
    world.plan(changed)
    world.merge(changed)
    is_refused(world, "3", "nobody has approved pull request #6")


@pytest.mark.parametrize(
    "review",
    [
        {"state": "COMMENTED"},
        {"state": "CHANGES_REQUESTED"},
        {"association": "NONE"},
        {"association": "CONTRIBUTOR"},
        {"commit_id": "0" * 40},
    ],
    ids=lambda review: "-".join(review.values()),
)
def test_an_approval_that_is_none(world: World, review: dict[str, Any]) -> None:
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    world.plan(pull_request)
    world.approve(pull_request, **review)
    world.merge(pull_request)
    is_refused(world, "3", "nobody has approved")


def test_an_approval_that_was_taken_back(world: World) -> None:
    pull_request, _ = reviewed(world)
    world.approve(pull_request, state="CHANGES_REQUESTED")
    world.merge(pull_request)
    is_refused(world, "3", "nobody has approved")


@pytest.mark.parametrize(
    "change",
    [
        {"path": ".github/workflows/another.yml"},
        {"conclusion": "failure"},
        {"event": "push"},
        {"head_repository": {"full_name": "mallory/infra"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_run_of_another_kind(world: World, change: dict[str, Any]) -> None:
    pull_request, _ = reviewed(world)
    world.hub.runs[-1] |= change
    world.merge(pull_request)
    is_refused(world, "3", "no successful run of `tierctl-plan.yml`")


def test_a_status_by_somebody_else_says_nothing(world: World) -> None:
    pull_request, plan = reviewed(world)
    status = dict(world.hub.statuses[pull_request.head][0])
    world.hub.statuses[pull_request.head].append(
        status
        | {"creator": {"login": "mallory"}, "description": f"sha256:{digest(b'')}", "created_at": world.hub.now()}
    )
    world.merge(pull_request)
    assert world.apply().outputs["plan-sha256"] == plan.outputs["plan-sha256"]


def test_several_pull_requests_in_one_push(world: World) -> None:
    first, _ = reviewed(world)
    second = world.open({"tenants/hooli": specs.service("hooli", desired=1)}, "other", 6)
    world.plan(second)
    commits = [world.merge(first), world.merge(second)]
    with world.writing_nothing():
        job = world.apply(*commits)
    assert not job.is_success and job.outputs["exit-code"] == "3" and "#5, #6" in job.said()


@pytest.mark.parametrize(
    "path, needed",
    [
        (r"/commits/\w+/pulls", "`pull-requests: read`"),
        (r"/statuses", "`statuses: read`"),
        (r"/actions/", "`actions: read`"),
    ],
)
def test_what_the_token_may_not_read_is_an_error_that_says_what_to_grant(world: World, path: str, needed: str) -> None:
    pull_request, _ = reviewed(world)
    world.merge(pull_request)
    world.hub.faults = [Fault("GET", path, 403, 99)]
    is_refused(world, "1", needed)


def test_an_artifact_that_cannot_be_fetched_at_first(world: World) -> None:
    pull_request, _ = reviewed(world)
    world.merge(pull_request)
    world.hub.faults = [Fault("GET", r"/zip", 503, 2, {"Retry-After": "0"})]
    assert world.apply().is_success


def test_a_run_that_was_broken_off_goes_on_with_the_same_plan(world: World) -> None:
    pull_request = world.open({"tenants/hooli": specs.service("hooli", desired=1)})
    world.plan(pull_request)
    world.approve(pull_request)
    world.merge(pull_request)
    world.bed.control(
        add_faults=[
            {
                "effect": "error-before",
                "action": "CreateService",
                "times": 1,
                "status": 403,
                "code": "AccessDeniedException",
                "message": "not yet",
            }
        ]
    )
    job = world.apply()
    assert not job.is_success and job.outputs["exit-code"] == "1" and "run this job again" in job.said()
    assert "tierctl apply: failed" in job.summary
    assert world.apply().is_success


def test_the_limits_hold_when_it_is_carried_out(world: World) -> None:
    pull_request, _ = reviewed(world)
    world.merge(pull_request)
    with world.writing_nothing():
        job = world.apply(**{"max-tenants": "0"})
    assert not job.is_success and job.outputs["exit-code"] == "3"


def test_a_file_that_is_there_already(world: World) -> None:
    pull_request, plan = reviewed(world)
    world.merge(pull_request)
    kept = world.folder / "kept.plan"
    kept.write_bytes(Path(plan.outputs["plan-file"]).read_bytes())
    with world.writing_nothing():
        wrong = world.apply(**{"plan-file": str(kept), "plan-sha256": digest(b"another")})
    assert not wrong.is_success and wrong.outputs["exit-code"] == "1" and "was reviewed" in wrong.said()
    job = world.apply(**{"plan-file": str(kept), "plan-sha256": plan.outputs["plan-sha256"].upper()})
    assert job.is_success and desired(world.bed) == 2


def test_two_roots_have_a_plan_each(world_at: Callable[[str], World]) -> None:
    world = world_at("platform/eu")
    pull_request, _ = reviewed(world)
    world.merge(pull_request)
    assert world.apply().is_success and desired(world.bed) == 2


def test_a_pull_request_that_offboards_is_blocked_until_that_is_done(world: World) -> None:
    """A file that is gone never means delete: its tenant has to be offboarded first."""
    pull_request = world.open({"tenants/acme": None})
    job = world.plan(pull_request)
    assert not job.is_success and job.outputs["exit-code"] == "3" and "acme" in world.hub.comments[5][0]["body"]
    done = subprocess.run(
        [world.binary, "offboard", "--yes", "acme", "--tier", "test"],
        cwd=world.repository.folder,
        env=aws_environment(world.bed, world.home),
        check=False,
    )
    assert done.returncode == 0
    assert world.plan(pull_request).is_success
    world.approve(pull_request)
    world.merge(pull_request)
    assert world.apply().is_success
