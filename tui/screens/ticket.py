"""The order ticket: a market order as the decision that is due, with what it would do."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Select, Static

from engine.errors import InvalidOption
from engine.model import Decision
from tui import format as fmt
from tui import keys
from tui.keys import Place
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckDialog
from tui.viewmodel import ticket
from tui.viewmodel.ticket import Standing
from tui.widgets.line import Line

WORDS = {"shares": "shares", "notional": "money", "weight": "weight of equity"}
FILLS = {"next_open": "fills at the next bar's open", "close": "fills at this bar's close"}


class TicketDialog(DeckDialog[Decision | None]):
    """Side, size and what the size counts; answers with the decision to make, or None.

    The short form (``b``, ``s``) asks for the size in shares only; ``full`` shows every field.
    """

    places: ClassVar = (Place.TICKET,)
    BINDINGS = keys.bindings(Place.TICKET)
    AUTO_FOCUS = "#ticket-size"

    def __init__(
        self,
        side: str,
        symbol: str,
        standing: Standing,
        *,
        step: int,
        lot: float,
        fill: str,
        full: bool,
    ) -> None:
        super().__init__()
        self._side = side
        self._symbol = symbol
        self._standing = standing
        self._step = step
        self._lot = lot
        self._fill = fill
        self._full = full

    def compose(self) -> ComposeResult:
        shown = self.deck.keys
        standing, currency = self._standing, self.deck.settings.currency
        held = fmt.quantity(standing.held)
        with Vertical(classes="dialog ticket"):
            yield Static("", id="ticket-title", classes="dialog-title", markup=False)
            yield Static(
                Content.assemble(
                    ("last close ", "$text-muted"), fmt.price(standing.price),
                    ("   held ", "$text-muted"), held,
                    ("   cash ", "$text-muted"), fmt.money(standing.cash, currency),
                ),
                classes="dialog-body",
            )  # fmt: skip
            with Horizontal(classes="field", id="ticket-side-row"):
                yield Static("side", classes="field-label", markup=False)
                yield Select(
                    [("buy", "buy"), ("sell", "sell")],
                    value=self._side, allow_blank=False, compact=True, id="ticket-side",
                )  # fmt: skip
            with Horizontal(classes="field", id="ticket-type-row"):
                yield Static("size in", classes="field-label", markup=False)
                yield Select(
                    [(WORDS[kind], kind) for kind in ticket.QUANTITY_TYPES],
                    value="shares", allow_blank=False, compact=True, id="ticket-type",
                )  # fmt: skip
            with Horizontal(classes="field"):
                yield Static("size", classes="field-label", markup=False)
                yield Line(self._first_size(), compact=True, id="ticket-size")
            yield Static("", id="ticket-estimate", classes="dialog-body", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("ticket.place", shown)
                yield ActionButton("ticket.close", shown)

    def _first_size(self) -> str:
        # Selling begins with all that is held, the usual wish; buying with nothing.
        if self._side == "sell" and self._standing.held > 0:
            return f"{self._standing.held:.9g}"
        return ""

    def on_mount(self) -> None:
        self.query_one("#ticket-side-row").display = self._full
        self.query_one("#ticket-type-row").display = self._full
        self._estimate()

    @property
    def side(self) -> str:
        """Buy or sell, as chosen."""
        return str(self.query_one("#ticket-side", Select).value)

    @property
    def quantity_type(self) -> str:
        """What the size counts."""
        return str(self.query_one("#ticket-type", Select).value)

    @on(Input.Changed)
    @on(Select.Changed)
    def _estimate(self) -> None:
        """Say what the order would do, or what is missing."""
        look = fmt.status_look(self.side)
        style = "$text-success bold" if self.side == "buy" else "$text-error bold"
        self.query_one("#ticket-title", Static).update(
            Content.assemble(
                (f"{look.glyph} {self.side.capitalize()} {safe_line(self._symbol)}", style),
                (f"   decision {self._step}, {FILLS.get(self._fill, '')}", "$text-muted"),
            )
        )
        said = self.query_one("#ticket-estimate", Static)
        currency = self.deck.settings.currency
        try:
            order = ticket.order_of(
                self.side,
                self._symbol,
                self.query_one("#ticket-size", Input).value,
                self.quantity_type,
            )
        except InvalidOption as error:
            said.update(Content.styled(safe_line(error), "$text-muted"))
            return
        made = ticket.estimate(order, self._standing, self._lot)
        if made is None:
            said.update(
                Content.styled("no price yet: the size cannot be worked out", "$text-muted")
            )
            return
        parts: list[str | tuple[str, str]] = [
            ("about ", "$text-muted"), fmt.quantity(made.shares), ("  for ", "$text-muted"),
            fmt.money(made.amount, currency), ("  cash after ", "$text-muted"),
            fmt.money(made.cash_after, currency), ("  weight after ", "$text-muted"),
            fmt.share(made.weight_after, 1),
        ]  # fmt: skip
        warned = ticket.warning(order, self._standing, made)
        parts.append(("\n" + (f"! {warned}" if warned else ""), "$text-warning"))
        said.update(Content.assemble(*parts))

    @on(Input.Submitted)
    def action_place(self) -> None:
        """Answer with the order."""
        try:
            order = ticket.order_of(
                self.side,
                self._symbol,
                self.query_one("#ticket-size", Input).value,
                self.quantity_type,
            )
        except InvalidOption as error:
            self.query_one("#ticket-estimate", Static).update(
                Content.styled(safe_line(f"✗ {error}"), "$text-error")
            )
            self.query_one("#ticket-size", Input).focus()
            return
        self.dismiss(Decision((order,)))

    def on_key(self, event: events.Key) -> None:
        # A size typed before the ticket was drawn belongs into its field.
        if self.focused is None and event.character is not None and event.is_printable:
            event.stop()
            size = self.query_one("#ticket-size", Input)
            size.insert_text_at_cursor(event.character)

    def action_close(self) -> None:
        """Leave without an order."""
        self.dismiss(None)
