"""``stepdeck show``: one run, or one of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.errors import InvalidOption
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

if TYPE_CHECKING:
    from engine.model import RunRecord
    from tui.gateway import Gateway


@click.command("show")
@click.argument("run")
@click.option("--step", type=int, metavar="N", help="What was seen, decided and filled at step N.")
@click.option("--order", metavar="ID", help="Why that order became what it became.")
@click.option("--all", "baselines", is_flag=True, help="Let @1, @2 … count baselines too.")
@click.option("--plain", is_flag=True, help="As text, which is what it prints anyway.")
@json_option
@db_option
@pass_deck
def show(
    deck: Deck,
    /,
    run: str,
    step: int | None,
    order: str | None,
    baselines: bool,
    plain: bool,  # noqa: ARG001
    as_json: bool,
) -> None:
    """One run: state, figures, costs, hashes. RUN is an id, a unique prefix of one, or @1, @2 …"""
    gateway = deck.open(write=False)
    try:
        record = gateway.record(gateway.reader().resolve(run, all_runs=baselines))
        if order is not None:
            _show_order(gateway, record, order, as_json=as_json)
        elif step is None:
            _show_run(gateway, record, as_json=as_json)
        else:
            _show_step(gateway, record, step, as_json=as_json)
    finally:
        gateway.close()


def _show_run(gateway: Gateway, record: RunRecord, *, as_json: bool) -> None:
    from tui.plain import positions_text, rows_document, run_document, run_text

    owner = gateway.owner(record)
    positions = gateway.reader().positions(record.run_id)
    if as_json:
        print_json(run_document(record, owner) | {"positions": rows_document(positions)})
        return
    from engine.sim.metrics import FORMULAS

    click.echo(run_text(record, owner, FORMULAS))
    click.echo("\n" + positions_text(positions))


def _show_order(gateway: Gateway, record: RunRecord, order: str, *, as_json: bool) -> None:
    from tui.gateway import BARS_GONE
    from tui.plain import rows_document
    from tui.safe import safe_text
    from tui.viewmodel.why import as_text, why

    try:
        panel = gateway.bars(record.run_id)
    except BARS_GONE:
        panel = None  # what the ledger holds can be told without
    detail = gateway.detail(record.run_id)
    chapters = why(detail, order, panel)
    if not chapters:
        known = [one.order_id for one in detail.orders[-3:]]
        raise InvalidOption(
            f"run {record.run_id} has no order {order!r}",
            field="order",
            remedy=f"ids are such as {', '.join(known)}" if known else "it has none",
        )
    if not as_json:
        click.echo(safe_text(as_text(chapters)))
        return
    found = [one for one in detail.orders if one.order_id == order]
    fills = [fill for fill in detail.fills if fill.order_id == order]
    told = [{"title": chapter.title, "lines": list(chapter.lines)} for chapter in chapters]
    print_json(
        {
            "run_id": record.run_id,
            "order": rows_document(found)[0],
            "fills": rows_document(fills),
            "why": told,
        }
    )


def _show_step(gateway: Gateway, record: RunRecord, step: int, *, as_json: bool) -> None:
    document = _step_document(gateway, record, step)
    if as_json:
        print_json(document)
        return
    from tui.plain import step_text

    click.echo(step_text(document))


def _step_document(gateway: Gateway, record: RunRecord, step: int) -> dict[str, Any]:
    """What the ledger and the run's bars say of one step, as plain JSON values."""
    from engine.codec import loads
    from engine.model import stamp_text
    from tui.gateway import BARS_GONE
    from tui.plain import rows_document

    if not 0 <= step < record.step_index:
        last = record.step_index - 1
        raise InvalidOption(
            f"run {record.run_id} has no step {step}",
            field="step",
            remedy=f"it has 0 to {last}" if last >= 0 else "it has none yet",
        )
    reader = gateway.reader()
    until = step + 1
    equity = reader.equity(record.run_id, since=step, until=until)
    decided = reader.step(record.run_id, step)
    document: dict[str, Any] = {
        "run_id": record.run_id,
        "step": step,
        "ts": stamp_text(int(equity.stamps[0])),
        "equity": float(equity.equity[0]),
        "cash": float(equity.cash[0]),
        # A step without a row held.
        "decision": loads(decided.decision) if decided is not None else {},
        "decision_source": decided.decision_source if decided is not None else record.driver,
        "orders": rows_document(reader.orders(record.run_id, since=step, until=until)),
        "fills": rows_document(reader.fills(record.run_id, since=step, until=until)),
        "cash_flows": rows_document(reader.cash_flows(record.run_id, since=step, until=until)),
    }
    try:
        panel = gateway.bars(record.run_id)
    except BARS_GONE as error:
        # The ledger holds no bars: where their source is gone or has others, the rest stands.
        return document | {"bars": [], "bars_missing": str(error)}
    fields = ("open", "high", "low", "close", "volume")
    bars = [
        {"symbol": symbol} | {name: float(getattr(panel, name)[step, column]) for name in fields}
        for column, symbol in enumerate(panel.symbols)
        if panel.has_bar[step, column]
    ]
    return document | {"bars": bars, "bars_missing": None}
