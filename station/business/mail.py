"""Alarms by e-mail, through the site's own mail server.

The conversation blocks, so it runs in one thread of its own; each of its steps ends within a time.
"""

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import make_msgid
from zoneinfo import ZoneInfo

from station.business.told import Told, subject_of, text_of
from station.config import MailConfig
from station.errors import NotDelivered
from station.store.objects.alarm_rules import AlarmRule

STEP_TIMEOUT_S = 15.0  # For connecting, and for each answer.
REASON_SIZE_MAX = 200  # Characters of what a server says.


class Mail:
    """A mail server that takes messages from this station."""

    def __init__(self, settings: MailConfig, *, site: str, url: str, zone: ZoneInfo) -> None:
        """`url` is where the pages are, for links in the text; it may be empty."""
        self._settings = settings
        self._password = settings.password()
        self._site = site
        self._url = url
        self._zone = zone
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")

    async def send(self, rule: AlarmRule, told: Told) -> None:
        """Deliver these to every address of the rule. Raises NotDelivered."""
        message = EmailMessage()
        message["Subject"] = subject_of(told, self._site, rule.language)
        message["From"] = self._settings.sender
        message["To"] = ", ".join(rule.targets)
        message["Message-ID"] = make_msgid(domain=self._settings.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers by machines.
        message.set_content(text_of(told, self._zone, self._url, rule.language))
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._deliver, message)

    def _deliver(self, message: EmailMessage) -> None:
        try:
            with self._connected() as server:
                refused = server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except (smtplib.SMTPException, OSError, ValueError) as error:
            said = str(error) or type(error).__name__
            raise NotDelivered(f"mail server {self._place}: {said[:REASON_SIZE_MAX]}") from None
        if refused:
            names = ", ".join(sorted(refused))
            raise NotDelivered(f"mail server {self._place} does not take mail for {names}")

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        assert settings.host is not None, "without a host no mail is sent"
        if settings.security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=STEP_TIMEOUT_S, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=STEP_TIMEOUT_S)
        try:
            if settings.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.user is not None:
                server.login(settings.user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    @property
    def _place(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"
