"""Serves until SIGTERM: the port opens after start-up, and closes before the last answer is sent."""

import asyncio
import logging
import os
import signal
import sys
from typing import Final, NoReturn

import orjson
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from boardroom.simulator.launcher.flags import Launch
from boardroom.simulator.model_server.sources import SourceError
from boardroom.simulator.restarting import DRAIN_SECONDS
from boardroom.simulator.router.app import Application
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.tokenizer.file import TokenizerError

_LOG = logging.getLogger(__name__)

MAX_TARGET_BYTES: Final = 65_534


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"timestamp": self.formatTime(record), "level": record.levelname, "message": record.getMessage()}
        return orjson.dumps(line).decode()


class _Protocol(HttpToolsProtocol):
    """Answers 414 to a request target of 64 KiB, as hyper does; uvicorn's parser would answer 400."""

    def send_400_response(self, msg: str) -> None:
        if len(self.url) <= MAX_TARGET_BYTES:
            super().send_400_response(msg)
            return
        self.transport.write(b"HTTP/1.1 414 URI Too Long\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()


class _Server(uvicorn.Server):
    """Logs its address: with port 0 it is not known before."""

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # sockets are not ours
        await super().startup(sockets)  # type: ignore[arg-type]  # idem
        for server in self.servers:
            for socket in server.sockets:
                host, port = socket.getsockname()[:2]
                address = f"[{host}]" if ":" in host else host
                _LOG.info("listening on http://%s:%s", address, port)


def run(launch: Launch) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    _configure_logging(json_output=launch.json_output)
    settings = launch.settings
    _LOG.info("This is a simulated LoRAX: no GPU, no weights of %s; profile %s", settings.model_id, settings.profile)
    if launch.download_only:
        return 0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(launch))


async def _serve(launch: Launch) -> int:
    if await _wait_for_start(launch.startup_seconds):
        return 0
    try:
        async with Engine(launch.settings, on_abort=_abort) as engine:
            config = uvicorn.Config(
                Application(engine, inspect=launch.inspect),
                host=launch.host,
                port=launch.port,
                log_config=None,
                access_log=False,
                lifespan="off",
                interface="asgi3",
                date_header=True,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                timeout_keep_alive=3600,  # LoRAX never closes an idle connection
                http=_Protocol,
            )
            server = _Server(config)
            _ignore_signals()
            serving = asyncio.create_task(server.serve())
            working = asyncio.create_task(engine.work())
            await asyncio.wait((serving, working), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
            working.cancel()
            await serving
            return 0 if server.started else 1
    except TokenizerError as error:
        _LOG.error("%s", error)
        return 1
    except SourceError as error:
        _LOG.error("a preloaded adapter can't be loaded: %s", error)
        return 1


def _abort(reason: str) -> NoReturn:
    """Exit at once with the launcher's status, as the container does when the router aborts."""
    _LOG.error("thread 'tokio-runtime-worker' panicked: %s", reason)
    _LOG.error("Webserver Crashed")
    logging.shutdown()
    sys.stdout.flush()
    os._exit(1)


async def _wait_for_start(seconds: float) -> bool:
    """Wait as long as loading weights would take; return True if SIGTERM or SIGINT came first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return True


def _ignore_signals() -> None:
    """Ignore signals: uvicorn raises the one that stopped it again, and the exit status must stay orderly."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


def _configure_logging(*, json_output: bool) -> None:
    handler = logging.StreamHandler(sys.stdout)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(_JsonFormatter() if json_output else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
