"""How long it takes to import the meters of a large unit, through the pages, in a real MongoDB.

A workbook is sent in over HTTP, the preview is awaited, applied, and undone; a bar shows what the
page shows meanwhile. The limit: from the file to the applied import at most 60 s for 20,000 meters.
Between them the loop is looked at every few milliseconds: the links wait no longer than its
longest stall.
"""

import argparse
import asyncio
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import xlsxwriter

from station.store.database import Database
from station.store.embedded import EmbeddedMongo

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "prepaid"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "handlers"))

from import_helpers import send
from web_helpers import CONFIG, Visitor, open_office

LIMIT_S = 60.0
TICK_S = 0.002
BAR = 40  # Characters.
METERS_A_TERMINAL = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(options.meters, Path(folder)))
    print(json.dumps(result))
    return int(result["import_s"] > LIMIT_S)


async def measure(meters: int, folder: Path) -> dict[str, Any]:
    """Start a database and the pages, and import into them."""
    mongod = EmbeddedMongo(folder / "data", 256)
    try:
        uri = await mongod.start()
        database = await Database.connect(uri, "bench", zone=CONFIG.site.zone_info)
        try:
            async with open_office(database) as office:
                person = await office.somebody("technician")
                return await imports(person, meters)
        finally:
            await database.close()
    finally:
        await mongod.stop()


async def imports(person: Visitor, meters: int) -> dict[str, Any]:
    """Import terminals, then meters; change all of them by a second table; undo both."""
    began_s, stalls = time.process_time(), Stalls()
    watching = asyncio.create_task(stalls.watch())
    terminals = [f"{0x0200_0001 + n:08X}" for n in range(max(1, meters // METERS_A_TERMINAL))]
    rows = [[address, f"Area {n}"] for n, address in enumerate(terminals)]
    await bring(person, "terminals", await made(["address", "name"], rows))
    head = ["address", "name", "link", "point", "port", "line", "tariffs", "groups"]
    rows = [
        [f"{n:012}", f"Meter {n}", terminals[n % len(terminals)], 1 + n // len(terminals), 2,
         "2400 8E1", 4, f"Street {n % 50}, single-phase"]
        for n in range(1, meters + 1)
    ]  # fmt: skip
    content = await made(head, rows)
    stalls.longest_s = 0.0
    new = await bring(person, "meters", content)
    undone_s = await do(person, new["place"], "undo")
    stall_ms = 1000 * stalls.longest_s
    again = await bring(person, "meters", content)
    renamed = [[row[0], f"{row[1]} (new)"] for row in rows]
    other = await made(["address", "name"], renamed)
    changed = await bring(person, "meters", other)
    unchanged = await preview(person, "meters", other)
    watching.cancel()
    return {
        "meters": meters,
        "file_kb": round(len(content) / 1000),
        "import_s": round(max(each["import_s"] for each in (new, again, changed)), 1),
        "preview_s": round(new["preview_s"], 1),
        "apply_s": round(new["apply_s"], 1),
        "undo_s": round(undone_s, 1),
        "change_s": round(changed["import_s"], 1),
        "unchanged_preview_s": round(unchanged["preview_s"], 1),
        "processor_s": round(time.process_time() - began_s, 1),
        "loop_stall_ms": round(stall_ms),
    }


async def bring(person: Visitor, kind: str, content: bytes) -> dict[str, Any]:
    """Send a table in and apply it; return its place and how long that took."""
    made = await preview(person, kind, content)
    apply_s = await do(person, made["place"], "apply")
    return {**made, "apply_s": apply_s, "import_s": made["preview_s"] + apply_s}


async def preview(person: Visitor, kind: str, content: bytes) -> dict[str, Any]:
    """Send a table in; return the place of its preview and how long that took."""
    began = time.perf_counter()
    answer = await send(person, kind, content)
    assert answer.code == 303, answer.body
    place = answer.headers["Location"]
    await wait(person, place, f"{kind}: preview")
    return {"place": place, "preview_s": time.perf_counter() - began}


async def do(person: Visitor, place: str, act: str) -> float:
    """Apply or undo an import; return how long that took."""
    began = time.perf_counter()
    answer = await person.post(f"{place}/{act}")
    assert answer.code == 303, answer.body
    await wait(person, place, act)
    return time.perf_counter() - began


async def wait(person: Visitor, place: str, title: str) -> None:
    """Show the bar of an import until nothing is under way with it."""
    while True:
        status, view = await person.json("GET", f"/api{place}?size=1")
        assert status == 200, view
        assert not view["error"], view
        work = view["work"] or {"done": 1, "total": 1}
        filled = BAR * work["done"] // max(work["total"], 1)
        bar = "#" * filled + "." * (BAR - filled)
        print(f"\r{title:24} [{bar}]", end="", file=sys.stderr, flush=True)
        if view["work"] is None:
            print(file=sys.stderr)
            return
        await asyncio.sleep(0.1)


class Stalls:
    """How long the loop was busy with one thing: its own processor time, whoever else has some."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        """Look every few milliseconds whether the loop still turns."""
        while True:
            before = time.thread_time()
            await asyncio.sleep(TICK_S)
            self.longest_s = max(self.longest_s, time.thread_time() - before)


async def made(head: list[str], rows: list[list[Any]]) -> bytes:
    """Return a workbook, made beside the loop."""
    return await asyncio.to_thread(table, head, rows)


def table(head: list[str], rows: list[list[Any]]) -> bytes:
    """Return a workbook."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    sheet = book.add_worksheet()
    for number, row in enumerate([head, *rows]):
        sheet.write_row(number, 0, row)
    book.close()
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
