"""Which strategies there are, and loading users' own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import InvalidFile, StrategyLoadError, UnknownParameter, UnknownStrategy
from engine.strategies import Strategy, available, describe, from_class, load, parse_params

GOOD = '''"""A file of strategies."""

from dataclasses import dataclass

from engine import Strategy, Target


@dataclass
class Note:
    text: str


class Mine(Strategy):
    """Hold one symbol.

    Further text.
    """

    symbol: str = "AAPL"

    def decide(self, obs):
        return [Target(self.symbol, 1.0)]


class Unfinished(Strategy):
    pass


class Stranger:
    pass
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A user's strategy file."""
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    return path


def test_the_built_ins_have_the_contracts_parameters() -> None:
    """Names, types and defaults are public."""
    found = {
        info.name: [(each.name, each.type, each.default) for each in info.parameters]
        for info in available()
    }
    assert found == {
        "buy_and_hold": [],
        "sma_cross": [("fast", "int", 10), ("slow", "int", 30)],
        "rsi_reversion": [
            ("period", "int", 14),
            ("low", "float", 30.0),
            ("high", "float", 70.0),
            ("weight", "float", 0.02),
        ],
        "momentum": [("lookback", "int", 20), ("top", "int", 5), ("every", "int", 1)],
        "manual": [],
    }
    assert all(info.summary for info in available())
    assert all(each.help for info in available() for each in info.parameters)


def test_built_ins_load_by_name() -> None:
    """With the hash of their source; manual has no strategy to make."""
    loaded = load("sma_cross")
    assert loaded.make is not None
    assert loaded.info.driver == "strategy"
    assert loaded.source_hash is not None
    assert len(loaded.source_hash) == 64
    assert isinstance(loaded.make({"fast": 3}), Strategy)
    manual = load("manual")
    assert (manual.info.driver, manual.make, manual.source_hash) == ("manual", None, None)


def test_a_users_class_is_loaded_from_its_file(file: Path) -> None:
    """Its first docstring line is its summary, its hash that of the file."""
    loaded = load(f"{file}:Mine")
    assert loaded.info.summary == "Hold one symbol."
    assert loaded.info.path == file
    assert loaded.source_hash == hashlib.sha256(file.read_bytes()).hexdigest()
    assert parse_params(loaded.info, {"symbol": "IBM"}) == {"symbol": "IBM"}
    with pytest.raises(UnknownParameter, match="it has symbol"):
        parse_params(loaded.info, {"fast": "1"})
    assert describe(f"{file}:Mine") == loaded.info


def test_a_changed_file_is_another_strategy(file: Path) -> None:
    """The file is read and executed at each load."""
    first = load(f"{file}:Mine")
    file.write_text(GOOD.replace('"AAPL"', '"MSFT"'))
    second = load(f"{file}:Mine")
    assert first.source_hash != second.source_hash
    assert second.info.parameters[0].default == "MSFT"


def test_a_file_may_import_its_neighbour(file: Path) -> None:
    """As when Python runs it, its own folder is looked in; the import path is left as it was."""
    (file.parent / "stepdeck_test_neighbour.py").write_text("SYMBOL = 'IBM'\n")
    file.write_text(
        "from stepdeck_test_neighbour import SYMBOL\n" + GOOD.replace('"AAPL"', "SYMBOL")
    )
    before = list(sys.path)
    assert load(f"{file}:Mine").info.parameters[0].default == "IBM"
    assert sys.path == before


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        ("x = 1\nraise RuntimeError('no luck')\n", 2, "RuntimeError on import: no luck"),
        ("import sys\n\nsys.exit(3)\n", 3, "SystemExit on import: 3"),
        ("raise KeyboardInterrupt\n", 1, "KeyboardInterrupt on import"),
        ("def f(:\n", 1, "SyntaxError on import"),
        ("import stepdeck_no_such_module\n", 1, "ModuleNotFoundError on import"),
        ("def f():\n    return 1 / 0\n\nf()\n", 2, "ZeroDivisionError on import: division by zero"),
        (
            "from engine import Strategy\n\nclass Mine(Strategy):\n    fast: int = 'ten'\n",
            3,
            "TypeError on import: Mine.fast is annotated int",
        ),
    ],
)
def test_a_file_that_fails_on_import_is_refused_with_file_and_line(
    source: str, where: int, what: str, tmp_path: Path
) -> None:
    """Whatever it raises, an exit included, is that file's failure and nobody else's."""
    path = tmp_path / "bad.py"
    path.write_text(source)
    before = set(sys.modules)
    with pytest.raises(StrategyLoadError) as caught:
        load(f"{path}:Mine")
    assert str(caught.value).startswith(f"{path}:{where}: {what}")
    assert not [name for name in set(sys.modules) - before if "strategy_bad" in name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Mien", "has no class 'Mien'; did you mean Mine?"),
        ("Unfinished", "mine.py:25: Unfinished has no decide method; add `def decide"),
        ("Stranger", "mine.py:29: Stranger is not a Strategy; write `class Stranger"),
        ("Note", "Note is not a Strategy"),
        ("dataclass", "dataclass is not a Strategy"),
    ],
)
def test_a_class_that_is_no_strategy_is_refused(name: str, message: str, file: Path) -> None:
    """Missing, without decide, or something else: with its line."""
    with pytest.raises(StrategyLoadError) as caught:
        load(f"{file}:{name}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sma_corss", "no strategy 'sma_corss'; did you mean sma_cross?"),
        ("nothing", "there are buy_and_hold, sma_cross, rsi_reversion, momentum, manual, tape:"),
        ("mine.py", "does not say which class of the file; name it: mine.py:Class"),
        ("nowhere.py:Mine", "cannot read the strategy file nowhere.py: No such file"),
    ],
)
def test_an_unknown_strategy_is_refused_with_what_there_is(spec: str, message: str) -> None:
    """The nearest name, the others, or how to write it."""
    with pytest.raises(UnknownStrategy) as caught:
        load(spec)
    assert message in str(caught.value)


def test_a_class_at_hand_is_loaded_as_it_is(file: Path) -> None:
    """Its hash is that of its file; a class made in a session has none."""
    make = load("momentum").make
    assert make is not None
    builtin = from_class(type(make({})))
    assert builtin.info.name == "Momentum"
    assert builtin.source_hash == load("momentum").source_hash
    scope: dict[str, type[Strategy]] = {}
    exec("from engine.strategies import Strategy\nclass Typed(Strategy):\n  decide = id", scope)
    typed = from_class(scope["Typed"])
    assert (typed.info.name, typed.source_hash) == ("Typed", None)


def test_listing_costs_nothing() -> None:
    """Neither the package nor the list of strategies imports pandas or TA-Lib."""
    code = (
        "import sys; from engine.strategies import available; available();"
        "print(*{'pandas', 'talib', 'pyarrow', 'exchange_calendars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_missing_tape_is_refused() -> None:
    """As a file that cannot be read."""
    with pytest.raises(InvalidFile, match=r"cannot read the tape nowhere.jsonl"):
        load("tape:nowhere.jsonl")
