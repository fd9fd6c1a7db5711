"""The HTTP server of the pages: what a request may be, and how long it may take.

A client that sends a byte a minute, or opens a thousand connections, must not keep the others out.
"""

import ssl
from typing import Any, cast

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream
from tornado.web import Application

from station.handlers.proxies import Forwarded, Networks, Proxies

HEADER_SIZE_MAX = 16 * 1024  # Bytes; browsers send some 1 KB, and no address here is longer.
BODY_SIZE_MAX = 1024 * 1024  # Bytes; forms and commands are small. Uploads have their own limit.
HEADER_TIME_MAX_S = 60.0  # For a request's head, and for a connection that waits for the next one.
BODY_TIME_MAX_S = 60.0  # A form over the poorest line.
CONNECTIONS_MAX = 1000  # A utility has some ten clerks and technicians, each browser opens six.
CONNECTIONS_EACH_MAX = 200  # From one address; there may be an office behind it.


class WebServer(HTTPServer):
    """A server that turns away what is too large, too slow or too much."""

    proxies: Proxies

    def initialize(self, *given: Any, networks: Networks = (), **more: Any) -> None:
        super().initialize(*given, **more)
        self.proxies = Proxies(networks)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        delegate = super().start_request(server_conn, request_conn)
        if not self.proxies.trusts(str(cast(Any, request_conn).context.remote_ip)):
            return delegate
        return Forwarded(delegate, request_conn, self.proxies)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if self._is_too_much(str(address[0])):
            stream.close()
            return
        super().handle_stream(stream, address)

    def _is_too_much(self, host: str) -> bool:
        open_now = len(self._connections)
        if open_now < CONNECTIONS_EACH_MAX:
            return False
        if self.proxies.trusts(host):  # It brings everybody.
            return open_now >= CONNECTIONS_MAX
        own = sum(1 for each in self._connections if _host_of(each) == host)
        return open_now >= CONNECTIONS_MAX or own >= CONNECTIONS_EACH_MAX


def make_server(
    application: Application,
    tls: ssl.SSLContext | None = None,
    *,
    networks: Networks = (),
    header_time_s: float = HEADER_TIME_MAX_S,
    body_time_s: float = BODY_TIME_MAX_S,
) -> WebServer:
    """Return a server of the pages, encrypted if there is something to do it with.

    Proxies in these `networks` are believed when they say for whom they ask.
    """
    return WebServer(
        application,
        ssl_options=tls,
        networks=networks,
        max_header_size=HEADER_SIZE_MAX,
        max_body_size=BODY_SIZE_MAX,
        idle_connection_timeout=header_time_s,
        body_timeout=body_time_s,
    )


def _host_of(connection: HTTP1ServerConnection) -> str:
    return str(cast(Any, connection.context).remote_ip)
