"""Files that never change under their address: compressed once, kept by browsers for years."""

import asyncio
import gzip
from datetime import datetime
from pathlib import Path

from tornado.web import HTTPError, StaticFileHandler

from station.handlers.access.identity import SECURITY_HEADERS

COMPRESSED = {".css", ".js", ".svg", ".txt"}
COMPRESSED_MAX = 200  # Files; there are some ten.

_compressed: dict[tuple[str, datetime | None], bytes] = {}


class StaticHandler(StaticFileHandler):
    """/static; an address with a `v` names one content, so the browser need not ask again"""

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in SECURITY_HEADERS.items():
            self.set_header(name, value)

    def parse_url_path(self, url_path: str) -> str:
        """Return the path of a file; no file's name holds a zero."""
        if "\0" in url_path:
            raise HTTPError(404)
        return super().parse_url_path(url_path)

    async def get(self, path: str, include_body: bool = True) -> None:
        accepts = "gzip" in self.request.headers.get("Accept-Encoding", "")
        if not accepts or "Range" in self.request.headers or Path(path).suffix not in COMPRESSED:
            await super().get(path, include_body)
            return
        self.path = self.parse_url_path(path)
        absolute_path = self.validate_absolute_path(
            self.root, self.get_absolute_path(self.root, self.path)
        )
        if absolute_path is None:
            return
        self.absolute_path = absolute_path
        self.modified = self.get_modified_time()
        self.set_headers()
        self.set_header("Vary", "Accept-Encoding")
        if self.should_return_304():
            self.set_status(304)
            return
        self.set_header("Content-Encoding", "gzip")
        self.write(await _gzipped(absolute_path, self.modified))


async def _gzipped(path: str, modified: datetime | None) -> bytes:
    """Return a file compressed; the work is done once, off the loop."""
    key = (path, modified)
    if key not in _compressed:
        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(None, _compress, Path(path))
        if len(_compressed) >= COMPRESSED_MAX:
            _compressed.clear()
        _compressed[key] = body
    return _compressed[key]


def _compress(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9)
