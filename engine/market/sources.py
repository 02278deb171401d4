"""Where bars come from: ``resolve`` looks cheaply, ``BarSource.load`` reads.

Nothing is loaded before a source has said that it can be: what ``resolve`` raises is refused input,
what ``load`` raises ends a run that was accepted.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InvalidOption, NotAvailable, UnknownSource, UnknownSymbol
from engine.market import sample, synthetic
from engine.market.actions import COLUMN_SPECS, ActionChoice, read_actions
from engine.market.assemble import Window, assemble
from engine.market.calendars import check_calendar
from engine.market.files import (
    FORMATS,
    Scan,
    choose_timeframe,
    expand,
    format_of,
    load_files,
    read_headers,
    scan_files,
)
from engine.market.frames import read_frames
from engine.market.pool import pooled
from engine.market.rows import Cancelled, Progress, Rows
from engine.market.stamps import check_zone
from engine.market.timeframes import check_timeframe

if TYPE_CHECKING:
    import pandas as pd

    from engine.market.bars import Bars
    from engine.market.headers import Header
    from engine.model import RunRequest

SOURCES = "sample, synthetic[:k=v,…], csv:PATH, parquet:PATH"


@dataclass(frozen=True, eq=False)
class BarSource:
    """A window of bars that can be had, and what is known of it before it is read.

    ``symbols`` are those of the request, in its order, else all the source has; ``source`` is the
    text that means the same from any folder; ``label`` is for people. ``again`` opens the same bars
    for another request where no text leads to them.
    """

    symbols: tuple[str, ...]
    timeframe: str
    source: str
    label: str
    provenance: Mapping[str, Any]
    key: tuple[object, ...]
    window: Window
    read: Callable[[Progress | None, Cancelled | None], Rows]
    again: Callable[[RunRequest], BarSource] | None = None

    def load(self, progress: Progress | None = None, cancelled: Cancelled | None = None) -> Bars:
        """The bars; the same arrays again while somebody still holds them.

        Raises ``MarketDataInvalid`` naming the bar and field that break a rule,
        ``MarketDataUnavailable`` for an empty window, ``LoadCancelled`` when asked to stop.
        """
        return pooled(
            self.key,
            lambda: assemble(
                self.read(progress, cancelled), self.window, self.label, self.provenance
            ),
        )


def resolve(request: RunRequest) -> BarSource:
    """The source that the request names, with its window.

    Raises ``UnknownSource``, ``UnknownSymbol``, ``InvalidOption``, ``InvalidFile`` or
    ``NotAvailable``: all input errors. For files, names and stamps are read, prices are not.
    """
    _check(request)
    name, colon, rest = request.source.partition(":")
    if request.source == "sample":
        return _sample(request)
    if name == "synthetic":
        return _synthetic(request, rest)
    if name in FORMATS and colon:
        return _files(request, name, rest)
    guessed = format_of(request.source)
    if guessed is not None:
        return _files(request, guessed, request.source)
    if name == "alpaca":
        raise NotAvailable(
            "the source alpaca is not there yet", field="source", remedy=f"there are {SOURCES}"
        )
    raise UnknownSource(
        f"no bar source {request.source!r}", field="source", remedy=f"there are {SOURCES}"
    )


def _check(request: RunRequest) -> None:
    check_timeframe(request.timeframe)
    check_calendar(request.calendar)
    check_zone(request.tz)
    if request.start and request.end and request.start > request.end:
        raise InvalidOption(
            f"start {request.start} is after end {request.end}",
            field="start",
            remedy="exchange them",
        )


def _sample(request: RunRequest) -> BarSource:
    symbols = _choose(request.symbols, sample.SYMBOLS, "sample")
    if request.timeframe not in (None, "1Day"):
        raise InvalidOption(
            f"sample has daily bars, not {request.timeframe}",
            field="timeframe",
            remedy="leave it out, or take another source",
        )
    window = _window(request, symbols, "1Day", _own_actions(request, "sample"))
    return BarSource(
        symbols,
        "1Day",
        "sample",
        "sample",
        {
            "source": "sample",
            "feed": "Quandl WIKI, by bokeh_sampledata",
            "adjustment": "raw",
        },
        ("sample", window),
        window,
        sample.load_sample,
    )


def _synthetic(request: RunRequest, text: str) -> BarSource:
    parameters = synthetic.parse_parameters(text)
    symbols = request.symbols or synthetic.symbol_names(parameters.symbols)
    _no_repeats(symbols)
    for symbol in symbols:
        synthetic.check_symbol(symbol)
    timeframe = request.timeframe or "1Day"
    synthetic.check_size(
        parameters, len(symbols), timeframe, request.calendar, request.start, request.end
    )
    window = _window(request, symbols, timeframe, _own_actions(request, "synthetic"))

    def read(progress: Progress | None, cancelled: Cancelled | None) -> Rows:
        grid = synthetic.make_grid(
            parameters, timeframe, request.calendar, request.start, request.end
        )
        return synthetic.load_synthetic(parameters, symbols, grid, timeframe, progress, cancelled)

    return BarSource(
        symbols,
        timeframe,
        request.source,
        request.source,
        {"source": request.source, "feed": "synthetic", "adjustment": "raw", "synthetic": True},
        (request.source, window),
        window,
        read,
    )


def _files(request: RunRequest, format_name: str, pattern: str) -> BarSource:
    if not pattern.strip():
        raise InvalidOption(
            f"--source {format_name}: names no file",
            field="source",
            remedy=f"give {format_name}:PATH",
        )
    paths = expand(pattern, format_name)
    headers = read_headers(paths, format_name)
    label = paths[0].name if len(paths) == 1 else f"{len(paths)} files of {pattern}"
    scan = scan_files(headers, format_name, request.tz)
    symbols = _choose(request.symbols, scan.symbols, label)
    timeframe = choose_timeframe(scan, request.timeframe, label, repair=request.repair)
    window = _window(request, symbols, timeframe, _file_actions(request, headers.values(), label))
    states = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    ignored = sorted({name for header in headers.values() for name in header.ignored if name})
    return BarSource(
        symbols,
        timeframe,
        f"{format_name}:{Path(pattern).expanduser().absolute()}",
        label,
        {
            "source": f"{format_name}:{pattern}",
            "feed": "file",
            "adjustment": "as in the file",
            "files": [str(path) for path in paths],
            "tz": request.tz,
            "ignored_columns": ignored,
        },
        (format_name, states, request.tz, window),
        window,
        lambda progress, cancelled: load_files(
            headers, format_name, request.tz, progress, cancelled
        ),
    )


def from_frames(bars: pd.DataFrame | Mapping[str, pd.DataFrame], request: RunRequest) -> BarSource:
    """A source of bars at hand: a DataFrame in the columns of a bar file, or one by symbol.

    Raises what :func:`resolve` raises; ``request.source`` is not looked at.
    """
    _check(request)
    headers, rows = read_frames(bars, request.tz)
    return _frames(headers, rows, object(), request)


def _frames(headers: tuple[Header, ...], rows: Rows, key: object, request: RunRequest) -> BarSource:
    symbols = _choose(request.symbols, rows.symbols, "the frame")
    scan = Scan(rows.symbols, rows.codes, rows.stamps)
    timeframe = choose_timeframe(scan, request.timeframe, "the frame")
    window = _window(request, symbols, timeframe, _file_actions(request, headers, "the frame"))
    return BarSource(
        symbols,
        timeframe,
        "frame",
        "frame",
        {"source": "frame", "feed": "frame", "adjustment": "as in the frame", "tz": request.tz},
        (key, window),
        window,
        lambda _progress, _cancelled: rows,
        partial(_frames, headers, rows, key),
    )


def _window(
    request: RunRequest, symbols: tuple[str, ...], timeframe: str, actions: ActionChoice
) -> Window:
    return Window(
        symbols,
        request.start,
        request.end,
        timeframe,
        request.calendar,
        request.repair,
        actions,
    )


def _choose(wanted: tuple[str, ...] | None, there: tuple[str, ...], label: str) -> tuple[str, ...]:
    """The wanted symbols, all of which must be there; all that are there where none are named."""
    if not there:
        return wanted or ()
    if wanted is None:
        return there
    _no_repeats(wanted)
    for symbol in wanted:
        if symbol not in there:
            close = difflib.get_close_matches(symbol.upper(), there, n=1)
            some = ", ".join(there[:12]) + (f" … ({len(there)} in all)" if len(there) > 12 else "")
            raise UnknownSymbol(
                f"{label} has no symbol {symbol!r}",
                field="symbols",
                remedy=(f"did you mean {close[0]}? " if close else "") + f"it has {some}",
            )
    return wanted


def _no_repeats(symbols: tuple[str, ...]) -> None:
    if not symbols:
        raise InvalidOption("no symbols", field="symbols", remedy="name one, or leave it out")
    seen: set[str] = set()
    for symbol in symbols:
        if symbol in seen:
            raise InvalidOption(
                f"symbol {symbol} is named twice", field="symbols", remedy="name it once"
            )
        seen.add(symbol)


def _own_actions(request: RunRequest, label: str) -> ActionChoice:
    """For a source that knows its actions: they apply unless something else is said."""
    if request.actions is None:
        return ActionChoice(own=True)
    if request.actions in COLUMN_SPECS:
        raise InvalidOption(
            f"{label} has no action columns",
            field="actions",
            remedy="leave --actions out for its own actions, or give none or a file",
        )
    return _given_actions(request.actions)


def _file_actions(request: RunRequest, headers: Iterable[Header], label: str) -> ActionChoice:
    kinds = COLUMN_SPECS.get(request.actions or "none")
    if kinds is None:
        return _given_actions(request.actions or "none")
    there = {kind for header in headers for kind in kinds if kind in header.places}
    if not there or (len(kinds) == 1 and set(kinds) != there):
        raise InvalidOption(
            f"{label} has no column {' or '.join(kinds)}",
            field="actions",
            remedy="give none, or a file of actions",
        )
    return ActionChoice(columns=tuple(kinds))


def _given_actions(text: str) -> ActionChoice:
    if text == "none":
        return ActionChoice()
    return ActionChoice(given=read_actions(Path(text).expanduser()), silent=True)
