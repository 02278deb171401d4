"""Why an order became what it became: from what was seen to its end, in words.

Everything said is read from the ledger and, where they are at hand, from the run's bars up to the
last settled one; what neither holds is not said.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from engine.codec import loads
from engine.model import Fill, OrderRecord
from engine.sim.reasons import REMEDIES
from tui import format as fmt
from tui.viewmodel.preview import amount_text, decision_text
from tui.viewmodel.run_panels import zone_of

if TYPE_CHECKING:
    from engine.sim.panel import Panel
    from engine.store.records import StepRecord
    from tui.gateway import RunDetail

ALIVE: Final = frozenset({"pending", "resting"})
WHO: Final[Mapping[str, str]] = {
    "strategy": "The strategy",
    "manual": "A person",
    "tape": "The tape",
    "llm": "The language model",
    "agent": "The agent",
    "timeout_hold": "Nobody, in time,",
    "validation_hold": "Nobody, validly,",
}
# What cut an order's quantity, or ended it, said so that it makes sense without the policy.
REASONS: Final[Mapping[str, str]] = {
    "insufficient_cash": "cash did not pay for more, costs included",
    "clipped_to_position": "no more than the position can be sold",
    "volume_cap": "the run takes no more than its share of the bar's volume",
    "max_leverage": "gross exposure would have passed equity times the leverage allowed",
    "no_bar": "the symbol had no bar at the grid point where it was to fill",
    "oco_cancelled": "another order of its group traded first",
    "corporate_action": "a split changed what a share is, and the order was counted in old ones",
    "already_at_target": "the holding already was what it asked for",
    "cancelled_by_user": "a later decision took it back",
    "run_ended": "the run was ended while it was open",
    "ruin": "equity fell to nothing",
    "no_next_bar": "it was decided on the last bar: no bar is left for it to meet",
    "session_end": "it was good for the day, and the session ended",
    "end_of_data": "it rested until the bars ended",
    "no_position": "there was nothing to sell, and the run allows no shorts",
    "below_lot": "its size comes to less than one lot",
}


@dataclass(frozen=True, slots=True)
class Chapter:
    """One link of the chain; ``role`` colours its title."""

    title: str
    lines: tuple[str, ...]
    role: str = "accent"


def why(
    detail: RunDetail, order_id: str, panel: Panel | None = None, currency: str = ""
) -> tuple[Chapter, ...]:
    """The chain of one order: seen, decided, asked, sized, met, filled, ended.

    Empty where the run has no such order.
    """
    order = next((order for order in detail.orders if order.order_id == order_id), None)
    if order is None:
        return ()
    return _Story(detail, order, panel, currency).chapters()


def as_text(chapters: Iterable[Chapter]) -> str:
    """The chain as plain lines."""
    return "\n\n".join(
        "\n".join((chapter.title, *(f"  {line}" for line in chapter.lines))) for chapter in chapters
    )


class _Story:
    """One order with all that is known about it."""

    def __init__(
        self, detail: RunDetail, order: OrderRecord, panel: Panel | None, currency: str
    ) -> None:
        self.detail = detail
        self.order = order
        self.panel = panel
        self.currency = currency
        self.zone = zone_of(detail.record)
        self.fills = [fill for fill in detail.fills if fill.order_id == order.order_id]
        self.rules: Mapping[str, Any] = detail.record.config.get("rules") or {}

    def chapters(self) -> tuple[Chapter, ...]:
        order = self.order
        look = fmt.status_look(order.status)
        told = [
            ("Seen", self.seen(), "accent"),
            ("Decided", self.decided(), "accent"),
            ("Asked", self.asked(), "accent"),
            ("Sized", self.sized(), "accent"),
            ("Met", self.met(), "accent"),
            ("Filled", self.filled(), "accent"),
            (f"Ended: {look.text}" if order.status not in ALIVE else look.text, self.ended(),
             look.role),
        ]  # fmt: skip
        return tuple(Chapter(title, tuple(lines), role) for title, lines, role in told if lines)

    # Words for what is known

    def at(self, step: int) -> str:
        """A grid point as a date; by its number where its stamp is not known."""
        stamps = self.detail.stamps
        if 0 <= step < len(stamps):
            return fmt.stamp(int(stamps[step]), self.zone)
        return f"step {step}"

    def money(self, amount: float | None) -> str:
        return fmt.money(amount, self.currency)

    def bar(self, step: int) -> tuple[float, float, float, float, float] | None:
        """Open, high, low, close and volume of the order's symbol, if that bar is known."""
        panel, symbol = self.panel, self.order.symbol
        if panel is None or symbol not in panel.index:
            return None
        column = panel.index[symbol]
        if not 0 <= step < len(self.detail.stamps) or not panel.has_bar[step, column]:
            return None
        values = (panel.open, panel.high, panel.low, panel.close, panel.volume)
        opening, high, low, close, volume = (float(field[step, column]) for field in values)
        return opening, high, low, close, volume

    def held_before(self, fill_id: int) -> float:
        """The position before the fill of that id, out of the fills before it."""
        before = [fill for fill in self.detail.fills if fill.symbol == self.order.symbol]
        at = bisect_left(before, fill_id, key=lambda fill: fill.fill_id)
        return before[at - 1].position_after if at else 0.0

    # The links

    def seen(self) -> list[str]:
        detail, step = self.detail, self.order.step_index
        lines = [f"Decision {step} came when the bar of {self.at(step)} had closed."]
        bar = self.bar(step)
        if bar is not None:
            opening, high, low, close, volume = bar
            lines.append(
                f"{self.order.symbol} opened at {fmt.price(opening)}, went from {fmt.price(low)} "
                f"to {fmt.price(high)} and closed at {fmt.price(close)}; volume {volume:,.0f}."
            )
        elif self.panel is not None and self.order.symbol in self.panel.index:
            lines.append(f"{self.order.symbol} had no bar there.")
        if step < len(detail.equity):
            first = bisect_left(detail.fills, step + 1, key=lambda fill: fill.step_index)
            next_id = detail.fills[first].fill_id if first < len(detail.fills) else 1 << 62
            held = self.held_before(next_id)
            lines.append(
                f"Equity was {self.money(float(detail.equity[step]))}, cash "
                f"{self.money(float(detail.cash[step]))}; "
                f"{fmt.quantity(held) if held else 'no'} {self.order.symbol} held."
            )
        return lines

    def decided(self) -> list[str]:
        row = self.decision_row()
        if row is None:
            return []
        who = WHO.get(row.decision_source, row.decision_source)
        lines = [f"{who} decided: {decision_text(row.decision)}."]
        try:
            said = loads(row.decision)
        except ValueError:
            return lines
        if isinstance(said, Mapping):
            if said.get("rationale"):
                lines.append(f"Because: {said['rationale']}")
            if said.get("confidence") is not None:
                lines.append(f"Confidence {said['confidence']}.")
        return lines

    def decision_row(self) -> StepRecord | None:
        rows = self.detail.decisions
        at = bisect_left(rows, self.order.step_index, key=lambda row: row.step_index)
        found = at < len(rows) and rows[at].step_index == self.order.step_index
        return rows[at] if found else None

    def asked(self) -> list[str]:
        order = self.order
        size = amount_text(order.requested_quantity, order.quantity_type)
        if order.quantity_type.startswith("target"):
            wanted = size.removeprefix("→ ")
            of = "of equity in" if order.quantity_type == "target_weight" else "shares of"
            what = f"To hold {wanted} {of} {order.symbol}"
        else:
            one = order.requested_quantity == 1.0
            unit = {
                "shares": "share of" if one else "shares of",
                "notional": "worth of",
                "weight": "of equity in",
            }.get(order.quantity_type, order.quantity_type)
            what = f"To {order.side or 'trade'} {size} {unit} {order.symbol}"
        good = "until filled or cancelled" if order.time_in_force == "gtc" else "for the day"
        lines = [f"{what}, {self.terms()}, {good}."]
        beside = [
            f"its tag is {order.tag}" if order.tag else "",
            f"it belongs to the one-cancels-other group {order.oco_group}"
            if order.oco_group
            else "",
        ]
        said = "; ".join(filter(None, beside))
        if said:
            lines.append(said[0].upper() + said[1:] + ".")
        return lines

    def terms(self) -> str:
        order = self.order
        limit, stop = fmt.price(order.limit_price), fmt.price(order.stop_price)
        buys = order.side != "sell"
        if order.order_type == "limit":
            return f"at {limit} or {'less' if buys else 'more'}"
        if order.order_type == "stop":
            return f"once the price {'rises' if buys else 'falls'} to {stop}"
        if order.order_type == "stop_limit":
            return (
                f"once the price {'rises' if buys else 'falls'} to {stop}, then at {limit} or "
                f"{'less' if buys else 'more'}"
            )
        return "at the market"

    def sized(self) -> list[str]:
        order = self.order
        lines = []
        if order.quantity is None:
            if order.status not in ALIVE and order.quantity_type != "shares":
                lines.append("It never came to be sized in shares.")
            return lines
        kind = order.quantity_type
        if kind not in ("shares", "target_shares"):
            side = f"{order.side} " if order.side and kind.startswith("target") else ""
            lines.append(f"That came to {side}{fmt.quantity(order.quantity)} shares{self.basis()}.")
        elif kind == "target_shares" and order.side:
            lines.append(f"The way there: {order.side} {fmt.quantity(order.quantity)} shares.")
        elif order.requested_quantity is not None and order.requested_quantity != order.quantity:
            lot = self.rules.get("lot", 1.0)
            lines.append(f"In whole lots of {lot:g} that is {fmt.quantity(order.quantity)} shares.")
        if self.fills and order.filled_quantity < order.quantity and order.reason:
            lines.append(
                f"Cut to {fmt.quantity(order.filled_quantity)}: {self.reason(order.reason)}."
            )
        return lines

    def basis(self) -> str:
        """What the size was worth against the equity of the grid point before."""
        if not self.fills or self.order.quantity is None:
            return ""
        first = self.fills[0]
        worth = self.order.quantity * first.reference_price
        before = first.step_index - 1
        if not 0 <= before < len(self.detail.equity):
            return f", {self.money(worth)} at {fmt.price(first.reference_price)}"
        equity = float(self.detail.equity[before])
        part = f", {worth / equity:.1%} of the equity a step before" if equity > 0 else ""
        return f": {self.money(worth)} at {fmt.price(first.reference_price)}{part}"

    def met(self) -> list[str]:
        return [line for fill in self.fills if (line := self.meeting(fill))]

    def meeting(self, fill: Fill) -> str:
        """How the bar of a fill met the order's terms."""
        order, day = self.order, self.at(fill.step_index)
        waited = fill.step_index - order.step_index - 1
        rested = f" after {waited} bar{'s' if waited > 1 else ''} of waiting" if waited > 0 else ""
        at = fmt.price(fill.reference_price)
        if order.order_type == "market":
            moment = "close" if self.rules.get("fill") == "close" else "open"
            return f"The bar of {day} had its {moment} at {at}: it traded there{rested}."
        bar = self.bar(fill.step_index)
        if bar is None:
            return f"The bar of {day} met it at {at}{rested}."
        opening, high, low, _, _ = bar
        terms = " and ".join(
            f"its {word} {fmt.price(value)}"
            for word, value in (("stop", order.stop_price), ("limit", order.limit_price))
            if value is not None
        )
        if fill.reference_price == opening:
            return (
                f"The bar of {day} opened at {at}, at or through {terms}: it traded at the open"
                f"{rested}."
            )
        return (
            f"The bar of {day} went from {fmt.price(low)} to {fmt.price(high)} and reached {terms}:"
            f" it traded at {at}{rested}."
        )

    def filled(self) -> list[str]:
        return [line for fill in self.fills for line in self.fill_lines(fill)]

    def fill_lines(self, fill: Fill) -> list[str]:
        worse = "+" if fill.side == "buy" else "−"
        slip = abs(fill.price - fill.reference_price)
        word = "Bought" if fill.side == "buy" else "Sold"
        price = f"{fill.price:,.4f}"
        if slip:
            price += (
                f" = {fill.reference_price:,.4f} {worse} {slip:,.4f} slippage"
                f" ({self.money(fill.slippage)} in all)"
            )
        before, after = self.cash_around(fill)
        held = self.held_before(fill.fill_id)
        after_it = fmt.quantity(fill.position_after)
        if fill.position_after:
            after_it += f" at an average of {fmt.price(fill.avg_cost_after)}"
        realized = fmt.signed_money(fill.realized_pnl, self.currency)
        costs = f"Commission {self.money(fill.commission)}, fees {self.money(fill.fees)}"
        return [
            f"{word} {fmt.quantity(fill.quantity)} on {self.at(fill.step_index)} at {price}.",
            f"{costs}; cash {self.money(before)} → {self.money(after)}.",
            f"Position {fmt.quantity(held)} → {after_it}; realized {realized}.",
        ]

    def cash_around(self, fill: Fill) -> tuple[float, float]:
        """Cash before and after a fill: that of the grid point before, and what moved since."""
        detail, step = self.detail, fill.step_index
        before = step - 1
        cash = float(detail.cash[before]) if before >= 0 else detail.record.initial_cash
        cash += sum(flow.amount for flow in detail.cash_flows if flow.step_index == step)
        for other in _of_step(detail.fills, step):
            paid = other.price * other.quantity * (1 if other.side == "buy" else -1)
            after = cash - paid - other.commission - other.fees
            if other.fill_id == fill.fill_id:
                return cash, after
            cash = after
        return cash, cash

    def ended(self) -> list[str]:
        order = self.order
        if order.status == "pending":
            return ["It meets the market at the next grid point."]
        if order.status == "resting":
            left = (order.quantity or 0.0) - order.filled_quantity
            return [
                f"It still waits {self.terms()}"
                + (f", with {fmt.quantity(left)} to go." if order.filled_quantity else ".")
            ]
        when = "" if order.closed_step is None else f" on {self.at(order.closed_step)}"
        if order.reason is None:
            return [f"It was filled in full{when}."]
        word = "filled in part" if order.status == "partially_filled" else order.status
        lines = [f"It was {word}{when}: {self.reason(order.reason)}."]
        if order.reason == "insufficient_cash" and not self.fills:
            lines += self.short_of_cash()
        remedy = REMEDIES.get(order.reason)
        if remedy:
            lines.append(f"What would be right: {remedy}.")
        return lines

    def short_of_cash(self) -> list[str]:
        """What it would have cost, where its bar and its size are known."""
        order = self.order
        step = order.closed_step
        if step is None or order.quantity is None or order.side != "buy":
            return []
        bar = self.bar(step)
        before = step - 1
        if bar is None or not 0 <= before < len(self.detail.cash):
            return []
        price = bar[3] if self.rules.get("fill") == "close" else bar[0]
        asked = f"{fmt.quantity(order.quantity)} at about {fmt.price(price)}"
        cash = self.money(float(self.detail.cash[before]))
        return [f"{asked} come to {self.money(order.quantity * price)}; cash was {cash} before."]

    def reason(self, code: str) -> str:
        return REASONS.get(code, code.replace("_", " "))


def _of_step(fills: Sequence[Fill], step: int) -> Sequence[Fill]:
    first = bisect_left(fills, step, key=lambda fill: fill.step_index)
    last = bisect_left(fills, step + 1, key=lambda fill: fill.step_index)
    return fills[first:last]
