"""Tables: sorted on the server, with the columns that a person chose; files as what is shown."""

import csv
import html
import io
import json
import re

import pytest
from web_helpers import Office, Visitor

from station.errors import InvalidValue
from station.handlers.base import TableQuery
from station.handlers.contract import contract_of
from station.handlers.download import Column
from station.handlers.language import Language
from station.handlers.routes import PAGES
from station.handlers.tables import sorted_rows
from station.store.objects.meters import Meter
from station.store.objects.terminals import Terminal

FIRST = ["Address", "Name", "Link", "Energy kWh", "Power kW", "Last read"]


async def yard(office: Office) -> Visitor:
    """Three meters on one terminal, and an administrator."""
    await office.database.terminals.add(Terminal("0571-01001", "North"))
    for address, name in (("000000000001", "B"), ("000000000002", "C"), ("000000000003", "A")):
        meter = Meter(address, name, link="0571-01001", point=int(address))
        await office.database.meters.add(meter)
    return await office.somebody()


def heads(page: str) -> list[str]:
    """Return the heads of the first table of a page."""
    table = page[page.index("<thead>") : page.index("</thead>")]
    texts = [re.sub("<[^>]+>", "", each) for each in re.findall(r"<th[ >].*?</th>", table, re.S)]
    return [html.unescape(" ".join(text.split())) for text in texts]


def rows(page: str) -> str:
    return "".join(number[-1] for number in re.findall(r'id="meter-(\d+)"', page))


async def text_of(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.code == 200, (path, answer.body)
    return answer.body.decode("utf-8-sig")


async def test_a_click_on_a_head_sorts_the_whole_list(office: Office) -> None:
    ann = await yard(office)
    page = await text_of(ann, "/meters?size=2&text=0")
    assert rows(page) == "12"
    assert "aria-sort" not in page
    assert 'href="/meters?size=2&amp;text=0&amp;sort=name"' in page
    page = await text_of(ann, "/meters?size=2&text=0&sort=name")
    assert rows(page) == "31"
    assert page.count('aria-sort="ascending"') == 1
    assert 'href="/meters?size=2&amp;text=0&amp;sort=-name"' in page
    assert '<input type="hidden" name="sort" value="name">' in page  # A filter keeps the order.
    page = await text_of(ann, "/meters?size=2&text=0&sort=-name")
    assert rows(page) == "21"
    assert page.count('aria-sort="descending"') == 1
    _, listed = await ann.json("GET", "/api/meters?sort=-name")
    assert [each["name"] for each in listed["items"]] == ["C", "B", "A"]
    table = [*csv.reader(io.StringIO(await text_of(ann, "/meters?format=csv&sort=-name")))]
    assert [row[1] for row in table] == ["Name", "C", "B", "A"]


async def test_nothing_else_is_sorted_by_or_shown(office: Office) -> None:
    ann = await yard(office)
    for path, field in (
        ("/api/meters?sort=energy", "sort"),
        ("/api/meters?sort=--name", "sort"),
        ("/api/meters?sort=name&columns=secret", "columns"),
        ("/api/meters?columns=,", "columns"),
        ("/api/links?sort=remote", "sort"),
        ("/api/frames?sort=time", "sort"),
        ("/meters?format=csv&columns=password_hash", "columns"),
    ):
        answer = await ann.get(path, accept="application/json")
        assert answer.code == 400, (path, answer.body)
        assert json.loads(answer.body)["error"]["field"] == field, path


async def test_chosen_columns_are_shown_in_files_too_and_remembered(office: Office) -> None:
    ann = await yard(office)
    assert heads(await text_of(ann, "/meters")) == FIRST
    chosen = {"table": "/meters", "columns": ["address", "stage", "protocol"], "next": "/meters"}
    answer = await ann.post("/columns", **{**chosen, "next": "/meters?sort=-name&columns=name"})
    assert answer.code == 303
    assert answer.headers["Location"] == "/meters?sort=-name&columns=address%2Cstage%2Cprotocol"
    page = await text_of(ann, "/meters?sort=-name")
    assert heads(page) == ["Address", "Protocol"]  # The stage stands within the name.
    (link,) = re.findall(r'href="(/meters\?[^"]*format=csv[^"]*)"', page)
    table = [*csv.reader(io.StringIO(await text_of(ann, html.unescape(link))))]
    assert table[0] == ["Address", "Protocol"]
    assert [row[0][-1] for row in table[1:]] == ["2", "1", "3"]
    other = await office.somebody()
    assert heads(await text_of(other, "/meters")) == FIRST  # Everybody has their own.
    assert heads(await text_of(ann, "/meters?columns=name")) == ["Name"]  # The address comes first.
    named = [*csv.reader(io.StringIO(await text_of(ann, "/meters?format=csv&columns=name")))]
    assert named[0] == ["Name", "Stage"]
    assert (await ann.post("/columns", **chosen, usual="true")).headers["Location"] == "/meters"
    assert heads(await text_of(ann, "/meters")) == FIRST


async def test_a_choice_names_a_table_and_columns_and_stays_on_this_site(office: Office) -> None:
    ann = await office.somebody()
    for table, column in (("meters", "name"), ("/meters/{$gt}", "name"), ("/meters", "$where")):
        assert (await ann.post("/columns", table=table, columns=column)).code == 400
    away = await ann.post("/columns", table="/a", columns="name", next="//elsewhere.example/x")
    assert away.headers["Location"] == "/?columns=name"
    await office.database.table_choices.remember("nobody", "/meters", ["gone"])
    assert await office.database.table_choices.find("nobody", "/meters") == ["gone"]


async def test_every_list_shows_its_columns_sorts_by_them_and_gives_them(site: Office) -> None:
    """Each table with all of its columns, each order of it, and its file with the same heads."""
    ann = await site.somebody()
    await ann.json("POST", "/api/meters/000000000161/read", {"items": ["voltage_a"]})
    sorted_by = with_choice = 0
    for pattern, handler in PAGES:
        contract = contract_of(handler, "GET") if "get" in vars(handler) else None
        if contract is None or not contract.formats or "(" in pattern or contract.answer is None:
            continue
        if not issubclass(contract.query, TableQuery):
            continue
        if (await ann.get(pattern)).code != 200:  # Of programs only, or of a meter.
            continue
        page = await text_of(ann, pattern)
        choices = re.findall(r'name="columns" value="(\w+)"', page)
        if not choices:
            continue
        with_choice += 1
        everything = ",".join(choices)
        page = await text_of(ann, f"{pattern}?columns={everything}")
        if "<thead>" in page and 'data-opens="columns"' in page:
            offered = {*re.findall(r"[?&;]sort=(-?\w+)", page[page.index("<thead>") :])}
            for sort in offered:
                for way in (sort.lstrip("-"), f"-{sort.lstrip('-')}"):
                    assert "aria-sort" in await text_of(ann, f"{pattern}?sort={way}"), (
                        pattern,
                        way,
                    )
                    sorted_by += 1
            for name in choices:
                await text_of(ann, f"{pattern}?columns={name}")
        table = await text_of(ann, f"{pattern}?format=csv&columns={everything}")
        assert len(next(csv.reader(io.StringIO(table)))) >= len(choices)
    assert with_choice >= 20
    assert sorted_by >= 30


def test_what_has_no_value_comes_last_either_way() -> None:
    columns = (Column[tuple[str, int | None]]("Number", lambda row: row[1], sort="number"),)
    things = [("none", None), ("two", 2), ("one", 1)]
    english = Language("en")
    assert [row[0] for row in sorted_rows(things, columns, "number", english)] == [
        "one",
        "two",
        "none",
    ]
    assert [row[0] for row in sorted_rows(things, columns, "-number", english)] == [
        "two",
        "one",
        "none",
    ]
    with pytest.raises(InvalidValue):
        sorted_rows(things, columns, "name", english)
