"""A copy of the whole bed as it is now, in a process of its own: what takes long to set up is set up once.

A copy starts with everything that is in the accounts, the same ids and the same random numbers to come. It knows
nothing of the requests under way, nor do they of it. It ends on SIGTERM, or when the bed that it comes from does.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable

from aiohttp import web

from .accounts import Accounts

_COPIES: set[int] = set()


def copy(accounts: Accounts, application: Callable[[], web.Application]) -> tuple[int, int]:
    """Makes a copy, and gives back its process and its port."""
    for pid in list(_COPIES):
        if os.waitpid(pid, os.WNOHANG)[0]:
            _COPIES.discard(pid)
    reading, writing = os.pipe()
    gc.freeze()  # else the first collection in each copy touches, and so copies, every page
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _leave_the_parent(writing)
            asyncio.run(_live(accounts, application(), parent, writing))
        finally:
            os._exit(0)
    gc.unfreeze()
    os.close(writing)
    with os.fdopen(reading) as answer:
        port = answer.read()
    if not port:
        os.waitpid(pid, 0)
        raise OSError("the copy did not start")
    _COPIES.add(pid)
    return pid, int(port)


def _leave_the_parent(kept: int) -> None:
    """Lets go of the parent's loop and connections: a connection that it cuts would otherwise stay open in here.

    Descriptors are replaced, not closed: the parent's objects, which are still there, must not close ours one day.
    """
    _COPIES.clear()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    asyncio.events._set_running_loop(None)
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) not in (kept, nothing):
            try:
                os.fstat(int(name))
            except OSError:  # that of the listing itself
                continue
            os.dup2(nothing, int(name))


async def _live(accounts: Accounts, application: web.Application, parent: int, writing: int) -> None:
    for account in accounts.known():
        account.move()
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    os.write(writing, str(runner.addresses[0][1]).encode())
    os.close(writing)
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
