"""The checksum of DL/T 645 and Q/GDW 1376.1: the sum of the bytes, modulo 256."""

from zlib import adler32

SUMMED_AT_ONCE = 256  # So many bytes add up to less than 65521, where an Adler-32 begins anew.


def byte_sum(data: bytes) -> int:
    """Return the sum of the bytes, modulo 256.

    The low half of an Adler-32 that begins with 0 is the sum of its bytes, found several times as
    fast as by `sum`: a false start in noise costs a sum too.
    """
    if len(data) <= SUMMED_AT_ONCE:
        return adler32(data, 0) & 0xFF
    parts = (data[at : at + SUMMED_AT_ONCE] for at in range(0, len(data), SUMMED_AT_ONCE))
    return sum(adler32(part, 0) for part in parts) & 0xFF
