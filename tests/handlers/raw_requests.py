"""Requests that no browser would send: bytes on a socket, and what comes back until it closes."""

import asyncio
import contextlib
from urllib.parse import urlsplit

from web_helpers import Office

WAIT_S = 10.0


async def raw(office: Office, data: bytes, *, more: bytes = b"") -> bytes:
    """Send bytes, then `more` if the server still listens, and return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(office.url).port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
            if more:
                writer.write(more)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(), WAIT_S)
        return b""
    finally:
        writer.close()


def get(path: str, *lines: str) -> bytes:
    """Return a GET as it goes over the wire, the path as it is given."""
    head = [f"GET {path} HTTP/1.1", "Host: station", "Connection: close", *lines]
    return "\r\n".join([*head, "", ""]).encode()


def post(path: str, body: bytes, *lines: str) -> bytes:
    """Return a POST as it goes over the wire."""
    head = [f"POST {path} HTTP/1.1", "Host: station", "Connection: close", *lines]
    head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def status_of(answer: bytes) -> int:
    """Return the status of an answer; 0 for a connection that was closed without one."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
