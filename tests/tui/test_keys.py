"""The registry of actions and keys, and a person's keymap over it."""

from __future__ import annotations

import pytest

from engine.errors import InvalidOption
from tui import keys
from tui.keys import ACTIONS, BY_ID, Keys, Place


def test_ids_are_unique_and_every_action_explains_itself() -> None:
    """An id names one action, and help has a sentence for each."""
    assert len(BY_ID) == len(ACTIONS)
    assert all(action.label and len(action.help) > 4 for action in ACTIONS)


def test_the_registry_has_no_clashes() -> None:
    """In no place does a key mean two things."""
    Keys()


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        ("runs.new", "n"),
        ("runs.pause", "p"),
        ("runs.cancel", "x"),
        ("runs.take_up", "R"),
        ("runs.filter", "/"),
        ("runs.mark", "space"),
        ("run.play", "space"),
        ("run.step", "."),
        ("run.step_ten", ">"),
        ("run.faster", "+"),
        ("run.slower", "-"),
        ("run.buy", "b"),
        ("run.sell", "s"),
        ("run.hold", "h"),
        ("run.ticket", "o"),
        ("run.close_position", "c"),
        ("run.cancel", "x"),
        ("run.next_symbol", "n"),
        ("run.previous_symbol", "N"),
        ("help", "?"),
        ("palette", "ctrl+p"),
        ("redraw", "ctrl+l"),
        ("quit", "q"),
        ("back", "esc"),
    ],
)
def test_keys_are_those_promised(action: str, shown: str) -> None:
    """The keys people were promised are the ones bound."""
    assert Keys().shown(BY_ID[action]) == shown


def test_no_binding_uses_a_key_that_tmux_or_flow_control_takes() -> None:
    """ctrl with a, b, j, q, s never reaches the app in many terminals."""
    taken = {f"ctrl+{letter}" for letter in "abjqs"}
    assert not taken & {key for action in ACTIONS for key in action.keys}


def test_a_keymap_changes_what_is_shown_and_bound() -> None:
    """Remapping by id reaches every reader of the registry."""
    mapped = Keys({"runs.new": "a, !", "runs.mark_all": "A"})
    assert mapped.shown(BY_ID["runs.new"], every=True) == "a  !"
    assert mapped.keymap["runs.new"] == "a,exclamation_mark"


def test_a_keymap_that_names_no_action_is_refused_with_the_nearest_id() -> None:
    """A typing error in the file is named, not ignored."""
    with pytest.raises(InvalidOption, match=r"runs\.newt.*did you mean runs\.new") as refused:
        Keys({"runs.newt": "n"})
    assert refused.value.field == "keymap.runs.newt"


@pytest.mark.parametrize(
    "keymap", [{"runs.new": "x"}, {"runs.cancel": "q"}, {"list.down": "n"}], ids=str
)
def test_a_key_given_to_two_actions_of_a_place_is_refused(keymap: dict[str, str]) -> None:
    """Neither another action of the place, nor one that works everywhere or in its list."""
    with pytest.raises(InvalidOption, match="give one of them another key"):
        Keys(keymap)


def test_the_same_key_in_two_places_is_fine() -> None:
    """Places are separate: n is New in the list and the next symbol in a run."""
    assert BY_ID["runs.new"].keys == BY_ID["run.next_symbol"].keys


def test_bindings_carry_the_ids() -> None:
    """Textual remaps by binding id, so each binding has its action's."""
    for place in Place:
        made = {binding.id for binding in keys.bindings(place)}  # type: ignore[union-attr]
        assert made == {action.id for action in keys.of(place) if action.keys}
