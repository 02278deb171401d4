"""The order ticket: one order or several as the decision that is due, with what they would do."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from engine.errors import InvalidOption
from engine.model import Decision, Order
from engine.sim.preview import Standing
from tui import format as fmt
from tui import keys
from tui.keys import Place
from tui.safe import safe_line, safe_text
from tui.screens.base import ActionButton, DeckDialog, style_of, tell
from tui.viewmodel import ticket
from tui.viewmodel.ticket import Draft
from tui.widgets.line import Line

SIZES: Final = {
    "shares": "shares",
    "notional": "money",
    "weight": "weight of equity",
    "position": "% of position",
}
TYPES: Final = {"market": "market", "limit": "limit", "stop": "stop", "stop_limit": "stop-limit"}
TIMES: Final = {"day": "day", "gtc": "until cancelled"}
FILLS: Final = {"next_open": "fills at the next bar's open", "close": "fills at this bar's close"}


class TicketDialog(DeckDialog[Decision | None]):
    """Answers with the decision to make, or None.

    The short form (``b``, ``s``) asks for the size in shares only; ``full`` shows every field and
    takes several orders into one decision, which ``add`` puts behind one another.
    """

    places: ClassVar = (Place.TICKET,)
    BINDINGS = keys.bindings(Place.TICKET)
    AUTO_FOCUS = "#ticket-size"

    def __init__(
        self, side: str, symbol: str, standing: Standing, *, step: int, full: bool
    ) -> None:
        super().__init__()
        self._side = side
        self._symbol = symbol
        self._standing = standing
        self._step = step
        self._full = full
        self._orders: list[Order] = []

    def compose(self) -> ComposeResult:
        shown = self.deck.keys
        with Vertical(classes="dialog ticket"):
            yield Static("", id="ticket-title", classes="dialog-title", markup=False)
            yield Static(self._account(), id="ticket-account")
            yield Static("", id="ticket-orders", markup=False)
            with Vertical(id="ticket-fields"):
                with Horizontal(classes="pair"):
                    yield _choice("side", {"buy": "buy", "sell": "sell"}, self._side)
                    yield _choice("type", TYPES, "market", name="order")
                with Horizontal(classes="pair"):
                    yield _entry("size", self._first_size())
                    yield _choice("in", SIZES, "shares", name="type")
                with Horizontal(classes="pair", id="ticket-prices"):
                    yield _entry("limit", "")
                    yield _entry("stop", "")
                with Horizontal(classes="pair", id="ticket-terms"):
                    yield _choice("lives", TIMES, "day", name="time")
                    yield _entry("OCO group", "", name="oco")
                with Horizontal(classes="pair", id="ticket-names"):
                    yield _entry("tag", "")
            yield Static("", id="ticket-estimate", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("ticket.add", shown)
                yield ActionButton("ticket.remove", shown)
                yield ActionButton("ticket.place", shown, every=True)
                yield ActionButton("ticket.close", shown)

    def _account(self) -> Content:
        standing = self._standing
        return Content.assemble(
            ("last close ", "$text-muted"),
            fmt.price(standing.prices.get(self._symbol)),
            ("   held ", "$text-muted"),
            fmt.quantity(standing.held(self._symbol)),
            ("   cash ", "$text-muted"),
            fmt.money(standing.cash, self.deck.settings.currency),
        )

    def stand(self, standing: Standing, step: int) -> None:
        """What was asked before the ticket is done: it is for the decision that is due now."""
        self._standing, self._step = standing, step
        if self.is_current and self.is_mounted:
            tell(self.query_one("#ticket-account", Static), self._account())
            self._estimate()

    def _first_size(self) -> str:
        # Selling begins with all that is held, the usual wish; buying with nothing.
        held = self._standing.held(self._symbol)
        return f"{held:.9g}" if self._side == "sell" and held > 0 else ""

    def on_mount(self) -> None:
        self._arrange()
        self._estimate()

    def _arrange(self) -> None:
        """Show the fields that the order type and the form take."""
        kind = self.draft().order_type
        full = self._full
        for name, there in (
            ("side", full),
            ("order", full),
            ("type", full),
            ("limit", full and kind in ("limit", "stop_limit")),
            ("stop", full and kind in ("stop", "stop_limit")),
        ):
            self.query_one(f"#row-{name}").display = there
        for name, there in (
            ("prices", full and kind != "market"),
            ("terms", full),
            ("names", full),
        ):
            self.query_one(f"#ticket-{name}").display = there
        self.query_one("#ticket-add", ActionButton).display = full
        self.query_one("#ticket-remove", ActionButton).display = full and bool(self._orders)

    # -- what is typed --------------------------------------------------------------------------

    def draft(self) -> Draft:
        """The fields as they stand."""

        def chosen(name: str) -> str:
            return str(self.query_one(f"#ticket-{name}", Select).value)

        def typed(name: str) -> str:
            return self.query_one(f"#ticket-{name}", Input).value

        return Draft(
            chosen("side"),
            typed("size"),
            chosen("type"),
            chosen("order"),
            typed("limit"),
            typed("stop"),
            chosen("time"),
            typed("oco"),
            typed("tag"),
        )

    def _order(self) -> Order:
        """The order in the fields. Raises ``InvalidOption``."""
        return ticket.order_of(self.draft(), self._symbol, self._standing)

    @on(Input.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        self._arrange()
        self._estimate()

    def _estimate(self) -> None:
        """Say what the order would do, or what is missing."""
        side = self.draft().side
        look = fmt.status_look(side)
        style = "$text-success bold" if side == "buy" else "$text-error bold"
        rule = FILLS[self._standing.rules.fill]
        tell(
            self.query_one("#ticket-title", Static),
            Content.assemble(
                (f"{look.glyph} {side.capitalize()} {safe_line(self._symbol)}", style),
                (f"   decision {self._step}, {rule}", "$text-muted"),
            ),
        )
        kept = "\n".join(
            f"{number}. {ticket.order_line(order)}" for number, order in enumerate(self._orders, 1)
        )
        placed = self.query_one("#ticket-orders", Static)
        tell(placed, Content(safe_text(kept)) if kept else None)
        said = self.query_one("#ticket-estimate", Static)
        try:
            order = self._order()
        except InvalidOption as error:
            tell(said, Content.styled(safe_line(error), "$text-muted"))
            return
        lines = ticket.verdict(
            order, self._standing, self.deck.settings.currency, tuple(self._orders)
        )
        if not lines:
            lines = [(("no price yet: what it would come to cannot be said", "muted"),)]
        tell(
            said,
            Content("\n").join(
                Content.assemble(*((safe_text(text), style_of(role)) for text, role in line))
                for line in lines
            ),
        )

    # -- doing ----------------------------------------------------------------------------------

    def _taken(self) -> Order | None:
        """The order in the fields, or None after saying what is wrong with it."""
        try:
            return self._order()
        except InvalidOption as error:
            self.query_one("#ticket-estimate", Static).update(
                Content.styled(safe_line(f"✗ {error}"), "$text-error")
            )
            name = error.field if error.field in ("limit", "stop") else "size"
            self.set_focus(self.query_one(f"#ticket-{name}", Input))
            return None

    @on(Input.Submitted)
    def action_place(self) -> None:
        """Answer with the orders; an untouched last order is none where there are others."""
        if self._orders and not self.draft().size.strip():
            self.dismiss(Decision(tuple(self._orders)))
            return
        order = self._taken()
        if order is not None:
            self.dismiss(Decision((*self._orders, order)))

    def action_add(self) -> None:
        """Keep this order, and fill in another for the same decision."""
        if not self._full:
            return
        order = self._taken()
        if order is not None:
            self._orders.append(order)
            self.query_one("#ticket-size", Input).value = ""
            self.set_focus(self.query_one("#ticket-size", Input))
            self._changed()

    def action_remove(self) -> None:
        """Take the last order kept back into nothing."""
        if self._orders:
            self._orders.pop()
            self._changed()

    def on_key(self, event: events.Key) -> None:
        # A size typed before the ticket was drawn belongs into its field.
        if self.focused is None and event.character is not None and event.is_printable:
            event.stop()
            size = self.query_one("#ticket-size", Input)
            size.insert_text_at_cursor(event.character)

    def action_close(self) -> None:
        """Leave without an order."""
        self.dismiss(None)


def _row(label: str, name: str, field: Widget) -> Horizontal:
    return Horizontal(
        Static(label, classes="field-label", markup=False),
        field,
        classes="field",
        id=f"row-{name}",
    )


def _choice(label: str, words: dict[str, str], value: str, *, name: str | None = None) -> Widget:
    name = name or label
    field: Select[str] = Select(
        [(word, kind) for kind, word in words.items()],
        value=value,
        allow_blank=False,
        compact=True,
        id=f"ticket-{name}",
    )
    return _row(label, name, field)


def _entry(label: str, value: str, *, name: str | None = None) -> Widget:
    name = name or label
    return _row(label, name, Line(value, compact=True, id=f"ticket-{name}"))
