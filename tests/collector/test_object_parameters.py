"""Parameters of DL/T 698.45 terminals: texts and values; what one takes and gives back."""

from typing import Any

import pytest

from station.collector.drivers.base import NoMemory
from station.collector.drivers.dlt698_talk import Talk698
from station.collector.object_catalogue import OBJECT_MAIN, OBJECT_ROWS, object_code, object_spec
from station.collector.object_lines import entry_of, requests_of
from station.collector.parameter_dialects import OF_698
from station.collector.parameters import Parameters
from station.errors import InvalidValue, Refused
from station.frontend.link import Priority
from station.protocols.dlt645.requests import Authority
from station.protocols.dlt698 import action, get
from station.protocols.dlt698 import set as writing
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.data import Data, DataType
from station.protocols.dlt698.frame import Frame
from station.protocols.dlt698.identifiers import Oad
from station.simulator.site import LineSite, MeterSite, Site, TerminalSite

TERMINAL, METER = "99000698", "990000000701"
SITE = Site(
    terminals=(
        TerminalSite(
            address=TERMINAL,
            protocol="dlt698.45",
            delay_ms=(1, 3),
            redial_s=0.1,
            lines=(LineSite(meters=(MeterSite(address=METER),)),),
        ),
    )
)

MOBILE = {
    "work": "1", "online": "0", "transport": "0", "connections": "0", "listen": "",
    "apn": "CMIOT", "user": "", "proxy": "", "proxy_port": "0", "timeout": "30", "repeats": "3",
    "heartbeat": "300",
}  # fmt: skip
TASK = {
    "period": "15 min", "scheme_kind": "1", "scheme": "7", "begin": "2026-01-31 00:00:00",
    "end": "2099-09-09 09:09:09", "delay": "0 s", "priority": "2", "state": "1", "before": "0",
    "after": "0", "slot_kind": "0", "slots": "00:00-23:59",
}  # fmt: skip


def sent(code: str, texts: dict[str, str]) -> Data:
    """Return the value in the one request that sets a parameter."""
    ((_, make),) = requests_of({code: texts}, {})
    asked = decode_apdu(make(0).to_bytes())
    if isinstance(asked, action.ActionRequestNormal):
        assert asked.item.omd == object_code(code).row.add
        return asked.item.parameter
    assert isinstance(asked, writing.SetRequestNormal)
    return asked.item.data


@pytest.mark.parametrize(
    ("code", "texts", "hex_digits"),
    [
        ("45000300", {"stations": "203.0.113.9:7001; 203.0.113.10:7002"},
         "01 02 02 02 09 04 CB007109 12 1B59 02 02 09 04 CB00710A 12 1B5A"),
        ("45000200", MOBILE,
         "02 0C 16 01 16 00 16 00 16 00 01 00 0A 05 434D494F54 0A 00 0A 00 09 00 12 0000"
         " 04 08 7B 12 012C"),
        ("40000300", {"mode": "1"}, "16 01"),
        ("42040300", {"threshold": "-120", "start": "01:30:00", "enabled": "1"},
         "02 03 0F 88 1B 01 1E 00 03 01"),
        # A frame of gdgly/NUC97X_JS (vector action-add-scheme-allmeters).
        ("60140200.1", {"depth": "256", "how": "1 1", "columns": "50040200>00100200",
                        "meters": "all", "stamp": "4"},
         "01 01 02 06 11 01 12 0100 02 02 11 01 11 01 01 01 5B 01 50040200 01 00100200 5C 01"
         " 16 04"),
        # The one beside it, for three meters.
        ("60140200.3", {"depth": "256", "how": "1 1", "columns": "50040200>00300200",
                        "meters": "meters 000000000001; 000000000002; 000000000003", "stamp": "6"},
         "01 01 02 06 11 03 12 0100 02 02 11 01 11 01 01 01 5B 01 50040200 01 00300200"
         " 5C 03 03 07 05 000000000001 07 05 000000000002 07 05 000000000003 16 06"),
        ("60140200.2", {"depth": "1", "how": "3 15 min", "columns": "20000200",
                        "meters": "numbers [1, 20]", "stamp": "1"},
         "01 01 02 06 11 02 12 0001 02 02 11 03 54 01 000F 01 01 5B 00 20000200"
         " 5C 07 01 02 12 0001 12 0014 16 01"),
        ("60120200.5", TASK,
         "01 01 02 0C 11 05 54 01 000F 16 01 11 07 1C 07EA011F000000 1C 08330909090909"
         " 54 00 0000 11 02 16 01 12 0000 12 0000"
         " 02 02 16 00 01 01 02 04 11 00 11 00 11 17 11 3B"),
    ],
)  # fmt: skip
def test_texts_become_values_and_come_back(
    code: str, texts: dict[str, str], hex_digits: str
) -> None:
    texts = OF_698.normal(code, texts) | {key: text for key, text in texts.items() if not text}
    data = sent(code, texts)
    assert data.write().hex() == bytes.fromhex(hex_digits).hex()
    found = object_code(code)
    whole = Data(DataType.ARRAY, data.value) if found.row.is_list else data
    entry = entry_of(found, whole)
    assert entry is not None
    assert found.row.part.texts(entry) == texts


@pytest.mark.parametrize(
    ("code", "texts", "field"),
    [
        ("45000300", {"stations": "203.0.113.9"}, "stations"),
        ("45000300", {"stations": "203.0.113.9:70010"}, "stations"),
        ("45000200", {"repeats": "4"}, "repeats"),
        ("45000200", {"timeout": "64"}, "timeout"),
        ("45000200", {"apn": "x" * 65}, "apn"),
        ("45000200", {"password": "x"}, "password"),
        ("42040300", {"threshold": "200"}, "threshold"),
        ("42040300", {"enabled": "maybe"}, "enabled"),
        ("60120200.5", {"period": "15 weeks"}, "period"),
        ("60120200.5", {"begin": "tomorrow"}, "begin"),
        ("60120200.5", {"slots": "06:00"}, "slots"),
        ("60140200.5", {"meters": "some"}, "meters"),
        ("60140200.5", {"columns": "2000"}, "columns"),
        ("45000200.1", {}, "code"),
        ("60120200", {}, "code"),
        ("60120200.256", {}, "code"),
        ("F1010200", {}, "code"),
    ],
)
def test_what_does_not_fit_names_its_field(code: str, texts: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        OF_698.normal(code, texts)
    assert refused.value.field == field


def test_every_object_is_named_in_both_languages_with_its_source() -> None:
    codes = [row.oad.text + (".1" if row.is_list else "") for row in OBJECT_ROWS]
    specs = [object_spec(code) for code in codes]
    for spec in specs:
        assert "attribute" not in spec.name.en, spec
        assert spec.name.en != spec.name.zh, spec
        assert spec.help.en, spec
        assert spec.help.zh, spec
        keys = [field.key for field in spec.fields]
        assert len(set(keys)) == len(keys) > 0, spec


@pytest.fixture
async def parameters(collecting: Any, zone: Any) -> Parameters:
    await collecting.enter(SITE)
    return Parameters(collecting.database, collecting.registry, collecting.feed, zone)


async def test_a_terminal_takes_objects_and_gives_them_back(
    collecting: Any, parameters: Parameters
) -> None:
    terminal = await parameters.device("terminal", TERMINAL)
    rows = {row.code: row for row in await parameters.rows(terminal)}
    assert set(rows) == {*OBJECT_MAIN, "60000200.1"}
    assert rows["60000200.1"].wanted["address"] == METER
    await collecting.dial_in(SITE)

    read = {row.code: row for row in await parameters.read(terminal)}
    assert [row.problem for row in read.values() if row.problem] == []
    assert read["60000200.1"].state == "same"
    assert read["45000300"].held == {"stations": "10.0.0.1:7000"}
    assert (read["45000200"].held["timeout"], read["45000200"].held["repeats"]) == ("30", "3")
    assert "secret" not in str(read)

    wants = {
        "45000200": {"heartbeat": "120", "apn": "CMIOT"},
        "45000300": {"stations": "203.0.113.9:7001; 203.0.113.10:7001"},
        "45100200": {"timeout": "20"},
        "31050600": {"threshold": "60"},
        "60120200.9": {"period": "1 h", "scheme_kind": "1", "scheme": "9",
                       "begin": "2026-01-31 00:00:00", "end": "2099-09-09 09:09:09"},
        "60140200.9": {"how": "0", "columns": "20000200; 20010200", "stamp": "1"},
    }  # fmt: skip
    for code, texts in wants.items():
        await parameters.want(terminal, code, texts, "ann")
    with pytest.raises(InvalidValue, match="read it first"):
        await parameters.to_set(terminal, ["31050600"], {})
    await parameters.read(terminal, ["31050600"])
    whole = await parameters.to_set(terminal, None, {})
    assert set(whole) == set(wants)
    planned = parameters.frames(terminal, whole)
    assert len(planned) == len(wants)
    assert all(Frame.from_bytes(each.raw).server.text == TERMINAL for each in planned)

    line = parameters.line(terminal)
    assert await line.write(whole, Authority()) > 0
    told = await line.read(whole)
    await parameters.note(terminal, told)
    assert {code: dict(each.values) for code, each in told.items()} == whole
    counts = await collecting.database.parameters.counts()
    assert (counts["different"], counts["refused"]) == (0, 0)
    assert await password_of_apn(collecting) == "secret"  # The set has kept it.


async def password_of_apn(collecting: Any) -> str:
    """Return what the terminal holds where nothing is shown."""
    talk = Talk698(
        collecting.registry.terminal(TERMINAL),
        TERMINAL,
        TERMINAL,
        priority=Priority.CONTROL,
        memory=NoMemory(),
    )
    answer, _ = await talk.ask(lambda piid: get.GetRequestNormal(piid, Oad.of(0x4500)))
    return str(answer.result.result.value[7].value)


async def test_what_a_terminal_refuses_does_not_stop_the_rest(
    collecting: Any, parameters: Parameters
) -> None:
    await collecting.dial_in(SITE)
    terminal = await parameters.device("terminal", TERMINAL)
    read = {row.code: row for row in await parameters.read(terminal, ["45010200", "45000300"])}
    assert read["45010200"].state == "refused"
    assert read["45000300"].held
    line = parameters.line(terminal)
    whole = {"45010300": {"stations": "203.0.113.9:7001"}}
    with pytest.raises(Refused, match="45010300"):
        await line.write(whole, Authority())
    await line.write({**whole, "45000300": {"stations": "203.0.113.9:7001"}}, Authority())
    told = await line.read(["45000300"])
    assert told["45000300"].values == {"stations": "203.0.113.9:7001"}


async def test_what_a_template_wants_goes_to_who_knows_it(parameters: Parameters) -> None:
    terminal = await parameters.device("terminal", TERMINAL)
    given = {
        "F1": {"heartbeat_period": "5"},
        "45000300": {"stations": "203.0.113.9:7001"},
    }
    assert set(await parameters.to_set(terminal, list(given), given)) == {"45000300"}
    with pytest.raises(InvalidValue, match=r"none of them is a parameter of dlt698\.45"):
        await parameters.to_set(terminal, ["F1"], given)
    with pytest.raises(InvalidValue, match="there is no parameter"):
        await parameters.want(terminal, "F1", {"heartbeat_period": "5"}, "ann")
