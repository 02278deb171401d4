"""The audit of a strategy: does it look ahead, and does it decide the same every time?

A decision may depend on the bars up to its own step and on nothing else (policy G2, D1, D2). So
the strategy is run again over bars whose future was changed, cut off or shuffled after a step k,
for many k: a decision at or before k that is another one has seen what comes after k. And it is run
again over the same bars, here and in processes with other hash seeds: a decision that differs comes
from a clock, a global generator, or the order of a set. All in memory; no ledger is touched.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from engine import codec
from engine.drivers.perturbations import PERTURBATIONS
from engine.drivers.rerun import Run, decide_afresh, read_replica, replicas
from engine.errors import InvalidOption, LookaheadError
from engine.model import HOLD, Decision, Order, RunRequest, Target, stamp_text
from engine.runs.panels import panel_of
from engine.runs.requests import Prepared, prepare
from engine.sim.panel import Panel

Kind = Literal["look_ahead", "not_repeatable"]
Progress = Callable[[int, int], None]

POINTS: Final = 20
"""How many steps the future is altered after."""

HASH_SEEDS: Final = (1, 2, 3)
"""Three more orders of sets of text: two elements agree in all of them one time in eight."""

# Sums over arrays of another length may differ in their last bits; that is not look-ahead.
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12


class Finding(NamedTuple):
    """A decision that should not have changed.

    ``how`` names what was done: ``changed``, ``truncated`` or ``shuffled`` bars after the step
    ``after``; ``again`` or ``hash seed N`` for the same bars once more; ``asked`` where a later bar
    was asked for outright. ``symbol`` is None where no single one is meant. ``before`` and ``now``
    are what was decided for it, as JSON.
    """

    kind: Kind
    step: int
    ts: str
    symbol: str | None
    how: str
    after: int | None
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found; ``findings`` by step. ``notes`` say what could not be looked at."""

    strategy: str
    symbols: tuple[str, ...]
    steps: int
    decisions: int
    points: tuple[int, ...]
    reruns: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def audit(
    request: RunRequest,
    *,
    points: int = POINTS,
    hash_seeds: Sequence[int] = HASH_SEEDS,
    progress: Progress | None = None,
) -> Audit:
    """Audit the strategy of ``request`` over its bars.

    The future is altered after ``points`` steps; each of ``hash_seeds`` is a process to itself.
    ``progress`` is called with reruns done and in all, often; what it raises ends the audit. Raises
    ``InputError`` of a kind for a request that is refused, ``MarketDataError`` for its bars, and
    ``StrategyFault`` for a strategy that fails over the bars as they are.
    """
    if points < 1:
        raise InvalidOption(f"points is {points}", field="points", remedy="give 1 or more")
    prepared = prepare(request)
    if prepared.driver != "strategy":
        what = "a person" if prepared.driver == "manual" else "a tape"
        raise InvalidOption(
            f"{what} is no strategy to audit",
            field="strategy",
            remedy="name a built-in strategy or FILE.py:Class",
        )
    panel = panel_of(prepared.source.load())
    return _Auditor(prepared, panel, hash_seeds, progress or (lambda _done, _total: None)).run(
        points
    )


class _Auditor:
    def __init__(
        self, prepared: Prepared, panel: Panel, hash_seeds: Sequence[int], progress: Progress
    ) -> None:
        self._prepared = prepared
        self._panel = panel
        self._hash_seeds = hash_seeds
        self._notes: list[str] = []
        self._progress = progress
        self._done = 0
        self._total = 2

    def run(self, points: int) -> Audit:
        panel = self._panel
        base = self._decide(panel, panel.steps)
        findings: list[Finding] = []
        chosen: tuple[int, ...] = ()
        if isinstance(base.fault, LookaheadError):
            findings.append(
                self._finding(base.faulted_at, None, "asked", None, "{}", str(base.fault))
            )
            self._notes.append("the strategy does not run to its end, so nothing else was tried")
        elif base.fault is not None:
            raise base.fault
        else:
            chosen = choose_points(panel.steps, sorted(base.decisions), points)
            self._total = 2 + len(self._hash_seeds) + len(chosen) * len(PERTURBATIONS)
            again = self._decide(panel, panel.steps)
            findings += self._compare(base, again, "again")
            if not findings and again.fault is not None:
                findings.append(self._raised(base, again, "again"))
            if findings:
                self._notes.append(
                    "decisions that differ by themselves hide what the future does to them: "
                    "look-ahead was not tried"
                )
                chosen = ()
            else:
                findings += self._in_other_processes(base)
                findings += self._in_other_futures(base, chosen)
        return Audit(
            self._prepared.strategy,
            panel.symbols,
            panel.steps,
            len(base.decisions),
            chosen,
            self._done,
            tuple(sorted(findings, key=lambda found: (found.step, found.kind))),
            tuple(self._notes),
        )

    # -- running --------------------------------------------------------------------------------

    def _decide(self, panel: Panel, stop: int) -> Run:
        def pulse() -> None:
            self._progress(self._done, self._total)

        decided = decide_afresh(self._prepared, panel, stop, pulse)
        self._done += 1
        pulse()
        return decided

    def _in_other_futures(self, base: Run, points: Sequence[int]) -> Iterator[Finding]:
        """Decisions up to each point, over bars that were altered after it."""
        cut_short: list[Finding] = []
        for after in points:
            for how, perturb in PERTURBATIONS.items():
                now = self._decide(perturb(self._panel, after), after + 1)
                if found := list(self._compare(base, now, how, after)):
                    yield from found
                elif now.fault is not None:
                    raised = self._raised(base, now, how, after)
                    if how == "truncated":
                        cut_short.append(raised)
                    else:
                        yield raised
                if how == "truncated" and now.fault is None and cut_short:
                    # More bars cured it: as likely it wants a longer past as a bar from later on.
                    last = cut_short[-1]
                    self._notes.append(
                        f"with the bars cut off after step {last.after} it {last.now}; it needs "
                        "that many bars, or reads a later one by its number"
                    )
                    cut_short.clear()
        yield from cut_short

    def _in_other_processes(self, base: Run) -> Iterator[Finding]:
        """The same run where sets of text have other orders and nothing was imported before."""
        self._progress(self._done, self._total)
        with replicas(self._prepared.request, self._hash_seeds) as started:
            for seed, process, answer in started:
                while True:
                    try:
                        process.wait(0.05)
                        break
                    except subprocess.TimeoutExpired:
                        self._progress(self._done, self._total)
                self._done += 1
                now, how = read_replica(answer), f"hash seed {seed}"
                found = list(self._compare(base, now, how))
                if not found and now.fault is not None:
                    found.append(self._raised(base, now, how))
                if found:
                    yield from found
                    return

    # -- comparing ------------------------------------------------------------------------------

    def _compare(
        self, base: Run, now: Run, how: str, after: int | None = None
    ) -> Iterator[Finding]:
        """What differs at the first step that does, by symbol; steps past ``after`` may differ."""
        last = self._panel.steps - 1 if after is None else after
        if now.fault is not None:
            last = min(last, now.faulted_at - 1)
        for step in sorted({*base.decisions, *now.decisions}):
            if step > last:
                break
            differing = list(differences(base.decisions.get(step), now.decisions.get(step)))
            for symbol, before, after_all in differing:
                yield self._finding(step, symbol, how, after, before, after_all)
            if differing:
                return

    def _raised(self, base: Run, now: Run, how: str, after: int | None = None) -> Finding:
        """That a rerun failed where the first run went on."""
        step = now.faulted_at
        before = codec.decision_text(base.decisions.get(step, HOLD))
        return self._finding(step, None, how, after, before, f"failed: {now.fault}")

    def _finding(
        self, step: int, symbol: str | None, how: str, after: int | None, before: str, now: str
    ) -> Finding:
        kind: Kind = "look_ahead" if how == "asked" or after is not None else "not_repeatable"
        ts = stamp_text(int(self._panel.stamps[step]))
        return Finding(kind, step, ts, symbol, how, after, before, now)


def choose_points(steps: int, decided: Sequence[int], count: int) -> tuple[int, ...]:
    """At most ``count`` steps that have a later one: half of them spread over the run, half where
    something was decided, which is where look-ahead shows.
    """
    last = steps - 2
    if last < 0:
        return ()
    busy = [step for step in decided if step <= last]
    at_decisions = _spread(busy, count // 2)
    return tuple(sorted({*_spread(range(last + 1), count - len(at_decisions)), *at_decisions}))


def _spread(steps: Sequence[int], count: int) -> list[int]:
    if not steps or not count:
        return []
    places = np.linspace(0, len(steps) - 1, min(count, len(steps))).round().astype(int)
    return [steps[place] for place in places.tolist()]


def differences(
    before: Decision | None, now: Decision | None
) -> Iterator[tuple[str | None, str, str]]:
    """What two decisions ask differently: symbol, and what each asks for it as JSON.

    Numbers that differ by rounding are the same. The order of submission counts: it says which
    order gets the cash. Confidence and rationale are not compared.
    """
    one, other = _by_symbol(before), _by_symbol(now)
    same = True
    for symbol in {**one, **other}:
        asked, asks = one.get(symbol, []), other.get(symbol, [])
        if not _alike(asked, asks):
            same = False
            yield symbol, _text(asked), _text(asks)
    if same and before is not None and now is not None:
        turns = zip(_symbols(before), _symbols(now), strict=True)
        moved = next((old for old, new in turns if old != new), None)
        if moved is not None:
            yield moved, codec.decision_text(before), codec.decision_text(now)


def _symbols(decision: Decision) -> list[str]:
    """The symbols of a decision's intents in order of submission."""
    return [
        *(order.symbol for order in decision.orders),
        *(target.symbol for target in decision.targets),
    ]


def _by_symbol(decision: Decision | None) -> dict[str | None, list[tuple[Any, ...]]]:
    """The intents of a decision by symbol, in their order; cancels under None."""
    intents: dict[str | None, list[tuple[Any, ...]]] = {}
    if decision is None:
        return intents
    for order in decision.orders:
        intents.setdefault(order.symbol, []).append(order)
    for target in decision.targets:
        intents.setdefault(target.symbol, []).append(target)
    if decision.cancels:
        intents[None] = [decision.cancels]
    return intents


def _alike(one: Sequence[tuple[Any, ...]], other: Sequence[tuple[Any, ...]]) -> bool:
    return len(one) == len(other) and all(
        len(a) == len(b) and all(map(_same, a, b)) for a, b in zip(one, other, strict=True)
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, (int, float, np.number)) and isinstance(other, (int, float, np.number)):
        return (one != one and other != other) or math.isclose(
            one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE
        )
    return bool(one == other)


def _text(intents: Sequence[tuple[Any, ...]]) -> str:
    orders = tuple(intent for intent in intents if isinstance(intent, Order))
    targets = tuple(intent for intent in intents if isinstance(intent, Target))
    cancels = tuple(
        tag for intent in intents if not isinstance(intent, (Order, Target)) for tag in intent
    )
    return codec.decision_text(Decision(orders, targets, cancels))
