"""Saved strategy files are noticed, whichever way an editor saves."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.message import Message

from tui.messages import StrategySaved
from tui.watching import FileWatch

PATIENCE_SECONDS = 60.0


class Heard:
    """What a watch posts, to be waited for."""

    def __init__(self) -> None:
        self.messages: queue.Queue[Message] = queue.Queue()
        self.watch = FileWatch(self.messages.put)

    def wait(self, save: object, path: Path) -> None:
        """Save until it is heard: a watch that has only been asked for may not listen yet."""
        assert callable(save)
        for _ in range(int(PATIENCE_SECONDS)):
            save()
            try:
                message = self.messages.get(timeout=1.0)
            except queue.Empty:
                continue
            assert isinstance(message, StrategySaved)
            assert message.path == path
            return
        pytest.fail("no save was noticed")


def listening() -> list[threading.Thread]:
    """The threads of watches that go on."""
    return [thread for thread in threading.enumerate() if thread.name == "deck-files"]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """A watch that ends with its test."""
    made = Heard()
    yield made
    made.watch.stop()
    for thread in listening():
        thread.join(PATIENCE_SECONDS)


def test_a_write_in_place_is_noticed(heard: Heard, tmp_path: Path) -> None:
    """A file that is written over is named."""
    file = tmp_path / "mine.py"
    file.write_text("a = 1")
    heard.watch.follow([file])
    heard.wait(lambda: file.write_text("a = 2"), file.resolve())


def test_a_file_put_in_its_place_is_noticed(heard: Heard, tmp_path: Path) -> None:
    """Editors write beside the file and rename: that is a save too."""
    file = tmp_path / "mine.py"
    file.write_text("a = 1")
    heard.watch.follow([file])

    def save() -> None:
        beside = tmp_path / ".mine.py.swp"
        beside.write_text("a = 2")
        beside.replace(file)

    heard.wait(save, file.resolve())


def test_other_files_are_nobodys_business(heard: Heard, tmp_path: Path) -> None:
    """What is saved beside a watched file is not told, nor what was watched before."""
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    for file in (first, second):
        file.write_text("a = 1")
    heard.watch.follow([first])
    heard.wait(lambda: first.write_text("a = 2"), first.resolve())
    heard.watch.follow([second])

    def save_all() -> None:
        (tmp_path / "other.py").write_text("a = 3")
        first.write_text("a = 3")
        second.write_text("a = 3")

    while not heard.messages.empty():
        heard.messages.get()
    heard.wait(save_all, second.resolve())


def test_stopping_ends_the_thread(heard: Heard, tmp_path: Path) -> None:
    """A deck that has left watches nothing."""
    heard.watch.follow([tmp_path / "mine.py"])
    (thread,) = listening()
    heard.watch.stop()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_a_folder_that_is_not_there_is_left_out(heard: Heard, tmp_path: Path) -> None:
    """A run's strategy may be long gone; there is nothing to watch then."""
    heard.watch.follow([tmp_path / "gone" / "mine.py"])
    assert not listening()
