"""The speeds that two keys walk through."""

from __future__ import annotations

from tui.viewmodel.speeds import SPEEDS, faster, slower


def test_speeds_go_up_to_full_and_down_to_one() -> None:
    """None is as fast as it goes, and stands above every number."""
    assert slower(None) == SPEEDS[-1]
    assert slower(SPEEDS[0]) == SPEEDS[0]
    assert faster(SPEEDS[-1]) is None
    assert faster(None) is None
    assert faster(3.0) == 5.0
    assert slower(3.0) == 2.0
