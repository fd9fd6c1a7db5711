"""Blocks: who is refused is kept in the store, and refused from the moment it is said."""

from ipaddress import ip_address

from station.errors import InvalidValue
from station.frontend.guard import Guard, network_of
from station.frontend.registry import Registry
from station.store.objects.blocks import Block, Blocks

REASON_SIZE_MAX = 200
ADDRESS_SIZE_MAX = 64


class Blocking:
    """The one way to change the blocks."""

    def __init__(self, blocks: Blocks, guard: Guard, registry: Registry) -> None:
        self._blocks = blocks
        self._guard = guard
        self._registry = registry

    async def load(self) -> None:
        """Have the guard refuse whom the store holds, and close those who are up nevertheless."""
        blocks = await self._blocks.all()
        self._guard.set_blocks(
            [(each.key, each.reason) for each in blocks if each.kind == "address"],
            [(each.key, each.reason) for each in blocks if each.kind == "ip"],
        )
        for entry in tuple(self._registry.entries.values()):
            if entry.link is None or entry.kind != "terminal":
                continue
            refusal = self._guard.address_refusal(entry.address)
            refusal = refusal or self._guard.ip_refusal(host_of(entry.remote))
            if refusal is not None:
                entry.link.close(refusal)

    async def add(self, block: Block) -> Block:
        """Block somebody and return the block as it is kept. Raises InvalidValue and Conflict."""
        checked = _checked(block)
        await self._blocks.add(checked)
        await self.load()
        return checked

    async def remove(self, key: str) -> None:
        """Let somebody in again. Raises NotFound."""
        await self._blocks.remove(key)
        await self.load()


def host_of(remote: str) -> str:
    """Return the IP address of a connection's other end, "10.0.0.9:40001" or "[::1]:40001"."""
    return remote.rsplit(":", 1)[0].strip("[]")


def _checked(block: Block) -> Block:
    reason = " ".join(block.reason.split())
    if not 0 < len(reason) <= REASON_SIZE_MAX:
        raise InvalidValue("reason", f"say why, in 1 to {REASON_SIZE_MAX} characters")
    return Block(_key(block), block.kind, reason, block.by, block.created_at)


def _key(block: Block) -> str:
    if block.kind == "address":
        key = block.key.strip()
        if not 0 < len(key) <= ADDRESS_SIZE_MAX:
            raise InvalidValue("key", f"an address has 1 to {ADDRESS_SIZE_MAX} characters")
        return key.upper() if _is_hex(key) else key
    network = network_of(block.key)
    if network.num_addresses == 1:
        return str(ip_address(network.network_address))
    return str(network)


def _is_hex(text: str) -> bool:
    return not set(text.upper()) - set("0123456789ABCDEF")
