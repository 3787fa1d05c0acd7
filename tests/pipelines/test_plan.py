"""A plan on a pull request: what the reviewer is told, and when the job fails."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from convergence import specs

from .stand_in import TOKEN, Fault, Hub
from .world import World, acme

MARK = "<!-- tierctl-plan:default -->"
COMMENTS = r"/issues/5/comments"


def bodies(world: World) -> list[str]:
    return [comment["body"] for comment in world.hub.comments.get(5, [])]


def test_first_plan_writes_a_comment_and_a_second_one_updates_it(world: World) -> None:
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    with world.writing_nothing():
        first = world.plan(pull_request)
    assert first.is_success and first.outputs["exit-code"] == "2" and first.outputs["changes"] == "1"
    (body,) = bodies(world)
    assert body.splitlines()[0] == MARK and "desired_count" in body and "Can be carried out" in body
    assert first.outputs["plan-sha256"] in body and "desired_count" in first.summary
    (status,) = world.hub.statuses[pull_request.head]
    assert status["state"] == "success" and status["description"] == f"sha256:{first.outputs['plan-sha256']}"
    assert status["context"] == "tierctl/plan"

    pull_request = world.open({"tenants/acme": acme(desired=3)})
    second = world.plan(pull_request)
    assert second.is_success and second.outputs["plan-sha256"] != first.outputs["plan-sha256"]
    (body,) = bodies(world)
    assert second.outputs["plan-sha256"] in body and first.outputs["plan-sha256"] not in body


def test_aws_is_read_once(world: World) -> None:
    world.bed.control(reset_counters=True)
    world.plan(world.open({"tenants/acme": acme(desired=2)}))
    assert world.bed.state()["calls"]["sts:GetCallerIdentity"] == 1


def test_comment_is_found_on_the_third_page(world: World) -> None:
    for number in range(5):
        world.hub.add_comment(5, "ada", f"Thought {number}")
    mine = world.hub.add_comment(5, Hub.BOT, f"{MARK}\nAn old plan")
    assert world.plan(world.open({"tenants/acme": acme(desired=2)})).is_success
    assert len(bodies(world)) == 6 and "desired_count" in mine["body"]


def test_what_others_wrote_is_left_alone(world: World) -> None:
    others = [
        world.hub.add_comment(5, "mallory", f"{MARK}\nA plan of my own"),
        world.hub.add_comment(5, Hub.BOT, f"> {MARK}\n\nquoted by another workflow"),
        world.hub.add_comment(5, Hub.BOT, "<!-- tierctl-plan:another -->\nThe plan of another root"),
    ]
    before = [dict(comment) for comment in others]
    assert world.plan(world.open({"tenants/acme": acme(desired=2)})).is_success
    assert others == before and len(bodies(world)) == 4


def test_a_plan_without_changes(world: World) -> None:
    job = world.plan(world.open({"notes": "# nothing of tierctl's\n"}))
    assert job.is_success and job.outputs["exit-code"] == "0" and job.outputs["changes"] == "0"
    assert "No changes" in bodies(world)[0]


@pytest.mark.parametrize("root", [".", "platform/eu"])
def test_errors_are_annotated_at_their_line(world_at: Callable[[str], World], root: str) -> None:
    world = world_at(root)
    text = "tenant: acme\ntier: test\nservice:\n  image: registry.example.com/a:1\n  prot: 8080\n"
    pull_request = world.open({"tenants/acme": text})
    with world.writing_nothing():
        job = world.plan(pull_request)
    assert not job.is_success and job.outputs["exit-code"] == "1" and job.outputs["plan-file"] == ""
    path = "tenants/acme.yaml" if root == "." else f"{root}/tenants/acme.yaml"
    found = [
        (properties, said) for level, properties, said in job.annotations if level == "error" and "file" in properties
    ]
    (unknown,) = [one for one in found if "prot" in one[1]]
    assert unknown[0]["file"] == path and unknown[0]["line"] == "5" and unknown[0]["col"] == "3"
    assert unknown[0]["title"] == "tierctl validate (unknown-key)" and "port" in unknown[1]
    assert "the specs have errors" in bodies(world)[0] and "prot" in job.summary
    (status,) = world.hub.statuses[pull_request.head]
    assert status["state"] == "error"


def test_nothing_in_a_spec_becomes_a_command_or_ends_an_annotation(world: World) -> None:
    name = "a%0A::warning::b,c:d"
    job = world.plan(
        world.open({"tenants/acme": f'tenant: acme\ntier: test\nservice: {{image: "i", "{name}\\n::error::x": 1}}\n'})
    )
    assert not job.is_success
    lines = [line for line in job.log.splitlines() if "b,c:d" in line and line.startswith("::error file=")]
    assert lines and all("a%250A::warning::b,c:d" in line for line in lines)
    assert not any(text == "x" or text.startswith("b,c") for _, _, text in job.annotations)


def test_a_file_of_any_name_is_annotated(world: World) -> None:
    job = world.plan(world.open({"tenants/a,b::c%0A": "tenant: acme\n"}))
    places = {properties.get("file") for level, properties, _ in job.annotations if level == "error"}
    assert not job.is_success and "tenants/a,b::c%0A.yaml" in places
    assert "::error file=tenants/a%2Cb%3A%3Ac%250A.yaml,line=1," in job.log


def test_an_old_plan_does_not_stay_in_the_comment_when_a_later_one_fails(world: World) -> None:
    assert world.plan(world.open({"tenants/acme": acme(desired=2)})).is_success
    world.deny_reads()
    job = world.plan(world.open({"tenants/acme": acme(desired=3)}))
    assert not job.is_success and job.outputs["exit-code"] == "1"
    (body,) = bodies(world)
    assert "tierctl plan: failed" in body and "desired_count" not in body and "sha256=" not in body


def test_what_is_blocked_fails_the_job_and_is_not_kept(world: World) -> None:
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    job = world.plan(pull_request, **{"max-tenants": "0"})
    assert not job.is_success and job.outputs["exit-code"] == "3"
    assert job.outputs["plan-file"] == "" and not world.hub.artifacts
    # tierctl has not saved it, which is no error of its own.
    assert "Not saved: it does more than its limits allow." in job.log and "cannot be read" not in job.said()
    assert "Blocked: more than is allowed" in bodies(world)[0] and "cannot be carried out" in bodies(world)[0]
    assert world.hub.statuses[pull_request.head][-1]["state"] == "failure"


@pytest.mark.parametrize("status", [403, 404, 422])
def test_a_comment_that_is_refused_fails_the_job_and_says_what_to_grant(world: World, status: int) -> None:
    world.hub.faults = [Fault(method, COMMENTS, status, 9) for method in ("GET", "POST")]
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    job = world.plan(pull_request)
    assert not job.is_success and job.outputs["exit-code"] == "2"
    said = job.said()
    assert f"was answered with {status}" in said and (status == 422 or "`pull-requests: write`" in said)
    # The plan itself is whole: it is in the summary and kept, and its digest with the commit.
    assert "desired_count" in job.summary and world.hub.artifacts
    assert world.hub.statuses[pull_request.head][-1]["state"] == "success"


def test_the_plans_own_exit_code_wins(world: World) -> None:
    world.hub.faults = [Fault("GET", COMMENTS, 403, 9)]
    job = world.plan(world.open({"tenants/acme": acme(desired=2)}), **{"max-tenants": "0"})
    assert not job.is_success and job.outputs["exit-code"] == "3" and "exit code 3" in job.said()


def test_a_status_that_is_refused_fails_the_job(world: World) -> None:
    world.hub.faults = [Fault("POST", r"/statuses/", 403, 9)]
    job = world.plan(world.open({"tenants/acme": acme(desired=2)}))
    assert not job.is_success and "`statuses: write`" in job.said() and len(bodies(world)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", COMMENTS, 500, 2, {"Retry-After": "0"}),
        Fault("POST", COMMENTS, 403, 2, {"Retry-After": "0"}, "You have exceeded a secondary rate limit"),
        Fault("POST", COMMENTS, 429, 2, {"Retry-After": "0"}),
        Fault("GET", COMMENTS, 502, 2, {"Retry-After": "0"}),
        Fault("POST", COMMENTS, 502, 1, {"Retry-After": "0"}, after=True),
    ],
    ids=["500", "secondary-limit", "429", "502-on-reading", "502-after-it-was-made"],
)
def test_what_passes_is_tried_again(world: World, fault: Fault) -> None:
    world.hub.faults = [fault]
    assert world.plan(world.open({"tenants/acme": acme(desired=2)})).is_success
    assert len(bodies(world)) == 1 and fault.times == 0


def test_retry_after_is_waited_for(world: World) -> None:
    world.hub.faults = [Fault("POST", COMMENTS, 429, 1, {"Retry-After": "1"})]
    assert world.plan(world.open({"tenants/acme": acme(desired=2)})).is_success


def test_what_does_not_pass_is_given_up(world: World) -> None:
    world.hub.faults = [Fault("GET", COMMENTS, 500, 99, {"Retry-After": "0"})]
    job = world.plan(world.open({"tenants/acme": acme(desired=2)}))
    assert not job.is_success and "answered with 500" in job.said()
    assert len([asked for asked in world.hub.asked if asked.method == "GET" and "comments" in asked.path]) == 4


def test_a_limit_that_is_far_away_is_not_waited_for(world: World) -> None:
    world.hub.faults = [Fault("GET", COMMENTS, 403, 9, {"Retry-After": "3600"}, "secondary rate limit")]
    assert not world.plan(world.open({"tenants/acme": acme(desired=2)})).is_success
    assert len([asked for asked in world.hub.asked if asked.method == "GET"]) == 1


def test_the_token_is_printed_nowhere_and_sent_only_to_the_api(world: World) -> None:
    world.hub.faults = [Fault("GET", COMMENTS, 403, 9)]
    job = world.plan(world.open({"tenants/acme": acme(desired=2)}))
    assert TOKEN not in job.log + job.summary + "".join(bodies(world))


def test_a_pull_request_from_a_fork_is_checked_and_not_planned(world: World) -> None:
    world.bed.control(reset_counters=True)
    pull_request = world.open({"tenants/acme": acme(desired=2)}, from_fork=True)
    job = world.plan(pull_request)
    assert job.is_success and job.outputs["exit-code"] == "0" and job.outputs["plan-file"] == ""
    assert "comes from a fork" in job.said("notice") and "comes from a fork" in job.summary
    # No credentials, nothing read, nothing written.
    assert job.used == ["actions/checkout"] and not world.bed.state()["calls"] and not world.hub.asked


def test_a_fork_with_a_mistake_in_its_specs_fails(world: World) -> None:
    job = world.plan(world.open({"tenants/acme": "tenant: acme\n"}, from_fork=True))
    assert not job.is_success and job.said()


def test_a_merge_queue_checks_the_specs_without_aws(world: World) -> None:
    """The plan was made on the pull request; what the queue waits for is the check of the same name."""
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    assert world.plan(pull_request).is_success
    statuses, asked = [dict(one) for one in world.hub.statuses[pull_request.head]], len(world.hub.asked)
    world.bed.control(reset_counters=True)
    job = world.queue(pull_request)
    assert job.is_success and job.outputs["exit-code"] == "0" and job.used == ["actions/checkout"]
    assert not world.bed.state()["calls"] and len(world.hub.asked) == asked
    # Nothing was written over the plan: after the merge it is carried out.
    assert world.hub.statuses == {pull_request.head: statuses}
    world.approve(pull_request)
    world.merge(pull_request)
    assert world.apply().is_success


def test_a_merge_queue_finds_what_pull_requests_are_wrong_in_together(world: World) -> None:
    first = world.open({"tenants/hooli": specs.service("hooli", route={"path": ["/one"]})}, "first", 5)
    second = world.open({"tenants/wonka": specs.service("wonka", route={"path": ["/one"]})}, "second", 6)
    assert world.plan(second).is_success
    assert world.queue(first).is_success and world.queue(second).is_success
    job = world.queue(first, second)
    assert not job.is_success and "/one" in job.said()


def test_pull_request_target_is_refused(world: World) -> None:
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    event = {"pull_request": {"number": 5, "head": {"sha": pull_request.head, "repo": {"full_name": Hub.REPOSITORY}}}}
    run = world._run("tierctl-plan.yml", "pull_request_target", event, pull_request.head, base_ref="main")
    job = run.workflow("tierctl-plan.yml")
    assert not job.is_success and "pull_request_target" in job.said() and not world.hub.asked


def test_a_repository_without_history_is_an_error_that_says_so(world: World) -> None:
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    shallow = world.folder / "shallow"
    source = world.repository.folder
    world.repository.git("branch", "-f", "merged", "HEAD")
    subprocess.run(["git", "clone", "-q", "--depth", "1", "-b", "merged", f"file://{source}", str(shallow)], check=True)
    world.repository.folder = shallow
    job = world.plan(pull_request)
    assert not job.is_success and job.outputs["exit-code"] == "1" and "fetch-depth: 0" in job.said()


def test_only_what_has_changed_is_planned(world: World) -> None:
    # What is not in the pull request is not its matter, be it never so wrong.
    from convergence.bed import client

    world.repository.commit_to_main({"tenants/globex": specs.service("globex", desired=1)})
    client(world.bed, "ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=4)
    job = world.plan(world.open({"tenants/hooli": specs.service("hooli", desired=1)}))
    assert job.is_success
    assert "hooli" in bodies(world)[0] and "globex" not in bodies(world)[0] and "acme" not in bodies(world)[0]


def test_two_roots_of_a_repository_do_not_share_anything(world_at: Callable[[str], World]) -> None:
    world = world_at("platform/eu")
    world.hub.add_comment(5, Hub.BOT, f"{MARK}\nThe plan of the other root")
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    assert world.plan(pull_request).is_success
    first, second = bodies(world)
    assert first.endswith("The plan of the other root") and second.startswith("<!-- tierctl-plan:platform-eu -->")
    assert world.hub.statuses[pull_request.head][0]["context"] == "tierctl/plan (platform-eu)"
    (artifacts,) = world.hub.artifacts.values()
    assert [one["name"] for one in artifacts] == ["tierctl-plan-platform-eu"]


def test_a_page_that_is_too_long_for_a_comment_is_not_shown_in_part(world: World) -> None:
    statements = [f"arn:aws:s3:::{'a' * 40}-{number:03}/*" for number in range(60)]
    edits: dict[str, Any] = {}
    for number in range(40):
        edits[f"tenants/t{number:02}"] = specs.service(
            f"t{number:02}", environment={f"K{n}": arn for n, arn in enumerate(statements)}
        )
    job = world.plan(world.open(edits), **{"max-bytes": "400000", "max-tenants": ""})
    assert job.is_success
    assert "too long for a comment" in bodies(world)[0] and "t39" in job.summary


def test_a_plan_that_was_not_kept_is_not_said_to_be(world: World) -> None:
    world.upload_works = False
    pull_request = world.open({"tenants/acme": acme(desired=2)})
    job = world.plan(pull_request)
    assert not job.is_success and "could not be kept" in job.said()
    assert "sha256=" not in bodies(world)[0] and world.hub.statuses[pull_request.head][0]["state"] == "error"


@pytest.mark.parametrize(
    "name, value",
    [
        ("max-deletes", "$(touch owned)"),
        ("comment", "yes"),
        ("key", "a --> b"),
        ("working-directory", "nowhere"),
        ("max-deletes", "-1"),
        ("command", "aply"),
    ],
)
def test_inputs_that_cannot_be_meant_are_refused(world: World, name: str, value: str) -> None:
    job = world.plan(world.open({"tenants/acme": acme(desired=2)}), **{name: value})
    assert not job.is_success and re.search(f"`{name}`", job.said()), job.log
    assert not list(world.folder.rglob("owned"))


def test_inputs_are_no_shell_text(world: World) -> None:
    job = world.plan(world.open({"tenants/acme": acme(desired=2)}), paths='tenants/$(touch owned)\n"; touch owned; "')
    assert not job.is_success and not list(world.folder.rglob("owned"))


def test_another_author_is_told_of(world: World) -> None:
    job = world.plan(world.open({"tenants/acme": acme(desired=2)}), **{"comment-author": "our-app[bot]"})
    assert job.is_success and "`github-actions[bot]`" in job.said("warning")
