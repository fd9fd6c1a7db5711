"""The frame parser: pasted hex in, every byte explained; and what it says of hex that is none."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_helpers import Office, text_of, words_of

from station.handlers.communication.explained import ROW_SIZE, cards_of, items_of
from station.handlers.communication.frames import EXAMPLES, HEX_SIZE_MAX
from station.protocols.describe import describe

READ = "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"
DAMAGED = READ.replace("14 16", "15 16")
CAPTURE = f"FE FE {READ} 00 FF {DAMAGED} {READ} 01 02"
VECTORS = Path(__file__).parents[1] / "vectors"
WIRES = sorted(
    {
        bytes.fromhex(text)
        for file in VECTORS.glob("*.json")
        for text in re.findall(r'"((?:[0-9A-Fa-f]{2} ?){8,})"', file.read_text())
    }
)


def check(raw: bytes) -> None:
    """Every byte is in one span of one item, in order; and on the page in one cell."""
    items = items_of(raw)
    at = 0
    for item in items:
        assert item.spans[0].start <= item.start < item.end <= item.spans[-1].end
        for span in item.spans:
            assert span.start == at < span.end
            at = span.end
    assert at == len(raw)
    cards = cards_of(raw, items)
    spans = {field.number: field.span for card in cards for field in card.fields}
    cells = [cell for card in cards for row in card.rows for cell in row]
    assert bytes.fromhex("".join(cell.hex for cell in cells)) == raw
    assert [cell.at for cell in cells] == list(range(len(raw)))
    assert all(spans[cell.field].start <= cell.at < spans[cell.field].end for cell in cells)


@given(st.sampled_from(WIRES), st.data())
def test_every_byte_is_explained_once(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw)))
    check(raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + data.draw(st.integers(0, 3)) :])


@given(st.binary(min_size=1, max_size=100))
def test_random_bytes_are_explained(raw: bytes) -> None:
    check(raw)


@pytest.mark.parametrize("raw", [wire for wire in WIRES if "protocol" in describe(wire)][::10])
def test_one_frame_is_described_as_anywhere(raw: bytes) -> None:
    told = next(item for item in items_of(raw) if item.frame is not None).to_json(raw)
    described = describe(raw)
    described.pop("before", None)
    described.pop("after", None)
    assert {name: told[name] for name in described} == described
    assert bytes.fromhex(told["hex"]) == raw[told["start"] :][: len(told["hex"]) // 2]


def test_a_damaged_frame_has_its_fault_by_itself() -> None:
    raw = bytes.fromhex(CAPTURE)
    first, damaged, last = items_of(raw)
    assert (first.start, first.end, first.spans[0].start) == (2, 18, 0)
    assert (damaged.error, damaged.offset) == ("wrong checksum", 34)
    assert [(span.start, span.end) for span in damaged.spans] == [
        (18, 20),
        (20, 34),
        (34, 35),
        (35, 36),
    ]
    assert damaged.spans[2].value == "15"
    assert (last.end, last.spans[-1].end) == (52, 54)  # What follows belongs to the last one.
    faults = [field for card in cards_of(raw, items_of(raw)) for field in card.fields]
    assert [field.span.start for field in faults if field.is_fault] == [34]
    assert [field.span.start for field in faults if field.is_between] == [0, 18, 52]


def test_a_frame_that_is_cut_off_lacks_the_byte_behind_its_last() -> None:
    raw = bytes.fromhex(READ)[:-2]
    (item,) = items_of(raw)
    assert item.fault_at == len(raw)
    assert item.error == "L says 16 bytes, 14 are here"


def test_bytes_without_any_start_have_no_byte_at_fault() -> None:
    (item,) = items_of(b"\x01\x02")
    assert (item.error, item.fault_at) == ("no start of a frame", None)


def test_rows_are_as_long_as_the_script_thinks() -> None:
    script = (Path(__file__).parents[2] / "station/handlers/static/parser.js").read_text()
    assert f"const ROW_SIZE = {ROW_SIZE};" in script
    (card,) = cards_of(bytes(20), items_of(bytes(20)))
    assert [len(row) for row in card.rows] == [8, 8, 4]


async def test_json_has_every_frame_with_its_spans(office: Office) -> None:
    ann = await office.somebody("reader")
    status, body = await ann.json("POST", "/api/frames/decode", {"hex": CAPTURE})
    assert status == 200
    first, damaged, last = body["items"]
    assert (first["protocol"], first["data_id"]) == ("dlt645-2007", "00010000")
    assert first["summary"].startswith("read data: meter 000000000161")
    assert first["summary_zh"].startswith("读数据：电能表 000000000161")
    assert first["hex"] == READ.replace(" ", "")
    assert first["spans"][2] == {
        "start": 3, "end": 9, "name": "address", "name_zh": "地址域",
        "value": "000000000161", "words": None, "words_zh": None, "depth": 0,
    }  # fmt: skip
    assert (damaged["error"], damaged["offset"]) == ("wrong checksum", 34)
    assert "protocol" not in damaged
    assert [span["start"] for span in last["spans"]][-2:] == [51, 52]


@pytest.mark.parametrize(
    "text",
    [
        READ,
        READ.replace(" ", ""),
        READ.lower().replace(" ", ":"),
        READ.replace(" ", "\r\n"),
        ", ".join(f"0x{pair}" for pair in READ.split()),
    ],
)
async def test_hex_may_be_written_in_many_ways(office: Office, text: str) -> None:
    ann = await office.somebody("reader")
    _status, body = await ann.json("POST", "/api/frames/decode", {"hex": text})
    assert [item["data_id"] for item in body["items"]] == ["00010000"]


async def test_a_bad_digit_is_named_with_its_place(office: Office) -> None:
    ann = await office.somebody("reader")
    for text, english, chinese in (
        (
            "68 61\n0g",
            "'g' is no hex digit (line 2, column 2)",
            "'g'不是十六进制数字（第2行第2列）",
        ),
        ("68 6", "one digit alone (line 1, column 4)", "单个数字（第1行第4列）"),
        (": -", "nothing to decode", "没有可解析的内容"),
    ):
        ann.cookies["language"] = "en"
        status, body = await ann.json("POST", "/api/frames/decode", {"hex": text})
        assert (status, body["error"]["field"]) == (400, "hex")
        assert body["error"]["message"] == english
        ann.cookies["language"] = "zh"
        page = await ann.post("/frames/decode", hex=text)
        assert page.code == 400
        assert chinese in words_of(page).replace("&#39;", "'")
        assert f">{text}</textarea>" in text_of(page)  # What was typed stays.


async def test_too_long_a_text_is_refused(office: Office) -> None:
    ann = await office.somebody("reader")
    longest = "00" * (HEX_SIZE_MAX // 2)
    assert (await ann.json("POST", "/api/frames/decode", {"hex": longest}))[0] == 200
    status, body = await ann.json("POST", "/api/frames/decode", {"hex": longest + "0"})
    assert (status, body["error"]["field"]) == (400, "hex")
    assert str(HEX_SIZE_MAX) in body["error"]["message"]


class Elements(HTMLParser):
    """The buttons of a page that are bytes or fields, by what they are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.bytes: list[dict[str, str | None]] = []
        self.fields: list[dict[str, str | None]] = []
        self.ids: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        kinds = (given.get("class") or "").split()
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "button" and "byte" in kinds:
            self.bytes.append(given)
        elif tag == "button" and "span" in kinds:
            self.fields.append(given)


async def test_page_has_an_element_for_each_byte_and_each_field(office: Office) -> None:
    ann = await office.somebody("reader")
    page = await ann.post("/frames/decode", hex=CAPTURE)
    assert page.code == 200
    found = Elements(text_of(page))
    assert [one["id"] for one in found.bytes] == [f"byte-{at}" for at in range(54)]
    fields = {one["id"] for one in found.fields}
    assert {one["aria-describedby"] for one in found.bytes} == fields
    assert len(found.ids) == len(set(found.ids))
    assert sum("is-fault" in (one["class"] or "") for one in found.bytes) == 1
    # Tab stops once at the bytes and once at the fields of each of the three frames.
    assert sum(one["tabindex"] == "0" for one in found.bytes + found.fields) == 6
    assert 'href="#byte-34"' in text_of(page)
    words = words_of(page)
    assert "not a frame: wrong checksum ( byte 34 )" in words
    assert "54 bytes · 3 frames" in words
    cut = text_of(await ann.post("/frames/decode", hex=READ[:-6]))
    assert "a byte is missing here" in cut
    assert 'href="#byte' not in cut


async def test_examples_are_frames(office: Office) -> None:
    ann = await office.somebody("reader")
    page = text_of(await ann.get("/frames/decode"))
    kinds = []
    for _, example in EXAMPLES:
        assert f'value="{example}"' in page
        kinds.append([item.frame is not None for item in items_of(bytes.fromhex(example))])
    assert kinds == [[True], [True], [True], [True, False]]


async def test_frames_elsewhere_lead_to_the_parser(office: Office) -> None:
    ann = await office.somebody("reader")
    part = await ann.send(
        "POST",
        "/frames/decode",
        json.dumps({"hex": READ}),
        {
            "HX-Request": "true",
            "Content-Type": "application/json",
            "X-Xsrftoken": ann.cookies["_xsrf"],
        },
    )
    assert part.code == 200
    assert "<html" not in text_of(part)
    assert "every byte explained" in words_of(part)
    assert f'name="hex" value="{READ}"' in text_of(part)
