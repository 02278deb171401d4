"""Failpoints: a named place at every seam where a process can die, stall or be refused.

They do nothing and cost one look at an empty dict until one is armed, by a test (``armed``) or,
for a process that a test starts, by ``STEPDECK_FAILPOINTS``: words ``NAME=ACTION`` or
``NAME=ACTION@N``, parted by commas, where ``@N`` means at the N-th passage only. Actions:

- ``kill``: SIGKILL this process, here
- ``stop``: SIGSTOP it; whoever sends SIGCONT lets it go on
- ``error``: raise ``LedgerWriteFailed``; ``error:ENOSPC``: the ``OSError`` of that name
- ``sleep:SECONDS``
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from engine.errors import InvalidOption, LedgerWriteFailed

VARIABLE: Final = "STEPDECK_FAILPOINTS"

FAILPOINTS: Final[Mapping[str, str]] = {
    # -- the ledger's writer
    "begin.before": "a write is about to ask for the write lock",
    "begin.after": "it holds the write lock and has written nothing",
    "append.leased": "a batch has moved the run's row and written none of its other rows",
    "append.equity": "its equity rows are written, its steps, orders and fills are not",
    "append.written": "all its rows are written, in the open transaction",
    "transition.written": "a change of status is written, in the open transaction",
    "end.unsealed": "a terminal move has written all but the status and the seal",
    "end.sealed": "a terminal move has written its status and seal, in the open transaction",
    "commit.before": "everything is written, nothing is committed",
    "commit.after": "it is committed and nobody has been told",
    "acknowledge.before": "the writer thread is about to hand over the answer",
    "acknowledge.after": "whoever waited for a write has its answer",
    "checkpoint.before": "a checkpoint is due, nothing is locked",
    "checkpoint.locked": "this process alone may checkpoint, and holds the write lock meanwhile",
    "checkpoint.moved": "the WAL is in the database, the locks are still held",
    "checkpoint.after": "a checkpoint is over",
    "close.before": "all writes have landed, the last checkpoint has not been made",
    "close.after": "the last checkpoint is made, the file is still open",
    # -- the ledger's file
    "make.locked": "nobody else makes this ledger, and no draft of it is there",
    "make.drafted": "the draft is whole and has not the ledger's name",
    "make.named": "the ledger has its name for good, the draft is still there",
    "name.linked": "a draft has its name for good as well, the folder is not synced",
    "backup.copied": "a copy is made, unchecked, under a draft's name",
    "backup.synced": "it is whole and on the disk, and has not its name",
    "backup.named": "it has its name, the draft is there too",
    "open.before": "a file that was found to be a ledger is about to be opened for writing",
    "migrate.before": "an upgrade is due, nothing is locked",
    "migrate.begun": "the upgrade holds the write lock and has changed nothing",
    "upgrade.unused": "nobody else uses the ledger that is to be upgraded, no copy is made",
    "upgrade.copied": "its copy stands beside it, nothing is changed",
    "migrate.version": "one version's changes are made, in the open transaction",
    "migrate.written": "all changes and the new version number are written, nothing is committed",
    "migrate.after": "the upgrade is committed",
    # -- rewinds
    "rewind.leased": "a rewind has moved the run's row and none of its other rows",
    "rewind.moved": "all rows of the tail but its equity are discarded, in the open transaction",
    "rewind.written": "a rewind is written, in the open transaction",
    "rewind.before": "a rewind is worked out and nothing of it is written",
    "rewind.after": "a rewind is committed and its session stands where it stood before",
    # -- forks
    "fork.before": "a fork is worked out and has no row",
    "fork.written": "its row and all rows of its beginning are written, in the open transaction",
    "fork.after": "it is committed and has no session",
    # -- owners
    "instance.before": "this process has no lock file yet",
    "instance.made": "its lock file is there under another name and is not locked",
    "instance.locked": "it is locked and says who holds it, still under another name",
    "instance.taken": "its lock file is locked and says who holds it",
    "instance.releasing": "all its runs are left, its lock file is still there",
    "instance.unlinked": "its lock file is gone, the lock on it is still held",
    "discard.before": "a dead owner's runs are taken, its lock file is still there",
    "discard.after": "a dead owner's lock file is gone",
    "heartbeat.before": "a heartbeat is due",
    "heartbeat.filed": "it is in the lock file and not in the rows",
    "heartbeat.after": "it is in the rows as well",
    "recover.found": "orphans have been found and none has been taken",
    "recover.taken": "orphans have been taken, all in one transaction",
    "adopt.before": "a run's row is about to change its owner, in the open transaction",
    "adopt.written": "it has another owner and epoch, in the open transaction",
    # -- runs
    "create.before": "a request is checked and has no row",
    "create.after": "it has a row and no session",
    "take_up.before": "an interrupted run may be taken up and has not been",
    "take_up.after": "it is adopted and has no session",
    "submit.before": "a decision was asked for and has changed nothing",
    "submit.after": "a decision is durable and its caller has not been told",
    "move.before": "a run is about to change its status, what it has computed waits",
    "move.after": "its status has changed and who asked for it has not been told",
    "batch.landed": "a batch of a run is known to have landed",
    "baseline.before": "a run's result is published, its baseline has no row",
    "baseline.after": "its baseline has a row and has not begun",
    "delete.before": "a run is about to be deleted, all of it is there",
    "delete.archived": "its row is in the archive, in the open transaction",
    "delete.after": "it is deleted, its log is still there",
    # -- commands between processes
    "command.requested": "a command stands in the ledger, its asker waits",
    "command.found": "the owner has found a command and not begun it",
    "command.carried": "the owner has done it and not answered",
    "command.answered": "the answer stands in the ledger",
}
"""Every failpoint with what is true when it is passed."""

Action = str | BaseException | type[BaseException] | Callable[[], object]


@dataclass
class Armed:
    """An armed failpoint; ``passed`` counts its passages since."""

    act: Callable[[], object]
    at: int | None = None
    passed: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def passage(self) -> None:
        with self._counting:
            self.passed += 1
            due = self.at is None or self.passed == self.at
        if due:
            self.act()


_armed: dict[str, Armed] = {}


def failpoint(name: str) -> None:
    """Pass the failpoint ``name``: nothing happens, unless it is armed."""
    if _armed:
        found = _armed.get(name)
        if found is not None:
            found.passage()


@contextmanager
def armed(name: str, action: Action, *, at: int | None = None) -> Iterator[Armed]:
    """Have ``action`` happen in this process whenever ``name`` is passed, or at passage ``at``.

    An action is one of the words above, an exception to raise, or a function to call. Raises
    ``InvalidOption`` for an unknown name or action.
    """
    found = _armed[_known(name)] = Armed(_act_of(action), at)
    try:
        yield found
    finally:
        _armed.pop(name, None)


def arm(words: str) -> None:
    """Arm what ``STEPDECK_FAILPOINTS`` says, for good.

    Raises ``InvalidOption`` for what is no such text; then nothing is armed.
    """
    wanted: dict[str, Armed] = {}
    for word in filter(None, map(str.strip, words.split(","))):
        name, equals, action = word.partition("=")
        action, _, at = action.partition("@")
        if not equals or (at and not at.isdecimal()) or at == "0":
            raise _refusal(f"{word!r} is no NAME=ACTION or NAME=ACTION@N")
        wanted[_known(name)] = Armed(_act_of(action), int(at) if at else None)
    _armed.update(wanted)


def _known(name: str) -> str:
    if name not in FAILPOINTS:
        raise _refusal(f"there is no failpoint {name!r}")
    return name


def _act_of(action: Action) -> Callable[[], object]:
    if isinstance(action, str):
        return _act_of_word(action)
    if isinstance(action, BaseException) or (
        isinstance(action, type) and issubclass(action, BaseException)
    ):
        return _raiser(action)
    return action


def _raiser(error: BaseException | type[BaseException]) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def _act_of_word(word: str) -> Callable[[], object]:
    verb, colon, detail = word.partition(":")
    if verb in _SIGNALS and not colon:
        # To this thread: one of a process's others may take a signal later, and this one go on past
        # the seam meanwhile.
        return lambda: signal.pthread_kill(threading.get_ident(), _SIGNALS[verb])
    if word == "error":
        return _raiser(LedgerWriteFailed("a failpoint refused the write", field="db"))
    number = getattr(errno, detail, None) if verb == "error" else None
    if isinstance(number, int):
        return _raiser(OSError(number, os.strerror(number)))
    if verb == "sleep":
        try:
            seconds = float(detail)
        except ValueError:
            seconds = -1.0
        if 0 <= seconds < float("inf"):
            return lambda: time.sleep(seconds)
    raise _refusal(f"there is no action {word!r}")


_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def _refusal(said: str) -> InvalidOption:
    return InvalidOption(f"{VARIABLE}: {said}", field=VARIABLE, remedy="it is for tests: unset it")


if VARIABLE in os.environ:
    arm(os.environ[VARIABLE])
