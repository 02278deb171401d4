"""The price of one symbol: candles, its fills, resting orders, indicators, volume, one cursor."""

from __future__ import annotations

from tui.widgets.axes import Picture
from tui.widgets.chart import Chart
from tui.widgets.price_sheet import PriceView, draw_price

__all__ = ["PriceChart", "PriceView"]


class PriceChart(Chart):
    """The price of one symbol with what the run did in it.

    Where nobody has zoomed as many bars are shown as the view asks for.
    """

    _view: PriceView | None = None

    def show(self, view: PriceView | None) -> int:
        """Show this symbol; how many lines were painted anew for it."""
        self._view = view
        self.set_reactive(PriceChart.zoom, self.zoom.within(self.count))
        return self.redraw()

    def draw(self, width: int, height: int) -> Picture | None:
        if self._view is None:
            return None
        return draw_price(
            self._view,
            width,
            height,
            cursor=self.cursor,
            zoom=self.zoom,
            ascii=self.ascii,
            label=self.margin_cells,
        )

    @property
    def count(self) -> int:
        return 0 if self._view is None else len(self._view.close)
