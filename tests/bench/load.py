"""Requests recorded on their way to the emulated AWS, and sent again without tierctl: how long the emulator alone takes.

What is sent again is the same to the byte, for the emulator does not check signatures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One HTTP message with the body that its header announces; nothing where the connection has ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + (await reader.readexactly(length) if length else b"")


def record(endpoint: str, command: Sequence[str], folder: str, environment: dict[str, str]) -> list[bytes]:
    """The requests of a command, in the order in which they came."""
    return asyncio.run(_record(endpoint, command, folder, environment))


async def _record(endpoint: str, command: Sequence[str], folder: str, environment: dict[str, str]) -> list[bytes]:
    address = urlsplit(endpoint)
    seen: list[bytes] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(address.hostname, address.port)
        try:
            while request := await _message(reader):
                seen.append(request)
                there[1].write(request)
                writer.write(await _message(there[0]))
                await writer.drain()
        except ConnectionError:
            pass  # the command ends with its connections open
        finally:
            there[1].close()
            writer.close()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    code = await child.wait()
    server.close()
    if code != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {code}")
    return seen


def replay(endpoint: str, requests: Sequence[bytes], connections: int) -> float:
    """Seconds that it takes to have all of them answered, over so many connections at once."""
    return asyncio.run(_replay(endpoint, requests, connections))


async def _replay(endpoint: str, requests: Sequence[bytes], connections: int) -> float:
    address = urlsplit(endpoint)
    left = iter(requests)

    async def send() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for request in left:
            writer.write(request)
            answer = await _message(reader)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"a request sent again was answered with {answer[:200]!r}")
        writer.close()

    clock = asyncio.get_running_loop().time
    started = clock()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(send())
    return clock() - started
