"""The price of one symbol: candles, its fills, resting orders, indicators, volume, one cursor."""

from __future__ import annotations

from typing import Final

from textual.reactive import reactive

from tui.widgets.chart import Chart
from tui.widgets.grid import Grid
from tui.widgets.price_sheet import Picture, PriceView, draw_price

__all__ = ["PriceChart", "PriceView"]

LEAST_BARS: Final = 10
ALL: Final = 1 << 30  # also those that are still to come


class PriceChart(Chart):
    """The price of one symbol with what the run did in it.

    ``bars`` is how many are shown, None for as many as the view asks for. ``stop`` is the grid
    point before which the window ends, None for the newest: then it goes along.
    """

    bars: reactive[int | None] = reactive(None, repaint=False)
    stop: reactive[int | None] = reactive(None, repaint=False)

    _view: PriceView | None = None
    _picture: Picture | None = None

    def show(self, view: PriceView | None) -> int:
        """Show this symbol; how many lines were painted anew for it."""
        self._view = view
        if view is not None and self.stop is not None and self.stop >= len(view.close):
            # The moment shown lies before what one had panned to.
            self.set_reactive(PriceChart.stop, None)
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
                stop=self.stop,
                ascii=self.ascii,
            )
        return None if self._picture is None else self._picture.grid

    def step_at(self, x: int) -> int | None:
        return None if self._picture is None else self._picture.step_at(x)

    def zoom(self, factor: float) -> None:
        """Show fewer bars (``factor`` above 1) or more; so many that all fit is all of them."""
        if self._view is None or self._picture is None:
            return
        window, count = self._picture.window, len(self._view.close)
        shown = window.stop - window.start
        wanted = round(shown / factor)
        if wanted == shown:
            wanted += 1 if factor < 1 else -1
        if wanted >= count:
            self.bars = None if self._view.whole else ALL
        else:
            self.bars = max(min(LEAST_BARS, count), wanted)

    def drag(self, columns: int) -> None:
        if self._picture is None:
            return
        window = self._picture.window
        places = window.columns
        # How many grid points a column stands for, at least a part of one.
        span = max(1, int(places[-1]) - int(places[0]) + 1)
        self._move_stop(-columns * (window.stop - window.start) / span)

    def pan(self, pages: float) -> None:
        """Go so many half windows to the right; below zero to the left."""
        if self._picture is not None:
            window = self._picture.window
            self._move_stop(pages * max(1, (window.stop - window.start) // 2))

    def _move_stop(self, steps: float) -> None:
        if self._view is None or self._picture is None:
            return
        window, count = self._picture.window, len(self._view.close)
        moved = round(steps) or (1 if steps > 0 else -1)
        stop = max(window.stop - window.start, window.stop + moved)
        self.stop = None if stop >= count else stop

    def watch_bars(self) -> None:
        """The window changed."""
        self.redraw()

    def watch_stop(self) -> None:
        """The window moved."""
        self.redraw()
