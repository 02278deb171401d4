"""Real daily bars out of the ``bokeh_sampledata`` package: no network, no key.

The package reads them from Quandl's WIKI prices, which are in the public domain.
"""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date
from functools import lru_cache
from importlib.resources import files

import numpy as np

from engine.errors import MarketDataUnavailable
from engine.market.bars import FIELDS
from engine.market.calendars import day_number
from engine.market.rows import Cancelled, Progress, Rows
from engine.market.timeframes import DAY
from engine.model import CorporateAction

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
RESOURCE = ("_data", "stocks.csv.gz")

ACTIONS = (
    # The prices are raw. Splits of these five between 2000-03-01 and 2013-03-01, from the
    # companies' own announcements; AAPL's fall of 2000-09-29 is a fall.
    CorporateAction("AAPL", "2000-06-21", "split", 2.0),
    CorporateAction("MSFT", "2003-02-18", "split", 2.0),
    CorporateAction("AAPL", "2005-02-28", "split", 2.0),
)


@lru_cache(maxsize=1)
def read_sample() -> Rows:
    """All bars of the package, stamped at midnight UTC of their date.

    Raises ``MarketDataUnavailable`` where the package or its file is missing.
    """
    try:
        packed = files("bokeh_sampledata").joinpath(*RESOURCE).read_bytes()
    except (ImportError, OSError) as error:
        raise MarketDataUnavailable(
            "the sample bars are not installed",
            field="source",
            remedy="pip install 'bokeh_sampledata>=2026.1'",
        ) from error
    reader = csv.reader(io.StringIO(gzip.decompress(packed).decode()))
    header = [name.strip().lower() for name in next(reader)]
    columns = list(zip(*reader, strict=True))
    cells = dict(zip(header, columns, strict=True))
    places = {symbol: code for code, symbol in enumerate(SYMBOLS)}
    days = {text: day_number(date.fromisoformat(text)) for text in set(cells["date"])}
    return Rows(
        symbols=SYMBOLS,
        codes=np.array([places[symbol] for symbol in cells["ticker"]], dtype=np.int32),
        stamps=np.array([days[text] for text in cells["date"]], dtype=np.int64) * DAY,
        fields={name: np.array(cells[name], dtype=np.float64) for name in FIELDS},
        locate=lambda row: f"stocks.csv.gz line {row + 2}",
        actions=ACTIONS,
    )


def load_sample(progress: Progress | None, cancelled: Cancelled | None) -> Rows:
    """The bars of :func:`read_sample`; they are few, so there is nothing to cancel."""
    del cancelled
    rows = read_sample()
    if progress is not None:
        for done, symbol in enumerate(SYMBOLS, start=1):
            progress(symbol, done, len(SYMBOLS))
    return rows
