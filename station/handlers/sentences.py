"""The forms of sentences that other rooms say in English, so that pages can translate them.

Each is a message of the catalogue; a `%(name)s` stands for whatever the sentence puts there, which
may be such a sentence itself. The first form that fits counts: the narrow ones stand before the
wide ones. A form that is forgotten here is shown in English, which is no harm.
"""

from station.protocols.dlt645.errors import (
    ERROR_BITS_1997,
    ERROR_BITS_2007,
    SECURITY_ERROR_BITS,
)


def N_(message: str) -> str:  # noqa: N802  The name by which the message extractor knows it.
    """Mark a message for the catalogue where it is not yet said."""
    return message


# Single words and phrases that stand inside sentences, in both languages.
PHRASES = {text.en: text.zh for text in (*ERROR_BITS_2007, *ERROR_BITS_1997, *SECURITY_ERROR_BITS)}

ROLE_NAMES = {
    "administrator": N_("administrator"),
    "technician": N_("technician"),
    "clerk": N_("clerk"),
    "reader": N_("reader"),
}
UNITS = (N_("yuan"),)  # The others are the same in every language.

SENTENCES: tuple[str, ...] = (
    # The archive and the store.
    N_("there is no terminal or channel %(key)s"),
    N_("there is no terminal %(key)s"),
    N_("there is no channel %(key)s"),
    N_("there is no meter %(key)s"),
    N_("there is no task %(key)s"),
    N_("there is no run %(key)s under way"),
    N_("there is no run %(key)s"),
    N_("there is no link %(key)s"),
    N_("there is no user %(key)s"),
    N_("there is no item %(key)s"),
    N_("there is no protocol %(key)s"),
    N_("terminal %(key)s exists already"),
    N_("channel %(key)s exists already"),
    N_("meter %(key)s exists already"),
    N_("task %(key)s exists already"),
    N_("user %(key)s exists already"),
    N_("the name %(key)s is taken by a terminal or a channel"),
    N_("meter %(meter)s still hangs on terminal %(key)s"),
    N_("meter %(meter)s still hangs on channel %(key)s"),
    N_("terminal address %(key)s: 0000 is no terminal"),
    N_(
        "%(url)s is neither a device such as /dev/ttyUSB0 nor socket://HOST:PORT"
        " nor rfc2217://HOST:PORT"
    ),
    N_("a task needs a name"),
    N_("choose at least one item to read"),
    N_("name at least one item to read"),
    N_("choose at least one of the links"),
    N_("choose at least one of the meters"),
    N_("a name has at most %(limit)s characters, not %(number)s"),
    N_("meters of %(protocol)s have no item %(item)s"),
    N_("%(number)s items are too many; at most %(limit)s"),
    N_("task %(name)s is being run already"),
    N_("a terminal's port is 1..255, got %(port)s"),
    N_("a terminal forwards at %(speeds)s bit/s, not at %(speed)s"),
    N_('line settings are written like "2400 8E1", got %(text)s'),
    N_("speed must be %(range)s bit/s, got %(number)s"),
    N_("parity must be E, O or N, got %(text)s"),
    N_("data bits must be 5..8, got %(number)s"),
    N_("stop bits must be 1 or 2, got %(number)s"),
    N_("%(text)s is not 8 hex digits"),
    N_("%(text)s is not 12 digits"),
    N_("%(text)s is not a letter, then letters, digits, dots or dashes, 32 at most"),
    N_("expected %(low)s to %(high)s characters, got %(number)s"),
    N_("the database does not answer: %(reason)s"),
    N_("too many attempts; try again in %(seconds)s s"),
    # Links.
    N_("never seen"),
    N_("switched off"),
    N_("disabled"),
    N_("took the place of %(remote)s"),
    N_("replaced by a newer connection from %(remote)s"),
    N_("logged out"),
    N_("no login for %(seconds)s s"),
    N_("silent for %(seconds)s s"),
    N_("the terminal closed the connection"),
    N_("the station was stopped"),
    N_("the station stops"),
    N_("the channel was closed"),
    N_("it is not open yet"),
    N_("the port does not take %(line)s: %(reason)s"),
    N_("it does not read: %(number)s bytes are unsent"),
    N_("%(number)s bytes without a frame"),
    N_("terminal %(address)s took over its connection"),
    N_("logged in"),
    N_("the port is open"),
    N_("terminal %(terminal)s: its link is down, %(reason)s"),
    N_("terminal %(address)s is blocked: %(reason)s"),
    N_("too many connections of %(ip)s without a login"),
    N_("%(ip)s is blocked: %(reason)s"),
    N_("%(text)s is neither an IP address nor a network such as 10.1.0.0/16"),
    N_("say why, in 1 to %(limit)s characters"),
    N_("an address has 1 to %(limit)s characters"),
    N_("there is no block %(key)s"),
    N_("block %(key)s exists already"),
    N_("too many connections"),
    N_("No such file or directory"),
    N_("Permission denied"),
    N_("Connection refused"),
    N_("Connection reset by peer"),
    N_("Network is unreachable"),
    N_("No route to host"),
    # Exchanges.
    N_("meter %(meter)s: link %(link)s is down, %(reason)s"),
    N_("it has not been online since the station started"),
    N_("offline since %(moment)s UTC (%(reason)s)"),
    N_("meter %(meter)s: no answer to %(asked)s in %(seconds)s s through terminal %(terminal)s"),
    N_("meter %(meter)s: no answer to %(asked)s through terminal %(terminal)s: %(reason)s"),
    N_("meter %(meter)s: no answer to %(asked)s in %(seconds)s s on %(link)s: %(reason)s"),
    N_("meter %(meter)s: no answer to %(asked)s in %(seconds)s s on %(link)s"),
    N_("meter %(meter)s: no daily freeze of %(day)s"),
    N_("meter %(meter)s: no record at %(moment)s"),
    N_("meter %(meter)s: its clock shows %(value)s"),
    N_("meter %(meter)s: %(item)s is not in its answer"),
    N_("meter %(meter)s: %(asked)s refused: %(phrases)s"),
    N_("terminal %(terminal)s: its connection is now another terminal's"),
    N_("it refused with error %(number)s"),
    N_("it answered another function"),
    N_("it sent its active report status instead"),
    N_("meter %(meter)s answered"),
    N_("it answered %(asked)s"),
    N_("function %(code)sH"),
    N_("%(link)s: %(number)s questions wait already"),
    N_("terminal %(terminal)s: %(reason)s"),
    N_("channel %(channel)s: %(reason)s"),
    # Bytes that are no frame.
    N_("noise, %(number)s bytes: %(reason)s"),
    N_("preamble"),
    N_("late"),
    N_("echo"),
    N_("another terminal's address"),
    N_("not from a terminal"),
    N_("no start of a frame"),
    N_("no start byte"),
    N_("no second start byte"),
    N_("no second 68H"),
    N_("no 68H"),
    N_("no 16H"),
    N_("no end byte"),
    N_("wrong checksum"),
    N_("length does not fit"),
    N_("too short for a frame"),
    N_("the header is cut off"),
    N_("the two L differ"),
    N_("the rest of the frame did not come"),
    N_("no frame of a meter"),
    N_("checksum is %(found)s, sum is %(right)s"),
    N_("L says %(told)s bytes, at least %(needed)s are needed"),
    N_("L says %(told)s bytes, %(allowed)s are allowed"),
    N_("L says %(told)s bytes, %(here)s are here"),
    N_("protocol identification %(number)s is not in use"),
    # Wide ones.
    N_("%(value)s is none of %(allowed)s"),
    N_("%(value)s is not in %(range)s"),
)
