"""A strategy file looked at from outside: another process executes it and says what it found.

Run as a program, ``engine.strategies.outside SPEC``, it prints that as JSON. A file that ends its
process, hangs or eats all memory while it is imported does so there.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from engine import codec
from engine.errors import StepdeckError, StrategyLoadError, error_of
from engine.strategies.base import ParameterInfo
from engine.strategies.registry import LoadedStrategy, StrategyInfo, load

IMPORT_SECONDS: Final = 60.0


def is_file(spec: str) -> bool:
    """Whether the spec names somebody's own Python file."""
    return spec.rpartition(":")[0].endswith(".py")


def load_outside(spec: str, *, timeout: float = IMPORT_SECONDS) -> LoadedStrategy:
    """What ``registry.load`` says of ``spec``, without ``make``; its file is not executed here.

    Raises what ``registry.load`` raises; ``StrategyLoadError`` also for a file whose import ends
    its process or takes longer than ``timeout`` seconds.
    """
    try:
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-P", "-m", "engine.strategies.outside", spec],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StrategyLoadError(
            f"{spec} is not imported after {timeout:g} s",
            field="strategy",
            remedy="do the work in prepare, not while the file is imported",
        ) from None
    try:
        said: dict[str, Any] = codec.loads(done.stdout)
    except ValueError:
        raise StrategyLoadError(
            f"{spec} ended its process while it was imported (status {done.returncode})",
            field="strategy",
            remedy="correct the file",
        ) from None
    if "error" in said:
        code, message, field, remedy = said["error"]
        raise error_of(code)(message, field=field, remedy=remedy)
    info = said["info"]
    return LoadedStrategy(
        StrategyInfo(
            info["name"],
            info["summary"],
            tuple(ParameterInfo(**parameter) for parameter in info["parameters"]),
            path=Path(info["path"]),
            passed_over=tuple((name, why) for name, why in info["passed_over"]),
        ),
        said["source_hash"],
    )


def environment() -> dict[str, str]:
    """The environment of a process of ours that must find what this one finds."""
    package = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package, *sys.path)))}


def _describe(spec: str) -> dict[str, Any]:
    try:
        loaded = load(spec)
    except StepdeckError as error:
        return {"error": [error.code, error.message, error.field, error.remedy]}
    info = asdict(replace(loaded.info, path=None))
    return {"info": info | {"path": str(loaded.info.path)}, "source_hash": loaded.source_hash}


def _main(spec: str) -> None:
    # What the file prints, at whatever level, is not the answer.
    answer = os.dup(1)
    os.dup2(2, 1)
    text = codec.dumps(_describe(spec))
    with contextlib.closing(os.fdopen(answer, "w", encoding="utf-8")) as out:
        out.write(text)


if __name__ == "__main__":
    _main(sys.argv[1])
