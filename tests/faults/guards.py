"""Every guard of the ledger's truth, and the test that turns red when it is deleted.

A guard is a piece of source text. ``delete_guards`` takes each out of a copy of the tree and runs
its test there; ``test_guards`` holds that each text is still in its file, exactly once.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Guard(NamedTuple):
    """``text`` of ``file`` becomes ``instead``; ``test`` is a pytest node that must then fail."""

    name: str
    file: str
    text: str
    instead: str
    test: str


_WRITES: Final = "engine/store/writes.py"
_APPEND: Final = "engine/store/append.py"
_SCHEMA: Final = "engine/store/schema.py"
_LEDGER: Final = "engine/store/ledger.py"
_CONNECTION: Final = "engine/store/connection.py"
_STORE: Final = "tests/store/test_writes.py"
_CUT: Final = "engine/store/cut.py"
_REWIND: Final = "tests/runs/test_rewind.py"
_FENCES: Final = "tests/faults/test_fences.py"

GUARDS: Final[tuple[Guard, ...]] = (
    # -- leases -----------------------------------------------------------------------------------
    Guard(
        "a batch asks for its owner",
        _APPEND,
        'run_key = ? AND run_id = ? AND owner_instance = ? AND lease_epoch = ? "',
        'run_key = ? AND run_id = ? AND ? IS NOT NULL AND lease_epoch = ? "',
        f"{_STORE}::test_stale_lease_writes_nothing",
    ),
    Guard(
        "a batch asks for its epoch",
        _APPEND,
        'run_key = ? AND run_id = ? AND owner_instance = ? AND lease_epoch = ? "',
        'run_key = ? AND run_id = ? AND owner_instance = ? AND ? IS NOT NULL "',
        f"{_STORE}::test_stale_lease_writes_nothing",
    ),
    Guard(
        "a batch asks for the status",
        _APPEND,
        'f"AND status IN ({marks})"',
        "f\"AND coalesce({marks}, '') <> ''\"",
        f"{_STORE}::test_stale_lease_writes_nothing",
    ),
    Guard(
        "a batch follows on what the run has",
        _APPEND,
        'WHERE {held} AND step_index = ?"',
        'WHERE {held} AND ? >= 0"',
        f"{_STORE}::test_batch_must_follow_on",
    ),
    Guard(
        "a batch without its lease writes nothing",
        _APPEND,
        "    if not _take_lease(conn, batch, settled):\n        return False\n",
        "    _take_lease(conn, batch, settled)\n",
        f"{_STORE}::test_stale_lease_writes_nothing",
    ),
    Guard(
        "a change of status asks for its owner",
        _WRITES,
        '        condition += " AND owner_instance = ?"\n        values.append(owner)\n',
        "        pass\n",
        f"{_STORE}::test_transition_is_conditional",
    ),
    Guard(
        "a change of status asks for its epoch",
        _WRITES,
        '        condition += " AND lease_epoch = ?"\n        values.append(epoch)\n',
        "        pass\n",
        f"{_STORE}::test_transition_is_conditional",
    ),
    Guard(
        "a change of status asks for the status",
        _WRITES,
        "    if before is None or before not in {str(source) for source in sources}:\n"
        "        return False\n",
        "    if before is None:\n        return False\n",
        f"{_STORE}::test_transition_is_conditional",
    ),
    Guard(
        "an adoption asks for the owner it found",
        _WRITES,
        '        "AND owner_instance IS ? AND lease_epoch = ?",\n',
        '        "AND ? IS NOT 1 AND lease_epoch = ?",\n',
        f"{_STORE}::test_adopt",
    ),
    Guard(
        "an adoption asks for the epoch it found",
        _WRITES,
        '        "AND owner_instance IS ? AND lease_epoch = ?",\n',
        '        "AND owner_instance IS ? AND ? IS NOT NULL",\n',
        f"{_STORE}::test_adopt_knows_the_epoch",
    ),
    Guard(
        "an adoption asks for the status",
        _WRITES,
        "    if before is None or before not in {str(source) for source in sources}:\n"
        "        return None\n",
        "    if before is None:\n        return None\n",
        f"{_FENCES}::test_an_adoption_of_what_is_no_prey",
    ),
    Guard(
        "an adoption makes a new epoch",
        _WRITES,
        '        "lease_epoch": old_epoch + 1,\n',
        '        "lease_epoch": old_epoch,\n',
        f"{_FENCES}::test_a_run_taken_up_again_is_another_lease",
    ),
    Guard(
        "a heartbeat asks for its lease",
        _WRITES,
        'f"AND owner_instance = ? AND lease_epoch = ? AND status IN {ACTIVE}",\n'
        "        (seq, at, run_id, owner, epoch),",
        'f"AND ? <> 1 AND ? <> -1 AND status IN {ACTIVE}",\n'
        "        (seq, at, run_id, owner, epoch),",
        f"{_STORE}::test_heartbeat",
    ),
    Guard(
        "a change of columns asks for its lease",
        _WRITES,
        'WHERE run_id = ? AND owner_instance IS ? "\n        f"AND lease_epoch = ? AND (status',
        'WHERE run_id = ? AND ? IS NOT 1 "\n        f"AND ? <> -1 AND (status',
        f"{_FENCES}::test_columns_of_a_lost_run",
    ),
    Guard(
        "a rewind makes a new epoch",
        "engine/store/cut.py",
        "lease_epoch = lease_epoch + 1, ",
        "lease_epoch = lease_epoch, ",
        "tests/runs/test_rewind.py::test_a_late_batch_of_the_old_epoch_is_fenced",
    ),
    Guard(
        "a batch that did not land ends the session",
        "engine/runs/commit.py",
        "        if not future.result():\n",
        "        if future.result() is None:\n",
        "tests/runs/test_commands.py::test_a_stale_owner_writes_nothing",
    ),
    Guard(
        "a command is answered once",
        _WRITES,
        '        "WHERE command_id = ? AND applied_at IS NULL",\n',
        '        "WHERE command_id = ?",\n',
        f"{_STORE}::test_commands",
    ),
    Guard(
        "what a former owner was asked is refused when it leaves",
        _WRITES,
        "    if to == _LEFT:\n        refuse_commands(conn, run_id, at)\n"
        '    failpoint("transition.written")\n',
        '    failpoint("transition.written")\n',
        f"{_FENCES}::test_commands_of_a_former_owner",
    ),
    Guard(
        "what a former owner was asked is refused when it is robbed",
        _WRITES,
        "    if to == _LEFT:\n        refuse_commands(conn, run_id, at)\n"
        '    failpoint("adopt.written")\n',
        '    failpoint("adopt.written")\n',
        f"{_FENCES}::test_commands_of_a_former_owner",
    ),
    # -- transactions -----------------------------------------------------------------------------
    Guard(
        "transactions begin immediate",
        _LEDGER,
        'self._patiently("BEGIN IMMEDIATE", ',
        'self._patiently("BEGIN", ',
        "tests/store/test_writer.py::test_transactions_begin_immediate",
    ),
    Guard(
        "what fails is rolled back",
        _LEDGER,
        "            except BaseException:\n                if conn.in_transaction:\n"
        '                    conn.execute("ROLLBACK")\n                raise\n        except',
        '            except BaseException:\n                conn.execute("COMMIT")\n'
        "                raise\n        except",
        "tests/store/test_writer.py::test_failed_write_leaves_nothing",
    ),
    Guard(
        "a busy lock is waited for",
        _LEDGER,
        "                    if not is_busy(error):\n                        raise\n"
        "                    waited",
        "                    if True:\n                        raise\n                    waited",
        "tests/store/test_writer.py::test_waits_for_another_process",
    ),
    Guard(
        "commits are synced",
        _CONNECTION,
        'conn.execute("PRAGMA synchronous = FULL")',
        'conn.execute("PRAGMA synchronous = OFF")',
        "tests/store/test_writer.py::test_durable_settings",
    ),
    Guard(
        "foreign keys are kept",
        _CONNECTION,
        'conn.execute("PRAGMA foreign_keys = ON")',
        'conn.execute("PRAGMA foreign_keys = OFF")',
        "tests/store/test_writer.py::test_durable_settings",
    ),
    Guard(
        "a replaced row meets its delete trigger",
        _CONNECTION,
        'conn.execute("PRAGMA recursive_triggers = ON")',
        'conn.execute("PRAGMA recursive_triggers = OFF")',
        f"{_FENCES}::test_a_replaced_row_is_deleted_first",
    ),
    Guard(
        "no connection checkpoints by itself",
        _CONNECTION,
        'conn.execute("PRAGMA wal_autocheckpoint = 0")',
        'conn.execute("PRAGMA wal_autocheckpoint = 1000")',
        "tests/store/test_writer.py::test_durable_settings",
    ),
    Guard(
        "one process at a time checkpoints",
        "engine/store/checkpoint.py",
        "            if not held:\n                return None\n",
        "",
        "tests/store/test_writer.py::test_no_checkpoint_while_another_is_at_it",
    ),
    Guard(
        "nobody writes during a checkpoint",
        "engine/store/checkpoint.py",
        '    guard.execute("BEGIN IMMEDIATE")\n    try:\n        yield',
        '    guard.execute("BEGIN")\n    try:\n        yield',
        "tests/store/test_writer.py::test_no_checkpoint_while_another_writes",
    ),
    Guard(
        "no figure is NaN or infinite",
        _APPEND,
        "        if not isfinite(sum(figures)) and not all(\n",
        "        if False and not all(\n",
        f"{_STORE}::test_no_figure_that_is_none",
    ),
    Guard(
        "no figure of a column is NaN or infinite",
        "engine/store/columns.py",
        "        if not np.isfinite(column).all():\n",
        "        if False:\n",
        f"{_STORE}::test_no_figure_that_is_none",
    ),
    # -- the schema -------------------------------------------------------------------------------
    Guard(
        "trigger: no run is replaced",
        _SCHEMA,
        "WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = NEW.run_id OR run_key = NEW.run_key)",
        "WHEN 0",
        "tests/store/test_schema.py::test_finished_run_never_changes",
    ),
    Guard(
        "trigger: a run keeps its id",
        _SCHEMA,
        "WHEN NEW.run_id IS NOT OLD.run_id OR NEW.run_key IS NOT OLD.run_key",
        "WHEN 0",
        "tests/store/test_schema.py::test_finished_run_never_changes",
    ),
    Guard(
        "trigger: a finished run never changes",
        _SCHEMA,
        "WHEN OLD.status IN {_TERMINAL}",
        "WHEN 0",
        "tests/store/test_schema.py::test_finished_run_never_changes",
    ),
    Guard(
        "trigger: no run is deleted without a tombstone",
        _SCHEMA,
        "WHEN NOT EXISTS (SELECT 1 FROM tombstones WHERE run_id = OLD.run_id)",
        "WHEN 0",
        "tests/store/test_schema.py::test_finished_run_never_changes",
    ),
    Guard(
        "one decision a step",
        _SCHEMA,
        "    PRIMARY KEY (run_id, step_index)\n) STRICT, WITHOUT ROWID;\nCREATE UNIQUE",
        "    PRIMARY KEY (run_id, step_index, step_id)\n) STRICT, WITHOUT ROWID;\nCREATE UNIQUE",
        f"{_FENCES}::test_a_step_is_decided_once",
    ),
    Guard(
        "one step a key",
        _SCHEMA,
        "CREATE UNIQUE INDEX steps_idempotency",
        "CREATE INDEX steps_idempotency",
        f"{_STORE}::test_one_decision_a_step",
    ),
    Guard(
        "no active run is deleted",
        _WRITES,
        '    if conn.execute(active, {"run_id": run_id}).fetchone():\n        return ()\n',
        "",
        f"{_STORE}::test_delete",
    ),
    # -- opening ----------------------------------------------------------------------------------
    Guard(
        "another program's file is refused",
        _CONNECTION,
        "    if application != APPLICATION_ID:\n",
        "    if False:\n",
        "tests/store/test_opening.py::test_foreign_database",
    ),
    Guard(
        "a newer schema is refused",
        _CONNECTION,
        "    if version > SCHEMA_VERSION:\n",
        "    if False:\n",
        "tests/store/test_opening.py::test_newer_schema",
    ),
    Guard(
        "an upgrade waits until nobody uses the file",
        "engine/store/upgrade.py",
        "    if held:\n",
        "    if False:\n",
        "tests/store/test_upgrade.py::test_waits_for_whoever_uses_it",
    ),
    Guard(
        "an upgrade looks again inside its transaction",
        "engine/store/migrations.py",
        "for migration in migrations[version:]:",
        "for migration in migrations:",
        "tests/store/test_migrations.py::test_runs_what_is_due",
    ),
    Guard(
        "one at a time makes a ledger",
        "engine/store/drafts.py",
        "        path.hardlink_to(draft)\n",
        "        draft.replace(path)\n",
        "tests/store/test_backup.py::test_a_name_taken_meanwhile",
    ),
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
        "engine/runs/service.py",
        "                rows.refuse_past_caps(conn, self.limits, request.agent_id)\n"
        "            return writes.insert_run(conn, columns)\n",
        "                pass\n            return writes.insert_run(conn, columns)\n",
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
        f"{_FENCES}::test_a_closed_session_takes_nothing",
    ),
    Guard(
        "a loader that comes late brings nothing back",
        "engine/runs/service.py",
        "            if not session.closed.is_set():\n                session.bars = bars\n",
        "            if True:\n                session.bars = bars\n",
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
        "writes of one run land in their order",
        "engine/store/line.py",
        "            place = places.popleft()\n",
        "            place = places.pop()\n",
        "tests/store/test_line.py::test_a_write_goes_ahead_of_batches_of_other_runs",
    ),
    Guard(
        "orders of a run that was not replayed end with it",
        "engine/runs/commit.py",
        "    if session.progress is None or session.log is not None:\n",
        "    if session.progress is None:\n",
        "tests/runs/test_acting.py::test_orders_left_by_a_run_that_was_not_replayed_end_with_it",
    ),
    Guard(
        "a rewind begins the hash of the log anew",
        "engine/store/seal.py",
        "        if epoch != self._epoch:\n",
        "        if self._epoch is None:\n",
        "tests/runs/test_acting.py::test_the_end_of_a_long_log_is_sealed_from_what_was_known",
    ),
)
