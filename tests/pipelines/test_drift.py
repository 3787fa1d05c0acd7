"""The scheduled look for drift: one issue, from when something is changed by hand until it is as it should be."""

from __future__ import annotations

from convergence.bed import client

from .stand_in import Fault, Hub
from .world import World


def scale(world: World, desired: int) -> None:
    """What somebody does by hand."""
    client(world.bed, "ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=desired)


def test_without_drift_there_is_no_issue(world: World) -> None:
    with world.writing_nothing():
        job = world.drift()
    assert job.is_success and job.outputs["exit-code"] == "0" and not world.hub.issues and not world.hub.writes()


def test_an_issue_is_opened_once_updated_and_closed(world: World) -> None:
    scale(world, 4)
    with world.writing_nothing():
        job = world.drift()
    assert job.is_success and job.outputs["exit-code"] == "2" and "desired_count" in job.summary and job.said("warning")
    (issue,) = world.hub.issues
    assert issue["labels"] == [{"name": "tierctl-drift"}] and issue["body"].startswith(
        "<!-- tierctl-drift:default -->\n"
    )
    assert "desired_count" in issue["body"] and issue["title"] == "AWS has been changed by hand"

    first = issue["body"]
    scale(world, 6)
    world.drift()
    assert len(world.hub.issues) == 1 and issue["body"] != first and issue["state"] == "open"

    scale(world, 1)
    job = world.drift()
    assert job.is_success and job.outputs["exit-code"] == "0"
    assert issue["state"] == "closed" and "as the specs say" in world.hub.comments[issue["number"]][0]["body"]

    scale(world, 3)
    world.drift()
    assert [one["state"] for one in world.hub.issues] == ["closed", "open"]


def test_the_issue_is_found_among_many_and_others_are_left_alone(world: World) -> None:
    label = [{"name": "tierctl-drift"}]
    mark = "<!-- tierctl-drift:default -->"
    others = [
        {"number": number, "user": {"login": author}, "state": "open", "labels": label, "title": "", "body": body}
        for number, (author, body) in enumerate(
            [("ada", f"{mark}\nmine"), (Hub.BOT, "<!-- tierctl-drift:eu -->\n"), (Hub.BOT, "?"), (Hub.BOT, f"> {mark}")]
        )
    ]
    mine = {
        "number": 9,
        "user": {"login": Hub.BOT},
        "state": "open",
        "labels": label,
        "title": "",
        "body": f"{mark}\nold",
    }
    world.hub.issues = [*others, mine]
    before = [dict(one) for one in others]
    scale(world, 4)
    assert world.drift().is_success
    assert others == before and len(world.hub.issues) == 5 and "desired_count" in str(mine["body"])
    scale(world, 1)
    world.drift()
    assert others == before and mine["state"] == "closed"


def test_an_error_fails_the_job_and_leaves_the_issue_open(world: World) -> None:
    scale(world, 4)
    world.drift()
    body = world.hub.issues[0]["body"]
    scale(world, 1)
    world.deny_reads()
    job = world.drift()
    assert not job.is_success and job.outputs["exit-code"] == "1" and job.said()
    assert world.hub.issues[0]["state"] == "open" and world.hub.issues[0]["body"] == body


def test_an_issue_that_is_refused_fails_the_job_and_says_what_to_grant(world: World) -> None:
    scale(world, 4)
    world.hub.faults = [Fault("GET", r"/issues", 403, 9)]
    job = world.drift()
    assert not job.is_success and "`issues: write`" in job.said() and "desired_count" in job.summary


def test_an_issue_is_not_opened_twice_where_the_answer_was_lost(world: World) -> None:
    scale(world, 4)
    world.hub.faults = [Fault("POST", r"/issues", 502, 1, {"Retry-After": "0"}, after=True)]
    assert world.drift().is_success and len(world.hub.issues) == 1


def test_what_is_only_planned_is_no_drift(world: World) -> None:
    """Specs that are merged and not applied yet are somebody's work, and nothing that was changed by hand."""
    from .world import acme

    world.repository.commit_to_main({"tenants/acme": acme(image="registry.example.com/ad-server:2.0")})
    job = world.drift()
    assert job.is_success and job.outputs["exit-code"] == "0" and not world.hub.issues
