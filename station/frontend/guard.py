"""Who may dial in, how often, and which links come up too often. Pure: the caller tells the time.

Blocked are addresses of terminals, and IP addresses or whole networks of them. An IP address that
connects again and again without a login is refused for a while; whoever logs in has its attempts
forgiven, so that thousands of terminals may dial in through one gateway after a power cut.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from station.errors import InvalidValue

# Connections of one IP address that may be without a login at once: all terminals behind one
# gateway dial in together after a power cut, and none logs in before its connection is accepted.
UNNAMED_MAX = 10_000
UNNAMED_FORGIVEN_PER_S = 50.0  # Attempts; a port that is only probed now and then is no harm.
IPS_MAX = 10_000  # Those longest unheard are forgotten: a scan from everywhere holds no memory.

FLAPS_MAX = 3  # Logins in short order that are still a terminal that finds its network again.
FLAP_FORGIVEN_S = 300.0  # One coming up is forgotten after so long.
FLAPS_COUNTED_MAX = 12.0  # More would only make the return to good standing longer: an hour.
HOLD_OFF_FIRST_S = 60.0
HOLD_OFF_MAX_S = 1800.0

_Network = IPv4Network | IPv6Network


class Flapping:
    """How often one link came up of late."""

    __slots__ = ("_at", "_ups")

    def __init__(self) -> None:
        self._ups = 0.0  # Comings up, less those that are forgotten by now.
        self._at = 0.0

    def came_up(self, now: float) -> float:
        """Note a coming up; return for how long to hold it off, 0 when the link is steady."""
        forgotten = (now - self._at) / FLAP_FORGIVEN_S
        self._ups = min(max(0.0, self._ups - forgotten) + 1, FLAPS_COUNTED_MAX)
        self._at = now
        too_many = round(self._ups) - FLAPS_MAX
        if too_many <= 0:
            return 0.0
        return min(HOLD_OFF_FIRST_S * 2.0 ** (too_many - 1), HOLD_OFF_MAX_S)


class Guard:
    """Says who is refused, and why."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}  # To the reason.
        self._ips: dict[IPv4Address | IPv6Address, str] = {}
        self._networks: dict[_Network, str] = {}
        self._unnamed: dict[str, tuple[float, float]] = {}  # IP to attempts, and when that was.

    def set_blocks(
        self, addresses: Iterable[tuple[str, str]], ips: Iterable[tuple[str, str]]
    ) -> None:
        """Say who is blocked, each with the reason; an ip may be a network such as 10.1.0.0/16."""
        self._addresses = dict(addresses)
        self._ips, self._networks = {}, {}
        for text, reason in ips:
            network = network_of(text)
            if network.num_addresses == 1:
                self._ips[network.network_address] = reason
            else:
                self._networks[network] = reason

    def refusal(self, ip: str, now: float) -> str | None:
        """Count a new connection and return why it is refused, or None."""
        return self.ip_refusal(ip) or self._too_many(ip, now)

    def ip_refusal(self, ip: str) -> str | None:
        """Return why an IP address is blocked, or None."""
        if not self._ips and not self._networks:
            return None
        try:
            address = _plain(ip)
        except ValueError:
            return None
        reason = self._ips.get(address)
        if reason is None:
            reason = next((why for net, why in self._networks.items() if address in net), None)
        return None if reason is None else f"{ip} is blocked: {reason}"

    def address_refusal(self, address: str) -> str | None:
        """Return why a terminal is blocked, or None."""
        reason = self._addresses.get(address)
        return None if reason is None else f"terminal {address} is blocked: {reason}"

    def logged_in(self, ip: str) -> None:
        """Forgive an IP address one connection: a terminal has logged in on it."""
        held = self._unnamed.get(ip)
        if held is not None:
            attempts, at = held
            if attempts > 1:
                self._unnamed[ip] = (attempts - 1, at)
            else:
                del self._unnamed[ip]

    def _too_many(self, ip: str, now: float) -> str | None:
        attempts, at = self._unnamed.pop(ip, (0.0, now))
        attempts = max(0.0, attempts - (now - at) * UNNAMED_FORGIVEN_PER_S)
        if attempts < UNNAMED_MAX:
            attempts += 1
        self._unnamed[ip] = (attempts, now)
        if len(self._unnamed) > IPS_MAX:
            del self._unnamed[next(iter(self._unnamed))]
        return None if attempts < UNNAMED_MAX else f"too many connections of {ip} without a login"


def network_of(text: str) -> _Network:
    """Return an IP address or network as a network. Raises InvalidValue (`key`)."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise InvalidValue(
            "key", f"{text!r} is neither an IP address nor a network such as 10.1.0.0/16"
        ) from None


def _plain(ip: str) -> IPv4Address | IPv6Address:
    """Return an IP address; one of IPv4 inside IPv6 is taken as of IPv4."""
    address = ip_address(ip.split("%", 1)[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
