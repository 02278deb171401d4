"""The ledger's runs as the app holds them: rows that stay the same objects until they change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from engine.store.records import RunHead

if TYPE_CHECKING:
    from tui.gateway import LongCall

Owner = Literal["here", "elsewhere", "gone", "none"]


@dataclass(frozen=True, slots=True)
class Stalled:
    """A run of this process whose rows the ledger does not take: why, and since when (ISO)."""

    why: str
    since: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a table shows it: the head of its row, whether its owner lives, what it waits for:
    the ledger, or a ``call`` of its strategy that has taken long.

    Neither is a state: no row says so, and only the process whose run it is knows it.
    """

    record: RunHead
    owner: Owner
    stall: Stalled | None = None
    call: LongCall | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the ledger held at one moment; rows newest first, without baselines.

    A row that has not changed since the last snapshot is the same object as there.
    """

    seq: int
    rows: tuple[RunRow, ...]
    notices: tuple[str, ...] = ()


class Reading(Protocol):
    """Rows by their key, all (``whole``) or those that changed, and the ids of what is gone."""

    @property
    def seq(self) -> int: ...
    @property
    def whole(self) -> bool: ...
    @property
    def heads(self) -> Mapping[int, RunHead]: ...
    @property
    def gone(self) -> Collection[str]: ...


class RunBook:
    """The runs of one ledger, kept up to date by reading what changed; for one thread.

    ``read`` gives the rows that changed after an event number, all of them for None; ``owner_of``
    says whose a run is, given what this look has found out of owners so far; ``stall_of`` whether
    it waits for the ledger, ``call_of`` which call of its strategy has taken long.
    """

    def __init__(
        self,
        read: Callable[[int | None], Reading],
        owner_of: Callable[[RunHead, dict[str, bool]], Owner],
        stall_of: Callable[[str], Stalled | None] = lambda _run_id: None,
        call_of: Callable[[str], LongCall | None] = lambda _run_id: None,
    ) -> None:
        self._read = read
        self._owner_of = owner_of
        self._stall_of = stall_of
        self._call_of = call_of
        self._seq: int | None = None
        self._rows: dict[int, RunRow] = {}
        self._keys: dict[str, int] = {}
        self._owned: set[int] = set()
        self._shown: tuple[RunRow, ...] = ()
        self._turned = True

    def look(self, *, whole: bool = False) -> tuple[RunRow, ...]:
        """The rows now, newest first; the same tuple as before if nothing has changed.

        With ``whole`` all are read again, which also sees what left no event.
        Raises ``LedgerError`` kinds.
        """
        alive: dict[str, bool] = {}
        read = self._read(None if whole else self._seq)
        self._take(read, alive)
        self._seq = read.seq
        return self._looked(alive)

    def look_at_owners(self) -> tuple[RunRow, ...]:
        """Owners die, runs stall and calls hang without a commit: the rows as they are, with what
        is said of active runs anew."""
        return self._looked({})

    @property
    def seq(self) -> int:
        """The number of the last event read."""
        return self._seq or 0

    def get(self, run_id: str) -> RunRow | None:
        """The run's row, None for one that is not in the list."""
        key = self._keys.get(run_id)
        return None if key is None else self._rows[key]

    @property
    def owned(self) -> list[RunRow]:
        """The active runs."""
        return [self._rows[key] for key in self._owned]

    def _take(self, read: Reading, alive: dict[str, bool]) -> None:
        heads, gone = read.heads, read.gone
        if read.whole:
            gone = [row.record.run_id for key, row in self._rows.items() if key not in heads]
        for run_id in gone:
            key = self._keys.pop(run_id, None)
            if key is not None:
                del self._rows[key]
                self._owned.discard(key)
                self._turned = True
        came = not heads.keys() <= self._rows.keys()
        for key, head in heads.items():
            row = self._rows.get(key)
            if row is None or row.record != head:
                if row is not None and row.record.run_id != head.run_id:
                    # Another ledger stands there now.
                    self._keys.pop(row.record.run_id, None)
                self._put(key, head, alive)
        if came:
            # Oldest first, as a ledger counts them: what is read may come in any order.
            self._rows = dict(sorted(self._rows.items()))

    def _put(self, key: int, head: RunHead, alive: dict[str, bool]) -> None:
        owner = self._owner_of(head, alive)
        if owner == "none":
            self._owned.discard(key)
        else:
            self._owned.add(key)
        self._rows[key] = RunRow(
            head, owner, self._stall_of(head.run_id), self._call_of(head.run_id)
        )
        self._keys[head.run_id] = key
        self._turned = True

    def _looked(self, alive: dict[str, bool]) -> tuple[RunRow, ...]:
        for key in self._owned:
            row = self._rows[key]
            run_id = row.record.run_id
            owner = self._owner_of(row.record, alive)
            stall, call = self._stall_of(run_id), self._call_of(run_id)
            if (owner, stall, call) != (row.owner, row.stall, row.call):
                self._rows[key] = RunRow(row.record, owner, stall, call)
                self._turned = True
        if self._turned:
            self._shown = tuple(reversed(self._rows.values()))
            self._turned = False
        return self._shown
