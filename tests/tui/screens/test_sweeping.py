"""Garbage is collected where nobody waits for it, and little at a time."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.tui.screens.kit import create, deck, reach, until
from tui import sweeping
from tui.gateway import Gateway
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen


@pytest.fixture
def looked() -> Iterator[list[int]]:
    """The generations that are collected, in order; none by the interpreter itself."""
    gc.collect()
    gc.disable()
    generations: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            generations.append(info["generation"])

    gc.callbacks.append(note)
    yield generations
    gc.callbacks.remove(note)
    gc.enable()


def test_what_is_new_is_looked_at_once_it_is_enough(looked: list[int]) -> None:
    """A frame that leaves little behind costs nothing; one that leaves much is swept up after."""
    sweeping.after_frame()
    assert looked == []
    kept: list[list[int]] = [[] for _ in range(sweeping.FEW + 100)]
    sweeping.after_frame()
    assert looked == [0]
    assert gc.get_count()[0] < sweeping.FEW
    assert kept


def test_what_stayed_is_looked_at_in_a_pause(looked: list[int]) -> None:
    """After many frames, what they left is gone through, and after many pauses all of it."""
    sweeping.in_pause()
    assert looked == []
    for _ in range(60):
        gc.collect(0)
    looked.clear()
    sweeping.in_pause()
    sweeping.in_pause()
    assert looked == [1]
    for _ in range(60):
        gc.collect(1)
    looked.clear()
    sweeping.in_pause()
    assert looked == [2]


async def test_a_screen_that_was_closed_is_gone_after_a_moment_without_a_key(
    gateway: Gateway, looked: list[int]
) -> None:
    """Not with one of the next ones to be opened, which would wait for it."""
    run_id = create(gateway, "buy_and_hold")
    reach(gateway, run_id, "completed")
    async with deck(gateway, (80, 24)) as (app, pilot):
        await pilot.press("g")
        looked.clear()
        for _ in range(2):
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, RunScreen))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: 1 in looked)
