"""A key is told of where it is read, answered when its frame is out; a lost terminal is let go."""

from __future__ import annotations

import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual import events
from textual.app import App
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread
from textual.drivers.headless_driver import HeadlessDriver
from textual.message import Message

from tests.tui.screens.kit import settings, until
from tui.app import StepdeckApp
from tui.driver import Outlet, attentive
from tui.gateway import Gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    opened = Gateway.open(tmp_path / "runs.db", app=True)
    yield opened
    opened.close()


async def test_what_a_person_waits_for_is_told_of_first() -> None:
    """Keys and clicks are, before the app has them; a mouse that is only moved is not."""
    order: list[str] = []

    class Line(HeadlessDriver):
        def process_message(self, message: Message) -> None:
            order.append(type(message).__name__)

    driver = attentive(Line, lambda: order.append("told"))(App())
    driver.process_message(events.Key("j", "j"))
    at = (None, 1, 1, 0, 0, 0, False, False, False)
    driver.process_message(events.MouseMove(*at))
    driver.process_message(events.MouseDown(*at))
    assert order == ["told", "Key", "MouseMove", "told", "MouseDown"]


async def test_an_answered_key_lets_the_engine_go_on(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is asked once a key, and told once its frame has been drawn."""
    told: list[str] = []
    monkeypatch.setattr(gateway, "key_came", lambda: told.append("came"))
    monkeypatch.setattr(gateway, "key_answered", lambda: told.append("answered"))
    app = StepdeckApp(gateway, settings())
    async with app.run_test(size=(80, 24)) as pilot:
        driver = attentive(HeadlessDriver, gateway.key_came)(app)
        await pilot.pause()
        driver.process_message(events.Key("slash", "/"))
        await until(pilot, lambda: "answered" in told)
        assert told == ["came", "answered"]


def test_a_terminal_that_is_gone_is_not_waited_for() -> None:
    """Textual's writer takes all that is written to a closed terminal, and ends when it is told."""
    master, slave = pty.openpty()
    terminal = os.fdopen(slave, "w", encoding="utf-8")
    writer = WriterThread(Outlet(terminal))  # type: ignore[arg-type]
    writer.start()
    writer.write("seen\n")
    assert os.read(master, 100) == b"seen\r\n"
    os.close(master)

    def leave() -> None:
        for number in range(3 * MAX_QUEUED_WRITES):
            writer.write(f"frame {number}\n")
        writer.stop()

    leaving = threading.Thread(target=leave, daemon=True)
    leaving.start()
    leaving.join(60)
    assert not leaving.is_alive()
    assert not writer.is_alive()
    with pytest.raises(OSError, match="Input/output error"):
        terminal.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_what_else_goes_wrong_with_a_terminal_is_said() -> None:
    """Only a terminal that is gone is let go."""
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", encoding="utf-8")
    outlet = Outlet(full)
    outlet.write("no room for this")
    with pytest.raises(OSError, match="No space left"):
        outlet.flush()
    with pytest.raises(OSError, match="No space left"):
        full.close()
