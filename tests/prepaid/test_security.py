"""Cryptograms and seals: the vectors, the key machine's border, and the key file."""

import json
import logging
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from key_machine import Machine

from station.errors import CardFailed, StartError
from station.prepaid.cards import keys
from station.prepaid.cards.security import (
    TEST_ROOT,
    MachineSecurity,
    Roots,
    Soft3Des,
    SoftSm4,
    diversified,
    is_genuine,
    retail_mac,
)
from station.simulator import card_keys

VECTOR = json.loads((Path(__file__).parents[1] / "vectors/prepaid_card.json").read_text())[
    "cryptograms"
][0]
OF = {name: bytes.fromhex(text) for name, text in VECTOR.items() if name not in ("id", "source")}
SOFT = Soft3Des(Roots.same(TEST_ROOT))
OTHER_ROOT = "A1B2C3D4E5F60718293A4B5C6D7E8F90"


def test_vector_of_diversification_authentication_and_mac():
    assert OF["root"] == TEST_ROOT
    assert diversified(TEST_ROOT, OF["factor"]) == OF["key"]
    assert SOFT.card_cryptogram(OF["factor"], OF["challenge8"]) == OF["answer8"]
    assert SOFT.reader_cryptogram(OF["factor"], OF["challenge8"]) == OF["answer8"]
    sealed = SOFT.seal(OF["factor"], OF["challenge4"], OF["head"], OF["data"])
    assert sealed == OF["command"]
    assert is_genuine(SOFT, OF["factor"], OF["challenge8"], OF["answer8"])
    assert not is_genuine(SOFT, OF["factor"], OF["challenge8"], OF["answer8"][:7])
    assert not is_genuine(SOFT, OF["factor"], OF["challenge8"], bytes(8))


@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=4, max_size=4),
    st.binary(max_size=240),
)
def test_other_code_computes_the_same(root, serial, challenge, data):
    key = diversified(root, serial)
    assert key == card_keys.diversify(root, serial)
    assert retail_mac(key, challenge, data) == card_keys.mac(key, challenge, data)


def test_three_roots_serve_three_uses():
    roots = [bytes([n]) * 16 for n in (1, 2, 3)]
    mixed = Soft3Des(Roots(*roots))
    serial, challenge = OF["factor"], OF["challenge8"]
    card, reader, writing = (Soft3Des(Roots.same(root)) for root in roots)
    assert mixed.card_cryptogram(serial, challenge) == card.card_cryptogram(serial, challenge)
    assert mixed.reader_cryptogram(serial, challenge) == reader.reader_cryptogram(serial, challenge)
    sealed = mixed.seal(serial, challenge[:4], OF["head"], b"data")
    assert sealed == writing.seal(serial, challenge[:4], OF["head"], b"data")
    assert "0101" not in repr(mixed) + repr(Roots(*roots))


def test_sm4_has_the_same_shape():
    sm4 = SoftSm4(Roots.same(TEST_ROOT))
    sealed = sm4.seal(OF["factor"], OF["challenge4"], OF["head"], OF["data"])
    assert sealed[:-4] == OF["command"][:-4]
    assert sealed[-4:] != OF["command"][-4:]
    answer = sm4.card_cryptogram(OF["factor"], OF["challenge8"])
    assert len(answer) == 8
    assert answer != sm4.card_cryptogram(OF["factor"], bytes(8))


def test_a_key_machine_hands_out_whole_commands():
    security = MachineSecurity(Machine())
    serial, challenge = OF["factor"], OF["challenge8"]
    assert security.card_cryptogram(serial, challenge) == OF["answer8"]
    assert security.reader_cryptogram(serial, challenge) == OF["answer8"]
    assert security.seal(serial, OF["challenge4"], OF["head"], OF["data"]) == OF["command"]


def test_a_key_machine_that_changes_the_command_is_refused():
    machine = Machine()
    machine.spoilt = True
    security = MachineSecurity(machine)
    with pytest.raises(CardFailed) as refusal:
        security.seal(OF["factor"], OF["challenge4"], OF["head"], OF["data"])
    assert refusal.value.code == "key_machine"
    with pytest.raises(CardFailed):
        security.reader_cryptogram(OF["factor"], OF["challenge8"])


# --- the key file -------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    """Writes a key file of a mode and returns its path."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    def write(text: str, mode: int = 0o600) -> Path:
        path = tmp_path / "card.keys"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def test_one_root_or_three(key_file):
    one = keys.load(key_file(f"# from the key ceremony\nroot: {OTHER_ROOT}\n"))
    three = keys.load(
        key_file(f"card: {OTHER_ROOT}\nreader: {OTHER_ROOT}\nwriting: {OTHER_ROOT} # same\n")
    )
    direct = Soft3Des(Roots.same(bytes.fromhex(OTHER_ROOT)))
    asked = (OF["factor"], OF["challenge4"], OF["head"], OF["data"])
    assert one.seal(*asked) == three.seal(*asked) == direct.seal(*asked)


def test_sm4_is_chosen_and_warned_of(key_file, caplog):
    with caplog.at_level(logging.WARNING):
        security = keys.load(key_file(f"cipher: SM4\nroot: {OTHER_ROOT}"))
    assert isinstance(security, SoftSm4)
    assert "never confirmed" in caplog.text
    assert OTHER_ROOT not in caplog.text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_file_that_others_may_touch_is_refused(key_file, mode):
    path = key_file(f"root: {OTHER_ROOT}", mode)
    with pytest.raises(StartError, match=f"chmod 600 {path}"):
        keys.load(path)


def test_a_credential_of_the_service_manager_is_taken(tmp_path, monkeypatch):
    place = tmp_path / "credentials"
    place.mkdir()
    (place / "card.keys").write_text(f"root: {OTHER_ROOT}")
    (place / "card.keys").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(place))
    assert isinstance(keys.load(Path("card.keys")), Soft3Des)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "root: 0011",
        "root: " + "G" * 32,
        f"root {OTHER_ROOT}",
        f"root: {OTHER_ROOT}\nroot: {OTHER_ROOT}",
        f"card: {OTHER_ROOT}\nreader: {OTHER_ROOT}",
        f"root: {OTHER_ROOT}\ncard: {OTHER_ROOT}",
        f"root: {OTHER_ROOT}\ncipher: SM1",
        f"root: {OTHER_ROOT}\nwhatever: 1",
        "root: " + TEST_ROOT.hex(),
        "#" * 5000,
        "root: é",
    ],
)
def test_a_file_that_is_wrong_is_refused_without_repeating_it(key_file, text):
    with pytest.raises(StartError) as refusal:
        keys.load(key_file(text))
    assert str(refusal.value).startswith("card keys: ")
    assert OTHER_ROOT not in str(refusal.value)


def test_a_missing_file_is_named(key_file):
    with pytest.raises(StartError, match=r"/nowhere: No such file"):
        keys.load(Path("/nowhere"))


def test_simulated_sites_use_the_well_known_keys():
    assert keys.simulated().card_cryptogram(OF["factor"], OF["challenge8"]) == OF["answer8"]


@given(st.text(max_size=200))
def test_any_text_makes_keys_or_the_named_error(text):
    with tempfile.TemporaryDirectory() as folder, suppress(StartError):
        path = Path(folder) / "card.keys"
        path.touch(mode=0o600)
        path.write_text(f"root: {OTHER_ROOT}\n{text}", encoding="utf-8", errors="replace")
        assert isinstance(keys.load(path), Soft3Des | SoftSm4)
