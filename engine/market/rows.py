"""Bars as a source has them: long, one row a bar, in any order; and what is wrong with some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.model import CorporateAction

Progress = Callable[[str, int, int], None]
"""``progress(what, done, total)``: a symbol or file has been read."""
Cancelled = Callable[[], bool]
"""Asked between symbols and files; True stops the loading."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that breaks a rule: where, whose bar, which field, and which rule in words.

    ``kind`` is the rule without the row's own values, for counts.
    """

    where: str
    symbol: str | None
    stamp: str | None
    field: str
    kind: str
    detail: str

    @property
    def text(self) -> str:
        """One line: ``prices.csv line 7: AAPL 2026-03-02T15:30:00Z: high 99 is below ...``."""
        bar = " ".join(part for part in (self.symbol, self.stamp) if part)
        return ": ".join(part for part in (self.where, bar, self.detail) if part)


@dataclass(frozen=True, eq=False)
class Rows:
    """R bars in long form.

    ``codes`` int32 [R] index ``symbols``; ``stamps`` int64 [R], microseconds since the epoch;
    ``fields`` maps open, high, low, close and volume to float64 [R], NaN for what is missing.
    ``dividends`` and ``splits`` float64 [R] are the source's action columns, where it has them: 0
    for none. ``actions`` are those the source knows besides. ``locate(row)`` says where row ``row``
    stands in the source, ``index`` int64 [R] is that row's number where some have been left out.
    ``unread`` are lines that could not be read, and are not among the R.
    """

    symbols: tuple[str, ...]
    codes: NDArray[np.int32]
    stamps: NDArray[np.int64]
    fields: Mapping[str, NDArray[np.float64]]
    locate: Callable[[int], str]
    index: NDArray[np.int64] | None = None
    dividends: NDArray[np.float64] | None = None
    splits: NDArray[np.float64] | None = None
    actions: tuple[CorporateAction, ...] = ()
    unread: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.stamps)

    def where(self, row: int) -> str:
        """Where row ``row`` stands in the source: ``prices.csv line 7``."""
        return self.locate(row if self.index is None else int(self.index[row]))

    def take(self, kept: NDArray[np.bool_]) -> Rows:
        """The rows where ``kept`` (bool [R]) is true; they still know where they stood."""
        if kept.all():
            return self
        index = np.arange(len(self)) if self.index is None else self.index
        return replace(
            self,
            codes=self.codes[kept],
            stamps=self.stamps[kept],
            fields={name: values[kept] for name, values in self.fields.items()},
            index=index[kept],
            dividends=None if self.dividends is None else self.dividends[kept],
            splits=None if self.splits is None else self.splits[kept],
        )

    def choose(self, symbols: tuple[str, ...]) -> Rows:
        """The rows of these symbols, coded in this order."""
        if symbols == self.symbols:
            return self
        places = {symbol: code for code, symbol in enumerate(symbols)}
        recode = np.array([places.get(symbol, -1) for symbol in self.symbols], dtype=np.int32)
        codes = recode[self.codes]
        return replace(self, codes=codes, symbols=symbols).take(codes >= 0)
