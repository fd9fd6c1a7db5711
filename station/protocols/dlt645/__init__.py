"""DL/T 645-2007 and DL/T 645-1997: frames, requests and what the data of an answer means."""

from station.protocols.faults import FrameError

from .errors import error_words
from .following import LongAnswer
from .frame import BROADCAST, PREAMBLE, WILDCARD, Frame, Version
from .functions import data_id_of, version_of
from .items import ItemValue, decode, encode, values_of
from .parser import Parser
from .requests import answer, is_answer, payload, read, read_address, refuse

__all__ = [
    "BROADCAST",
    "PREAMBLE",
    "WILDCARD",
    "Frame",
    "FrameError",
    "ItemValue",
    "LongAnswer",
    "Parser",
    "Version",
    "answer",
    "data_id_of",
    "decode",
    "encode",
    "error_words",
    "is_answer",
    "payload",
    "read",
    "read_address",
    "refuse",
    "values_of",
    "version_of",
]
