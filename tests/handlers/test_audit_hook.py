"""Every change through the pages leaves its entry, with who, what, before and after."""

import json

from web_helpers import Office

from station.store.objects.audit import Entry


async def newest(office: Office) -> Entry:
    await office.parts.audit.settled()
    entries, _ = await office.database.audit.list(limit=1)
    return entries[0]


async def test_an_addition_is_an_entry_when_its_answer_has_come(office: Office) -> None:
    ann = await office.somebody("technician")
    answer = await ann.post("/terminals", address="02001234", name="North")
    assert answer.code == 303, answer.body
    entries, _ = await office.database.audit.list(limit=1)
    entry = entries[0]
    assert (entry.act, entry.object, entry.outcome) == (
        "terminals.add", "/terminals/02001234", "done",
    )  # fmt: skip
    assert (entry.who, entry.via, entry.address) == ("technician0", "browser", "127.0.0.1")
    assert json.loads(entry.after)["name"] == "North"
    assert await office.database.audit.begun("test") == []
    assert (await office.database.audit.verify()).broken is None
