"""What the ledger itself refuses: stale leases, torn transactions, files that are not its own."""

from __future__ import annotations

from typing import Final

from tests.faults.guard import Guard

_WRITES: Final = "engine/store/writes.py"
_APPEND: Final = "engine/store/append.py"
_SCHEMA: Final = "engine/store/schema.py"
_LEDGER: Final = "engine/store/ledger.py"
_CONNECTION: Final = "engine/store/connection.py"
_STORE: Final = "tests/store/test_writes.py"
_FENCES: Final = "tests/faults/test_fences.py"

OF_THE_STORE: Final[tuple[Guard, ...]] = (
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
        "        if not pending.future.result():\n",
        "        if pending.future.result() is None:\n",
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
    Guard(
        "writes of one run land in their order",
        "engine/store/line.py",
        "            place = places.popleft()\n",
        "            place = places.pop()\n",
        "tests/store/test_line.py::test_a_write_goes_ahead_of_batches_of_other_runs",
    ),
    Guard(
        "a rewind begins the hash of the log anew",
        "engine/store/seal.py",
        "        if epoch != self._epoch:\n",
        "        if self._epoch is None:\n",
        "tests/runs/test_acting.py::test_the_end_of_a_long_log_is_sealed_from_what_was_known",
    ),
)
