"""Axes: where ticks stand and what they say. Pure functions."""

from __future__ import annotations

from datetime import UTC, tzinfo
from math import ceil, floor, isfinite, log10
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.model import stamp_datetime

Floats = npt.NDArray[np.float64]
Stamps = npt.NDArray[np.int64]

_DAY_US: Final = 86_400_000_000
# From which magnitude on an axis counts in a unit; four digits still read well as they are.
_UNITS: Final = ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))


class Span(NamedTuple):
    """The values an axis covers, ``low < high``."""

    low: float
    high: float

    def rows(self, values: Floats, rows: int) -> npt.NDArray[np.intp]:
        """The row of each value, 0 at the top: ``high`` in the first row, ``low`` in the last."""
        scaled = (self.high - values) * ((rows - 1) / (self.high - self.low))
        return np.clip(np.rint(scaled), 0, max(0, rows - 1)).astype(np.intp)

    def row(self, value: float, rows: int) -> int:
        """The row of one value."""
        return int(self.rows(np.array([value]), rows)[0])

    def holds(self, value: float) -> bool:
        """Whether the value lies within."""
        return self.low <= value <= self.high


def span_of(low: float, high: float, pad: float = 0.04) -> Span:
    """A span around values from ``low`` to ``high``, with room; a flat series lies midway."""
    if not (isfinite(low) and isfinite(high)):
        return Span(0.0, 1.0)
    size = high - low
    # Closer than this is one value: the difference is rounding, and its ticks would all read alike.
    if size <= max(abs(high) * 1e-9, 1e-12):
        room = abs(high) * 0.005 if abs(high) > 1e-9 else 1.0
        return Span(low - room, high + room)
    return Span(low - size * pad, high + size * pad)


def nice_step(span: float, most: int) -> float:
    """The least of 1, 2, 2.5, 5 x 10^n that parts ``span`` at most ``most`` times."""
    least = span / max(1, most)
    power = 10.0 ** floor(log10(least))
    for factor in (1.0, 2.0, 2.5, 5.0):
        if factor * power >= least * (1 - 1e-9):
            return factor * power
    return 10.0 * power


def value_ticks(span: Span, most: int) -> tuple[list[float], float]:
    """Round values within the span, at most about ``most``, and the step between them."""
    step = nice_step(span.high - span.low, most)
    first, last = ceil(span.low / step - 1e-9), floor(span.high / step + 1e-9)
    return [index * step for index in range(first, last + 1)], step


def tick_text(value: float, step: float, largest: float) -> str:
    """A tick's value, short, with just the decimals that tell it from its neighbours.

    ``largest`` (the greatest magnitude on the axis) chooses the unit for all of them.
    """
    scale, letter = next(
        ((scale, letter) for start, scale, letter in _UNITS if largest >= start), (1.0, "")
    )
    if value == 0 and letter:
        return "0"
    part = step / scale
    decimals = max(0, ceil(-log10(part) - 1e-9))
    # 2.5 and 0.25 need one more digit than their power says.
    if abs(part * 10**decimals - round(part * 10**decimals)) > 1e-6:
        decimals += 1
    text = f"{value / scale:,.{decimals}f}{letter}"
    return text.removeprefix("-") if float(f"{value / scale:.{decimals}f}") == 0 else text


def tag_text(value: float, largest: float) -> str:
    """A single value on the same axis, with two decimals of its unit."""
    scale = next((scale for start, scale, _ in _UNITS if largest >= start), 1.0)
    return tick_text(value, scale / 100, largest)


class Label(NamedTuple):
    """Text under a column of a chart."""

    column: int
    text: str


def all_midnight(stamps: Stamps) -> bool:
    """Whether these are the stamps of daily bars: midnight UTC, whose date holds in any zone."""
    return bool(len(stamps)) and not bool(np.any(stamps % _DAY_US))


# Units finest first: name, the least cells a label takes, and the sizes that are tried.
_TIME_UNITS: Final = (
    ("time", 5, (1, 5, 15, 30, 60, 120, 240)),
    ("day", 6, (1, 7, 14)),
    ("month", 4, (1, 2, 3, 6)),
    ("year", 4, (1, 2, 5, 10, 25, 50, 100)),
)


def time_labels(stamps: Stamps, zone: tzinfo = UTC, gap: int = 3) -> list[Label]:
    """Labels under columns whose left edges have these stamps, ``int64[columns]`` microseconds UTC.

    The finest of time, day, month and year whose turns all have room is taken; where a larger unit
    turns with it the label says the larger one (``2025`` among months). A stamp below zero is a
    column without a time.
    """
    known = np.flatnonzero(stamps >= 0)
    if not len(known):
        return []
    daily = all_midnight(stamps[known])
    # One offset for the whole axis: an hour of summer time moves no label by a column that anybody
    # could see, and asking the zone for each costs more than drawing the chart.
    middle = stamp_datetime(int(stamps[known[len(known) // 2]])).astimezone(zone)
    offset = middle.utcoffset()
    shift = 0 if daily or offset is None else int(offset.total_seconds()) * 1_000_000
    local = (stamps[known] + shift).astype("datetime64[us]")
    counts = {
        "time": local.astype("datetime64[m]").astype(np.int64),
        "day": local.astype("datetime64[D]").astype(np.int64) + 3,  # weeks begin on Monday
        "month": local.astype("datetime64[M]").astype(np.int64),
        "year": local.astype("datetime64[Y]").astype(np.int64) + 1970,
    }
    for unit, least, sizes in _TIME_UNITS[1 if daily else 0 :]:
        for size in sizes:
            turns = _turns(counts[unit] // size)
            # The usual distance decides: a short day among long ones only loses its label.
            apart = np.median(np.diff(known[turns])) if len(turns) > 1 else np.inf
            if len(turns) and apart >= least + gap:
                return _turn_labels(local, known, counts, unit, size, turns, gap)
    return [Label(int(known[0]), _label(local[0], "day" if daily else "time"))]


def _turns(keys: Stamps) -> npt.NDArray[np.intp]:
    """The places where the key differs from the one before."""
    return np.flatnonzero(keys[1:] != keys[:-1]) + 1


def _turn_labels(
    local: npt.NDArray[np.datetime64],
    known: npt.NDArray[np.intp],
    counts: dict[str, Stamps],
    unit: str,
    size: int,
    turns: npt.NDArray[np.intp],
    gap: int,
) -> list[Label]:
    larger = {"time": "day", "month": "year"}.get(unit)
    labels = []
    for turn in turns.tolist():
        moment, named = local[turn], unit
        if larger and counts[larger][turn] != counts[larger][turn - 1]:
            named = larger
        if named == "time":
            # The column holds the round time, though its first bar may come a little later.
            minute = int(counts["time"][turn]) // size * size
            moment = np.datetime64(minute, "m").astype("datetime64[us]")
        labels.append(Label(int(known[turn]), _label(moment, named)))
    first = Label(int(known[0]), _label(local[0], "day" if unit == "time" else unit))
    # What the first column is called must not push out the first turn.
    if labels[0].column >= first.column + len(first.text) + gap:
        labels.insert(0, first)
    # Turns wobble by a column; one that stands a little closer keeps its label.
    return _spaced(labels, gap - 1)


def _label(moment: np.datetime64, unit: str) -> str:
    when = stamp_datetime(int(moment.astype(np.int64)))
    if unit == "year":
        return f"{when:%Y}"
    if unit == "month":
        return f"{when:%b}"
    if unit == "day":
        return f"{when.day} {when:%b}"
    return f"{when:%H:%M}"


def _spaced(labels: list[Label], gap: int) -> list[Label]:
    """The labels that have room, from the left."""
    kept: list[Label] = []
    end = -gap
    for label in labels:
        if label.column >= end + gap or not kept:
            kept.append(label)
            end = label.column + len(label.text)
    return kept


def step_labels(columns: int, start: int, stop: int, gap: int = 3) -> list[Label]:
    """Step numbers under a chart of ``columns`` that has steps ``start`` up to before ``stop``."""
    if columns <= 0 or stop <= start:
        return []
    width = len(f"{stop:,}") + gap
    step = max(1, ceil(nice_step(stop - start, max(1, columns // width))))
    return _spaced(
        [
            Label(int((value - start + 0.5) * columns / (stop - start)), f"{value:,}")
            for value in range(-(-start // step) * step, stop, step)
        ],
        gap,
    )
