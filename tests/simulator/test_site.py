"""The described site: what a file may say, and what a station is told of it."""

import pytest

from station.errors import ConfigError
from station.protocols.dlt645.frame import Version
from station.simulator.demo_site import DEMO_SITE
from station.simulator.site import load

WHOLE = """\
zone: Europe/Berlin
terminals:
  - address: 9900000a
    name: {en: North, zh: 北}
    heartbeat_s: 2.5
    delay_ms: [0, 5]
    silence: empty
    redial_s: 0.1
    drop_after_s: 60
    drop_for_s: 1
    lines:
      - port: 3
        settings: 1200 8E1
        noise: 0.25
        meters:
          - address: 000000000161
            name: Mill
            protocol: dlt645-1997
            shape: workshop
            phases: 3
            tariffs: 2
            clock_offset_s: -30
          - address: 000000000162
            photovoltaic: yes
            prepaid: true
            profile_interval_min: 30
            dead: no
            tcp: 127.0.0.1:4001
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "site.yaml"


def test_file_says_everything(file):
    file.write_text(WHOLE, encoding="utf-8")
    site = load(file)
    (terminal,) = site.terminals
    (line,) = terminal.lines
    old, new = line.meters
    assert (site.zone, terminal.address, terminal.name.zh) == ("Europe/Berlin", "9900000A", "北")
    assert (terminal.delay_ms, terminal.drop_after_s, line.noise) == ((0, 5), 60, 0.25)
    assert (old.address, old.name.zh, old.protocol) == ("000000000161", "Mill", Version.V1997)
    assert (old.phases, old.tariffs, old.clock_offset_s, old.dead) == (3, 2, -30, False)
    assert (new.photovoltaic, new.prepaid, new.dead, new.tcp) == (
        True,
        True,
        False,
        "127.0.0.1:4001",
    )
    assert [meter["profile_interval_min"] for meter in site.archive()["meters"]] == [0, 30]


def test_little_is_enough(file):
    file.write_text(
        "terminals: [{address: 99000001, lines: [{meters: [{address: 990000000101}]}]}]"
    )
    (terminal,) = load(file).terminals
    assert terminal.lines[0].port == 2
    assert terminal.lines[0].meters[0].profile_interval_min == 15


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        (
            "zone: Europe/Berlin",
            "zone: Europe/Berlyn",
            1,
            "zone: Value error, there is no time zone",
        ),
        ("address: 9900000a", "address: 99000", 3, "terminals.0.address"),
        ("heartbeat_s: 2.5", "heartbeat_s: 0", 5, "terminals.0.heartbeat_s"),
        ("heartbeat_s: 2.5", "hartbeat_s: 2.5", 5, "terminals.0.hartbeat_s: Extra inputs"),
        ("delay_ms: [0, 5]", "delay_ms: [5, 0]", 6, "the shorter delay first"),
        ("silence: empty", "silence: rude", 7, "terminals.0.silence"),
        ("settings: 1200 8E1", "settings: 1200 9X9", 13, "terminals.0.lines.0.settings"),
        ("settings: 1200 8E1", "settings: 115200 8E1", 13, "a terminal forwards at"),
        ("noise: 0.25", "noise: 2", 14, "terminals.0.lines.0.noise"),
        ("address: 000000000161", "address: 161", 16, "terminals.0.lines.0.meters.0.address"),
        ("shape: workshop", "shape: castle", 19, "a shape is one of home, shop"),
        ("phases: 3", "phases: 2", 20, "1 or 3 phases"),
        ("tariffs: 2", "tariffs: 5", 21, "meters.0.tariffs"),
        ("interval_min: 30", "interval_min: 7", 26, "an interval of the load profile divides"),
        ("000000000162", "000000000161", 1, "there twice: 000000000161"),
        ("name: Mill", "name: [Mill]", 17, "a name is a text"),
        ("tcp: 127.0.0.1:4001", "tcp: 4001", 28, "meters.1.tcp"),
        ("  - address: 9900000a", "  - addres: 9900000a", 3, "terminals.0.address: Field required"),
    ],
)
def test_error_names_file_line_and_key(file, old, new, line, says):
    assert old in WHOLE
    file.write_text(WHOLE.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{file}:{line}: ")
    assert says in first


def test_all_errors_are_told_at_once(file):
    file.write_text(WHOLE.replace("noise: 0.25", "noise: 2").replace("phases: 3", "phases: 4"))
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: a site is keys and values"),
        ("[1, 2]", ":1: a site is keys and values"),
        ("terminals: [", ":1: "),
        ("zone: \x00", ": "),
        ("a: 1\nb: *c\n", ":2: found undefined alias"),
    ],
)
def test_what_is_no_site_is_refused(file, text, says):
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}{says}")


def test_missing_and_huge_files_are_refused(file):
    with pytest.raises(ConfigError, match="No such file"):
        load(file)
    file.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than"):
        load(file)


def test_demo_site_is_what_the_demo_promises():
    meters = [(t, line, m) for t in DEMO_SITE.terminals for line in t.lines for m in line.meters]
    assert len(DEMO_SITE.terminals) == 7
    assert len(meters) == 42
    assert {meter.protocol for _, _, meter in meters} == {*Version, "dlt698.45"}
    assert sum(meter.dead for _, _, meter in meters) == 1
    assert len({line.port for _, line, _ in meters if line.noise}) == 1
    assert sum(terminal.drop_after_s is not None for terminal in DEMO_SITE.terminals) == 1
    assert 1 <= sum(meter.photovoltaic for _, _, meter in meters) <= 2
    assert {terminal.protocol for terminal, _, _ in meters} == {"qgdw1376", "dlt698.45", "dtu"}
    assert sum(terminal.collects for terminal in DEMO_SITE.terminals) == 1


def test_archive_speaks_either_language():
    english, chinese = DEMO_SITE.archive("en"), DEMO_SITE.archive("zh")
    assert english["terminals"][0] == {"address": "99000001", "name": "Riverside area 1"}
    assert chinese["terminals"][0] == {"address": "99000001", "name": "河畔台区1"}
    assert english["meters"][31] == {
        "address": "990000000408",
        "name": "Pump house 8",
        "protocol": "dlt645-1997",
        "link": "99000004",
        "point": 8,
        "port": 3,
        "line": "1200 8E1",
        "profile_interval_min": 0,
        "tariffs": 1,
    }
    assert english["terminals"][-1] == {
        "address": "waterworks",
        "name": "Waterworks",
        "protocol": "dtu",
        "registration": "4454552D5741544552574F524B53",
        "heartbeat": "FE",
    }
    names = [meter["name"] for meter in english["meters"]]
    assert len(set(names)) == 42
    assert all(meter["name"] for meter in chinese["meters"])
