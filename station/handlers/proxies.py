"""Whom a proxy in front of the pages speaks for.

Only who connects from an address of `web.proxies` is believed, and of the chain of addresses that
it hands on (`X-Forwarded-For`) only what such proxies have added: the last address that is not one
of them is the client's. Whatever stands before it, the client may have written itself.
"""

from collections.abc import Awaitable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, cast

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

Networks = Sequence[IPv4Network | IPv6Network]
HOPS_MAX = 20  # Proxies in a row that are looked through.


class Proxies:
    """The proxies that are believed."""

    def __init__(self, networks: Networks = ()) -> None:
        self._networks = networks

    def trusts(self, host: str) -> bool:
        """Tell whether a connection from this address may speak for others."""
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)

    def client_of(self, host: str, chain: str) -> str:
        """Return the client of a request that came from `host` with a chain of addresses."""
        for given in chain.split(",")[: -HOPS_MAX - 1 : -1]:
            address = _address(given.strip())
            if address is None or not self.trusts(host):
                break
            host = str(address)
        return host


class Forwarded(HTTPMessageDelegate):
    """Lets a request that a proxy hands on come from its client, and by the client's protocol."""

    def __init__(
        self, delegate: HTTPMessageDelegate, connection: HTTPConnection, proxies: Proxies
    ) -> None:
        self._delegate = delegate
        self._context = cast(Any, connection).context
        self._proxies = proxies

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        context = self._context
        own = context.remote_ip, context.protocol
        context.remote_ip = self._proxies.client_of(
            context.remote_ip, headers.get("X-Forwarded-For", "")
        )
        protocol = headers.get("X-Forwarded-Proto", "").split(",")[-1].strip().lower()
        if protocol in ("http", "https"):
            context.protocol = protocol
        try:
            return self._delegate.headers_received(start_line, headers)
        finally:  # The request has been made of it; the connection stays the proxy's.
            context.remote_ip, context.protocol = own

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
