"""The equity chart: curves over the run's steps, drawdown beneath, one cursor."""

from __future__ import annotations

from textual.reactive import reactive

from tui.widgets.chart import Chart
from tui.widgets.curve_sheet import Curves, Series, draw_curves, step_of_column
from tui.widgets.grid import Grid

__all__ = ["CurveChart", "Curves", "Series"]


class CurveChart(Chart):
    """Equity, its baselines and its drawdown against the run's steps."""

    drawdown: reactive[bool] = reactive(True, repaint=False)

    _curves: Curves | None = None
    _columns: int = 0

    def show(self, curves: Curves | None) -> int:
        """Show these curves; how many lines were painted anew for it."""
        self._curves = curves
        return self.redraw()

    def draw(self, width: int, height: int) -> Grid | None:
        if self._curves is None:
            return None
        picture = draw_curves(
            self._curves,
            width,
            height,
            cursor=self.cursor,
            ascii=self.ascii,
            drawdown=self.drawdown,
        )
        self._columns = 0 if picture is None else picture.columns
        return None if picture is None else picture.grid

    @property
    def steps_per_column(self) -> float:
        """How many steps a column of the plot stands for; 0 where nothing is drawn."""
        if self._curves is None or not self._columns:
            return 0.0
        return self._curves.steps / self._columns

    def step_at(self, x: int) -> int | None:
        if self._curves is None or not 0 <= x < self._columns:
            return None
        step = step_of_column(x, self._columns, self._curves.steps)
        # A little past the present is the present; far to the right of it is nowhere.
        settled = self._curves.settled
        return min(step, settled) if step <= settled + self.steps_per_column else None

    def watch_drawdown(self) -> None:
        """The strip came or went."""
        self.redraw()
