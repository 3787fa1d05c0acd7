"""The APIs of GitHub and GitLab on loopback, as far as the action asks them: with short pages, and a good memory."""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
import urllib.parse
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Fewer than any client asks for, so that there are many pages.
PAGE = 2
TOKEN = "the-token-of-the-job"


@dataclass
class Fault:
    """An answer in place of the right one, so many times."""

    method: str
    path: str
    status: int
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "a fault"
    #: Whether what was asked for is done all the same.
    after: bool = False


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


class Answer(Exception):
    """Any answer but a page of a list."""

    def __init__(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}


Route = tuple[str, str, Callable[..., Any]]


class StandIn:
    """An API; subclasses have its routes. A list that a route returns is handed out in pages."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self._seconds = 0
        self._numbers = 100
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                owner._answer(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def now(self) -> str:
        """A later time each time that it is asked for."""
        self._seconds += 1
        return f"2026-03-01T10:{self._seconds // 60:02}:{self._seconds % 60:02}Z"

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def refuses(self, asked: Asked) -> Answer | None:
        """Why this client may not."""
        raise NotImplementedError

    def writes(self, path: str = "") -> list[Asked]:
        return [asked for asked in self.asked if asked.method != "GET" and re.search(path, asked.path)]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urllib.parse.urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        query = dict(urllib.parse.parse_qsl(parts.query))
        asked = Asked(handler.command, urllib.parse.unquote(parts.path), query, body, dict(handler.headers))
        self.asked.append(asked)
        try:
            answer = self._reply(asked)
        except Answer as other:
            answer = other
        data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _reply(self, asked: Asked) -> Answer:
        fault = next(
            (
                one
                for one in self.faults
                if one.times and one.method == asked.method and re.search(one.path, asked.path)
            ),
            None,
        )
        if fault:
            fault.times -= 1
            if fault.after:
                with contextlib.suppress(Answer):
                    self._done(asked)
            raise Answer(fault.status, {"message": fault.message}, fault.headers)
        refusal = self.refuses(asked)
        if refusal:
            raise refusal
        return self._done(asked)

    def _done(self, asked: Asked) -> Answer:
        for method, pattern, route in self.routes():
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                result = route(asked, *found.groups())
                if isinstance(result, tuple):
                    return self._page(asked, *result)
                return self._page(asked, result, "") if isinstance(result, list) else Answer(200, result)
        raise Answer(404, {"message": f"Not Found: {asked.method} {asked.path}"})

    def _page(self, asked: Asked, items: list[Any], key: str) -> Answer:
        number = int(asked.query.get("page", "1"))
        part = items[(number - 1) * PAGE : number * PAGE]
        headers = {}
        if number * PAGE < len(items):
            query = urllib.parse.urlencode(asked.query | {"page": str(number + 1)})
            next_one = f"{self.url}{urllib.parse.quote(asked.path)}?{query}"
            headers["Link"] = f'<{next_one}>; rel="next", <{self.url}/x>; rel="last"'
        return Answer(200, {"total_count": len(items), key: part} if key else part, headers)


def archive(name: str, data: bytes) -> bytes:
    """A file as an artifact."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, data)
    return packed.getvalue()


class Storage(StandIn):
    """Where artifacts lie: elsewhere, and the token is not meant for it."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    def refuses(self, asked: Asked) -> Answer | None:
        leaked = {"Authorization", "Private-Token", "PRIVATE-TOKEN"} & set(asked.headers)
        return Answer(400, {"message": "the token was sent to the storage"}) if leaked else None

    def routes(self) -> list[Route]:
        return [("GET", r"/(.+)", lambda _, name: _raise(Answer(200, self.files[name])))]


def _raise(answer: Answer) -> Any:
    raise answer


#: What a token needs for a request: GitHub's permissions, the first that fits.
PERMISSIONS = [
    (r"(POST|PATCH) /repos/[^/]+/[^/]+/issues/(comments/\d+|\d+/comments)", ("pull-requests", "issues"), "write"),
    (r"GET /repos/[^/]+/[^/]+/issues/\d+/comments", ("pull-requests", "issues"), "read"),
    (r"(POST|PATCH) /repos/[^/]+/[^/]+/issues.*", ("issues",), "write"),
    (r"GET /repos/[^/]+/[^/]+/issues.*", ("issues",), "read"),
    (r"POST /repos/[^/]+/[^/]+/statuses/.*", ("statuses",), "write"),
    (r"GET /repos/[^/]+/[^/]+/commits/[^/]+/statuses", ("statuses",), "read"),
    (r"GET /repos/[^/]+/[^/]+/commits/[^/]+/pulls", ("pull-requests",), "read"),
    (r"GET /repos/[^/]+/[^/]+/pulls/.*", ("pull-requests",), "read"),
    (r"GET /repos/[^/]+/[^/]+/actions/.*", ("actions",), "read"),
    (r"GET /repos/[^/]+/[^/]+", ("contents",), "read"),
]


class Hub(StandIn):
    """GitHub, with one repository. A token has the permissions that the job declares, and no others."""

    REPOSITORY = "shop/infra"
    BOT = "github-actions[bot]"

    def __init__(self) -> None:
        super().__init__()
        self.storage = Storage()
        self.permissions: dict[str, str] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.issues: list[dict[str, Any]] = []
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.pulls: dict[str, list[dict[str, Any]]] = {}
        self.reviews: dict[int, list[dict[str, Any]]] = {}
        self.runs: list[dict[str, Any]] = []
        self.artifacts: dict[int, list[dict[str, Any]]] = {}

    def close(self) -> None:
        self.storage.close()
        super().close()

    def refuses(self, asked: Asked) -> Answer | None:
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"message": "Bad credentials"})
        request = f"{asked.method} {asked.path}"
        for pattern, names, level in PERMISSIONS:
            if re.fullmatch(pattern, request):
                allowed = {"read": ("read", "write"), "write": ("write",)}[level]
                if any(self.permissions.get(name) in allowed for name in names):
                    return None
                return Answer(403, {"message": "Resource not accessible by integration"})
        return Answer(404, {"message": f"no permission is known for {request}"})

    def routes(self) -> list[Route]:
        base = f"/repos/{self.REPOSITORY}"
        return [
            ("GET", base, lambda _: {"default_branch": "main"}),
            ("GET", rf"{base}/issues/(\d+)/comments", lambda _, number: self.comments.get(int(number), [])),
            ("POST", rf"{base}/issues/(\d+)/comments", self._comment),
            ("PATCH", rf"{base}/issues/comments/(\d+)", self._edit),
            ("GET", rf"{base}/issues", self._issues),
            ("POST", rf"{base}/issues", self._open),
            ("PATCH", rf"{base}/issues/(\d+)", self._change),
            ("POST", rf"{base}/statuses/(\w+)", self._status),
            ("GET", rf"{base}/commits/(\w+)/statuses", lambda _, sha: self.statuses.get(sha, [])[::-1]),
            ("GET", rf"{base}/commits/(\w+)/pulls", lambda _, sha: self.pulls.get(sha, [])),
            ("GET", rf"{base}/pulls/(\d+)/reviews", lambda _, number: self.reviews.get(int(number), [])),
            ("GET", rf"{base}/actions/workflows/([\w.-]+)/runs", self._runs),
            ("GET", rf"{base}/actions/runs/(\d+)", self._run),
            ("GET", rf"{base}/actions/runs/(\d+)/artifacts", self._artifacts),
            ("GET", rf"{base}/actions/artifacts/(\d+)/zip", self._zip),
        ]

    def add_comment(self, pull_request: int, author: str, body: str) -> dict[str, Any]:
        made = {"id": self.number(), "user": {"login": author, "type": "User"}, "body": body}
        self.comments.setdefault(pull_request, []).append(made)
        return made

    def _comment(self, asked: Asked, number: str) -> Any:
        if len(asked.body["body"]) > 65_536:
            raise Answer(422, {"message": "Body is too long (maximum is 65536 characters)"})
        raise Answer(201, self.add_comment(int(number), self.BOT, asked.body["body"]))

    def _edit(self, asked: Asked, number: str) -> Any:
        for comments in self.comments.values():
            for comment in comments:
                if comment["id"] == int(number):
                    comment["body"] = asked.body["body"]
                    return comment
        raise Answer(404, {"message": "Not Found"})

    def _issues(self, asked: Asked) -> list[Any]:
        label = asked.query.get("labels")
        there = [one for one in self.issues if one["state"] == asked.query["state"]]
        return [one for one in there if label in (None, *(had["name"] for had in one["labels"]))]

    def _open(self, asked: Asked) -> Any:
        labels = [{"name": name} for name in asked.body["labels"]]
        made = {"number": self.number(), "id": self.number(), "user": {"login": self.BOT}, "state": "open"}
        made |= {"title": asked.body["title"], "body": asked.body["body"], "labels": labels}
        self.issues.append(made)
        raise Answer(201, made)

    def _change(self, asked: Asked, number: str) -> Any:
        issue = next(issue for issue in self.issues if issue["number"] == int(number))
        issue.update(asked.body)
        return issue

    def _status(self, asked: Asked, sha: str) -> Any:
        assert len(asked.body["description"]) <= 140
        made = asked.body | {"created_at": self.now(), "creator": {"login": self.BOT}}
        self.statuses.setdefault(sha, []).append(made)
        raise Answer(201, made)

    def _runs(self, asked: Asked, name: str) -> Any:
        def fits(run: dict[str, Any]) -> bool:
            is_status = asked.query.get("status") in (None, run["conclusion"])
            is_of = run["path"].rpartition("/")[2] == name
            return (
                is_status and is_of and all(asked.query.get(key) in (None, run[key]) for key in ("head_sha", "event"))
            )

        return [run for run in self.runs[::-1] if fits(run)], "workflow_runs"

    def _run(self, _: Asked, number: str) -> Any:
        for run in self.runs:
            if run["id"] == int(number):
                return run
        raise Answer(404, {"message": "Not Found"})

    def _artifacts(self, asked: Asked, number: str) -> Any:
        named = [one for one in self.artifacts.get(int(number), []) if asked.query.get("name") in (None, one["name"])]
        return named, "artifacts"

    def _zip(self, _: Asked, number: str) -> Any:
        raise Answer(302, None, {"Location": f"{self.storage.url}/artifact-{number}?signed"})

    def keep(self, run: int, name: str, file: str, data: bytes) -> dict[str, Any]:
        """An artifact of a run."""
        number = self.number()
        self.storage.files[f"artifact-{number}"] = archive(file, data)
        made = {"id": number, "name": name, "expired": False}
        self.artifacts.setdefault(run, []).append(made)
        return made


class Lab(StandIn):
    """GitLab, with one project."""

    PROJECT = 42
    ME = 7

    def __init__(self) -> None:
        super().__init__()
        self.storage = Storage()
        self.notes: dict[int, list[dict[str, Any]]] = {}
        self.merge_requests: dict[str, list[dict[str, Any]]] = {}
        self.pipelines: dict[int, list[dict[str, Any]]] = {}
        self.jobs: dict[int, list[dict[str, Any]]] = {}
        self.issues: list[dict[str, Any]] = []
        self.is_allowed = True

    def close(self) -> None:
        self.storage.close()
        super().close()

    def refuses(self, asked: Asked) -> Answer | None:
        given = {name.lower(): value for name, value in asked.headers.items()}.get("private-token")
        if given != TOKEN:
            return Answer(401, {"message": "401 Unauthorized"})
        return None if self.is_allowed else Answer(403, {"message": "403 Forbidden"})

    def routes(self) -> list[Route]:
        base = f"/projects/{self.PROJECT}"
        return [
            ("GET", "/user", lambda _: {"id": self.ME, "username": "project_42_bot"}),
            ("GET", rf"{base}/merge_requests/(\d+)/notes", lambda _, iid: self.notes.get(int(iid), [])),
            ("POST", rf"{base}/merge_requests/(\d+)/notes", self._note),
            ("PUT", rf"{base}/merge_requests/(\d+)/notes/(\d+)", self._edit),
            (
                "GET",
                rf"{base}/repository/commits/(\w+)/merge_requests",
                lambda _, sha: self.merge_requests.get(sha, []),
            ),
            ("GET", rf"{base}/merge_requests/(\d+)/pipelines", lambda _, iid: self.pipelines.get(int(iid), [])[::-1]),
            ("GET", rf"{base}/pipelines/(\d+)/jobs", self._jobs),
            ("GET", rf"{base}/jobs/(\d+)", self._job),
            ("GET", rf"{base}/jobs/(\d+)/artifacts/(.+)", self._file),
            ("GET", rf"{base}/issues", self._issues),
            ("POST", rf"{base}/issues", self._open),
            ("PUT", rf"{base}/issues/(\d+)", self._change),
            ("POST", rf"{base}/issues/(\d+)/notes", lambda asked, iid: asked.body),
        ]

    def add_note(self, iid: int, author: int, body: str) -> dict[str, Any]:
        made = {"id": self.number(), "author": {"id": author}, "body": body, "system": False, "updated_at": self.now()}
        self.notes.setdefault(iid, []).append(made)
        return made

    def _note(self, asked: Asked, iid: str) -> Any:
        raise Answer(201, self.add_note(int(iid), self.ME, asked.body["body"]))

    def _edit(self, asked: Asked, iid: str, number: str) -> Any:
        note = next(note for note in self.notes[int(iid)] if note["id"] == int(number))
        note |= {"body": asked.body["body"], "updated_at": self.now()}
        return note

    def _jobs(self, asked: Asked, number: str) -> list[Any]:
        return [job for job in self.jobs.get(int(number), []) if asked.query.get("scope[]") in (None, job["status"])]

    def _job(self, _: Asked, number: str) -> Any:
        for job in (job for jobs in self.jobs.values() for job in jobs):
            if job["id"] == int(number):
                return job
        raise Answer(404, {"message": "404 Not found"})

    def _file(self, _: Asked, number: str, path: str) -> Any:
        if f"{number}/{path}" not in self.storage.files:
            raise Answer(404, {"message": "404 Not found"})
        raise Answer(302, None, {"Location": f"{self.storage.url}/{number}/{path}"})

    def _issues(self, asked: Asked) -> list[Any]:
        return [
            one
            for one in self.issues
            if one["state"] == asked.query["state"] and asked.query["labels"] in one["labels"]
        ]

    def _open(self, asked: Asked) -> Any:
        made = {"iid": self.number(), "author": {"id": self.ME}, "state": "opened", "labels": [asked.body["labels"]]}
        made |= {"title": asked.body["title"], "description": asked.body["description"]}
        self.issues.append(made)
        raise Answer(201, made)

    def _change(self, asked: Asked, iid: str) -> Any:
        issue = next(issue for issue in self.issues if issue["iid"] == int(iid))
        if asked.body.get("state_event") == "close":
            issue["state"] = "closed"
        issue["description"] = asked.body.get("description", issue["description"])
        return issue
