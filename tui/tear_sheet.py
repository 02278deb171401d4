"""A run as one page of HTML: our own figures and rules, then the charts and tables of quantstats.

The page holds everything it shows: no script, no font and no picture comes from anywhere else.
Where our figures and those of quantstats have one name, ours are of the policy's formulas, which
stand beside them.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidOption, NotAvailable
from engine.model import RunRecord, stamp_text
from engine.sim.metrics import FORMULAS
from engine.sim.reasons import REMEDIES
from tui.format import DASH, money
from tui.gateway import BARS_GONE
from tui.plain import figure, notices, rule_text, rules_in_force
from tui.steps import count_of

if TYPE_CHECKING:
    import pandas as pd

    from engine.sim.panel import Panel
    from tui.gateway import Gateway, RunDetail

_ICON: Final = re.compile(r"\s*<link rel=\"shortcut icon\"[^>]*>")
_BODY: Final = re.compile(r"<body[^>]*>")
_STYLE: Final = (
    "<style>.stepdeck{display:grid;grid-template-columns:1fr 1fr;gap:0 36px}"
    ".stepdeck table{margin:0 0 24px}.stepdeck td{text-align:left;vertical-align:top}"
    ".stepdeck td+td{text-align:right}.stepdeck td.formula,.stepdeck code{color:#666;"
    "font-size:11px;text-align:left;overflow-wrap:anywhere}.stepdeck .wide{grid-column:1/-1}"
    "</style>"
)


def tear_sheet(gateway: Gateway, run_id: str) -> tuple[str, int]:
    """The page of a run, and of how many days it is.

    Raises ``NotAvailable`` without quantstats, ``InvalidOption`` for a run that has settled
    nothing.
    """
    reports = _quantstats()
    detail = gateway.detail(run_id)
    if not len(detail.equity):
        raise InvalidOption(
            f"run {run_id} has settled nothing yet", field="run", remedy="let it run first"
        )
    returns, baseline = daily_returns(detail, _bars(gateway, run_id))
    page = _charts(reports, detail.record, returns, baseline)
    part = _our_part(detail.record, gateway.reader().reasons(run_id))
    ours = f'<body>\n{_STYLE}<div class="container">{part}<hr></div>'
    # Its page names an icon on the network, and its body calls a script that it does not have.
    page = _BODY.sub(lambda _: ours, _ICON.sub("", page), count=1)
    return page, len(returns)


def _quantstats() -> ModuleType:
    # What is missing may also be something that quantstats itself needs.
    try:
        import matplotlib as mpl

        mpl.use("Agg")  # no window, whatever the person's own settings say
        import quantstats.reports
    except ImportError as error:
        raise NotAvailable(
            f"the html tear sheet needs quantstats ({error})",
            field="format",
            remedy="pip install 'stepdeck[report]'",
        ) from error
    reports: ModuleType = quantstats.reports
    return reports


def _bars(gateway: Gateway, run_id: str) -> Panel | None:
    """The run's bars, which know its sessions; None where they cannot be had."""
    try:
        return gateway.bars(run_id)
    except BARS_GONE:
        return None


def daily_returns(
    detail: RunDetail, panel: Panel | None
) -> tuple[pd.Series[float], pd.Series[float] | None]:
    """Daily returns of a run and of its baseline, by date (policy F3).

    A day is a session of the panel; without one it is a UTC date. The first return is against the
    initial cash.
    """
    import pandas as pd

    rows = len(detail.equity)
    if panel is not None:
        ordinals = panel.sessions[:rows]
        dates: Sequence[str] = [panel.session_dates[ordinal] for ordinal in ordinals.tolist()]
    else:
        dates = [stamp_text(stamp)[:10] for stamp in detail.stamps.tolist()]
    named = np.array(dates)
    closing = np.append(np.flatnonzero(named[1:] != named[:-1]), rows - 1)
    index = pd.DatetimeIndex(named[closing])
    cash = detail.record.initial_cash

    def series(equity: NDArray[np.float64], name: str) -> pd.Series[float]:
        levels = np.concatenate(([cash], equity[closing]))
        return pd.Series(levels[1:] / levels[:-1] - 1.0, index=index, name=name)

    returns = series(detail.equity, "run")
    twin = detail.baseline
    if twin is None or len(twin[1]) < rows:
        return returns, None
    return returns, series(twin[1][:rows], "Buy and hold")


def _charts(
    reports: ModuleType,
    record: RunRecord,
    returns: pd.Series[float],
    baseline: pd.Series[float] | None,
) -> str:
    """The page that quantstats makes."""
    rules = record.config.get("rules") or {}
    if returns.nunique() < 2:
        # It regresses one on the other, which a run that never moved does not allow.
        baseline = None
    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    # It asks for Arial and for what newer libraries call otherwise; neither is a person's concern.
    fonts.setLevel(logging.ERROR)
    try:
        with TemporaryDirectory(prefix="stepdeck-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            page = Path(folder) / "page.html"
            reports.html(
                returns,
                benchmark=baseline,
                rf=float(rules.get("risk_free", 0.0)),
                title=escape(record.name or record.strategy),
                strategy_title="Run",
                benchmark_title="Buy and hold",
                periods_per_year=record.sessions_per_year or 252,
                output=str(page),
            )
            return page.read_text(encoding="utf-8")
    finally:
        fonts.setLevel(level)


def _our_part(record: RunRecord, reasons: Sequence[tuple[str, int]]) -> str:
    values: dict[str, Any] = {name: getattr(record, name, None) for name in FORMULAS}
    values |= record.metrics
    figures = (
        (name.replace("_", " "), figure(name, values.get(name)), formula)
        for name, formula in FORMULAS.items()
    )
    facts = (
        ("run", record.run_id),
        ("strategy", record.strategy),
        ("parameters", ", ".join(f"{k}={v}" for k, v in record.config.get("params", {}).items())),
        ("state", f"{record.status} ({record.end_reason or DASH})"),
        ("symbols", ", ".join(record.symbols)),
        ("bars", f"{record.source} {record.timeframe or ''}"),
        ("settled", count_of(record)),
        ("initial cash", money(record.initial_cash)),
        ("final equity", money(record.equity)),
        ("bars hash", record.bars_hash or DASH),
        ("configuration hash", record.config_hash),
        ("strategy hash", record.strategy_hash or DASH),
        ("engine", record.engine_version),
    )
    rules = ((name, rule_text(value)) for name, value in rules_in_force(record).items())
    ended = ((reason, f"{number:,}", REMEDIES.get(reason, "")) for reason, number in reasons)
    said = "".join(f"<p>{escape(notice)}</p>" for notice in notices(record))
    return (
        f"<h1>{escape(record.name or record.strategy)}</h1>"
        "<h4>Figures by stepdeck, each with its formula, and the rules in force</h4><hr>"
        f'<div class="stepdeck">{_table("Run", facts)}{_table("Rules in force", rules)}'
        f'<div class="wide">{_table("Figures", figures)}'
        f"{_table('Orders that did not simply fill', ended) if reasons else ''}"
        f"{f'<h3>Notices</h3>{said}' if said else ''}</div></div>"
    )


def _table(title: str, rows: Iterable[tuple[str, ...]]) -> str:
    lines = []
    for name, value, *formula in rows:
        cells = f"<td>{escape(name)}</td><td>{_cell(name, value)}</td>"
        cells += "".join(f'<td class="formula">{escape(text)}</td>' for text in formula)
        lines.append(f"<tr>{cells}</tr>")
    return f"<div><h3>{escape(title)}</h3><table>{''.join(lines)}</table></div>"


def _cell(name: str, value: str) -> str:
    return f"<code>{escape(value)}</code>" if name.endswith("hash") else escape(value)
