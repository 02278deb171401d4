"""The numbers of the settings that the run service obeys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps (0 disables), and how often and how patiently owners are looked at, in seconds."""

    max_active_runs: int = 100
    max_active_runs_per_agent: int = 5
    reaper_interval_seconds: float = 60.0
    heartbeat_stale_seconds: float = 300.0
    probe_locks: bool = True
    recover_on_start: bool = True
    decision_timeout_seconds: float = 60.0
    abandon_after_timeouts: int = 10
