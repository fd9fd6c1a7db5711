"""The live socket: who may listen, to what, and what a slow page loses."""

import asyncio
import json
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect
from web_helpers import Office, Visitor

from station.handlers import live
from station.handlers.endings import Endings
from station.units import utc_now

REQUEST = "FEFEFEFE6861010000000068110433333433" + "14" + "16"


async def listen(visitor: Visitor, query: str, **headers: str) -> WebSocketClientConnection:
    """Open the socket of a page and wait until it listens."""
    url = visitor.office.url.replace("http", "ws") + f"/live?{query}"
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    request = HTTPRequest(url, headers={"Cookie": cookies, **visitor.headers, **headers})
    socket = await websocket_connect(request)
    for _ in range(200):
        if pages(visitor.office):
            return socket
        await asyncio.sleep(0.01)
    raise AssertionError("the page never listened")


def pages(office: Office) -> list[object]:
    """Return the open pages that listen, each once for each of its topics."""
    listeners = [each for some in office.parts.feed._listeners.values() for each in some]
    return [each for each in listeners if not isinstance(getattr(each, "__self__", 0), Endings)]


async def heard(socket: WebSocketClientConnection) -> dict[str, Any]:
    message = await asyncio.wait_for(socket.read_message(), 5)
    assert message is not None
    told: dict[str, Any] = json.loads(message)
    return told


def frame(**changes: Any) -> dict[str, Any]:
    return {"at": utc_now().isoformat(), "link": "02001234", "direction": "out",
            "hex": REQUEST, "meter": "000000000161", "note": "", **changes}  # fmt: skip


async def test_only_the_topics_that_were_asked_for(office: Office) -> None:
    socket = await listen(await office.somebody("reader"), "topics=links,runs,nonsense")
    feed = office.parts.feed
    feed.announce("readings", {"meter": "000000000161", "count": 1})
    feed.announce("frames", frame())
    feed.announce("links", {"address": "02001234", "state": "online", "reason": "", "at": "now"})
    feed.announce("runs", {"id": "1", "state": "running"})
    assert await heard(socket) == {
        "topic": "links", "address": "02001234", "state": "online", "reason": "", "at": "now"
    }  # fmt: skip
    assert (await heard(socket))["topic"] == "runs"
    socket.close()


async def test_frames_come_with_words_in_the_persons_language(office: Office) -> None:
    ann = await office.somebody("reader")
    ann.cookies["language"] = "zh"
    socket = await listen(ann, "topics=frames&terminal=02001234&meter=000000000161")
    feed = office.parts.feed
    feed.announce("frames", frame(link="02005678"))
    feed.announce("frames", frame(meter="000000000162"))
    feed.announce("frames", frame(note="noise, 4 bytes: preamble", hex="FEFEFEFE"))
    feed.announce("frames", frame())
    noise, request = await heard(socket), await heard(socket)
    assert noise["words"] == "杂波 4 字节：前导字节"
    assert "正向有功总电能" in request["words"]
    assert request["hex"] == REQUEST
    socket.close()


async def test_a_slow_page_loses_its_oldest_messages(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WAITING_MAX", 3)
    socket = await listen(await office.somebody("reader"), "topics=runs")
    for number in range(10):  # In one go: nothing is sent meanwhile.
        office.parts.feed.announce("runs", {"id": str(number)})
    assert [(await heard(socket))["id"] for _ in range(3)] == ["7", "8", "9"]
    socket.close()


async def test_closed_pages_are_forgotten(office: Office) -> None:
    socket = await listen(await office.somebody("reader"), "topics=runs")
    assert len(pages(office)) == 1
    socket.close()
    for _ in range(200):
        if not pages(office):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the page was never forgotten")


async def test_listening_ends_with_the_session(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "RECHECK_S", 0.05)
    ann = await office.somebody("reader")
    socket = await listen(ann, "topics=runs")
    await ann.post("/logout")
    assert await asyncio.wait_for(socket.read_message(), 5) is None
    assert socket.close_code == 4401


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
async def test_other_sites_may_not_listen(office: Office, origin: str) -> None:
    ann = await office.somebody("reader")
    with pytest.raises(HTTPClientError) as caught:
        await listen(ann, "topics=frames", Origin=origin)
    assert caught.value.code == 403
    socket = await listen(ann, "topics=frames", Origin=office.url)
    socket.close()


async def test_strangers_may_not_listen(office: Office) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await listen(office.visitor(), "topics=frames")
    assert caught.value.code == 401


async def test_whoever_began_something_is_told_how_it_ended(office: Office) -> None:
    ann, bob = await office.somebody("technician"), await office.somebody("technician")
    ann.cookies["language"] = "zh"
    hers, his = await listen(ann, "topics=finished"), await listen(bob, "topics=finished,links")
    feed, began = office.parts.feed, Endings(office.parts.feed, office.database.orders).began
    name = (await office.database.users.list())[0].name
    began("run", ["r"], by=name, name="Every day", href="/runs/r")
    began("commands", ["c1", "c2"], by=name, name="Orders of one go", href="/parameters/batches/b")
    began("import", ["i"], by=name, name="meters.csv", href="/imports/i")
    feed.announce("runs", {"id": "r", "state": "running", "success": 0, "due": 9})
    feed.announce("runs", {"id": "r", "state": "finished", "success": 8, "due": 9})
    feed.announce("commands", {"id": "c1", "state": "sent"})
    feed.announce("commands", {"id": "c1", "state": "failed"})
    feed.announce("commands", {"id": "c2", "state": "confirmed"})
    feed.announce("imports", {"id": "i", "act": "apply", "over": False, "error": ""})
    feed.announce("imports", {"id": "i", "act": "apply", "over": True, "error": ""})
    feed.announce("links", {"address": "1", "state": "online", "reason": "", "at": "now"})
    told = [await heard(hers) for _ in range(3)]
    assert [(each["href"], each["good"]) for each in told] == [
        ("/runs/r", False),
        ("/parameters/batches/b", False),
        ("/imports/i", True),
    ]
    assert "8" in told[0]["text"]
    assert told[1]["text"] == "批量命令：2 台设备中完成 1 台"
    assert (await heard(his))["topic"] == "links"  # Nothing of it is his.
    hers.close()
    his.close()
