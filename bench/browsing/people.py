"""People who open pages over HTTP, as browsers do: one connection each, compressed, logged in."""

import gzip
import http.client
import json
import time
from typing import Any

HOST = "127.0.0.1"
TIMEOUT_S = 60.0
JSON = "application/json"


class Person:
    """One logged-in person."""

    def __init__(self, port: int, like: "Person | None" = None) -> None:
        """With `like`, in the login of another person."""
        self._port = port
        self.cookie = "" if like is None else like.cookie
        self.token = "" if like is None else like.token
        self._connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)

    def log_in(self, name: str, password: str) -> None:
        """Log in, and keep the session's cookie and token."""
        body = json.dumps({"username": name, "password": password})
        self._connection.request("POST", "/api/login", body, {"Content-Type": JSON})
        answer = self._connection.getresponse()
        self.token = json.load(answer)["token"]
        cookies = answer.headers.get_all("Set-Cookie") or []
        self.cookie = next(each for each in cookies if each.startswith("session")).split(";")[0]

    def open(self, path: str) -> tuple[float, int, bytes]:
        """Return how many seconds a page took to come, its status, and what came."""
        headers = {"Cookie": self.cookie, "Accept-Encoding": "gzip"}
        began = time.perf_counter()
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - began
        if answer.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return seconds, answer.status, body

    def get(self, path: str) -> Any:
        """Return what a JSON address says."""
        _, status, body = self.open(path)
        if status != http.client.OK:
            raise LookupError(f"{path}: {status} {body[:300].decode(errors='replace')}")
        return json.loads(body)

    def post(self, path: str, body: Any, kind: str = JSON) -> Any:
        """Send JSON, or bytes of another kind, and return what is answered."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        content = body if isinstance(body, bytes) else json.dumps(body)
        self._connection.request("POST", path, content, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise LookupError(f"{path}: {answer.status} {said[:300].decode(errors='replace')}")
        return json.loads(said)
