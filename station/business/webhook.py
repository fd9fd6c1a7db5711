"""Alarms as posts to a URL, signed so that the receiver knows who sent them.

    X-Station-Timestamp: 1767225600
    X-Station-Signature: sha256=<hex of HMAC-SHA256(secret, timestamp + "." + body)>

Each rule has its own secret, made of the site's key and the rule's id, so none is kept. Redirects
are not followed: what is posted goes where the rule says.
"""

import hashlib
import hmac
import json
import time
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient

from station.business.told import Told, json_of
from station.errors import NotDelivered
from station.store.objects.alarm_rules import AlarmRule

TIMEOUT_S = 15.0
ANSWER_SIZE_MAX = 65_536  # Nobody reads it.


class Webhook:
    """Posts to the URLs of rules."""

    def __init__(self, key: str, *, site: str, station: str, url: str) -> None:
        """`key` is the site's; `url` is where the pages are, and may be empty."""
        self._key = key
        self._site = site
        self._station = station
        self._url = url

    async def send(self, rule: AlarmRule, told: Told) -> None:
        """Post these to every URL of the rule. Raises NotDelivered."""
        body = json.dumps(json_of(told, self._site, self._station, self._url)).encode()
        client = AsyncHTTPClient(force_instance=True, max_body_size=ANSWER_SIZE_MAX)
        try:
            for target in rule.targets:
                await self._post(client, target, body, secret_of(self._key, rule.id))
        finally:
            client.close()

    async def _post(self, client: AsyncHTTPClient, target: str, body: bytes, secret: str) -> None:
        timestamp = str(int(time.time()))
        host = urlsplit(target).hostname  # The rest of a URL may be a secret.
        try:
            response = await client.fetch(
                target,
                method="POST",
                body=body,
                headers={
                    "Content-Type": "application/json",
                    "User-Agent": "Station",
                    "X-Station-Timestamp": timestamp,
                    "X-Station-Signature": signature(secret, timestamp, body),
                },
                follow_redirects=False,
                connect_timeout=TIMEOUT_S,
                request_timeout=TIMEOUT_S,
                raise_error=False,
            )
        except (OSError, ValueError) as error:
            raise NotDelivered(f"{host}: {error}") from None
        if not 200 <= response.code < 300:
            answered = 100 <= response.code < 599
            why = f"answered {response.code}" if answered else str(response.error)
            raise NotDelivered(f"{host}: {why}")


def secret_of(key: str, rule_id: str) -> str:
    """Return the secret of one rule: 64 hex digits."""
    return hmac.new(key.encode(), rule_id.encode(), hashlib.sha256).hexdigest()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a post."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"
