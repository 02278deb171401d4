"""The picker of indicators: common ones a key away, any other typed."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.errors import InvalidOption
from tui import keys
from tui.keys import Place
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckDialog
from tui.viewmodel.studies import REMEDY, Study, read_studies
from tui.widgets.line import Line

# The function keys switch these; what is typed stands in the field either way.
COMMON: Final = (
    ("sma_20", "sma 20"),
    ("sma_50", "sma 50"),
    ("ema_20", "ema 20"),
    ("bands", "bollinger 20 2"),
    ("rsi", "rsi 14"),
    ("macd", "macd 12 26 9"),
    ("atr", "atr 14"),
)


class IndicatorsDialog(DeckDialog[tuple[Study, ...] | None]):
    """Answers with the indicators to draw, or None."""

    places: ClassVar = (Place.INDICATORS,)
    BINDINGS = keys.bindings(Place.INDICATORS)
    AUTO_FOCUS = "#indicators"

    def __init__(self, chosen: tuple[Study, ...]) -> None:
        super().__init__()
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        shown = self.deck.keys
        with Vertical(classes="dialog indicators"):
            yield Static("Draw over the price", classes="dialog-title", markup=False)
            yield Line(
                ", ".join(map(str, self._chosen)), compact=True, id="indicators",
                placeholder="none",
            )  # fmt: skip
            yield Static("", id="indicators-said", markup=False)
            with Horizontal(classes="buttons"):
                for name, _ in COMMON[:4]:
                    yield ActionButton(f"indicators.{name}", shown)
            with Horizontal(classes="buttons"):
                for name, _ in COMMON[4:]:
                    yield ActionButton(f"indicators.{name}", shown)
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("indicators.draw", shown)
                yield ActionButton("indicators.close", shown)

    def on_mount(self) -> None:
        self._say()

    @property
    def _typed(self) -> str:
        return self.query_one("#indicators", Input).value

    @on(Input.Changed)
    def _say(self) -> None:
        """Say what would be drawn, or what is wrong."""
        said = self.query_one("#indicators-said", Static)
        try:
            found = read_studies(self._typed)
        except InvalidOption as error:
            said.update(Content.styled(safe_line(f"✗ {error}"), "$text-error"))
            return
        words = f"✓ {', '.join(map(str, found))}" if found else f"none; {REMEDY}"
        said.update(Content.styled(words, "$text-success" if found else "$text-muted"))

    def _switch(self, text: str) -> None:
        """Put an indicator in, or take it out."""
        study = read_studies(text)[0]
        try:
            found = list(read_studies(self._typed))
        except InvalidOption:
            found = []
        if study in found:
            found.remove(study)
        else:
            found.append(study)
        field = self.query_one("#indicators", Input)
        field.value = ", ".join(map(str, found))
        field.cursor_position = len(field.value)

    def action_sma_20(self) -> None:
        """A moving average of twenty bars, or none."""
        self._switch("sma 20")

    def action_sma_50(self) -> None:
        """A moving average of fifty bars, or none."""
        self._switch("sma 50")

    def action_ema_20(self) -> None:
        """An exponential one of twenty bars, or none."""
        self._switch("ema 20")

    def action_bands(self) -> None:
        """Bollinger bands, or none."""
        self._switch("bollinger")

    def action_rsi(self) -> None:
        """The relative strength beneath, or none."""
        self._switch("rsi")

    def action_macd(self) -> None:
        """MACD and its signal beneath, or none."""
        self._switch("macd")

    def action_atr(self) -> None:
        """The average true range beneath, or none."""
        self._switch("atr")

    @on(Input.Submitted)
    def action_draw(self) -> None:
        """Draw them."""
        try:
            self.dismiss(read_studies(self._typed))
        except InvalidOption:
            self._say()

    def on_key(self, event: events.Key) -> None:
        # What was typed before the picker was drawn belongs into its field.
        if self.focused is None and event.character is not None and event.is_printable:
            event.stop()
            self.query_one("#indicators", Input).insert_text_at_cursor(event.character)

    def action_close(self) -> None:
        """Leave the chart as it is."""
        self.dismiss(None)
