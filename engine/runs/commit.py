"""From computed steps to committed rows: batches of a run, in order, fenced by its lease.

Nothing that waits here is shown, answered or announced. A batch that does not land means that the
lease is lost: the session is closed and writes nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import repeat
from typing import Any

from engine import codec
from engine.errors import LeaseLost, LedgerWriteFailed
from engine.failpoints import failpoint
from engine.model import Decision
from engine.runs.clock import Clock, wall_text
from engine.runs.columns import NO_RESULT, fill_columns, market_orders, results
from engine.runs.lifecycle import Status, Trigger, sources, target
from engine.runs.session import Pending, Session
from engine.sim.state import StepResult, join
from engine.stamps import stamp_texts
from engine.store import writes
from engine.store.ledger import Ledger

# A batch is committed when it is this old, or has so many rows of equity, orders and fills,
# whichever comes first.
BATCH_SECONDS = 0.05
BATCH_ROWS = 4_000
# How many batches of one run may be on their way to the ledger before the run waits for them. One
# that is written and one that is next keep the writer busy; whoever cancels waits for all of them.
MAX_IN_FLIGHT = 2


Write = Callable[[writes.Connection], bool]


class Committer:
    """Writes a session's results through the ledger's one writer."""

    def __init__(self, ledger: Ledger, owner: str, clock: Clock) -> None:
        self._ledger = ledger
        self._owner = owner
        self._clock = clock

    def add(
        self,
        session: Session,
        result: StepResult,
        source: str,
        *,
        always: tuple[int, Decision] | None = None,
        key: str | None = None,
        deadline_at: str | None = None,
    ) -> None:
        """Let ``result`` wait for the next batch. ``always`` records a hold that somebody chose."""
        if not session.unwritten:
            session.unwritten_since = self._clock.monotonic()
        rows = _step_rows(session, result, source, always, key, deadline_at, wall_text(self._clock))
        session.unwritten.append((result, rows))

    def due(self, session: Session) -> bool:
        """Whether the batch is old or long enough to be committed."""
        return bool(session.unwritten) and (
            self._clock.monotonic() - session.unwritten_since >= BATCH_SECONDS
            or sum(
                result.rows + len(result.orders) + len(result.fills)
                for result, _ in session.unwritten
            )
            >= BATCH_ROWS
        )

    def crowded(self, session: Session) -> bool:
        """Whether another batch of the session would have to wait for those on their way."""
        waiting = session.in_flight
        return len(waiting) >= MAX_IN_FLIGHT and not waiting[0].future.done()

    def flush(self, session: Session, *, wait: bool) -> None:
        """Commit what waits; with ``wait`` until it is durable. Raises ``LeaseLost``."""
        self.send(session)
        self._settle(session, wait=wait)

    def _settle(self, session: Session, *, wait: bool) -> None:
        """Learn what became of what was sent; what was refused stays where it is, and is told."""
        if wait:
            self._ledger.hurry(session.run_id)
        while session.in_flight and (
            wait or len(session.in_flight) > MAX_IN_FLIGHT or session.in_flight[0].future.done()
        ):
            self._landed(session)

    def send(self, session: Session) -> None:
        """Hand what waits to the writer, behind what it has refused so far."""
        self._send_again(session)
        append = self.take_batch(session)
        if append is not None:
            self._send(session, partial(writes.append, batch=append), append)

    def move(
        self,
        session: Session,
        trigger: Trigger,
        *,
        reason: str | None = None,
        columns: Mapping[str, Any] | None = None,
        kept: bool = False,
    ) -> None:
        """Commit what waits and change the status, in one transaction. Raises ``LeaseLost``.

        One that is refused is forgotten, but for its batch; ``kept``, it is tried again with it.
        """
        failpoint("move.before")
        self._send_again(session)
        append = self.take_batch(session)
        at = wall_text(self._clock)

        def write(conn: writes.Connection) -> bool:
            if append is not None and not writes.append(conn, append):
                return False
            return writes.transition(
                conn,
                session.run_id,
                sources=sources(trigger),
                to=target(trigger),
                owner=self._owner,
                epoch=session.epoch,
                reason=reason,
                at=at,
                columns=columns or {},
                alive_from=_alive_from(session),
                hashed=session.hashed,
            )

        self._send(session, write, append, to=target(trigger), kept=kept)
        self._settle(session, wait=True)
        failpoint("move.after")

    def update(self, session: Session, columns: Mapping[str, Any]) -> None:
        """Commit what waits, then set ``columns`` of the run's row. Raises ``LeaseLost``."""
        self.flush(session, wait=False)
        at = wall_text(self._clock)
        self._send(
            session,
            lambda conn: writes.update_run(
                conn,
                session.run_id,
                owner=self._owner,
                epoch=session.epoch,
                at=at,
                columns=columns,
            ),
        )
        self._settle(session, wait=True)

    def _send_again(self, session: Session) -> None:
        """Try again, in order, what did not land."""
        if not session.in_flight or not session.in_flight[0].refused:
            return
        # Those behind it have been refused too, or will be: each asks for the one before it.
        refused = [pending for pending in session.in_flight if pending.stands]
        session.in_flight.clear()
        for pending in refused:
            if pending.kept:
                self._send(session, pending.write, pending.append, to=pending.to, kept=True)
            elif pending.append is not None:
                self._send(session, partial(writes.append, batch=pending.append), pending.append)

    def _send(
        self,
        session: Session,
        write: Write,
        append: writes.Append | None = None,
        *,
        to: Status | None = None,
        kept: bool = False,
    ) -> None:
        earlier = session.in_flight[-1] if session.in_flight else None

        def in_turn(conn: writes.Connection) -> bool:
            # A later write must not land where an earlier one did not: a run would end without
            # its last steps. The writer takes them in order, so the earlier has been tried.
            if earlier is not None and earlier.future.exception() is not None:
                raise LedgerWriteFailed(
                    f"an earlier write of run {session.run_id} did not land", field="db"
                )
            return write(conn)

        image = None if append is None else writes.laid_out(append)
        before = None
        if image is not None:
            before = partial(writes.WritingConnection.lay_beside, image=image, whose=append)
        future = self._ledger.submit(in_turn, run_id=session.run_id, before=before)
        session.in_flight.append(Pending(write, append, future, to, kept))

    def _landed(self, session: Session) -> None:
        pending = session.in_flight[0]
        # What raises here stays in its place, to be sent again.
        if not pending.future.result():
            raise LeaseLost(
                f"run {session.run_id} is no longer this process's to write", field="run"
            )
        session.in_flight.popleft()
        if pending.to is not None:
            session.status = pending.to
        if not session.in_flight:
            session.stall = None
        failpoint("batch.landed")

    def take_batch(self, session: Session) -> writes.Append | None:
        """What waits, as one write; the session is rid of it. None where nothing waits."""
        if not session.unwritten:
            return None
        progress = session.progress
        assert progress is not None
        result = join([result for result, _ in session.unwritten])
        rows = [row for _, rows in session.unwritten for row in rows]
        session.unwritten.clear()
        events = tuple(session.events)
        session.events.clear()
        columns = progress.running_columns()
        if session.timeout_holds:
            columns["timeout_holds"] = session.timeout_holds
        panel = progress.simulation.panel
        last = result.first + len(result.equity)
        packed, orders = market_orders(result.orders)
        return writes.Append(
            run_id=session.run_id,
            run_key=session.run_key,
            owner=self._owner,
            epoch=session.epoch,
            first=result.first,
            stamps=panel.stamps[result.first : last],
            equity=result.equity,
            cash=result.cash,
            orders=orders,
            market_orders=packed,
            fills=fill_columns(result.fills),
            cash_flows=result.cash_flows,
            steps=rows,
            holdings=progress.holdings(),
            digest=progress.digest,
            at=wall_text(self._clock),
            columns=columns,
            events=events,
            hashed=session.hashed,
        )


def _alive_from(session: Session) -> int | None:
    """The first step that an order still alive is of; None where there is none."""
    if session.progress is None or session.log is not None:
        return 0  # not replayed: what it left before is not known here
    return min((order.step for order in session.progress.state.orders), default=None)


def _step_rows(
    session: Session,
    result: StepResult,
    source: str,
    always: tuple[int, Decision] | None,
    key: str | None,
    deadline_at: str | None,
    at: str,
) -> list[writes.StepRow]:
    """Rows of ``steps``: one for every decision that asked for something or that somebody made."""
    decisions = result.decisions or (() if always is None else (always,))
    if not decisions:
        return []
    steps = [step for step, _ in decisions]
    placed = results(result.orders)
    prefix = f"{session.run_id}.{session.rewind_count}."
    status = "timed_out" if source == "timeout_hold" else "completed"
    columns = zip(
        steps,
        [f"{prefix}{step}" for step in steps],
        stamp_texts(session.simulation.panel.stamps[steps]),
        repeat(status),
        repeat(source),
        repeat(key),
        [codec.decision_text(decision) for _, decision in decisions],
        [placed.get(step, NO_RESULT) for step in steps],
        repeat(deadline_at),
        repeat(at),
    )
    return [writes.StepRow._make(row) for row in columns]
