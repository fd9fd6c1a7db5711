"""The configuration file: what stands in it is valid, and every error names its line."""

from pathlib import Path

import pytest

from station import config
from station.__main__ import EXIT_CONFIG, main
from station.errors import ConfigError

ROOT = Path(__file__).parent.parent


def errors(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    return [line.removeprefix(f"{file}:") for line in str(caught.value).splitlines()]


def test_the_shipped_file_says_what_station_assumes() -> None:
    shipped = config.load(ROOT / "config.yaml")
    assumed = config.Config()
    assert shipped.model_dump(exclude={"database": {"data"}}) == assumed.model_dump(
        exclude={"database": {"data"}}
    )
    assert shipped.database.data == ROOT / "data"


def test_an_empty_file_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("# nothing\n")
    assert config.load(file).frontend.port == 7001


def test_all_errors_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    text = """station: a
frontend:
  port: 70000
  idle_timout_s: 3
  confirmation: F2
site: {zone: Mars/Base}
web: 3
"""
    assert errors(tmp_path, text) == [
        "3: frontend.port: expected 1..65535, got 70000",
        "4: unknown key 'frontend.idle_timout_s'; did you mean 'idle_timeout_s'?",
        "5: frontend.confirmation: expected 'F1' or 'F3', got 'F2'",
        "6: site.zone: expected a time zone such as Asia/Shanghai, got 'Mars/Base'",
        "7: web: expected a block of keys, got 3",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("station: [", "expected the node content, but found '<stream end>'"),
        ("- a\n- b", "1: expected keys and values, got ['a', 'b']"),
        ("station: a\nstation: b", "2: key 'station' stands twice"),
        ("frontend:\n  master: 0", "2: frontend.master: expected 1..127, got 0"),
        ("frontend:\n  master: 128", "2: frontend.master: expected 1..127, got 128"),
        ("nonsense: 1", "1: unknown key 'nonsense'"),
        ("frontend:\n  login_timeout_s: 0", "expected more than 0..86400, got 0"),
    ],
)
def test_an_error_names_the_thing_and_the_value(tmp_path: Path, text: str, message: str) -> None:
    assert message in errors(tmp_path, text)[0]


def test_a_reader_that_cannot_be_is_told_with_its_line(tmp_path: Path) -> None:
    text = """prepaid:
  readers:
    - {model: acr1281s, port: /dev/ttyS0}
    - {model: acr1281s}
    - model: acr30s
      port: /dev/ttyS1
      baud: 3
    - {model: acr99, port: a}
    - {model: acr30s, prt: a, port: b}
    - {model: huada-hd100, port: USB1}
    - {model: acr30s, port: a, library: x.so}
"""
    told = errors(tmp_path, text)
    assert [line.split(", got")[0] for line in told] == [
        "4: prepaid.readers.1.port: expected Field required",
        "7: prepaid.readers.2.baud: expected greater than or equal to 1200",
        "8: prepaid.readers.3.model: expected 'acr1281s', 'acr30s', 'gempc-twin', 'huada-hd100',"
        " 'decard-ic' or 'decard-rf'",
        "9: unknown key 'prepaid.readers.4.prt'; did you mean 'port'?",
        "10: prepaid.readers.5: expected a reader of model huada-hd100 with its vendor's library",
        "11: prepaid.readers.6: expected a reader of model acr30s without a library",
    ]


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    lines = errors(tmp_path, "database:\n  uri: http://user:secret@host")
    assert "begins with mongodb://" in lines[0]
    assert "secret" not in lines[0]


def test_the_address_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "uri").write_text("mongodb://user:secret@host\n")
    file = tmp_path / "config.yaml"
    file.write_text(f"database:\n  uri_file: {tmp_path / 'uri'}")
    assert config.load(file).database.address() == "mongodb://user:secret@host"
    file.write_text(f"database:\n  uri_file: {tmp_path / 'missing'}")
    with pytest.raises(ConfigError, match=r"database\.uri_file: cannot read .*missing"):
        config.load(file).database.address()


def test_data_lies_in_the_state_directory_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/station")
    assert config.load(ROOT / "config.yaml").database.data == Path("/var/lib/station/data")


def test_check_config_says_valid_or_ends_with_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-config", str(ROOT / "config.yaml")]) == 0
    assert capsys.readouterr().out == f"{ROOT / 'config.yaml'}: valid\n"
    assert main(["check-config", str(tmp_path / "none.yaml")]) == EXIT_CONFIG
    assert "none.yaml: cannot be read: No such file or directory" in capsys.readouterr().err
