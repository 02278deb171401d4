"""Values to JSON and back: one wire form for ledger, tape and every protocol.

The wire form of a decision is the tape's line (without its ``at`` or ``step``): ``orders``,
``targets``, ``cancel``, ``confidence``, ``rationale``; what is empty or a default is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

from engine.errors import InvalidTape, StrategyError
from engine.model import HOLD, Decision, Order, Target

ORDER_FIELDS = frozenset(Order._fields)
TARGET_FIELDS = frozenset(Target._fields)
NOT_FINITE = frozenset({"nan", "inf", "-inf"})
DECISION_FIELDS = frozenset({"orders", "targets", "cancel", "confidence", "rationale"})
TARGETS_REMEDY = 'e.g. "targets": {"AAPL": 0.25}, or [{"symbol": "AAPL", "shares": 10}]'
ORDERS_REMEDY = 'e.g. "orders": [{"symbol": "AAPL", "side": "buy", "quantity": 10}]'
DECISION_REMEDY = 'e.g. {"targets": {"AAPL": 0.25}}'

_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
)


def dumps(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, no NaN. Equal values give equal text.

    Raises ``ValueError`` for a NaN or an infinity, ``TypeError`` for what JSON does not have.
    """
    return _encoder.encode(value)


def loads(text: str | bytes) -> Any:
    """JSON text to plain values; NaN and infinities are refused with ``ValueError``."""
    return json.loads(text, parse_constant=_refuse_constant)


def loads_input(text: str | bytes) -> Any:
    """JSON text of somebody else's to plain values, as ``loads``.

    A name given twice in one object, of which JSON readers keep one in silence, and nesting beyond
    all measure are refused with ``ValueError`` too.
    """
    try:
        return json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated_names
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{name!r} is given twice")
            seen.add(name)
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def finite(value: float | None) -> float | None:
    """The value, or None where it is NaN or infinite: absence is not a value (policy F5)."""
    return value if value is not None and math.isfinite(value) else None


def as_decision(answer: object) -> Decision:
    """What a strategy answered, as a decision.

    Accepted: None (hold), one ``Order`` or ``Target``, an iterable of both, a ``Decision``. Orders
    come before targets, each in the order given, which is also how a tape lists them.

    Raises ``StrategyError`` naming what was answered instead.
    """
    if answer is None:
        return HOLD
    if isinstance(answer, Decision):
        if answer.rationale is None:
            return answer
        return answer._replace(rationale=writable_text(answer.rationale))
    if isinstance(answer, Order):
        return Decision((answer,))
    if isinstance(answer, Target):
        return Decision((), (answer,))
    if isinstance(answer, (str, bytes, Mapping)) or not isinstance(answer, Iterable):
        raise StrategyError(
            f"decide answered {name_of(answer)}", remedy="answer Order and Target values, or None"
        )
    orders: list[Order] = []
    targets: list[Target] = []
    for intent in answer:
        if isinstance(intent, Target):
            targets.append(intent)
        elif isinstance(intent, Order):
            orders.append(intent)
        else:
            raise StrategyError(
                f"decide answered a list that holds {name_of(intent)}",
                remedy="answer Order and Target values, or None",
            )
    return Decision(tuple(orders), tuple(targets))


def name_of(value: object) -> str:
    """What kind of thing it is and how it looks, for somebody who gave it where it cannot stand."""
    text = repr(value)
    return f"{type(value).__name__} {text[:60]}{'…' if len(text) > 60 else ''}"


def writable_text(value: object) -> str:
    """The value as text that UTF-8 can write: half a surrogate pair becomes a question mark.

    A strategy or a JSON escape may hold one; neither a ledger nor a tape can.
    """
    text = value if type(value) is str else str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def encode_order(order: Order) -> dict[str, Any]:
    """The order's wire form; fields that are None are left out.

    A number that JSON does not have becomes ``"nan"``, ``"inf"`` or ``"-inf"``: the policy rejects
    such an order, and its record must be able to say what was asked.
    """
    return _without_none(order)


def _without_none(intent: Order | Target) -> dict[str, Any]:
    return {name: _writable(value) for name, value in intent._asdict().items() if value is not None}


def _writable(value: Any) -> Any:
    return str(float(value)) if isinstance(value, float) and not math.isfinite(value) else value


def encode_decision(decision: Decision) -> dict[str, Any]:
    """The decision's wire form.

    Plain weights of distinct symbols become the mapping ``{"AAPL": 0.25}``; other targets a list of
    objects with ``symbol``, ``weight`` or ``shares``, and ``tag``.
    """
    wire: dict[str, Any] = {}
    if decision.orders:
        wire["orders"] = [encode_order(order) for order in decision.orders]
    if decision.targets:
        weights = {target.symbol: target.weight for target in decision.targets}
        plain = len(weights) == len(decision.targets) and all(
            target.weight is not None and target.shares is None and target.tag is None
            for target in decision.targets
        )
        wire["targets"] = (
            # The order of a tape's targets is the order of submission, so the keys must keep it.
            {symbol: _writable(weight) for symbol, weight in weights.items()}
            if plain
            else [_without_none(target) for target in decision.targets]
        )
    if decision.cancels:
        wire["cancel"] = list(decision.cancels)
    if decision.confidence is not None:
        wire["confidence"] = _writable(decision.confidence)
    if decision.rationale is not None:
        wire["rationale"] = decision.rationale
    return wire


def _plain(value: object) -> object:
    """A numpy scalar that a strategy put into an order, as the plain value it stands for."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{name_of(value)} cannot be recorded")
    return item()


_ordered_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
)


_quoted = lru_cache(maxsize=4096)(_ordered_encoder.encode)


@lru_cache(maxsize=4096)
def _weighted(symbol: str, weight: float) -> str:
    # Not for zeros, which are equal whatever their sign.
    return f"{_quoted(symbol)}:{weight!r}"


def decision_text(decision: Decision) -> str:
    """The decision's wire form as JSON text; targets keep their order of submission."""
    orders, targets, cancels, confidence, rationale = decision
    if targets and not (orders or cancels) and confidence is None and rationale is None:
        # As the encoder writes them, in a third of the time.
        weights = {
            symbol: _weighted(symbol, weight) if weight else f"{_quoted(symbol)}:{weight!r}"
            for symbol, weight, shares, tag in targets
            if type(weight) is float and isfinite(weight) and shares is None and tag is None
        }
        if len(weights) == len(targets):
            return f'{{"targets":{{{",".join(weights.values())}}}}}'
    return _ordered_encoder.encode(encode_decision(decision))


def decode_decision(wire: object) -> Decision:
    """The decision of a wire form, given as parsed JSON.

    Shape alone is checked here: what the policy refuses (a quantity <= 0, an unknown side) is a
    recorded rejection later. Raises ``InvalidTape`` with the field that is no such thing.
    """
    if not isinstance(wire, Mapping):
        raise InvalidTape(
            f"a decision is a JSON object, not {name_of(wire)}",
            field="decision",
            remedy=DECISION_REMEDY,
        )
    unknown = sorted(set(wire) - DECISION_FIELDS)
    if unknown:
        raise InvalidTape(
            f"unknown field {unknown[0]!r}",
            field=unknown[0],
            remedy=f"a decision has {', '.join(sorted(DECISION_FIELDS))}",
        )
    cancels = wire.get("cancel") or ()
    if not isinstance(cancels, (list, tuple)) or not all(isinstance(tag, str) for tag in cancels):
        raise InvalidTape(
            f"cancel is a list of order tags, not {name_of(wire['cancel'])}",
            field="cancel",
            remedy='e.g. "cancel": ["entry"]',
        )
    return Decision(
        orders=tuple(_decode_order(order) for order in _list(wire, "orders")),
        targets=_decode_targets(wire.get("targets")),
        cancels=tuple(cancels),
        confidence=_number(wire, "confidence"),
        rationale=_text(wire, "rationale"),
    )


def _list(wire: Mapping[str, Any], name: str) -> list[Any]:
    value = wire.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidTape(
            f"{name} is a list, not {name_of(value)}", field=name, remedy=ORDERS_REMEDY
        )
    return value


def _decode_order(wire: object) -> Order:
    if not isinstance(wire, Mapping):
        raise InvalidTape(
            f"an order is a JSON object, not {name_of(wire)}", field="orders", remedy=ORDERS_REMEDY
        )
    _check_fields(wire, ORDER_FIELDS, Order._fields, "an order")
    symbol, side, quantity = _text(wire, "symbol"), _text(wire, "side"), _number(wire, "quantity")
    for name, value in (("symbol", symbol), ("side", side), ("quantity", quantity)):
        if value is None:
            raise InvalidTape(f"an order needs {name}", field=name, remedy=ORDERS_REMEDY)
    assert symbol is not None
    assert side is not None
    assert quantity is not None
    return Order(
        symbol,
        side,
        quantity,
        _text_or(wire, "quantity_type", "shares"),
        _text_or(wire, "order_type", "market"),
        _number(wire, "limit_price"),
        _number(wire, "stop_price"),
        _text_or(wire, "time_in_force", "day"),
        _text(wire, "oco_group"),
        _text(wire, "tag"),
    )


def _check_fields(
    wire: Mapping[str, Any], known: frozenset[str], names: Iterable[str], noun: str
) -> None:
    unknown = sorted(set(wire) - known)
    if unknown:
        raise InvalidTape(
            f"{noun} has no field {unknown[0]!r}",
            field=unknown[0],
            remedy=f"it has {', '.join(names)}",
        )


def _decode_targets(wire: object) -> tuple[Target, ...]:
    if wire is None:
        return ()
    if isinstance(wire, Mapping):
        return tuple(
            _weight(str(symbol), _number(wire, symbol, f"the target of {symbol}"))
            for symbol in wire
        )
    if not isinstance(wire, list) or not all(isinstance(item, Mapping) for item in wire):
        raise InvalidTape(
            f"targets is an object of weights by symbol, not {name_of(wire)}",
            field="targets",
            remedy=TARGETS_REMEDY,
        )
    return tuple(_decode_target(item) for item in wire)


def _weight(symbol: str, weight: float | None) -> Target:
    if weight is None:
        raise InvalidTape(
            f"the target {symbol} has no weight",
            field=symbol,
            remedy="give a number, 0 to hold none of it",
        )
    return Target(symbol, weight)


def _decode_target(wire: Mapping[str, Any]) -> Target:
    _check_fields(wire, TARGET_FIELDS, Target._fields, "a target")
    symbol = _text(wire, "symbol")
    if symbol is None:
        raise InvalidTape("a target needs symbol", field="symbol", remedy=TARGETS_REMEDY)
    # With both of weight and shares, or neither, it is for the policy to reject: a strategy may
    # have asked for that, and its log must replay.
    return Target(symbol, _number(wire, "weight"), _number(wire, "shares"), _text(wire, "tag"))


def _number(wire: Mapping[str, Any], name: str, said: str | None = None) -> float | None:
    value = wire.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value in NOT_FINITE:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidTape(
            f"{said or name} is {name_of(value)}, not a number",
            field=name,
            remedy="write it without quotes, e.g. 10 or 0.25",
        )
    return value


def _text(wire: Mapping[str, Any], name: str) -> str | None:
    value = wire.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidTape(
            f"{name} is {name_of(value)}, not text", field=name, remedy="write it in double quotes"
        )
    return value


def _text_or(wire: Mapping[str, Any], name: str, default: str) -> str:
    # An empty text is no default: the policy rejected it live, and will again.
    value = _text(wire, name)
    return default if value is None else value
