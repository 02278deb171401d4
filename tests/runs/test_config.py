"""Requests to the ``config`` column and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from engine import codec
from engine.model import Costs, Rules, RunRequest
from engine.runs.config import config_hash, decode_request, encode_request

REQUEST = RunRequest(
    "sma_cross",
    params={"fast": 5, "slow": 20},
    symbols=("AAPL", "IBM"),
    start=date(2010, 1, 4),
    end=date(2012, 12, 31),
    rules=Rules(cash=5_000.0, lot=1e-9, costs=Costs.of("sec,taf"), participation=0.1),
    tags=("a", "b"),
    speed=12.5,
)


def test_a_request_survives_the_column() -> None:
    """What is decoded from the JSON of the row is the request that was encoded."""
    text = codec.dumps(encode_request(REQUEST))
    assert decode_request(codec.loads(text)) == REQUEST


def test_fields_of_a_later_version_have_defaults() -> None:
    """A row that an older version wrote can be taken up."""
    config = encode_request(REQUEST)
    del config["repair"], config["actions"]
    assert decode_request(config) == REQUEST


def test_a_rule_that_is_none_any_more_is_left_out() -> None:
    """A row of a version that had periods a year among its rules can be taken up."""
    config = encode_request(REQUEST)
    config["rules"] |= {"sessions_per_year": 365}
    assert decode_request(config) == REQUEST


def test_the_hash_covers_what_the_result_depends_on() -> None:
    """Names, tags and speed do not change the hash; rules, parameters and window do."""
    same = replace(REQUEST, name="other", tags=(), speed=None, paused=True, agent_id="x")
    assert config_hash(same) == config_hash(REQUEST)
    others = [
        replace(REQUEST, params={"fast": 6, "slow": 20}),
        replace(REQUEST, end=None),
        replace(REQUEST, rules=replace(REQUEST.rules, seed=1)),
        replace(REQUEST, symbols=("IBM", "AAPL")),
    ]
    assert len({config_hash(request) for request in [REQUEST, *others]}) == 5
