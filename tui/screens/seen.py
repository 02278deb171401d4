"""What the strategy saw: the observation of a moment, read as a person reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from tui import format as fmt
from tui import keys
from tui.keys import Place
from tui.messages import Failed
from tui.screens.base import ActionButton, DeckDialog
from tui.viewmodel.seen import Asked, seen
from tui.widgets.facts import Facts, FactsPanel

if TYPE_CHECKING:
    from tui.gateway import RunDetail


class SeenDialog(DeckDialog[None]):
    """The observation at the moment of ``settled`` grid points; its keys walk to others.

    ``moved`` is told of each moment gone to, so that the screen beneath goes along; ``detail`` is
    the run as it is now, ``asked`` the indicators shown.
    """

    places: ClassVar = (Place.SEEN,)
    BINDINGS = keys.bindings(Place.SEEN)
    AUTO_FOCUS = "#seen"

    class Read(Message):
        """The observation of a moment is there."""

        def __init__(self, settled: int, title: str, groups: tuple[Facts, ...]) -> None:
            super().__init__()
            self.settled = settled
            self.title = title
            self.groups = groups

    def __init__(
        self,
        detail: RunDetail,
        settled: int,
        symbol: str | None,
        asked: tuple[Asked, ...],
        zone: tzinfo,
        moved: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._detail = detail
        self._settled = settled
        self._symbol = symbol
        self._asked = asked
        self._zone = zone
        self._moved = moved

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog seen"):
            yield Static("What was seen", id="seen-title", classes="dialog-title", markup=False)
            yield FactsPanel(empty="Replaying …", id="seen")
            with Horizontal(classes="dialog-buttons"):
                for name in ("earlier", "later", "close"):
                    yield ActionButton(f"seen.{name}", self.deck.keys)

    def on_mount(self) -> None:
        self._read()

    def _read(self) -> None:
        gateway, detail, settled = self.deck.gateway, self._detail, self._settled
        symbol, asked, zone = self._symbol, self._asked, self._zone
        currency = self.deck.settings.currency

        def reading() -> Message:
            cut = gateway.look(detail, settled)
            when = fmt.stamp(int(cut.stamps[-1]), zone) if len(cut.stamps) else fmt.DASH
            step = cut.moment.decision_step if cut.moment is not None else None
            title = f"What was seen at step {fmt.count(step)}, {when}"
            return SeenDialog.Read(settled, title, seen(cut, symbol, asked, currency, zone))

        self.deck.work.newest(f"seen-{detail.record.run_id}", "look back", reading, self)

    def on_seen_dialog_read(self, message: SeenDialog.Read) -> None:
        message.stop()
        self.query_one("#seen-title", Static).update(message.title)
        self.query_one("#seen", FactsPanel).show(message.groups)

    def on_failed(self, message: Failed) -> None:
        """It cannot be had: say why instead."""
        message.stop()
        self.dismiss(None)
        self.deck.show_error(message.title, message.error)

    def _walk(self, by: int) -> None:
        settled = max(1, min(self._settled + by, self._detail.record.step_index))
        if settled != self._settled:
            self._settled = settled
            self._moved(settled)
            self._read()

    def action_earlier(self) -> None:
        """A step before."""
        self._walk(-1)

    def action_later(self) -> None:
        """A step later."""
        self._walk(1)

    def action_close(self) -> None:
        """Go on."""
        self.dismiss(None)
