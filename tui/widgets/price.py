"""The price of one symbol: candles, its fills, resting orders, volume, one cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual.message import Message
from textual.reactive import reactive

from tui.widgets.chart import Chart
from tui.widgets.grid import Grid
from tui.widgets.price_sheet import Picture, PriceView, draw_price

__all__ = ["PriceChart", "PriceView"]

LEAST_BARS: Final = 10


class PriceChart(Chart):
    """The price of one symbol with what the run did in it."""

    bars: reactive[int | None] = reactive(None, repaint=False)

    @dataclass
    class CursorMoved(Message):
        """The cursor was put on a step by mouse, or taken away (None)."""

        chart: PriceChart
        step: int | None

        @property
        def control(self) -> PriceChart:
            return self.chart

    _view: PriceView | None = None
    _picture: Picture | None = None

    def show(self, view: PriceView | None) -> int:
        """Show this symbol; how many lines were painted anew for it."""
        self._view = view
        return self.redraw()

    def draw(self, width: int, height: int) -> Grid | None:
        self._picture = None
        if self._view is not None:
            self._picture = draw_price(
                self._view,
                width,
                height,
                cursor=self.cursor,
                bars=self.bars,
                ascii=self.ascii,
            )
        return None if self._picture is None else self._picture.grid

    def step_at(self, x: int) -> int | None:
        return None if self._picture is None else self._picture.step_at(x)

    def move_cursor(self, steps: int) -> None:
        """Move the cursor by so many steps, from the present where there is none."""
        if self._view is None or not len(self._view.close):
            return
        last = len(self._view.close) - 1
        at = last if self.cursor is None else self.cursor
        self.cursor = max(0, min(at + steps, last))

    def zoom(self, factor: float) -> None:
        """Show fewer bars (``factor`` above 1) or more; so many that all fit is all of them."""
        if self._view is None:
            return
        count = len(self._view.close)
        shown = round((count if self.bars is None else self.bars) / factor)
        self.bars = None if shown >= count else max(min(LEAST_BARS, count), shown)

    def chosen(self, step: int | None) -> None:
        self.post_message(self.CursorMoved(self, step))

    def watch_bars(self) -> None:
        """The window changed."""
        self.redraw()
