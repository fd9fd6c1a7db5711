"""What selling leaves in the audit log: what stood before and after, as the stores have it."""

import json
from typing import Any

from counter_site import METER, CounterSite, purchase
from web_helpers import Visitor

from station.store.database import Database


async def entry(database: Database, act: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return before and after of the newest entry of an act, and who did it."""
    entries, _ = await database.audit.list(act=act, outcome="done")
    newest = entries[0]
    return json.loads(newest.before or "{}"), json.loads(newest.after or "{}"), newest.who


async def changed(ann: Visitor, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a change that has to go through; return what it made."""
    status, answer = await ann.json("POST", path, body)
    assert status in (200, 201), answer
    assert isinstance(answer, dict)
    return answer


async def test_sales_tell_what_stood_and_what_stands(counter: CounterSite) -> None:
    ann, database = await counter.office.somebody("clerk"), counter.office.database
    account, card = await counter.opened(ann)
    before, after, who = await entry(database, "accounts.add")
    assert (before, who) == ({}, "clerk0")
    assert (after["account"]["state"], after["account"]["meter"]) == ("opening", METER)
    assert (after["order"]["kind"], after["order"]["amount_fen"]) == ("opening", 10_000)
    _, after, _ = await entry(database, "orders.write")
    assert (after["state"], after["card_serial"]) == ("written", card.serial.hex().upper())
    counter.meter.insert(card)
    sold = await changed(ann, f"/api/accounts/{account}/purchases", purchase(700))
    before, after, _ = await entry(database, "accounts.purchases")
    assert (before["purchase_count"], before["balance_fen"]) == (1, None)
    assert (after["id"], after["amount_fen"], after["count"]) == (sold["id"], 700, 2)
    assert "request" not in before  # It is the account, and not what the form said.
    await changed(ann, f"/api/orders/{sold['id']}/abandon", {"reason": "changed mind"})
    before, after, _ = await entry(database, "orders.abandon")
    assert (before["state"], after["state"]) == ("reserved", "abandoned")
    transfer = {"request_id": "t", "reason": "sold", "customer": "700002"}
    new = {"number": "700002", "name": "Test second", "phone": "1"}
    await changed(ann, "/api/customers", new)
    _, after, _ = await entry(database, "customers.add")
    assert (after["number"], after["created_by"]) == ("000000700002", "clerk0")
    await changed(ann, f"/api/accounts/{account}/transfer", transfer)
    before, after, _ = await entry(database, "accounts.transfer")
    assert before["owner"] in ("", before["customer"])
    assert after["account"]["owner"] == "000000700002"


async def test_drawers_tell_what_stood_and_what_stands(counter: CounterSite) -> None:
    ann, boss = await counter.office.somebody("clerk"), await counter.office.somebody()
    database = counter.office.database
    shift = await changed(ann, "/api/shifts", {"float_fen": 5_000})
    _, after, _ = await entry(database, "shifts.add")
    assert (after["id"], after["state"], after["float_fen"]) == (shift["id"], "open", 5_000)
    await changed(ann, f"/api/shifts/{shift['id']}/close", {"counted_fen": 5_000})
    before, after, _ = await entry(database, "shifts.close")
    assert (before["state"], after["state"], after["counted_fen"]) == ("open", "closed", 5_000)
    for amount_fen, stood in ((40_000, None), (50_000, 40_000)):
        await changed(boss, "/api/limits/clerk0", {"sale_max_fen": amount_fen})
        before, after, who = await entry(database, "limits.change")
        assert (before["sale_max_fen"], after["sale_max_fen"]) == (stood, amount_fen)
        assert who == "administrator1"
