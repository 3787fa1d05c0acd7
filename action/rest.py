"""JSON over HTTP, as the APIs of GitHub and GitLab speak it: all pages, and again where that may help."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

ATTEMPTS = 4
#: Longer than this nobody waits for a comment.
LONGEST_WAIT = 90.0
TIMEOUT = 60.0
MOST_PAGES = 1000


class Refused(Exception):
    """The API does not do it: what it answered. Status 0 means that there was no answer."""

    def __init__(self, status: int, message: str, action: str, retry: float | None = None) -> None:
        super().__init__(f"{action} was answered with {status or 'nothing'}: {message}")
        self.status, self.message = status, message
        #: In how many seconds another attempt makes sense, if at all.
        self.retry = retry


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to the API and nowhere else, so redirects are followed by hand."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Api:
    """An API under one address. The token is sent, and never printed."""

    def __init__(self, base: str, headers: dict[str, str]) -> None:
        self._base, self._headers = base.rstrip("/"), headers
        self._opener = urllib.request.build_opener(_NoRedirect())

    def get(self, path: str, **query: str) -> Any:
        return self._ask("GET", path, query)[0]

    def send(self, method: str, path: str, body: dict[str, Any], again: bool = True) -> Any:
        """With `again=False` a request that may have been carried out is not sent twice: the caller looks first."""
        return self._ask(method, path, {}, body, again)[0]

    def pages(self, path: str, key: str = "", **query: str) -> Iterator[Any]:
        """Every item of every page; `key` names the list where it is not the whole answer."""
        url: str | None = self._url(path, {"per_page": "100", **query})
        for _ in range(MOST_PAGES):
            if url is None:
                return
            answer, headers = self._again("GET", url, None, True)
            yield from answer[key] if key else answer
            url = self._next(headers.get("Link") or "")
        raise Refused(0, f"more than {MOST_PAGES} pages", f"GET {path}")

    def download(self, path: str, most_bytes: int) -> bytes:
        """A file that may lie elsewhere; there it is fetched without the token."""
        data: bytes = _attempts(lambda: self._fetch(path, most_bytes), again=True)
        return data

    def _fetch(self, path: str, most_bytes: int) -> bytes:
        url = self._url(path, {})
        for _ in range(4):
            is_ours = _origin(url) == _origin(self._base)
            request = urllib.request.Request(url, headers=self._headers if is_ours else {"User-Agent": "tierctl"})
            try:
                with self._opener.open(request, timeout=TIMEOUT) as answer:
                    data: bytes = answer.read(most_bytes + 1)
                    if len(data) > most_bytes:
                        raise Refused(200, f"it is longer than {most_bytes} bytes", f"GET {path}")
                    return data
            except urllib.error.HTTPError as error:
                target = error.headers.get("Location")
                if error.code not in (301, 302, 303, 307, 308) or not target:
                    raise self._refused(error, f"GET {path}") from error
                url = urllib.parse.urljoin(url, target)
            except OSError as error:
                raise Refused(0, str(error), f"GET {path}", retry=2.0) from error
        raise Refused(0, "too many redirects", f"GET {path}")

    def _ask(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any] | None = None, again: bool = True
    ) -> tuple[Any, Any]:
        return self._again(method, self._url(path, query), body, again)

    def _again(self, method: str, url: str, body: dict[str, Any] | None, again: bool) -> tuple[Any, Any]:
        answer: tuple[Any, Any] = _attempts(lambda: self._once(method, url, body), again)
        return answer

    def _once(self, method: str, url: str, body: dict[str, Any] | None) -> tuple[Any, Any]:
        headers = dict(self._headers)
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        action = f"{method} {urllib.parse.urlsplit(url).path}"
        try:
            request = urllib.request.Request(url, data, headers, method=method)
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                text = answer.read()
                return (json.loads(text) if text else None), answer.headers
        except urllib.error.HTTPError as error:
            raise self._refused(error, action) from error
        except ValueError as error:
            raise Refused(0, f"the answer is no JSON: {error}", action) from error
        except OSError as error:
            raise Refused(0, str(error), action, retry=2.0) from error

    def _refused(self, error: urllib.error.HTTPError, action: str) -> Refused:
        text = error.read(65536).decode("utf-8", "replace")
        try:
            answer: Any = json.loads(text)
            message = str(answer.get("message") or answer.get("error") or text)
        except (ValueError, AttributeError):
            message = text.strip() or str(error.reason)
        return Refused(error.code, message[:500], action, _retry(error, message))

    def _url(self, path: str, query: dict[str, str]) -> str:
        return self._base + path + ("?" + urllib.parse.urlencode(query) if query else "")

    def _next(self, links: str) -> str | None:
        for link in links.split(","):
            target, _, rest = link.strip().partition(";")
            if 'rel="next"' in rest and target.startswith("<") and target.endswith(">"):
                url = urllib.parse.urljoin(self._base, target[1:-1])
                # The token goes along.
                if _origin(url) != _origin(self._base):
                    raise Refused(0, f"the next page is said to be at {_origin(url)}", "GET")
                return url
        return None


def _attempts(call: Callable[[], Any], again: bool) -> Any:
    """Calls until it works, or until it is of no use."""
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except Refused as refusal:
            # A limit was met before anything was done; whether a failing server did something is not known.
            may = again or refusal.status in (403, 429)
            if refusal.retry is None or not may or attempt == ATTEMPTS - 1 or refusal.retry > LONGEST_WAIT:
                raise
            time.sleep(max(refusal.retry, 0.05 * 2**attempt))
    raise AssertionError("the last attempt returns or raises")


def _retry(error: urllib.error.HTTPError, message: str) -> float | None:
    """In how many seconds to try again; nothing where that is of no use."""
    headers = error.headers
    is_limit = error.code == 429 or (
        error.code == 403
        and (
            headers.get("Retry-After") is not None
            or headers.get("X-RateLimit-Remaining") == "0"
            or "rate limit" in message.lower()
        )
    )
    if not is_limit and error.code < 500:
        return None
    times = [("Retry-After", 0.0)]
    if is_limit and headers.get("X-RateLimit-Remaining") == "0":
        times.append(("X-RateLimit-Reset", time.time()))
    for name, since in times:
        try:
            return max(float(headers[name]) - since, 0.0)
        except (TypeError, ValueError):
            continue
    return 10.0 if is_limit else 2.0


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
