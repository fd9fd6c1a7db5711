"""Every byte of a DL/T 698.45 frame (digest, section 1)."""

from station.protocols.dlt698.frame import (
    CHECKSUM_SIZE,
    FORMAT_WORD_SIZE,
    LINK_MANAGEMENT,
    TRAILER_SIZE,
    USER_DATA,
    Frame,
)
from station.protocols.dlt698.identifiers import BROADCAST, GROUP, SINGLE, WILDCARD
from station.protocols.dlt698.segments import Kind, kind_of, number_of
from station.protocols.explain.apdus import explain_apdu
from station.protocols.explain.spans import Spans, joined
from station.words import Text

_START = Text("start", "起始符")
_LENGTH = Text("length", "长度域L")
_CONTROL = Text("control", "控制域C")
_ADDRESS_BYTE = Text("kind of address (AF)", "地址标志AF")
_SERVER = Text("server address (SA)", "服务器地址SA")
_CLIENT = Text("client address (CA)", "客户机地址CA")
_HCS = Text("header checksum (HCS)", "帧头校验HCS")
_WORD = Text("format word", "分帧格式域")
_PIECE = Text("piece of an APDU", "APDU片段")
_FCS = Text("frame checksum (FCS)", "帧校验FCS")
_END = Text("end", "结束符")

_UP = Text("from the server", "服务器发出")
_DOWN = Text("from the client", "客户机发出")
_BY_CLIENT = Text("opened by the client", "客户机启动")
_BY_SERVER = Text("opened by the server", "服务器启动")
_SPLIT = Text("split", "分帧")
_SCRAMBLED = Text("33H is added to each byte of the user data", "用户数据加扰码33H")
_FUNCTIONS = {
    LINK_MANAGEMENT: Text("link management", "链路管理"),
    USER_DATA: Text("user data", "用户数据"),
}
_ADDRESS_KINDS = {
    SINGLE: Text("single address", "单地址"),
    WILDCARD: Text("wildcard address", "通配地址"),
    GROUP: Text("group address", "组地址"),
    BROADCAST: Text("broadcast address", "广播地址"),
}
_PIECES = {
    Kind.FIRST: Text("first piece", "首帧"),
    Kind.MIDDLE: Text("middle piece", "中间帧"),
    Kind.LAST: Text("last piece", "末帧"),
    Kind.ACKNOWLEDGEMENT: Text("acknowledgement of piece", "确认帧"),
}


def clear_bytes(frame: Frame, raw: bytes) -> bytes:
    """Return the bytes of a frame as they are without scrambling."""
    return raw[: len(raw) - TRAILER_SIZE - len(frame.apdu)] + frame.apdu + raw[-TRAILER_SIZE:]


def explain(frame: Frame, spans: Spans) -> None:
    """Explain each byte of a frame."""
    address = frame.server
    size = len(address.digits) // 2
    spans.take(1, _START)
    spans.take(2, _LENGTH, str(spans.left - 1))
    spans.take(1, _CONTROL, f"{frame.control:02X}", _control_words(frame))
    logical = Text(f"logical address {address.logical}", f"逻辑地址{address.logical}")
    bytes_words = Text(f"{size} bytes", f"{size}字节")
    kind = _ADDRESS_KINDS[address.kind]
    spans.take(1, _ADDRESS_BYTE, None, joined([kind, logical, bytes_words]))
    spans.take(size, _SERVER, address.digits)
    spans.take(1, _CLIENT, f"{frame.client:02X}")
    spans.take(CHECKSUM_SIZE, _HCS)
    piece = kind_of(frame)
    if piece is None:
        explain_apdu(frame.apdu, spans)
    else:
        spans.take(FORMAT_WORD_SIZE, _WORD, str(number_of(frame)), _PIECES[piece])
        spans.take(len(frame.apdu), _PIECE)
    spans.take(CHECKSUM_SIZE, _FCS)
    spans.take(1, _END)


def _control_words(frame: Frame) -> Text | None:
    words = [_UP if frame.from_terminal else _DOWN]
    words.append(_BY_SERVER if frame.from_initiator == frame.from_terminal else _BY_CLIENT)
    words += [_SPLIT] if frame.is_split else []
    words += [_SCRAMBLED] if frame.is_scrambled else []
    number = frame.function
    reserved = Text(f"reserved function {number}", f"保留功能码{number}")
    return joined([*words, _FUNCTIONS.get(number, reserved)])
