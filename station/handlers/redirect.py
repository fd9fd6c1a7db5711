"""The port of the pages without TLS: it sends who comes there to https, and serves nothing.

The way there is not to be remembered by browsers (307): TLS may be taken off again. Whoever sends
a form or a token by http is told so instead; it has been on the wire already.
"""

import re

from tornado.web import Application, RequestHandler

HTTPS_PORT = 443
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,252})|\[[0-9a-f:.]{2,45}\]")


class ToHttps(RequestHandler):
    """Every address."""

    def initialize(self, port: int) -> None:
        self._port = port

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/plain; charset=UTF-8")

    def prepare(self) -> None:
        host, uri = self.request.host_name, self.request.uri or ""
        if self.request.method not in ("GET", "HEAD"):
            self.set_status(403)
            self.finish("by https only\n")
        elif not HOST.fullmatch(host) or not uri.startswith("/"):
            self.set_status(400)
            self.finish("which station is meant?\n")
        else:
            port = "" if self._port == HTTPS_PORT else f":{self._port}"
            self.redirect(f"https://{host}{port}{uri}", status=307)


def make_redirect(port: int) -> Application:
    """Return the application that sends everybody to https at this port."""
    return Application([(r".*", ToHttps, {"port": port})], log_function=lambda _: None)
