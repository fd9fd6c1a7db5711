"""Vendors' libraries: real shared libraries with the vendors' functions, compiled here."""

import subprocess
from pathlib import Path

import pytest

from station import config
from station.config import ReaderConfig
from station.errors import CardError, CardFailed, NoCard, NoReader, ReaderFailed
from station.prepaid.readers.attached import attached_readers
from station.prepaid.readers.serial_reader import MODELS
from station.prepaid.readers.vendor import LIBRARIES, VendorReader

ATR = bytes.fromhex("3B6900")
CHALLENGE = bytes.fromhex("0084000008")
CONTROLS = """
#include <string.h>
static int attached = 1, present = 1, mute = 0, on = 0, chosen = 0;
void control(int a, int p, int m) { attached = a; present = p; mute = m; on = 0; chosen = 0; }
int is_open(void) { return on; }
static int atr(unsigned char *answer) { memcpy(answer, "\\x3B\\x69\\x00", 3); on = 1; return 3; }
static int card(int size, const unsigned char *command, unsigned char *answer) {
    if (!on || !present || size != 5 || command[1] != 0x84) return -1;
    for (int i = 0; i < command[4]; i++) answer[i] = 0x10 + i;
    memcpy(answer + command[4], "\\x90\\x00", 2);
    return command[4] + 2;
}
"""
SOURCES = {
    "huada-hd100": """
int ICC_Reader_Open(char *name) { return attached && !strcmp(name, "USB1") ? 17 : -11; }
int ICC_Reader_GetStatus(int handle, unsigned char slot) {
    return handle == 17 && slot == 1 && present ? 0 : -2; }
int ICC_Reader_PowerOn(int handle, unsigned char slot, unsigned char *answer) {
    return handle == 17 && slot == 1 && !mute ? atr(answer) : -3; }
int ICC_Reader_Application(int handle, unsigned char slot, int size, unsigned char *command,
                           unsigned char *answer) {
    return handle == 17 && slot == 1 ? card(size, command, answer) : -4; }
int ICC_Reader_PowerOff(int handle, unsigned char slot) { return 0; }
int ICC_Reader_Close(int handle) { on = 0; return 0; }
""",
    "decard-ic": """
int IC_InitComm_Baud(short port, unsigned long baud) {
    return attached && port == 100 && baud == 9600 ? 5 : -1; }
short IC_Status(int handle) { return present ? 0 : 1; }
short IC_CpuReset(int handle, unsigned char *size, unsigned char *answer) {
    if (mute) return -1;
    *size = atr(answer); return 0; }
short IC_CpuApdu(int handle, unsigned char sent, unsigned char *command, unsigned char *size,
                 unsigned char *answer) {
    int got = card(sent, command, answer);
    if (got < 0) return -1;
    *size = got; return 0; }
short IC_Down(int handle) { return 0; }
short IC_ExitComm(int handle) { on = 0; return 0; }
""",
    "decard-rf": """
int dc_init(short port, long baud) { return attached && port == 100 && baud == 115200 ? 5 : -1; }
short dc_setcpu(int handle, unsigned char slot) { chosen = slot; return 0; }
short dc_cpureset(int handle, unsigned char *size, unsigned char *answer) {
    if (mute || !present || chosen != 0x0C) return -1;
    *size = atr(answer); return 0; }
short dc_cpuapdu(int handle, unsigned char sent, unsigned char *command, unsigned char *size,
                 unsigned char *answer) {
    int got = card(sent, command, answer);
    if (got < 0) return -1;
    *size = got; return 0; }
short dc_cpudown(int handle) { return 0; }
short dc_exit(int handle) { on = 0; return 0; }
""",
}
PORTS = {"huada-hd100": "USB1", "decard-ic": "100", "decard-rf": "100"}


@pytest.fixture(scope="module", params=[*LIBRARIES])
def vendor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Vendor":
    return Vendor(request.param, tmp_path_factory.mktemp("vendor"))


class Vendor:
    """A compiled library and a reader that uses it."""

    def __init__(self, model: str, folder: Path) -> None:
        self.model = model
        self.path = folder / f"lib{model}.so"
        source = folder / f"{model}.c"
        source.write_text(CONTROLS + SOURCES[model])
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self.path, source], check=True)
        self.reader = VendorReader(model, self.path, PORTS[model])
        self.loaded = self.reader._load()

    def control(self, *, attached: bool = True, present: bool = True, mute: bool = False) -> None:
        self.loaded.control(int(attached), int(present), int(mute))


def test_a_conversation(vendor: Vendor) -> None:
    vendor.control()
    assert vendor.reader.sense() == "ready"
    channel = vendor.reader.connect()
    assert channel.atr == ATR
    response = channel.transmit(CHALLENGE)
    assert (response.data, response.sw) == (bytes(range(0x10, 0x18)), 0x9000)
    vendor.loaded.control(1, 0, 0)
    with pytest.raises(CardFailed) as caught:
        channel.transmit(CHALLENGE)
    assert caught.value.code == "removed"
    channel.disconnect()
    assert not vendor.loaded.is_open()


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        ({"attached": False}, NoReader),
        ({"present": False}, NoCard),
        ({"mute": True}, CardFailed),
    ],
)
def test_a_refusal_says_whose_fault_it_is(
    vendor: Vendor, controls: dict[str, bool], expected: type[CardError]
) -> None:
    vendor.control(**controls)
    if vendor.model == "decard-rf" and expected is CardFailed:
        expected = NoCard  # It has no function that tells an empty socket from a mute card.
    with pytest.raises(expected):
        vendor.reader.connect()
    assert not vendor.loaded.is_open()


def test_a_library_that_does_not_fit(tmp_path: Path) -> None:
    missing = VendorReader("huada-hd100", tmp_path / "none.so", "USB1")
    with pytest.raises(ReaderFailed, match="there is no library"):
        missing.sense()
    with pytest.raises(ReaderFailed, match="cannot be loaded"):
        missing.connect()
    other = Vendor("decard-ic", tmp_path)
    with pytest.raises(ReaderFailed, match="has no function ICC_Reader_Open"):
        VendorReader("huada-hd100", other.path, "USB1").connect()
    with pytest.raises(ReaderFailed, match="wants a port number, not COM3"):
        VendorReader("decard-ic", other.path, "COM3").connect()


def test_the_configuration_names_every_model_and_no_other(tmp_path: Path) -> None:
    assert set(config.SERIAL_READERS) == set(MODELS)
    models = ReaderConfig.model_fields["model"].annotation
    assert {*MODELS, *LIBRARIES} == {*models.__args__}
    configured = [
        ReaderConfig(model="gempc-twin", port="/dev/ttyS0"),
        ReaderConfig(model="huada-hd100", port="USB1", library=tmp_path / "x.so"),
    ]
    _, fixed = attached_readers(configured)
    assert [each.identity.name for each in fixed.find()] == [
        "Gemalto GemPC Twin on /dev/ttyS0",
        "Huada HD100 on USB1",
    ]
