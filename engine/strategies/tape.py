"""Decision tapes: JSONL, one decision a line (contract, "Files")."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine import codec
from engine.errors import InvalidFile, InvalidTape
from engine.model import EPOCH, Decision, stamp_datetime, stamp_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXAMPLE = 'e.g. {"at": "2026-03-02T14:30:00Z", "targets": {"AAPL": 0.25}}'


class TapeLine(NamedTuple):
    """A decision and the grid point whose bars it has seen: a stamp, or a step; one of them."""

    number: int
    at: int | None
    step: int | None
    decision: Decision


@dataclass(frozen=True, slots=True)
class Tape:
    """The checked lines of a tape file; ``source_hash`` is the SHA-256 of its bytes."""

    path: Path
    lines: tuple[TapeLine, ...]
    source_hash: str

    def resolve(self, stamps: NDArray[np.int64]) -> dict[int, Decision]:
        """The decisions by step on a grid of ``stamps`` (int64 [T], ascending, microseconds).

        Raises ``InvalidTape`` naming the line whose ``at`` is no grid point, whose ``step`` is past
        the end, or whose step another line has decided already.
        """
        steps = {stamp: step for step, stamp in enumerate(stamps.tolist())}
        decided: dict[int, int] = {}
        decisions: dict[int, Decision] = {}
        for line in self.lines:
            where = f"{self.path.name} line {line.number}"
            step = line.step if line.at is None else steps.get(line.at)
            if step is None:
                assert line.at is not None
                raise InvalidTape(
                    f"{where}: at {stamp_text(line.at)} is no bar of this run",
                    field="at",
                    remedy=_neighbours(line.at, stamps),
                )
            if step >= len(stamps):
                raise InvalidTape(
                    f"{where}: step {step} is past the run's last, {len(stamps) - 1}",
                    field="step",
                    remedy="give the run more bars, or leave the line out",
                )
            if step in decisions:
                raise InvalidTape(
                    f"{where}: step {step} was decided in line {decided[step]} already",
                    field="step",
                    remedy="one line a decision",
                )
            decided[step] = line.number
            decisions[step] = line.decision
        return decisions


def read_tape(path: Path) -> Tape:
    """Read and check a tape; blank lines are skipped.

    Raises ``InvalidFile`` for a file that cannot be read, ``InvalidTape`` naming the line and field
    of what is no decision.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidFile(
            f"cannot read the tape {path}: {error.strerror}",
            field="strategy",
            remedy="name a JSONL file as tape:FILE.jsonl",
        ) from error
    lines = [
        _parse(path, number, line)
        for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1)
        if line.strip()
    ]
    return Tape(path, tuple(lines), hashlib.sha256(content).hexdigest())


def write_tape(lines: Iterable[tuple[int, Decision]], path: Path) -> int:
    """Write (stamp, decision) pairs as a tape, holds left out; the file appears whole or not.

    Returns how many lines it has. Raises ``OSError`` as the file system does.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    written = 0
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for stamp, decision in lines:
                if decision.holds:
                    continue
                at = json.dumps({"at": _exact_text(stamp)})
                file.write(f"{at[:-1]}, {codec.decision_text(decision)[1:]}\n")
                written += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return written


def _parse(path: Path, number: int, line: bytes) -> TapeLine:
    try:
        return _decode(number, codec.loads_input(line))
    except InvalidTape as error:
        raise InvalidTape(
            f"{path.name} line {number}: {error.message}", field=error.field, remedy=error.remedy
        ) from error
    except ValueError as error:  # JSON and UTF-8 errors are both ValueErrors
        raise InvalidTape(
            f"{path.name} line {number} is not JSON: {error}", remedy="one JSON object a line"
        ) from error


def _decode(number: int, wire: object) -> TapeLine:
    if not isinstance(wire, Mapping):
        raise InvalidTape("a line is a JSON object", field="decision", remedy=EXAMPLE)
    at, step = _at(wire), _step(wire)
    if (at is None) == (step is None):
        raise InvalidTape(
            "a line has `at` or `step`, one of them",
            field="at",
            remedy=EXAMPLE,
        )
    rest = {name: value for name, value in wire.items() if name not in ("at", "step")}
    return TapeLine(number, at, step, codec.decode_decision(rest))


def _at(wire: Mapping[str, Any]) -> int | None:
    value = wire.get("at")
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidTape(
            f"at {value!r} is no ISO 8601 stamp", field="at", remedy=EXAMPLE
        ) from None
    if moment.tzinfo is None:
        raise InvalidTape(
            f"at {value!r} has no zone", field="at", remedy="write it in UTC, with a Z at its end"
        )
    return (moment - EPOCH) // timedelta(microseconds=1)


def _step(wire: Mapping[str, Any]) -> int | None:
    value = wire.get("step")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidTape(
            f"step {value!r} is no whole number >= 0",
            field="step",
            remedy="give the grid point decided at, the first being 0",
        )
    return value


def _exact_text(stamp: int) -> str:
    if stamp % 1_000_000 == 0:
        return stamp_text(stamp)
    return stamp_datetime(stamp).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _neighbours(at: int, stamps: NDArray[np.int64]) -> str:
    if not len(stamps):
        return "the run has no bars"
    following = int(stamps.searchsorted(at))
    near = stamps[max(following - 1, 0) : following + 1].tolist()
    return f"the nearest {'are' if len(near) > 1 else 'is'} {' and '.join(map(stamp_text, near))}"
