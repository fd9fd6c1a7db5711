"""The close report on paper, the count by notes and coins, and what the shifts of a day come to."""

import io
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from drawer_helpers import ZONE
from pypdf import PdfReader

from station.errors import Conflict, InvalidValue
from station.prepaid.day_end import day_end
from station.prepaid.shift_pdf import Printing, to_pdf
from station.prepaid.shifts import Shifts
from station.store.database import Database
from station.store.objects.shifts import Pieces, Report, ReportLine, Shift
from station.units import UTC

AT = datetime(2026, 11, 23, 1, 4, tzinfo=UTC)
REPORT = Report(
    1_234_56,
    -98,
    (ReportLine("purchase", 3, 1_100_00, 0), ReportLine("reversal", 1, 0, 65_44)),
    ("o1", "o2", "o3", "o4"),
    ("o2",),
)
SHIFT = Shift(
    "s1", "clerk 收费员", 200_00, AT, state="closed", number=7, closed_at=AT + timedelta(hours=8),
    closed_by="supervisor", counted_fen=1_233_58, pieces=(Pieces(100_00, 12), Pieces(10, 5)),
    note="short of change 找零不足", report=REPORT,
)  # fmt: skip
PRINTING = Printing("示范站 Demo", False, ZONE, "en", "supervisor", AT)


def text_of(pdf: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.parametrize(("language", "wanted"), [
    ("en", ("Shift close report", "No. 000007", "2026-11-23 09:04", "2026-11-23 17:04",
            "supervisor", "Purchase", "1,100.00", "65.44", "Expected money", "1,234.56",
            "1,233.58", "-0.98",
            "100.00 × 12", "0.10 × 5", "still to be written", "o2", "Clerk's signature",
            "Printed 2026-11-23 09:04 by supervisor", "找零不足")),
    ("zh", ("结班报表", "编号 000007", "购电", "冲正", "应有金额", "实点金额", "差额", "券别明细",
            "尚未写卡的订单", "收费员签字", "打印")),
])  # fmt: skip
def test_the_report_on_paper(language: str, wanted: tuple[str, ...]) -> None:
    pdf = to_pdf(SHIFT, replace(PRINTING, language=language))
    assert [round(side) for side in PdfReader(io.BytesIO(pdf)).pages[0].mediabox[2:]] == [595, 842]
    for words in wanted:
        assert words in text_of(pdf), words
    assert "Simulation" not in text_of(pdf)
    assert "not a real payment" in text_of(to_pdf(SHIFT, replace(PRINTING, simulation=True)))


def test_the_longest_report_is_one_page() -> None:
    kinds = tuple(ReportLine(f"kind {number}", 9, 9_999_999, 9_999_999) for number in range(9))
    orders = tuple(f"{number:024d}" for number in range(400))
    pieces = tuple(Pieces(face, 1234) for face in (10_000, 5_000, 2_000, 1_000, 500, 100, 50, 10))
    report = replace(REPORT, lines=kinds, orders=orders, unfinished=orders)
    long = replace(SHIFT, note="a long note " * 16, pieces=pieces, report=report)
    pdf = to_pdf(long, PRINTING)
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 1
    assert "and 388 more" in " ".join(text_of(pdf).split())


async def test_notes_and_coins_add_up_to_the_counted_sum(database: Database) -> None:
    shifts = Shifts(database.shifts)
    shift = await shifts.open("clerk", 0)
    for counted, pieces, field in (
        (None, {}, "counted_fen"),
        (None, {10_000: 0}, "counted_fen"),
        (12_345, {10_000: 1, 10: 3}, "counted_fen"),
        (None, {30: 1}, "pieces"),
        (None, {10: -1}, "pieces"),
        (None, {10_000: 100_000}, "counted_fen"),  # More than any drawer holds.
    ):
        with pytest.raises(InvalidValue) as refused:
            await shifts.close(shift.id, counted, by="clerk", pieces=pieces)
        assert refused.value.field == field, (counted, pieces)
    closed = await shifts.close(
        shift.id, None, by="clerk", pieces={10: 3, 10_000: 2, 5_000: 0, 100: 4}
    )
    assert closed.counted_fen == 20_430
    assert closed.pieces == (Pieces(10_000, 2), Pieces(100, 4), Pieces(10, 3))
    assert await database.shifts.get(shift.id) == closed
    assert await shifts.close(shift.id, 20_430, by="clerk") == closed  # Asked again.
    with pytest.raises(Conflict, match="is closed already"):
        await shifts.close(shift.id, None, by="clerk", pieces={10: 1})


async def test_a_shift_of_before_pieces_is_read(database: Database, mongo_uri: str) -> None:
    shifts = Shifts(database.shifts)
    closed = await shifts.close((await shifts.open("clerk", 0)).id, 5, by="clerk")
    await database.shifts._collection.update({"_id": closed.id}, {"$unset": {"pieces": 1}})
    assert await database.shifts.get(closed.id) == closed


async def test_the_shifts_of_a_day(database: Database) -> None:
    for number, minutes in enumerate((-1, 0, 60, 24 * 60)):
        shift = Shift(f"s{number}", f"clerk{number}", 0, AT + timedelta(minutes=minutes))
        await database.shifts.open(shift)
    found = await database.shifts.opened(AT, AT + timedelta(days=1))
    assert [shift.id for shift in found] == ["s1", "s2"]


def test_what_a_day_comes_to() -> None:
    still_open = Shift("s3", "third", 50_00, AT)
    other = replace(
        SHIFT, id="s2", float_fen=100_00, counted_fen=150_00,
        report=Report(150_00, 0, (ReportLine("purchase", 2, 50_00, 0),)),
    )  # fmt: skip
    end = day_end([SHIFT, other, still_open])
    assert (end.closed, end.open, end.float_fen) == (2, 1, 300_00)
    assert (end.expected_fen, end.counted_fen, end.difference_fen) == (1_384_56, 1_383_58, -98)
    assert end.lines == (
        ReportLine("purchase", 5, 1_150_00, 0),
        ReportLine("reversal", 1, 0, 65_44),
    )
    assert day_end([]).lines == ()
