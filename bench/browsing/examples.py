"""Examples of what stands in the addresses of pages, asked for from the station itself."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from browsing import told
from browsing.people import Person
from station.units import utc_now

EACH = 5  # Examples of each kind of thing.
ALARM_RULE = {"name": "Bench", "way": "email", "targets": ["nobody@example.org"], "enabled": False}
TEMPLATE = {"name": "Bench", "kind": "terminal", "values": {}}
CHANNEL = {"name": "bench", "url": "socket://127.0.0.1:9", "enabled": False}
EDGE = "----edge"
IMPORT_WAIT_S = 120.0

# The list of things, and what names one of them.
LISTS = {
    "terminals": "address", "meters": "address", "places": "id", "runs": "id", "tasks": "id",
    "commands": "id", "alarms": "id", "customers": "number", "accounts": "id", "orders": "id",
    "shifts": "id", "tariffs": "id", "audit": "sequence", "buses": "bus", "roles": "name",
    "users": "name", "controls": "id",
}  # fmt: skip


class Examples:
    """What is there to be looked at; a few things are made that a past does not hold."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._found = {
            name: self._keys(f"/api/{name}?size={EACH}", key) for name, key in LISTS.items()
        }

    def things(self) -> dict[str, Sequence[str]]:
        """Return keys by the address that they end, such as `/meters/*`; else whole addresses."""
        meter, terminal = self._found["meters"][0], self._found["terminals"][0]
        return {
            **{f"/{name}/*": keys for name, keys in self._found.items()},
            "/links/*": self._found["terminals"],
            "/limits/*": ["bench"],
            "/channels/*": self._made("/api/channels", "name", CHANNEL),
            "/alarms/rules/*": self._made("/api/alarms/rules", "id", ALARM_RULE),
            "/parameters/templates/*": self._made("/api/parameters/templates", "id", TEMPLATE),
            "/parameters/batches/*": [told.BATCH_ID],
            "/imports/*": self._imported(),
            "/exports/*": ["meters"],
            "/terminals/*/parameters/*": [f"/terminals/{terminal}/parameters/F1"],
            "/meters/*/parameters/*": [f"/meters/{meter}/parameters/04000201"],
        }

    def queries(self) -> dict[str, Sequence[Mapping[str, str]]]:
        """Return what pages are asked for that show nothing without a query."""
        meter, today = self._found["meters"][0], utc_now().date()
        month = {"from": str(today - timedelta(days=30)), "to": str(today)}
        latest = self._person.get(f"/api/meters/{meter}")["latest"]
        return {
            "/readings": [{"meter": meter, "item": "power_total", **month}],
            "/consumption": [{"meter": meter, "item": "energy_import_total", **month}],
            "/search": [{"text": "98002"}, {"text": "Home 17"}, {"text": "no such thing"}],
            "/counter": [{}, {"text": "Home 17"}],
            "/accounts/*/preview": [{"amount": "100"}],
            "/meters/*/frames": [{"read_at": each["read_at"]} for each in latest[:1]],
            "/controls/dry_run": [
                {"kind": "meter", "devices": meter, "order": "trip"},
                {"kind": "meter", "group": "Street 1", "order": "trip"},
            ],
            "/tree": [{}, {"text": "Area 17"}],
            "/tree/branch": [{"place": place} for place in self._found["places"]],
            "/places/offered": [{"place": "Area 17"}],
            "/approvals/new": [{"kind": "reversal", "amount": "100"}],
        }

    def _keys(self, path: str, key: str) -> list[str]:
        return [str(each[key]) for each in self._person.get(path)["items"]]

    def _made(self, path: str, key: str, body: Mapping[str, Any]) -> list[str]:
        """Return the keys of what is there, or of the one thing that is made now."""
        return self._keys(path, key) or [str(self._person.post(path, body)[key])]

    def _imported(self) -> list[str]:
        """Return the ids of the imports that there are, or send in a table that changes nothing."""
        if found := self._keys("/api/imports", "id"):
            return found
        meters = self._person.get("/api/meters?size=1000")["items"]
        table = "address,name\n" + "".join(f"{each['address']},{each['name']}\n" for each in meters)
        parts = (
            f'--{EDGE}\r\nContent-Disposition: form-data; name="kind"\r\n\r\nmeters\r\n'
            f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="meters.csv"'
            f"\r\n\r\n{table}\r\n--{EDGE}--"
        )
        kind = f"multipart/form-data; boundary={EDGE}"
        sent = str(self._person.post("/api/imports", parts.encode(), kind)["id"])
        deadline = time.monotonic() + IMPORT_WAIT_S
        while self._person.get(f"/api/imports/{sent}?size=1")["work"] is not None:
            if time.monotonic() > deadline:
                raise TimeoutError("the import did not end")
            time.sleep(0.2)
        return [sent]
