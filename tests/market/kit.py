"""Small bar files and short ways to load them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.market import Bars, BarSource, resolve
from engine.model import RunRequest

HEADER = "symbol,timestamp,open,high,low,close,volume"
HOURS = ("14:30", "15:30", "16:30", "17:30")


def request(source: str, **options: Any) -> RunRequest:
    """A request for bars of ``source``; the strategy does not matter here."""
    return RunRequest(strategy="buy_and_hold", source=source, **options)


def source(text: str, **options: Any) -> BarSource:
    """The source, resolved."""
    return resolve(request(text, **options))


def load(text: str, **options: Any) -> Bars:
    """The bars of a source."""
    return source(text, **options).load()


def bar(symbol: str = "AAPL", stamp: str = "2026-03-02T14:30:00Z", cells: str = "") -> str:
    """One good line of a bar file, or one with other numbers."""
    return f"{symbol},{stamp},{cells or '100,101,99,100,1000'}"


def write(folder: Path, *lines: str, name: str = "bars.csv", header: str = HEADER) -> str:
    """Write a CSV file of these lines; returns its source text."""
    path = folder / name
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return f"csv:{path}"


def hourly(folder: Path, *lines: str) -> str:
    """A file of four good hourly bars of one session, and after them these lines."""
    return write(folder, *(bar(stamp=f"2026-03-02T{hour}:00Z") for hour in HOURS), *lines)
