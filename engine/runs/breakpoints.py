"""The breakpoints of a live run: what they are, when they are looked at, and what was seen.

A breakpoint is looked at **before each decision but the first one after a start or a resume**: once
a step has been made and settled, its condition is asked of what the next decision is *about to see*
(the bars up to the one that has just closed, indicators, the account) and of what has *just
happened* (the decision before, and the orders, fills and payments since). Where it holds, the run
is paused there: nothing of that next decision has been made. A new run is also looked at before its
very first decision. A condition that goes on holding stops the run at every step;
``crosses_above`` and ``crosses_below`` hold only where something begins.

Nothing is looked at while a log is replayed, so that a resume, a rewind or a hand-back hits nothing
a second time. What is looked at changes nothing of what is decided or settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.errors import InvalidExpression, InvalidOption
from engine.model import Breakpoint
from engine.sim.conditions import Condition, Seen, over
from engine.sim.expressions import parse
from engine.sim.panel import Panel
from engine.sim.sight import Sight
from engine.sim.state import Advance, State, StepResult, join

if TYPE_CHECKING:
    from engine.runs.session import Decider, Progress

__all__ = ["MOST", "Breakpoint", "Breakpoints", "Hit", "checked", "decode", "encode", "of_texts"]

MOST: Final = 50
"""Breakpoints of one run."""


class Hit(NamedTuple):
    """A condition that held before the decision at ``step``; ``breakpoint`` None: the run's goal.

    ``saw`` is what each word in it was worth.
    """

    breakpoint: int | None
    expression: str
    step: int
    saw: Seen


class Breakpoints:
    """Those of one live run, and the goal it is running to; guarded by the session's lock.

    ``goal`` is a condition that is dropped once it has held, or once anything else stops the run.
    ``stops`` counts how often the run was stopped here.
    """

    def __init__(self, points: Iterable[Breakpoint] = (), goal: str | None = None) -> None:
        self.points = tuple(points)
        self.goal = goal
        self.stops = 0
        self._conditions: dict[str, Condition] = {}
        self._panel: Panel | None = None

    @classmethod
    def stored(cls, metadata: Mapping[str, Any], symbols: Sequence[str]) -> Breakpoints:
        """Those that a run's metadata holds; one that does not suit the run is disabled."""
        goal = metadata.get("run_to")
        points = decode(metadata.get("breakpoints"))
        return cls(
            (point if _suits(point.expression, symbols) else replace(point, enabled=False))
            for point in points
        )._with_goal(goal if isinstance(goal, str) and _suits(goal, symbols) else None)

    def _with_goal(self, goal: str | None) -> Breakpoints:
        self.goal = goal
        return self

    @property
    def enabled(self) -> bool:
        """Whether any breakpoint is."""
        return any(point.enabled for point in self.points)

    @property
    def one_by_one(self) -> bool:
        """Whether an enabled breakpoint asks for decisions to be made one by one."""
        return any(point.enabled and not parse(point.expression).foreseen for point in self.points)

    @property
    def watching(self) -> bool:
        """Whether there is anything to look at."""
        return self.goal is not None or self.enabled

    def change(self, points: Iterable[Breakpoint]) -> None:
        """Replace the breakpoints; the same expression under the same id keeps its hits."""
        known = {(point.id, point.expression): point.hits for point in self.points}
        self.points = tuple(
            replace(point, hits=max(point.hits, known.get((point.id, point.expression), 0)))
            for point in points
        )

    # -- looking --------------------------------------------------------------------------------

    def advance(
        self, decide: Decider, progress: Progress, stop: int, halt: Sized = ()
    ) -> tuple[Advance, tuple[Hit, ...]]:
        """Let ``decide`` decide up to ``stop``, at most to where a condition holds, and no further
        than the decision during which ``halt`` comes to hold something.

        With nothing to look at that is its own ``advance``. Where the bars alone say when the next
        condition holds it is asked for all steps up to there; else for one at a time.
        """
        simulation, state = progress.simulation, progress.state
        if not self.watching:
            return decide.advance(simulation, state, stop, halt), ()
        armed = self._armed(simulation.panel)
        if all(condition.expression.foreseen for condition in armed):
            return self._straight(decide, progress, stop, armed, halt)
        peak = progress.drawdown.peak
        sight = Sight(simulation, state, peak)
        results: list[StepResult] = []
        hits: tuple[Hit, ...] = ()
        while True:
            advanced = decide.advance(simulation, state, state.decided + 1)
            state, result, fault = advanced
            results.append(result)
            if fault is not None or state.done:
                break
            peak = _higher(peak, result)
            sight.before = None  # or every sight of the run would hang on the next
            sight = Sight(simulation, state, peak, result, sight)
            hits = self.look(sight)
            if hits or state.decided >= stop or halt:
                break
        return Advance(state, join(results), fault), hits

    def _straight(
        self,
        decide: Decider,
        progress: Progress,
        stop: int,
        armed: Sequence[Condition],
        halt: Sized,
    ) -> tuple[Advance, tuple[Hit, ...]]:
        simulation = progress.simulation
        until = min(stop, simulation.total_steps - 1) + 1
        ahead: int | None = None
        for condition in armed:
            found = condition.first(progress.state.decided + 1, until)
            if found is not None:
                ahead, until = found, found
        end = stop if ahead is None else ahead
        advanced = decide.advance(simulation, progress.state, end, halt)
        state, result, fault = advanced
        if fault is not None or state.done or state.decided != ahead:
            return advanced, ()
        peak = _higher(progress.drawdown.peak, result)
        before = Sight.of_bars(state.decided - 1, alone=True)
        return advanced, self.look(Sight(simulation, state, peak, result, before))

    def _armed(self, panel: Panel) -> list[Condition]:
        texts = [point.expression for point in self.points if point.enabled]
        if self.goal is not None:
            texts.append(self.goal)
        return [self._condition(text, panel) for text in texts]

    def mark(self) -> tuple[tuple[Breakpoint, ...], str | None, int]:
        """What ``back_to`` takes: the points with their hits, the goal, the stops."""
        return self.points, self.goal, self.stops

    def back_to(self, mark: tuple[tuple[Breakpoint, ...], str | None, int]) -> None:
        """Forget what was hit since."""
        self.points, self.goal, self.stops = mark

    def after(
        self,
        progress: Progress,
        before: State | None,
        peak: float,
        result: StepResult,
        *,
        own: bool = False,
    ) -> tuple[Hit, ...]:
        """What holds after one step that was made apart: from ``before`` at ``peak`` equity.

        ``before`` is None for the start of a run. ``own``: a person decided it, and need not be
        stopped by what they asked for. Call it once ``progress`` has taken the step.
        """
        state = progress.state
        if not self.watching or state.done:
            return ()
        simulation = progress.simulation
        earlier = Sight(simulation, before, peak) if before is not None else None
        return self.look(Sight(simulation, state, progress.drawdown.peak, result, earlier, own=own))

    def look(self, sight: Sight) -> tuple[Hit, ...]:
        """The conditions that hold now, counted: one-shot ones disabled, the goal dropped."""
        hits: list[Hit] = []
        points: list[Breakpoint] = []
        for point in self.points:
            if point.enabled:
                condition = self._condition(point.expression, sight.simulation.panel)
                if condition.holds(sight):
                    saw = condition.saw(sight)
                    hits.append(Hit(point.id, point.expression, sight.step, saw))
                    point = replace(point, hits=point.hits + 1, enabled=not point.once)
            points.append(point)
        if self.goal is not None:
            condition = self._condition(self.goal, sight.simulation.panel)
            if condition.holds(sight):
                hits.append(Hit(None, self.goal, sight.step, condition.saw(sight)))
        if hits:
            self.points = tuple(points)
            self.goal = None
            self.stops += 1
        return tuple(hits)

    def _condition(self, text: str, panel: Panel) -> Condition:
        if panel is not self._panel:
            self._panel, self._conditions = panel, {}
        found = self._conditions.get(text)
        if found is None:
            found = self._conditions[text] = over(parse(text, panel.symbols), panel)
        return found


def _higher(peak: float, result: StepResult) -> float:
    return max(peak, float(result.equity.max())) if result.rows else peak


def _suits(text: str, symbols: Sequence[str]) -> bool:
    try:
        parse(text, symbols or None)
    except InvalidExpression:
        return False
    return True


# -- as data --------------------------------------------------------------------------------------


def of_texts(texts: Iterable[str]) -> tuple[Breakpoint, ...]:
    """Lasting breakpoints with these conditions, numbered from 1."""
    return tuple(Breakpoint(number, text.strip()) for number, text in enumerate(texts, 1))


def checked(points: Sequence[Breakpoint], symbols: Sequence[str]) -> tuple[Breakpoint, ...]:
    """The breakpoints, if a run of these symbols can have them.

    Raises ``InvalidExpression`` for a condition that means nothing there, ``InvalidOption`` for
    too many and for an id that stands twice.
    """
    if len(points) > MOST:
        raise InvalidOption(
            f"{len(points)} breakpoints", field="breakpoints", remedy=f"at most {MOST}"
        )
    if len({point.id for point in points}) != len(points):
        raise InvalidOption("two breakpoints with one id", field="breakpoints")
    for point in points:
        parse(point.expression, symbols or None)
    return tuple(points)


def encode(points: Iterable[Breakpoint]) -> list[dict[str, Any]]:
    """The breakpoints as plain JSON values."""
    return [asdict(point) for point in points]


def decode(stored: object) -> tuple[Breakpoint, ...]:
    """The breakpoints of plain JSON values; what is not one is left out."""
    rows = stored if isinstance(stored, list) else []
    return tuple(point for row in rows if (point := _decoded(row)) is not None)


def _decoded(row: object) -> Breakpoint | None:
    if not isinstance(row, Mapping):
        return None
    number, text, hits = row.get("id"), row.get("expression"), row.get("hits", 0)
    if not (isinstance(number, int) and isinstance(hits, int) and isinstance(text, str)):
        return None
    return Breakpoint(number, text, bool(row.get("enabled", True)), bool(row.get("once")), hits)
