"""The file of the run's strategy: saved edits are noticed, and tried on one key."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui import keys
from tui.messages import SourceSeen
from tui.safe import safe_line
from tui.screens.base import style_of
from tui.screens.run_transport import Transport
from tui.watching import source_now, strategy_file

if TYPE_CHECKING:
    from engine.model import RunRecord
    from tui.watching import SourceNow


class Source(Transport):
    """What has become of the strategy's file since the run was made of it."""

    def __init__(self, run_id: str, at: int | None = None) -> None:
        super().__init__(run_id, at)
        self._source_wanted = False

    def follow_source(self) -> None:
        """Watch the file from the first look at the run on, where there is one."""
        record = self.record
        if record is None or self._source_wanted:
            return
        self._source_wanted = True
        path = strategy_file(_spec(record))
        if path is not None:
            self.deck.files.follow([path])
            self._look_at_source()

    def strategy_saved(self, path: Path) -> None:
        """A file was saved: look, if it is this run's."""
        record = self.record
        own = strategy_file(_spec(record)) if record is not None else None
        if own is not None and own.resolve() == path:
            self._look_at_source()

    def _look_at_source(self) -> None:
        record, run_id = self.record, self.run_id
        if record is None:
            return

        def looking() -> Message:
            return SourceSeen(run_id, source_now(_spec(record), record.strategy_hash))

        self.deck.work.load(f"source-{run_id}", "read the strategy's file", looking, self)

    def on_source_seen(self, message: SourceSeen) -> None:
        """Say what can be done with an edit; nothing where the file is what it was."""
        message.stop()
        source = message.source
        changed = source is not None and source.changed
        self.edited = changed and source is not None and source.problem is None
        line = self.query_one("#run-saved", Static)
        line.display = changed
        if source is not None and changed:
            line.update(Content.styled(self._say(source), style_of("attention")))
        self.refresh_keys()

    def _say(self, source: SourceNow) -> str:
        name = safe_line(source.path.name)
        if source.problem is not None:
            return f"{name} is no longer what this run was made of: {safe_line(source.problem)}"
        if self.deck.read_only:
            return f"{name} was saved since this run was made of it"
        again, on = (
            self.deck.keys.shown(keys.BY_ID[f"run.{name}"]) for name in ("again", "fork_saved")
        )
        return f"{name} was saved since: {again} runs it anew, {on} goes on with it from here"

    def action_again(self) -> None:
        """A new run of the same settings, with the strategy as its file is now."""
        self.ask("run it again", "again", partial(self.deck.gateway.again, self.run_id))

    def action_fork_saved(self) -> None:
        """Go on from the moment shown with the strategy as its file is now; that run opens."""
        record = self.record
        if record is None or not record.step_index:
            return
        fork = partial(
            self.deck.gateway.fork,
            self.run_id,
            self.decided_at(self.at or record.step_index),
            strategy=_spec(record),
            params=record.config.get("params") or {},
        )
        self.ask("go on with the saved file", "fork_saved", fork)


def _spec(record: RunRecord) -> str:
    """The strategy as the run was asked for: ``record.strategy`` leaves the folder out."""
    return str(record.config.get("strategy", record.strategy))
