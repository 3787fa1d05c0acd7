"""`python -m testbed --port 0 --port-file FILE`"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="testbed", description="AWS for tests, on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 (the default) takes a free one")
    parser.add_argument("--port-file", type=Path, help="file that gets the port, once requests are answered")
    parser.add_argument("--config", default="{}", help="JSON with settings that every account starts with")
    parser.add_argument("--time-scale", type=float, help="factor for the clock of the throttling buckets")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when the process that started this does")
    return parser.parse_args(arguments)


def prepare() -> None:
    """Environment of moto, before its first import."""
    warnings.simplefilter("ignore")
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "false"


def write_port(file: Path, port: int) -> None:
    """Puts the file there whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{port}\n")
    os.replace(name, file)


async def serve(options: argparse.Namespace) -> None:
    from aiohttp import web

    from .application import make

    settings = json.loads(options.config)
    if options.time_scale is not None:
        settings["time_scale"] = options.time_scale
    parent = os.getppid()
    runner = web.AppRunner(make(settings), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.port, backlog=1024)
    await site.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if options.port_file:
        write_port(options.port_file, runner.addresses[0][1])
    while not stop.is_set():
        if options.exit_with_parent and os.getppid() != parent:
            break
        try:
            await asyncio.wait_for(stop.wait(), 0.5)
        except asyncio.TimeoutError:
            pass
    await runner.cleanup()


def main() -> int:
    options = parse()
    prepare()
    from .settings import UnknownSetting

    try:
        asyncio.run(serve(options))
    except UnknownSetting as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # nothing is left to do, and taking moto down piece by piece takes a second
