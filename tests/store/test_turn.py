"""Turns at the write lock: between processes one after another, and never a reason to stand."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.store import turn
from engine.store.ledger import Ledger
from engine.store.locks import file_lock
from engine.store.turn import Turn, turn_path
from tests.store.kit import start


def test_who_writes_has_let_go_of_the_turn(path: Path, ledger: Ledger) -> None:
    """Inside a transaction the turn is free: the next one waits there and is the next to write."""

    def look(_conn: object) -> bool:
        with file_lock(turn_path(path), wait=False) as held:
            return held

    assert ledger.write(look)


def test_a_writer_waits_for_the_one_whose_turn_it_is(
    path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process has the turn nothing is written; once it lets go, it is."""
    monkeypatch.setattr(turn, "PATIENCE_SECONDS", 60.0)
    with file_lock(turn_path(path)):
        writing = ledger.submit(lambda _conn: "written")
        with pytest.raises(TimeoutError):
            writing.result(0.2)
    assert writing.result(60) == "written"


def test_one_that_stays_in_its_place_holds_up_nobody(
    path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process stopped while it had the turn: others go on without, and wait no second time."""
    monkeypatch.setattr(turn, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(turn, "AGAIN_SECONDS", 600.0)
    with file_lock(turn_path(path)):
        start(ledger, "first")
        monkeypatch.setattr(turn, "PATIENCE_SECONDS", 600.0)
        start(ledger, "second")
    with ledger.reader() as reader:
        assert len(reader.runs()) == 2


def test_without_a_place_for_the_file_there_are_no_turns(tmp_path: Path) -> None:
    """The lock is then asked for as ever."""
    alone = Turn(tmp_path / "nowhere" / "runs.db")
    with alone.taken() as mine:
        assert not mine
    alone.close()


def test_a_busy_writer_lets_the_other_have_its_turn(path: Path) -> None:
    """Beside one that writes without a pause, another's write waits for a write or two of it."""
    with Ledger.open(path) as busy, Ledger.open(path) as other:
        start(busy)
        stop = threading.Event()
        done = [0]

        def write_on() -> None:
            while not stop.is_set():
                busy.write(
                    lambda conn: conn.execute("UPDATE runs SET cash = coalesce(cash, 0) + 1")
                )
                done[0] += 1

        writing = threading.Thread(target=write_on)
        writing.start()
        try:
            for n in range(20):
                start(other, f"other-{n}")
        finally:
            stop.set()
            writing.join(60)
    assert done[0]
