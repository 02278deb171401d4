"""The equity chart: curves over the run's steps, drawdown beneath, one cursor."""

from __future__ import annotations

from textual.reactive import reactive

from tui.widgets.axes import Picture
from tui.widgets.chart import Chart
from tui.widgets.curve_sheet import Curves, Series, draw_curves

__all__ = ["CurveChart", "Curves", "Series"]


class CurveChart(Chart):
    """Equity, its baselines and its drawdown against the run's steps."""

    drawdown: reactive[bool] = reactive(True, repaint=False)

    _curves: Curves | None = None

    def show(self, curves: Curves | None) -> int:
        """Show these curves; how many lines were painted anew for it."""
        self._curves = curves
        self.set_reactive(CurveChart.zoom, self.zoom.within(self.count))
        return self.redraw()

    def draw(self, width: int, height: int) -> Picture | None:
        if self._curves is None:
            return None
        return draw_curves(
            self._curves,
            width,
            height,
            cursor=self.cursor,
            zoom=self.zoom,
            ascii=self.ascii,
            drawdown=self.drawdown,
            label=self.margin_cells,
        )

    @property
    def count(self) -> int:
        return 0 if self._curves is None else self._curves.settled + 1

    def stamp_of(self, step: int) -> int | None:
        """The stamp of a step, microseconds UTC; None where it has none."""
        stamps = self._curves.stamps if self._curves is not None else ()
        return int(stamps[step]) if 0 <= step < len(stamps) else None

    def watch_drawdown(self) -> None:
        """The strip came or went."""
        self.redraw()
