"""What threads and screens tell each other, typed.

Every message is frozen in practice: it is made on one thread and only read on another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual.message import Message

from engine.errors import StepdeckError
from engine.model import RunRecord, RunRequest

if TYPE_CHECKING:
    from engine.sim.panel import Panel
    from engine.strategies.registry import StrategyInfo
    from tui.gateway import Glance, RunDetail
    from tui.run_book import Snapshot
    from tui.viewmodel.run_panels import PanelRows
    from tui.viewmodel.studies import Study
    from tui.watching import SourceNow
    from tui.widgets.studies import Studies


@dataclass(frozen=True, slots=True)
class Tick:
    """One look at the ledger.

    ``sparks`` holds equity samples of the runs in view, ``rates`` steps a second of the runs that
    move, ``detail`` the run being followed, if any, and ``panels`` what its own screen shows of it;
    ``glance`` is the run that is only previewed.
    """

    snapshot: Snapshot
    sparks: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    detail: RunDetail | None = None
    panels: PanelRows | None = None
    glance: Glance | None = None


class Polled(Message):
    """The poller has seen something new; a newer look replaces one not yet shown."""

    def __init__(self, tick: Tick) -> None:
        super().__init__()
        self.tick = tick

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Polled)


class PollTrouble(Message):
    """The ledger could not be read (``error``), or can be read again (None)."""

    def __init__(self, error: StepdeckError | None) -> None:
        super().__init__()
        self.error = error


class Failed(Message):
    """Something asked for was refused or failed; ``title`` says what it was."""

    def __init__(self, title: str, error: StepdeckError) -> None:
        super().__init__()
        self.title = title
        self.error = error


class Broke(Message):
    """A bug on another thread; the app raises it on its own."""

    def __init__(self, fault: BaseException) -> None:
        super().__init__()
        self.fault = fault


class Acted(Message):
    """The service did what was asked: ``action`` by registry id, the runs as they now are."""

    def __init__(self, action: str, records: tuple[RunRecord, ...]) -> None:
        super().__init__()
        self.action = action
        self.records = records


class Said(Message):
    """Something asked for is done, and this is what to say of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Made(Message):
    """Something asked for has made a run, which is now to be looked at."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id


class BarsLoaded(Message):
    """The bars of a run, for its price chart."""

    def __init__(self, run_id: str, panel: Panel) -> None:
        super().__init__()
        self.run_id = run_id
        self.panel = panel


class BarsMissing(Message):
    """The bars of a run cannot be had; the price panel says why."""

    def __init__(self, run_id: str, error: StepdeckError) -> None:
        super().__init__()
        self.run_id = run_id
        self.error = error


class Looked(Message):
    """A moment of a run's past, ``settled`` grid points in, ready to be shown."""

    def __init__(self, run_id: str, settled: int, detail: RunDetail, rows: PanelRows) -> None:
        super().__init__()
        self.run_id = run_id
        self.settled = settled
        self.detail = detail
        self.rows = rows


class PastReady(Message):
    """A run's past has been replayed, as far as it can be: looking back is quick from now on."""


class LookRefused(Message):
    """The past of a run cannot be shown."""

    def __init__(self, run_id: str, error: StepdeckError) -> None:
        super().__init__()
        self.run_id = run_id
        self.error = error


class StudiesMade(Message):
    """The values of indicators for a symbol, over the whole grid."""

    def __init__(self, symbol: str, chosen: tuple[Study, ...], values: Studies) -> None:
        super().__init__()
        self.symbol = symbol
        self.chosen = chosen
        self.values = values


class RequestChecked(Message):
    """The form's fields were checked: a request that would be accepted, or what is wrong.

    ``info`` is the strategy as far as it could be read, ``command`` the equivalent command line as
    far as there is one, ``symbols`` what the source resolved.
    """

    def __init__(
        self,
        request: RunRequest | None,
        info: StrategyInfo | None,
        command: str,
        symbols: tuple[str, ...],
        error: StepdeckError | None,
    ) -> None:
        super().__init__()
        self.request = request
        self.info = info
        self.command = command
        self.symbols = symbols
        self.error = error


class SourceSeen(Message):
    """What the file of a run's strategy is now; None for a strategy without one."""

    def __init__(self, run_id: str, source: SourceNow | None) -> None:
        super().__init__()
        self.run_id = run_id
        self.source = source


class StrategySaved(Message):
    """A strategy's file has been saved, or taken away."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
