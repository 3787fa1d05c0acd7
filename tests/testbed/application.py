"""Puts the bed together."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from . import dry_run, speed
from .accounts import set_up
from .settings import Settings


def make(defaults: dict[str, Any]) -> web.Application:
    """The application, with the settings that every account starts with. Once per process."""
    speed.apply()
    load_hooks()
    from .hooks import install

    accounts = set_up(Settings().changed(defaults))
    install()
    dry_run.install()
    from .front import Front

    return Front(accounts).application()


def load_hooks() -> None:
    """Imports every module that declares hooks."""
    from . import (  # noqa: F401
        clusters,
        dependencies,
        endpoint_services,
        endpoints,
        identities,
        lag,
        listeners,
        listings,
        load_balancers,
        logs,
        network,
        order,
        paging,
        roles,
        security_groups,
        services,
        tagging,
        target_groups,
        task_definitions,
        tokens,
    )
