"""A key machine as a double: it alone has the keys, and hands out whole commands."""

from station.prepaid.cards.keys import simulated

_SOFT = simulated()


class Machine:
    """What `MachineSecurity` asks; a spoilt one returns other commands than it was asked for."""

    def __init__(self) -> None:
        self.spoilt = False
        self.asked: list[str] = []

    def authentication(self, serial: bytes, challenge: bytes) -> bytes:
        self.asked.append("authentication")
        return _SOFT.card_cryptogram(serial, challenge)

    def external_command(self, serial: bytes, challenge: bytes) -> bytes:
        self.asked.append("external")
        command = bytes.fromhex("0082000208") + _SOFT.reader_cryptogram(serial, challenge)
        return command[:-1] if self.spoilt else command

    def write_command(self, serial: bytes, challenge: bytes, head: bytes, data: bytes) -> bytes:
        self.asked.append(head.hex().upper())
        sold = data if not self.spoilt else data[:-1] + b"\x02"
        return _SOFT.seal(serial, challenge, head, sold)
