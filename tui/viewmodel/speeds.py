"""The speeds that two keys walk through."""

from __future__ import annotations

from typing import Final

SPEEDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


def faster(speed: float | None) -> float | None:
    """The next speed up; None is as fast as it goes."""
    return next((step for step in SPEEDS if speed is not None and step > speed), None)


def slower(speed: float | None) -> float:
    """The next speed down, not below the slowest."""
    return next((step for step in reversed(SPEEDS) if speed is None or step < speed), SPEEDS[0])
