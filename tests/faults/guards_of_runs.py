"""What keeps runs true: owners, caps, steps and decisions, going on, time travel."""

from __future__ import annotations

from typing import Final

from tests.faults.guard import Guard

_CUT: Final = "engine/store/cut.py"
_REWIND: Final = "tests/runs/test_rewind.py"
_FENCES: Final = "tests/faults/test_fences.py"
_STALLS: Final = "tests/runs/test_stalls.py"

OF_RUNS: Final[tuple[Guard, ...]] = (
    # -- owners -----------------------------------------------------------------------------------
    Guard(
        "an owner holds its lock",
        "engine/runs/instance.py",
        "        fcntl.flock(file, fcntl.LOCK_EX)\n",
        "        pass\n",
        "tests/runs/test_instance.py::test_a_running_process_is_alive_and_a_killed_one_is_not",
    ),
    Guard(
        "an owner is locked before it has a name",
        "engine/runs/instance.py",
        "        held = cls(ledger, file, identity, locked=_lock(file))\n",
        "        draft.rename(path)\n"
        "        held = cls(ledger, file, identity, locked=_lock(file))\n"
        "        path.rename(draft)\n",
        f"{_FENCES}::test_an_owner_is_never_seen_unlocked",
    ),
    Guard(
        "a probe disturbs no owner",
        "engine/runs/instance.py",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "fcntl.LOCK_SH",
        "tests/runs/test_instance.py::test_a_stopped_process_is_alive",
    ),
    Guard(
        "a held lock outweighs silence",
        "engine/runs/liveness.py",
        "        return self._beats(owner, mirrored) if known is None else known\n",
        "        return self._beats(owner, mirrored)\n",
        "tests/runs/test_liveness.py::test_a_held_lock_outweighs_any_silence",
    ),
    Guard(
        "a long absence counts as a short one",
        "engine/runs/liveness.py",
        "still = seen.still + min(passed, _LONGEST_LOOK * self._stale_seconds)",
        "still = seen.still + passed",
        "tests/runs/test_liveness.py::test_a_suspended_laptop_is_no_death",
    ),
    Guard(
        "silence may be switched off",
        "engine/runs/liveness.py",
        "        if not self._stale_seconds:\n            return True\n",
        "",
        "tests/runs/test_liveness.py::test_zero_disables_staleness",
    ),
    Guard(
        "only the dead are recovered",
        "engine/runs/recovery.py",
        "        if owner != instance.id and not liveness.alive(owner, beat)\n",
        "        if owner != instance.id\n",
        "tests/runs/test_resume.py::test_a_killed_owners_run_is_interrupted_and_comes_to_its_result",
    ),
    Guard(
        "a silent owner keeps its lock file",
        "engine/runs/recovery.py",
        "        if liveness.probe(owner) is False:\n            discard",
        "        if True:\n            discard",
        "tests/faults/test_stopped.py::test_past_its_heartbeat",
    ),
    Guard(
        "an owner that was robbed learns of it",
        "engine/runs/pulse.py",
        "            if (record.owner_instance, record.lease_epoch) != "
        "(service.instance.id, session.epoch):\n",
        "            if False:\n",
        f"{_FENCES}::test_an_idle_owner_learns_that_it_was_robbed",
    ),
    # -- caps -------------------------------------------------------------------------------------
    Guard(
        "the cap is in the inserting transaction",
        "engine/runs/beginning.py",
        "            rows.refuse_past_caps(conn, service.limits, request.agent_id)\n"
        "        return writes.insert_run(conn, columns)\n",
        "            pass\n        return writes.insert_run(conn, columns)\n",
        "tests/faults/test_many_owners.py::test_caps",
    ),
    Guard(
        "taking up counts against the cap",
        "engine/runs/adoption.py",
        "            rows.refuse_past_caps(conn, service.limits, record.agent_id)\n",
        "            pass\n",
        "tests/faults/test_many_owners.py::test_caps",
    ),
    Guard(
        "the cap of an agent",
        "engine/runs/rows.py",
        "    if agent_id is not None:\n",
        "    if False:\n",
        "tests/runs/test_service.py::test_caps_are_refused_before_there_is_a_row",
    ),
    # -- steps and decisions ----------------------------------------------------------------------
    Guard(
        "a decision for a later step is refused",
        "engine/runs/deciding.py",
        "            if step > due:\n                raise answers.not_open_yet(step, due)\n",
        "",
        "tests/runs/test_service.py::test_a_decision_names_the_step_that_is_due",
    ),
    Guard(
        "a decision for an earlier step is a repeat or refused",
        "engine/runs/deciding.py",
        "            if (step < due or key is not None) and",
        "            if key is not None and",
        "tests/runs/test_service.py::test_a_decision_names_the_step_that_is_due",
    ),
    Guard(
        "a repeat has the same content",
        "engine/runs/answers.py",
        "        and _decision(stored.decision) == _decision(codec.decision_text(decision))\n",
        "",
        "tests/runs/test_service.py::test_a_decision_names_the_step_that_is_due",
    ),
    Guard(
        "a repeat has its key",
        "engine/runs/answers.py",
        "        and stored.idempotency_key == key\n",
        "",
        "tests/runs/test_answers.py::test_a_repeat_is_answered_from_the_ledger",
    ),
    Guard(
        "a key decides one step",
        "engine/runs/answers.py",
        "        if known is not None and known.step_index != step:\n",
        "        if False:\n",
        "tests/runs/test_answers.py::test_a_key_decides_one_step_only",
    ),
    Guard(
        "a discarded key is refused",
        "engine/runs/answers.py",
        "        if record.rewind_count and reader.is_discarded_key(run_id, key):\n",
        "        if False:\n",
        "tests/runs/test_rewind.py::test_what_was_seen_before_answers_step_rewound",
    ),
    Guard(
        "a discarded step is refused",
        "engine/runs/rewind.py",
        '        if epoch is not None and epoch < made["epoch"] and step >= made["to"]:\n',
        "        if False:\n",
        "tests/runs/test_rewind.py::test_what_was_seen_before_answers_step_rewound",
    ),
    Guard(
        "a deadline decides, not who is served first",
        "engine/runs/deciding.py",
        "        deadlines.expire(service, session)\n",
        "        pass\n",
        "tests/runs/test_deadlines.py::"
        "test_a_decision_that_comes_before_the_timer_is_late_all_the_same",
    ),
    Guard(
        "a late decision is told so",
        "engine/runs/answers.py",
        "    if stored is not None and stored.status == TIMED_OUT:\n",
        "    if False:\n",
        "tests/runs/test_deadlines.py::test_the_host_holds_a_step_whose_deadline_passed",
    ),
    Guard(
        "an agent decides nothing while its run is paused",
        "engine/runs/deciding.py",
        "    if session.agent_decides and session.status is Status.PAUSED:\n",
        "    if False:\n",
        "tests/runs/test_deadlines.py::test_a_pause_freezes_what_is_left",
    ),
    Guard(
        "what was acknowledged was waited for",
        "engine/runs/commit.py",
        "            wait or len(session.in_flight) > MAX_IN_FLIGHT or",
        "            len(session.in_flight) > MAX_IN_FLIGHT or",
        f"{_FENCES}::test_an_answer_waits_for_its_commit",
    ),
    Guard(
        "a run that is closed takes nothing",
        "engine/runs/service.py",
        "            if session.closed.is_set() or session.status not in MOVING or not "
        "session.progress:\n",
        "            if not session.progress:\n",
        f"{_FENCES}::test_a_closed_session_takes_nothing[step]",
    ),
    Guard(
        "a loader that comes late brings nothing back",
        "engine/runs/beginning.py",
        "        if not session.closed.is_set():\n            session.bars = bars\n",
        "        if True:\n            session.bars = bars\n",
        f"{_FENCES}::test_a_late_loader_brings_nothing_back",
    ),
    Guard(
        "the state table is asked",
        "engine/runs/service.py",
        "        after(session.status, trigger)\n",
        "",
        f"{_FENCES}::test_the_state_table_is_asked",
    ),
    # -- going on ---------------------------------------------------------------------------------
    Guard(
        "other bars are refused",
        "engine/runs/replay.py",
        "    if bars_hash not in (None, panel.content_hash):\n",
        "    if False:\n",
        "tests/runs/test_resume.py::test_other_bars_are_refused_and_the_run_left",
    ),
    Guard(
        "another strategy is refused",
        "engine/runs/warming.py",
        "    if began != now:\n",
        "    if False:\n",
        "tests/runs/test_resume.py::test_an_edited_strategy_is_refused_and_the_run_left",
    ),
    Guard(
        "a strategy that decides otherwise is refused",
        "engine/runs/replay.py",
        "            if before != after:\n",
        "            if False:\n",
        "tests/runs/test_resume.py::"
        "test_a_strategy_that_decides_otherwise_is_named_and_the_run_left",
    ),
    Guard(
        "a replay must have the log's digest",
        "engine/runs/replay.py",
        "        if log.anchor is not None and stop == log.anchor[0] and progress.digest != "
        "log.anchor[1]:\n",
        "        if False:\n",
        f"{_FENCES}::test_changed_rows_are_not_gone_on_from",
    ),
    Guard(
        "force takes only what is active",
        "engine/runs/adoption.py",
        "    taken = force and record.status in ACTIVE and run_id not in service.sessions\n",
        "    taken = force\n",
        f"{_FENCES}::test_force_takes_no_finished_run",
    ),
    Guard(
        "a living owner's run is taken by force alone",
        "engine/runs/adoption.py",
        "    if record.status != Status.INTERRUPTED and not taken:\n",
        "    if False:\n",
        "tests/runs/test_resume.py::test_only_an_interrupted_run_is_taken_up",
    ),
    Guard(
        "a living owner's run is cancelled by it alone",
        "engine/runs/service.py",
        "        abandoned = record.status in ACTIVE and not self.owner_alive(record)\n",
        "        abandoned = record.status in ACTIVE\n",
        f"{_FENCES}::test_a_cancel_from_a_stranger",
    ),
    Guard(
        "a wanted cancel outlives its owner",
        "engine/runs/recovery.py",
        "    if run.cancel_requested_at is not None:\n",
        "    if False:\n",
        "tests/runs/test_reaper.py::test_an_orphan_that_somebody_wanted_cancelled_is_cancelled",
    ),
    Guard(
        "a cancel that got lost is carried out",
        "engine/runs/reaper.py",
        "            if run.cancel_requested_at is not None and run.run_id in service.sessions:\n",
        "            if False:\n",
        "tests/runs/test_reaper.py::test_a_wanted_cancel_that_got_lost_is_carried_out",
    ),
    Guard(
        "verify compares the chain",
        "engine/runs/verification.py",
        "expected[step] not in (None, got[step])",
        "False",
        "tests/runs/test_verify.py::test_a_chain_s_first_broken_link",
    ),
    # -- time travel ------------------------------------------------------------------------------
    Guard(
        "a rewind asks for its owner",
        _CUT,
        'run_id = ? AND owner_instance = ? AND lease_epoch = ? "',
        'run_id = ? AND ? IS NOT NULL AND lease_epoch = ? "',
        f"{_REWIND}::test_a_cut_without_the_lease_or_past_the_run_writes_nothing",
    ),
    Guard(
        "a rewind asks for its epoch",
        _CUT,
        'run_id = ? AND owner_instance = ? AND lease_epoch = ? "',
        'run_id = ? AND owner_instance = ? AND ? IS NOT NULL "',
        f"{_REWIND}::test_a_cut_without_the_lease_or_past_the_run_writes_nothing",
    ),
    Guard(
        "only a paused run is cut",
        _CUT,
        "WHERE {held} AND status = 'paused' AND step_index >= ?\"",
        'WHERE {held} AND step_index >= ?"',
        f"{_REWIND}::test_a_cut_without_the_lease_or_past_the_run_writes_nothing",
    ),
    Guard(
        "no run is cut past its end",
        _CUT,
        "AND status = 'paused' AND step_index >= ?\"",
        "AND status = 'paused' AND ? >= 0\"",
        f"{_REWIND}::test_a_cut_without_the_lease_or_past_the_run_writes_nothing",
    ),
    Guard(
        "a rewound step is known by its epoch",
        "engine/runs/deciding.py",
        "            rewind.refuse_rewound(session.metadata, step, epoch=epoch)\n",
        "",
        f"{_REWIND}::test_what_was_seen_before_answers_step_rewound",
    ),
    Guard(
        "a rewound step is known by its key",
        "engine/runs/answers.py",
        "        if record.rewind_count and reader.is_discarded_key(run_id, key):\n",
        "        if False:\n",
        f"{_REWIND}::test_what_was_seen_before_answers_step_rewound",
    ),
    Guard(
        "a cancel ends the warming of a strategy",
        "engine/runs/replay.py",
        "        if cancelled():\n",
        "        if False:\n",
        f"{_REWIND}::test_a_cancelled_run_is_warmed_no_further",
    ),
    Guard(
        "a rewind looks at the strategy's source",
        "engine/runs/warming.py",
        "    refuse_other_source(prepared.strategy, loaded.source_hash, again.source_hash)\n",
        "",
        f"{_REWIND}::test_a_strategy_that_would_decide_otherwise_stays_where_it_is",
    ),
    Guard(
        "a fork asks for the cap in its transaction",
        "engine/runs/fork.py",
        "        rows.refuse_past_caps(conn, service.limits, None)\n        key",
        "        key",
        "tests/runs/test_fork.py::test_nobody_races_past_the_cap_by_a_fork",
    ),
    Guard(
        "a fork is of the bars its parent had",
        "engine/runs/fork.py",
        "    if not wish.rebase:\n        refuse_other_bars(",
        "    if False:\n        refuse_other_bars(",
        "tests/runs/test_fork.py::test_other_bars_are_named_and_may_be_accepted",
    ),
    Guard(
        "the wheel survives",
        "engine/runs/adoption.py",
        "        taken_over=bool(record.metadata.get(TAKEN_OVER)),\n",
        "",
        "tests/runs/test_wheel.py::test_the_wheel_survives_every_interruption",
    ),
    Guard(
        "looking back looks at the equity that is on record",
        "engine/runs/past.py",
        "    if not np.array_equal(replayed, equity):\n",
        "    if False:\n",
        "tests/runs/test_past.py::test_other_bars_and_changed_rows_are_named",
    ),
    Guard(
        "orders of a run that was not replayed end with it",
        "engine/runs/commit.py",
        "    if session.progress is None or session.log is not None:\n",
        "    if session.progress is None:\n",
        "tests/runs/test_acting.py::test_orders_left_by_a_run_that_was_not_replayed_end_with_it",
    ),
    # -- a ledger that refuses --------------------------------------------------------------------
    Guard(
        "what the ledger refuses is no end of the run",
        "engine/runs/service.py",
        "        except LedgerError:\n            raise\n        except BaseException:\n",
        "        except BaseException:\n",
        f"{_STALLS}::test_an_end_is_not_undone_by_a_cancel_that_comes_after",
    ),
    Guard(
        "a change of status that was refused is told, not tried again in silence",
        "engine/runs/commit.py",
        "        self._send(session, write, append, to=target(trigger), kept=kept)\n"
        "        self._settle(session, wait=True)\n",
        "        self._send(session, write, append, to=target(trigger), kept=kept)\n"
        "        session.in_flight[-1].future.exception()\n"
        "        self.flush(session, wait=True)\n",
        f"{_STALLS}::test_who_is_refused_is_told",
    ),
    Guard(
        "an end that was refused is tried again",
        "engine/runs/commit.py",
        "            if pending.kept:\n",
        "            if False:\n",
        f"{_STALLS}::test_an_end_that_could_not_be_written_is_written_later",
    ),
    Guard(
        "a stalled run computes nothing further",
        "engine/drivers/host.py",
        "            if stall is not None and (session.holds or session.status in MOVING):\n",
        "            if False:\n",
        f"{_STALLS}::test_a_run_stalls_and_goes_on_by_itself",
    ),
    Guard(
        "no deadline passes while the ledger refuses",
        "engine/runs/deadlines.py",
        "    if session.status is Status.RUNNING and session.stall is None:\n",
        "    if session.status is Status.RUNNING:\n",
        f"{_STALLS}::test_an_agent_loses_no_time_to_a_ledger_that_refuses",
    ),
)
