"""One comment or issue that is kept up to date, in place of a new one each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import forge
from forge import Post
from rest import ATTEMPTS, Refused


def put(
    mark: str,
    body: str,
    posts: Callable[[], Iterator[Post]],
    create: Callable[[str], str | None],
    update: Callable[[Post, str], None],
) -> str | None:
    """Writes it anew, or over the one that is there; returns what there is to say of that."""
    for attempt in range(ATTEMPTS):
        mine = next((post for post in posts() if forge.is_marked(post, mark)), None)
        if mine is not None:
            if mine.body.strip() != body.strip():
                update(mine, body)
            return None
        try:
            return create(body)
        except Refused as refusal:
            # It may have been made all the same: it is looked for before it is made again.
            if refusal.retry is None or refusal.status in (403, 429) or attempt == ATTEMPTS - 1:
                raise
            time.sleep(refusal.retry)
    raise AssertionError("the last attempt returns or raises")
