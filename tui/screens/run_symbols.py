"""Which symbol a run screen shows, and its indicators, worked out beside the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.messages import StudiesMade
from tui.screens.run_base import RunBase

if TYPE_CHECKING:
    from textual.message import Message

    from tui.viewmodel.studies import Study


class Symbols(RunBase):
    """The symbol in the price chart: chosen by key or from a list, drawn with its indicators."""

    def action_next_symbol(self) -> None:
        """Show the next symbol."""
        self.area.move_symbol(1)
        self.symbol_shown()

    def action_previous_symbol(self) -> None:
        """Show the symbol before."""
        self.area.move_symbol(-1)
        self.symbol_shown()

    def symbol_shown(self) -> None:
        """Another symbol is shown: its indicators, and the keys that trade it."""
        self.want_studies()
        self.refresh_keys()

    def want_studies(self) -> None:
        """Work out the indicators of the symbol shown, unless they are known."""
        wanted = self.area.wanted_studies()
        if wanted is None:
            return
        panel, symbol, chosen = wanted

        def computing() -> Message:
            from tui.viewmodel.studies import studies_of

            return StudiesMade(symbol, chosen, studies_of(chosen, panel, symbol))

        self.deck.work.load(f"studies-{self.run_id}", "draw the indicators", computing, self)

    def on_studies_made(self, message: StudiesMade) -> None:
        """They have been worked out: draw them, if that symbol is still shown."""
        message.stop()
        self.area.show_studies(message.symbol, message.chosen, message.values)

    def action_indicators(self) -> None:
        """Choose what is drawn over the price and beneath it."""
        from tui.screens.indicators import IndicatorsDialog

        def answered(chosen: tuple[Study, ...] | None) -> None:
            if chosen is not None:
                self.area.draw_studies(chosen)
                self.want_studies()

        self.deck.push_screen(IndicatorsDialog(self.area.shown_studies), answered)
