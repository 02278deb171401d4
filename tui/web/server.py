"""The server of the pages: loopback only, and only for who has the address it printed.

What is asked under another host name or by a page of another origin is refused, so that no web site
can reach the app through its visitor's browser; the key keeps other users of the machine out.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import join
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp_jinja2
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

from engine.errors import InvalidOption

HOST: Final = "127.0.0.1"
COOKIE: Final = "stepdeck-key"
_NAMES: Final = ("127.0.0.1", "localhost")
_TEMPLATES: Final = Path(__file__).parent


class PageServer(Server):
    """Serves ``command``, an app of Textual, one process a page; see the module.

    ``listening`` is a bound socket on loopback; ``started`` is called with the address to open, the
    key in it, once pages are answered.
    """

    def __init__(
        self,
        command: Sequence[str],
        listening: socket.socket,
        started: Callable[[str], object],
    ) -> None:
        self._socket = listening
        self._started = started
        self._key = secrets.token_urlsafe(24)
        self._pages: set[asyncio.Task[Any]] = set()
        port = listening.getsockname()[1]
        # A shell starts it; exec leaves the app itself as the server's child.
        super().__init__(
            f"exec {join(command)}",
            HOST,
            port,
            title="stepdeck",
            templates_path=_TEMPLATES,
        )

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"{self.public_url}/?key={self._key}"

    async def serve_until_stopped(self) -> None:
        """Answer until SIGINT, SIGTERM or SIGHUP; then end the pages and their apps."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stopped.set)
        runner = web.AppRunner(await self._make_app(), handle_signals=False, access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket).start()
            self._started(self.address)
            await stopped.wait()
        finally:
            await runner.cleanup()

    async def on_startup(self, app: web.Application) -> None:
        """Nothing is printed here: whoever started the server says where it is."""

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002
        """End the pages: each tells its app to quit and waits until it has."""
        for page in self._pages:
            page.cancel()

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A page's line to its app."""
        page = asyncio.current_task()
        assert page is not None
        self._pages.add(page)
        try:
            return await super().handle_websocket(request)
        finally:
            self._pages.discard(page)

    @aiohttp_jinja2.template("page.html")
    async def handle_index(self, request: web.Request) -> dict[str, Any]:
        """The page, its line leading back to the name it was asked by."""
        return {"title": self.title, "line": f"ws://{request.host}/ws"}

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard())
        app.on_response_prepare.append(_keep_to_itself)
        return app

    def _guard(self) -> Middleware:
        hosts = {f"{name}:{self.port}" for name in _NAMES}

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.host not in hosts:
                raise web.HTTPForbidden(
                    text="stepdeck answers on this machine's own address only\n"
                )
            origin = request.headers.get("Origin")
            if origin is not None and urlsplit(origin).netloc != request.host:
                raise web.HTTPForbidden(text="stepdeck answers its own pages only\n")
            if self._is_key(request.query.get("key")):
                # Out of the address bar and the history, into a cookie that scripts cannot read.
                answer = web.HTTPFound("/")
                answer.set_cookie(COOKIE, self._key, httponly=True, samesite="Strict", path="/")
                raise answer
            if not self._is_key(request.cookies.get(COOKIE)):
                raise web.HTTPForbidden(
                    text="this page needs the whole address that `stepdeck web` printed\n"
                )
            return await handler(request)

        return guard

    def _is_key(self, said: str | None) -> bool:
        return said is not None and secrets.compare_digest(said.encode(), self._key.encode())


async def _keep_to_itself(request: web.Request, response: web.StreamResponse) -> None:
    """Nothing of the page comes from elsewhere, and nobody shows it within a page of theirs."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data:; connect-src 'self' ws://{request.host}; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"


def listen(port: int) -> socket.socket:
    """A bound loopback socket; 0 for any free port. Raises ``InvalidOption`` for one in use."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        said = (
            "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        )
        raise InvalidOption(
            f"port {port} {said}", field="port", remedy="give another with --port, 0 for any"
        ) from error
    return listening


def serve(
    command: Sequence[str], listening: socket.socket, started: Callable[[str], object]
) -> None:
    """Serve ``command`` until a signal ends it."""
    asyncio.run(PageServer(command, listening, started).serve_until_stopped())
