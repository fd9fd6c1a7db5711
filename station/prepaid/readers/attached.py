"""The readers at this computer: all of PC/SC, and those that the configuration names."""

from station.config import SERIAL_READERS, ReaderConfig
from station.prepaid.readers.base import CardReader, FixedReaders, ReaderSource
from station.prepaid.readers.pcsc import PcscReaders
from station.prepaid.readers.serial_reader import SerialReader
from station.prepaid.readers.vendor import VendorReader


def attached_readers(configured: list[ReaderConfig]) -> list[ReaderSource]:
    """Return where the readers of this computer come from, those of PC/SC first."""
    return [PcscReaders(), FixedReaders(*(_reader(each) for each in configured))]


def _reader(configured: ReaderConfig) -> CardReader:
    if configured.model in SERIAL_READERS:
        return SerialReader(configured.model, configured.port, configured.baud)
    assert configured.library is not None, "the configuration sees to it"
    return VendorReader(configured.model, configured.library, configured.port, configured.baud)
