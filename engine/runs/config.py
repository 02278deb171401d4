"""A run's request as the ``config`` column, and back, so that any process can take the run up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from typing import Any

from engine import codec
from engine.model import Costs, Rules, RunRequest

# What a run is called, how fast it goes, where it stops and who watches change no result.
_NOT_IN_HASH = frozenset(
    {"name", "tags", "agent_id", "speed", "paused", "baselines", "breakpoints"}
    | {"isolate", "isolate_memory"}
)


def encode_request(request: RunRequest) -> dict[str, Any]:
    """The request as plain JSON values; every field is there, so the rules in force are in it."""
    config = asdict(request)
    for name in ("start", "end"):
        value = config[name]
        config[name] = value.isoformat() if value is not None else None
    config["params"] = dict(request.params)
    config["symbols"] = list(request.symbols) if request.symbols is not None else None
    config["tags"] = list(request.tags)
    config["breakpoints"] = list(request.breakpoints)
    return config


def decode_request(config: Mapping[str, Any]) -> RunRequest:
    """The request of a ``config`` column; what an older version did not write gets its default,
    and a rule that is none any more is left out."""
    values = {
        field.name: config[field.name] for field in fields(RunRequest) if field.name in config
    }
    for name in ("start", "end"):
        if values.get(name) is not None:
            values[name] = date.fromisoformat(values[name])
    if values.get("symbols") is not None:
        values["symbols"] = tuple(values["symbols"])
    for name in ("tags", "breakpoints"):
        values[name] = tuple(values.get(name) or ())
    written = values.get("rules") or {}
    rules = {field.name: written[field.name] for field in fields(Rules) if field.name in written}
    rules["costs"] = Costs(**(written.get("costs") or {}))
    values["rules"] = Rules(**rules)
    return RunRequest(**values)


def config_hash(request: RunRequest) -> str:
    """SHA-256 over everything in the request that the result depends on."""
    return stored_hash(encode_request(request))


def stored_hash(config: Mapping[str, Any]) -> str:
    """The ``config_hash`` of a ``config`` column: the same whether its text was read back or not.

    What a later version adds to a request is not in the columns of earlier runs, so their hashes
    stay what they were.
    """
    kept = {name: value for name, value in config.items() if name not in _NOT_IN_HASH}
    return hashlib.sha256(codec.dumps(kept).encode()).hexdigest()
