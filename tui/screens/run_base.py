"""What the parts of the run screen share: the run as the ledger holds it, and as it is shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, tzinfo
from functools import partial
from typing import TYPE_CHECKING

from tui import keys
from tui.messages import Failed
from tui.screens.base import DeckScreen
from tui.screens.panel_area import PanelArea
from tui.viewmodel import run_panels, run_state
from tui.widgets.table import DeckTable
from tui.widgets.window import UNZOOMED

if TYPE_CHECKING:
    from engine.model import RunRecord
    from engine.sim.panel import Panel
    from engine.store.records import RunHead
    from tui.gateway import RunDetail


class RunBase(DeckScreen):
    """A run of the ledger.

    ``now`` is the run as the last look at the ledger saw it, ``shown`` what the screen shows of it:
    the same, or what it was at the moment ``at`` (settled grid points; None is now).
    """

    def __init__(self, run_id: str, at: int | None = None) -> None:
        super().__init__()
        self.run_id = run_id
        self.now: RunDetail | None = None
        self.shown: RunDetail | None = None
        self.at = at
        # The moment that it was opened at, to be looked at and left again.
        self.opened_at = at
        self.panel: Panel | None = None
        self.edited = False
        self.in_utc = False
        self._area: PanelArea | None = None
        # What was asked of the run and is not answered yet, as it finishes "could not …".
        self._waits: deque[str] = deque()
        self._when_still: Callable[[], None] | None = None
        # The run as the last answer told it: what comes after is about that moment or a later one.
        self._told: RunRecord | None = None

    @property
    def record(self) -> RunRecord | None:
        """The run's row as last seen, None before the first look at it."""
        return self.now.record if self.now is not None else None

    @property
    def head(self) -> RunRecord | RunHead | None:
        """Its row, or until the first look at it what the list knows of it."""
        if self.now is not None:
            return self.now.record
        tick = self.deck.tick
        rows = tick.snapshot.rows if tick is not None else ()
        return next((row.record for row in rows if row.record.run_id == self.run_id), None)

    @property
    def area(self) -> PanelArea:
        """The panels."""
        # Asked for hundreds of times a second while a run moves: looked up once.
        if self._area is None:
            self._area = self.query_one(PanelArea)
        return self._area

    @property
    def symbol(self) -> str | None:
        """The symbol shown."""
        return self.area.symbol

    @property
    def zone(self) -> tzinfo:
        """The zone that times are shown in."""
        record = self.record
        return UTC if self.in_utc or record is None else run_panels.zone_of(record)

    # -- what works -----------------------------------------------------------------------------

    def situation(self) -> run_state.Situation | None:
        """The run and the moment shown, as far as keys depend on them; None before it was seen."""
        head, now, symbol = self.head, self.now, self.symbol
        if head is None:
            return None
        held = run_panels.holding(now.positions, symbol) if now and symbol is not None else None
        rules = now.record.config.get("rules") or {} if now is not None else {}
        table = self.focused if isinstance(self.focused, DeckTable) else None
        return run_state.Situation(
            head.status,
            head.step_index,
            head.total_steps,
            self.at,
            by_hand=head.by_hand,
            was_hand=head.driver == "manual",
            held=held.quantity if held is not None else 0.0,
            shorts=bool(rules.get("allow_short")),
            edited=self.edited,
            undoable=now is not None and run_state.undoable(now),
            symbols=len(self.area.symbols),
            zoomed=self.area.zoom != UNZOOMED,
            in_list=str(table.id) if table is not None else None,
            marked=table.mark_count if table is not None else 0,
        )

    def allows(self, action: str) -> bool | None:
        """Whether an action works on what is shown now."""
        found = keys.BY_ID.get(f"run.{action}")
        if found is None:
            return True
        if found.writes and self.deck.read_only:
            return False
        situation = self.situation()
        if situation is None:
            return True if action.startswith("panel_") or not found.writes else None
        return run_state.allowed(action, situation)

    def why_not(self, action: str) -> str | None:
        """Why an action does nothing now."""
        situation = self.situation()
        return run_state.why_not(action, situation) if situation is not None else None

    # -- asking the service ---------------------------------------------------------------------

    def ask(self, title: str, action: str, call: Callable[[], RunRecord]) -> None:
        """Ask the service; ``title`` finishes "could not …"."""
        self._waits.append(title)
        self.deck.ask(title, f"run.{action}", call, self, run_id=self.run_id)

    @property
    def waits(self) -> str | None:
        """What was asked first of the run and is not done yet."""
        return self._waits[0] if self._waits else None

    def answered(self, record: RunRecord | None = None) -> None:
        """What was asked first has been done, and the run is now as in ``record``; or refused."""
        if self._waits:
            self._waits.popleft()
        if record is not None and record.run_id == self.run_id:
            self._told = record

    def on_failed(self, message: Failed) -> None:
        """It was refused; the app says why. What was to come after it does not."""
        if message.title in self._waits:
            self.answered()
            self._when_still = None

    def cancel_run(self) -> None:
        """Cancel it at once: what waits for it to stand will not come."""
        self._waits.clear()
        self.deck.cancel_run("run.cancel", self.run_id, self)

    def moves(self, action: str) -> bool:
        """Whether the run may be moved from here; a deck that watches says why it is not."""
        if self.deck.read_only:
            self.deck.say_watching(keys.BY_ID[f"run.{action}"].label)
            return False
        return True

    def once_still(self, then: Callable[[], None]) -> None:
        """Do ``then`` once the run stands: one that moves by itself is paused first.

        Keys act in their order: what was asked before is done first, and seen.
        """
        head = self.head
        if head is None:
            return
        self._when_still = then
        if head.status == "running" and not head.by_hand:
            self.ask("pause the run", "play", partial(self.deck.gateway.pause, self.run_id))
        else:
            self.go_on()

    def go_on(self) -> None:
        """Do what waits for the run to stand, if it does, and what was asked of it is seen."""
        if self._when_still is not None and self.stands:
            then, self._when_still = self._when_still, None
            then()

    @property
    def stands(self) -> bool:
        """Whether it does not move by itself, and what was asked of it is done and seen."""
        record, told = self.record, self._told
        if record is None or self._waits or (record.status == "running" and not record.by_hand):
            return False
        return told is None or (told.rewind_count, told.step_index) <= (
            record.rewind_count,
            record.step_index,
        )
