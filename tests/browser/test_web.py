"""``stepdeck web`` in a real browser: headless Chromium on the real server."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyte
import pytest
from playwright.sync_api import Page, WebSocket, sync_playwright

from tests.terminal.deck import COMMAND, PATIENCE_SECONDS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Without these it asks hosts of its maker for this and that.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
)


class Web:
    """A running ``stepdeck web``; ``address`` is the one it printed."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(
            [COMMAND, "web", "--port", "0", *map(str, words)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[-1]
        self.process.stdout.readline()
        self.root = self.address.partition("?")[0]

    def end(self, number: int = signal.SIGINT) -> int:
        """Signal it, wait for its end; its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.fixture
def web() -> Iterator[Callable[..., Web]]:
    """Start ``stepdeck web``; what is left of it ends with the test."""
    started: list[Web] = []

    def start(*words: object) -> Web:
        started.append(Web(*words))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end(signal.SIGTERM)


class Tab:
    """A page, and the terminal it shows: the bytes it was sent, on a pyte screen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self._stream: pyte.ByteStream | None = None
        self._screen: pyte.Screen | None = None
        page.on("websocket", self._connected)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _connected(self, line: WebSocket) -> None:
        asked = parse_qs(urlsplit(line.url).query)
        self._screen = pyte.Screen(int(asked["width"][0]), int(asked["height"][0]))
        self._stream = pyte.ByteStream(self._screen)
        line.on("framereceived", self._take)

    def _take(self, frame: bytes | str) -> None:
        assert self._stream is not None
        if isinstance(frame, bytes):
            # pyte prints what follows a private CSI that it does not know.
            self._stream.feed(re.sub(rb"\x1b\[[<=>][0-9;:]*[ -/]*[@-~]", b"", frame))

    @property
    def text(self) -> str:
        """What the page shows."""
        return "\n".join(self._screen.display) if self._screen is not None else ""

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Let the page go on until ``holds``."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"{what} did not come; the page shows\n{self.text}"
            self.page.wait_for_timeout(50)

    def see(self, words: str) -> None:
        """Wait for ``words`` on the screen."""
        self.until(lambda: words in self.text, repr(words))

    def open(self, address: str) -> None:
        """Go there, and give the terminal the keys."""
        self.page.goto(address)
        self.see("Help")
        self.page.click("#terminal")

    def press(self, *names: str) -> None:
        """Press keys, one after the other."""
        for name in names:
            self.page.keyboard.press(name)


@pytest.fixture
def tab() -> Iterator[Tab]:
    """A page of headless Chromium; skips where there is none."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=[*QUIET])
        try:
            yield Tab(chromium.new_page(viewport={"width": 1280, "height": 800}))
        finally:
            chromium.close()


def runs(sql: str) -> list[tuple[object, ...]]:
    """Rows of the test's ledger; none before it is there."""
    path = Path(os.environ["STEPDECK_DB"])
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as conn:
        return conn.execute(sql).fetchall()


def app_of(server: Web) -> int | None:
    """The process of the server's page; None where it has none."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == server.process.pid:
                return int(stat.parent.name)
    return None


def gone(pid: int) -> bool:
    """Whether the process has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def begin_by_hand(tab: Tab) -> None:
    """A run to step by hand, made by another program; open it and take it up."""
    subprocess.run(
        [COMMAND, "run", "manual", "--symbols", "AAPL", "--name", "in the browser"], check=True,
        capture_output=True,
    )  # fmt: skip
    tab.see("in the browser")


def test_a_run_is_driven_from_a_page(web: Callable[..., Web], tab: Tab) -> None:
    """Keys and the mouse of a page drive a run, and the ledger holds what they did."""
    server = web()
    tab.open(server.address)
    assert tab.page.url == server.root, "the key stays out of the address bar"
    begin_by_hand(tab)
    tab.press("R")
    tab.until(lambda: runs("SELECT 1 FROM runs WHERE status = 'paused'")
              or runs("SELECT 1 FROM runs WHERE status = 'running'"), "a live run")  # fmt: skip
    tab.press("Enter")
    tab.see("decision 0 is yours")
    for _ in range(3):
        tab.press(".")
    tab.until(lambda: runs("SELECT 1 FROM runs WHERE step_index = 4"), "three steps")
    tab.press("x")
    tab.see("stays in the ledger")
    tab.press("y")
    tab.until(lambda: runs("SELECT 1 FROM runs WHERE status = 'cancelled'"), "the cancel")
    assert not tab.errors


@pytest.mark.parametrize("how", ["the page closes", "the server ends", "the server is killed"])
def test_no_page_leaves_anything_behind(web: Callable[..., Web], tab: Tab, how: str) -> None:
    """Whatever ends a page, its app ends too and its live run can be taken up again."""
    server = web()
    tab.open(server.address)
    begin_by_hand(tab)
    tab.press("R")
    tab.until(lambda: runs("SELECT 1 FROM runs WHERE status IN ('running', 'paused')"), "a run")
    app = app_of(server)
    assert app is not None
    if how == "the page closes":
        tab.page.goto("about:blank")
    elif how == "the server ends":
        assert server.end() == 0
    else:
        server.end(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not gone(app):
        assert time.monotonic() < deadline, "the app goes on"
        time.sleep(0.05)
    assert runs("SELECT status FROM runs WHERE name = 'in the browser'") == [("interrupted",)]


def test_nobody_else_gets_in(web: Callable[..., Web]) -> None:
    """Without the key, under another name, or from another site's page there is only a refusal."""
    server = web()

    def status(address: str, **headers: str) -> int:
        asked = urllib.request.Request(address, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    key = server.address.partition("key=")[2]
    cookie = f"stepdeck-key={key}"
    assert status(server.root) == 403
    assert status(server.root, Cookie="stepdeck-key=guess") == 403
    assert status(server.root + "ws") == 403
    assert status(server.root, Cookie=cookie) == 200
    assert status(server.root, Cookie=cookie, Host="evil.example") == 403
    assert status(server.root, Cookie=cookie, Origin="http://evil.example") == 403
    assert status(server.root, Cookie=cookie, Origin="null") == 403
    assert server.end() == 0


def test_a_port_in_use_is_refused(web: Callable[..., Web]) -> None:
    """One line names the port and what would be right."""
    port = urlsplit(web().root).port
    refused = subprocess.run(
        [COMMAND, "web", "--port", str(port)], capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 2
    assert (
        refused.stderr == f"stepdeck: port {port} is in use; give another with --port, 0 for any\n"
    )
