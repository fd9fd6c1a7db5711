"""The commands of a prepayment user card as bytes, and its answers in words (digest section 10).

A command is `CLA INS P1 P2 [Lc data] [Le]`, an answer is data and a status word. Traces that
people see go through `shown`, which hides PINs and keys.
"""

from typing import NamedTuple

from station.words import Text

SELECT_MF = bytes.fromhex("00A40000023F00")
SELECT_APPLICATION = bytes.fromhex("00A4000002DF01")
READ_SERIAL = bytes.fromhex("00B0990108")  # Under the MF: SFI 19, offset 1.
CHALLENGE_8 = bytes.fromhex("0084000008")
CHALLENGE_4 = bytes.fromhex("0084000004")

PARAMETERS, WALLET, CURRENT_PRICES, BACKUP_PRICES, RETURN = 1, 2, 3, 4, 5  # SFI
SHORT_EF = 0x80  # P1 names a file by its SFI.
READ_MAX = 256  # Bytes that one read brings; Le 00 stands for 256.

OK = 0x9000
OFFSET_WRONG = 0x6B00
MORE_DATA, WRONG_LE = 0x61, 0x6C  # SW1
AUTHENTICATION_FAILED = 0x63  # SW1; the low digit of SW2 C0..CF counts what is left.

STATUS_WORDS = {
    0x6281: Text("part of the data may be spoilt", "部分数据可能损坏"),
    0x6300: Text("the authentication failed", "认证失败"),
    0x6581: Text("the card's memory failed", "卡片存储器故障"),
    0x6700: Text("the length is wrong", "长度错误"),
    0x6901: Text("the command is not accepted in this state", "当前状态不接受该命令"),
    0x6982: Text("the security conditions are not met", "安全状态不满足"),
    0x6983: Text("the key is blocked", "密钥已锁定"),
    0x6985: Text("the conditions of use are not met", "使用条件不满足"),
    0x6987: Text("the MAC is missing", "缺少MAC"),
    0x6988: Text("the MAC is wrong", "MAC错误"),
    0x6989: Text("the MAC is wrong", "MAC错误"),
    0x6A80: Text("the data are wrong", "数据错误"),
    0x6A81: Text("the function is not supported", "不支持该功能"),
    0x6A82: Text("there is no such file", "文件不存在"),
    0x6A86: Text("the parameters are wrong", "参数错误"),
    0x6B00: Text("the offset is wrong, or the card is not issued", "偏移错误或卡片未发行"),
    0x6D00: Text("the card does not know the command", "卡片不支持该命令"),
    0x6E00: Text("the card does not know the class of command", "卡片不支持该类命令"),
    0x9302: Text("the MAC is wrong", "MAC错误"),
    0x9303: Text("the application is locked", "应用已锁定"),
    0x9403: Text("there is no such key", "密钥不存在"),
}
UNKNOWN_STATUS = Text("an unknown status", "未知状态")

# Instructions whose data are secret: VERIFY and its kin, PIN change of memory cards, WRITE KEY.
_SECRET = {0x20, 0x24, 0x2C, 0x5E, 0xD4}
_MEMORY_CARD_CLASS, _CHANGE_PIN = 0xFF, 0xD2


class Response(NamedTuple):
    """What a card answered."""

    data: bytes
    sw: int


def read(file: int, offset: int, size: int) -> bytes:
    """Return the command that reads a part of a file plainly."""
    return bytes([0x00, 0xB0, SHORT_EF | file, offset, size % READ_MAX])


def write_head(file: int, offset: int) -> bytes:
    """Return the four bytes that a write with MAC begins with."""
    return bytes([0x04, 0xD6, SHORT_EF | file, offset])


def internal_authenticate(challenge: bytes) -> bytes:
    """Return the command that lets the card prove itself: key 1, our challenge."""
    return bytes([0x00, 0x88, 0x00, 0x01, len(challenge)]) + challenge


def external_authenticate(cryptogram: bytes) -> bytes:
    """Return the command that proves us to the card: key 2, its challenge enciphered."""
    return bytes([0x00, 0x82, 0x00, 0x02, len(cryptogram)]) + cryptogram


def get_response(size: int) -> bytes:
    """Return the command that fetches what a T=0 card holds ready."""
    return bytes([0x00, 0xC0, 0x00, 0x00, size])


def status_text(sw: int) -> str:
    """Return a status word in English words."""
    if sw & 0xFFF0 == 0x63C0:
        return f"the authentication failed, {sw & 0xF} tries left"
    return STATUS_WORDS.get(sw, UNKNOWN_STATUS).en


def shown(command: bytes) -> str:
    """Return a command as hex for people's eyes; PINs and keys are stars."""
    is_secret = len(command) > 5 and (
        command[1] in _SECRET or (command[0] == _MEMORY_CARD_CLASS and command[1] == _CHANGE_PIN)
    )
    if not is_secret:
        return command.hex(" ").upper()
    return command[:5].hex(" ").upper() + " **" * (len(command) - 5)
