"""Which strategy files were saved, and what they are then: the system tells, one thread listens.

Editors write a file anew under another name and rename it, so it is the folder that is watched and
the name that is looked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from textual.message import Message

from engine.strategies.loader import syntax_problem
from engine.strategies.registry import source_hash
from tui.messages import StrategySaved

# An editor's several writes of one save come within this.
SETTLE_MILLISECONDS: Final = 150
# How soon the listening thread notices that it is to stop, at the latest.
STOP_MILLISECONDS: Final = 500


class FileWatch:
    """Posts ``StrategySaved`` for each save of the files that ``follow`` named last."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self._post = post
        self._files: frozenset[Path] = frozenset()
        self._stop = threading.Event()

    def follow(self, files: Iterable[Path]) -> None:
        """Watch these files and no others; those in folders that are not there are left out."""
        wanted = frozenset(file.expanduser().resolve() for file in files)
        if wanted == self._files:
            return
        self.stop()
        self._files = wanted
        folders = {file.parent for file in wanted if file.parent.is_dir()}
        if folders:
            self._stop = threading.Event()
            threading.Thread(
                target=self._listen,
                args=(wanted, folders, self._stop),
                name="deck-files",
                daemon=True,
            ).start()

    def stop(self) -> None:
        """Watch nothing more."""
        self._stop.set()
        self._files = frozenset()

    def _listen(
        self, files: frozenset[Path], folders: Iterable[Path], stop: threading.Event
    ) -> None:
        # Imported here: most decks never watch a file.
        from watchfiles import watch

        for changes in watch(
            *folders,
            watch_filter=lambda _change, path: Path(path) in files,
            debounce=SETTLE_MILLISECONDS,
            stop_event=stop,
            rust_timeout=STOP_MILLISECONDS,
            raise_interrupt=False,
            recursive=False,
        ):
            for path in sorted({Path(path) for _, path in changes}):
                self._post(StrategySaved(path))


@dataclass(frozen=True, slots=True)
class SourceNow:
    """A strategy's file as it is: ``changed`` since a run was made of it, and why it is no use."""

    path: Path
    changed: bool
    problem: str | None = None


def strategy_file(spec: str) -> Path | None:
    """The file that a strategy (``FILE.py:Class``) stands in; None for one that has none."""
    name, colon, _ = spec.rpartition(":")
    return Path(name).expanduser() if colon and name.endswith(".py") else None


def source_now(spec: str, made_of: str | None) -> SourceNow | None:
    """What the file of a run's strategy is now; ``made_of`` is the hash of what it was then.

    None for a strategy without a file. Nothing of the file is run.
    """
    path = strategy_file(spec)
    if path is None:
        return None
    digest = source_hash(spec)
    if digest is None:
        return SourceNow(path, True, "it is gone")
    if digest == made_of:
        return SourceNow(path, False)
    return SourceNow(path, True, syntax_problem(path))
