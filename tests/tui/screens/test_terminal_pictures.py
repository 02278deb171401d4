"""Snapshots of the main screens in a very large window, in 16 colours, without any, in ASCII.

After a change that is meant: ``pytest tests/tui/screens/test_terminal_pictures.py
--snapshot-update``, and look at what changed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual import constants
from textual.pilot import Pilot

from tests.tui.screens.kit import until
from tests.tui.screens.test_pictures import open_run, shows, take
from tests.tui.screens.test_run_pictures import look

Take = Callable[..., bool]
__all__ = ["take"]

VAST, LARGE, MIDDLING = (250, 70), (160, 50), (120, 36)
THEMES = pytest.mark.parametrize("theme", ["stepdeck-dark", "stepdeck-light"])


async def runs(pilot: Pilot[None]) -> None:
    """The list with the preview of a finished run."""
    await pilot.press("G", "k")
    await until(pilot, shows(pilot, "Decision 756"))


async def run(pilot: Pilot[None]) -> None:
    """A finished run with its indicators."""
    await open_run(pilot, "trend apple")
    await until(pilot, shows(pilot, "SMA 10"))


async def past(pilot: Pilot[None]) -> None:
    """A moment of the past."""
    await run(pilot)
    await look(pilot, 260)


async def zoomed(pilot: Pilot[None]) -> None:
    """A finished run, zoomed and panned."""
    await run(pilot)
    await pilot.press("I", "I", "I", "H")


async def compared(pilot: Pilot[None]) -> None:
    """Three runs side by side, the second chosen, with a cursor on the curves."""
    await pilot.press("G", "k", "k", "space", "space", "space", "c")
    await until(pilot, shows(pilot, "▸ top five"))
    await pilot.press("less_than_sign", "comma")
    await until(pilot, shows(pilot, "Open there"))


SCENES = {one.__name__: one for one in (runs, run, past, zoomed, compared)}


@pytest.mark.parametrize("scene", SCENES)
def test_vast(take: Take, scene: str) -> None:
    """At 250x70 nothing is cut that has room, and nothing is torn apart."""
    assert take(VAST, SCENES[scene])


@pytest.mark.parametrize("scene", ["run", "compared"])
def test_large_and_zoomed(take: Take, scene: str) -> None:
    """At 160x50, in the light theme too."""
    assert take(LARGE, SCENES["zoomed" if scene == "run" else scene], theme="stepdeck-light")


@THEMES
@pytest.mark.parametrize("scene", ["runs", "past", "compared"])
def test_sixteen_colours(
    take: Take, scene: str, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gain, loss and attention keep their hues, and the cursor its ground."""
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "standard")
    assert take(MIDDLING, SCENES[scene], theme=theme)


@pytest.mark.parametrize("scene", ["runs", "run", "compared"])
def test_no_colour(take: Take, scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR everything is told by glyph, sign and word."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert take(MIDDLING, SCENES[scene])


@pytest.mark.parametrize("scene", ["runs", "run", "compared"])
def test_ascii(take: Take, scene: str) -> None:
    """Charts, curves in lists and bars in ASCII."""
    assert take(MIDDLING, SCENES[scene], ascii=True)
