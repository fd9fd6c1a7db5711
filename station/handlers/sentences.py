"""The forms of sentences that other rooms say in English, so that pages can translate them.

Each is a message of the catalogue; a `%(name)s` stands for whatever the sentence puts there, which
may be such a sentence itself. The first form that fits counts: the narrow ones stand before the
wide ones. A form that is forgotten here is shown in English, which is no harm.
"""

from station.handlers.access.area_sentences import AREA_SENTENCES
from station.handlers.access.audit_sentences import AUDIT_SENTENCES
from station.handlers.access.people_sentences import PEOPLE_SENTENCES
from station.handlers.archive.archive_sentences import ARCHIVE_SENTENCES
from station.handlers.archive.import_sentences import IMPORT_SENTENCES
from station.handlers.control.control_sentences import CONTROL_SENTENCES
from station.handlers.control.parameter_sentences import PARAMETER_SENTENCES
from station.handlers.events.alarm_sentences import ALARM_SENTENCES
from station.handlers.marking import N_
from station.handlers.selling.card_sentences import CARD_PHRASES, CARD_SENTENCES
from station.handlers.selling.drawer_sentences import DRAWER_SENTENCES
from station.handlers.selling.reader_sentences import READER_SENTENCES
from station.handlers.selling.sale_sentences import SALE_SENTENCES
from station.protocols.dlt645.errors import (
    ERROR_BITS_1997,
    ERROR_BITS_2007,
    SECURITY_ERROR_BITS,
)
from station.protocols.dlt698 import dar

# Single words and phrases that stand inside sentences, in both languages.
PHRASES = {
    text.en: text.zh
    for text in (
        *ERROR_BITS_2007,
        *ERROR_BITS_1997,
        *SECURITY_ERROR_BITS,
        *dar.WORDS.values(),
    )
} | CARD_PHRASES

ROLE_NAMES = {
    "administrator": N_("administrator"),
    "technician": N_("technician"),
    "supervisor": N_("supervisor"),
    "clerk": N_("clerk"),
    "reader": N_("reader"),
}
UNITS = (N_("yuan"),)  # The others are the same in every language.

SENTENCES: tuple[str, ...] = (
    N_("expected some of %(names)s"),
    N_("expected one of %(names)s"),
    N_("this list has one order"),
    N_("the columns of %(number)s tables are remembered already"),
    *ALARM_SENTENCES,
    *AREA_SENTENCES,
    *ARCHIVE_SENTENCES,
    *AUDIT_SENTENCES,
    *CARD_SENTENCES,
    *CONTROL_SENTENCES,
    *DRAWER_SENTENCES,
    *IMPORT_SENTENCES,
    *PEOPLE_SENTENCES,
    *PARAMETER_SENTENCES,
    *READER_SENTENCES,
    *SALE_SENTENCES,
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
    N_("choose at least one of the groups"),
    N_("choose at least one of the meters"),
    N_("a name has at most %(limit)s characters, not %(number)s"),
    N_("meters of %(protocol)s have no item %(item)s"),
    N_("%(number)s items are too many; at most %(limit)s"),
    N_("task %(name)s is being run already"),
    N_("holes of these meters are being filled already"),
    N_("%(number)s groups are too many; at most %(limit)s"),
    N_("only a DTU has a registration packet"),
    N_("only a DTU has a heartbeat packet"),
    N_("a task that runs once has no cron expression"),
    N_("a cron expression has %(limit)s fields, not %(number)s"),
    N_("%(text)s is no cron expression: %(reason)s"),
    N_("%(text)s names a moment that never comes"),
    N_("a window begins and ends at two different times of the day"),
    N_("there is no bus %(key)s that a task asks"),
    N_("a terminal's port is 1..255, got %(port)s"),
    N_("a terminal forwards at %(speeds)s bit/s, not at %(speed)s"),
    N_('line settings are written like "2400 8E1", got %(text)s'),
    N_("speed must be %(range)s bit/s, got %(number)s"),
    N_("parity must be E, O or N, got %(text)s"),
    N_("data bits must be 5..8, got %(number)s"),
    N_("stop bits must be 1 or 2, got %(number)s"),
    N_("%(text)s is not 8 hex digits"),
    N_("%(text)s is not 12 digits"),
    N_("%(text)s is not 2 to 32 hex digits, in pairs"),
    N_("%(text)s is not 1 to 64 bytes in hex"),
    N_("%(text)s is not a letter, then letters, digits, dots or dashes, 32 at most"),
    N_("expected %(low)s to %(high)s characters, got %(number)s"),
    N_("the database does not answer: %(reason)s"),
    N_("others are changing this right now: try again"),
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
    N_("%(number)s questions in a row had no answer: it is opened anew"),
    N_("Connection reset by peer"),
    N_("Network is unreachable"),
    N_("No route to host"),
    # Commands.
    N_("there is no command %(key)s"),
    N_("command %(key)s is %(state)s already"),
    N_("queued"),
    N_("sent"),
    N_("confirmed"),
    N_("failed"),
    N_("expired"),
    N_("request %(key)s was another order"),
    N_("%(number)s commands wait already"),
    N_("a set or a control needs the meter's password"),
    N_("say why this is ordered"),
    N_("expected %(number)s digits"),
    N_("a value has 1 to %(limit)s characters"),
    N_("%(value)s is not bytes in hex"),
    N_("%(value)s is no number"),
    N_("%(value)s has more than %(number)s decimals"),
    N_("%(text)s is not 4 hex digits"),
    N_("%(key)s is part of the clock: set the clock instead"),
    N_("%(key)s is no parameter that is set from here"),
    N_("meters of %(protocol)s can only be read"),
    N_("meters of %(protocol)s have no relay to order"),
    N_("cancelled by %(person)s"),
    N_("attempt %(number)s"),
    N_("sent %(number)s times"),
    N_("the station was started again while this was under way"),
    N_("the station was started again, and its password was only kept in memory"),
    N_("its password is no longer known"),
    N_("its outcome is not known: %(reason)s"),
    N_("the meter accepted it, but %(reason)s"),
    N_("it did not happen, %(finding)s (%(reason)s)"),
    N_("it did not happen before its time was over"),
    N_("its time was over before it could be sent"),
    N_("its relay is open"),
    N_("its relay is closed"),
    N_("it holds %(value)s"),
    N_("its clock is off by %(seconds)s s"),
    N_("its clock shows no time"),
    N_("it has no value"),
    N_("no reason given"),
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
    N_("it answered with another service"),
    N_("it answered with error %(number)s"),
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
    # What drivers say of a point.
    N_("no way is left to have %(item)s"),
    N_("its load profile is refused"),
    N_("its load profile does not hold %(item)s"),
    N_("its daily freezes are refused"),
    N_("its load profile gave %(later)s after %(earlier)s"),
    N_("its daily freeze %(number)s bears %(moment)s"),
    N_("its daily freezes %(newer)s and %(older)s bear %(first)s and %(second)s"),
    N_("its record bears %(moment)s"),
    N_("a block of its answer is missing"),
    N_("terminal %(terminal)s had no answer of it"),
    N_("no %(item)s of %(moment)s"),
    N_("it keeps no records"),
    N_("it has no such record"),
    N_("its %(object)s is empty"),
    N_("%(asked)s refused: %(phrases)s"),
    N_("%(asked)s is refused"),
    N_("meter %(meter)s: %(reason)s"),
    # Tariffs.
    N_("there is no tariff version %(key)s"),
    N_("there is a bench in the demonstration only"),
    N_("there is no card %(key)s"),
    N_("tariff version %(key)s exists already"),
    N_("tariff %(tariff)s gets other versions right now; try again"),
    N_("tariff %(tariff)s has no approved version on %(day)s"),
    N_("a second person must approve: you wrote or submitted this version"),
    N_("version %(number)s of %(tariff)s is not submitted yet"),
    N_("version %(number)s of %(tariff)s is %(state)s already"),
    N_("submitted"),
    N_("approved"),
    N_("withdrawn"),
    N_("its first day, %(day)s, lies in the past"),
    N_("a code is 1 to 16 letters, digits, dashes or underscores"),
    N_("a note has at most %(limit)s characters"),
    N_("a name has 1 to %(limit)s characters"),
    N_("expected 0 to 999,999.99 yuan"),
    N_("alarm amount 2 lies above alarm amount 1"),
    N_("the hoarding limit lies below alarm amount 1"),
    N_("a set has 1 to %(limit)s rates"),
    N_("a kWh may not cost nothing: rate plus step is 0"),
    N_("a ladder has at most %(limit)s ends"),
    N_("%(ends)s ends of steps need %(needed)s step prices, not %(number)s"),
    N_("%(higher)s does not rise above %(lower)s"),
    N_("only a ladder by the year has settlement days"),
    N_("at most %(limit)s settlement days"),
    N_("a settlement day is given twice"),
    N_("%(day)s cannot be: month 1 to 12, day 1 to %(last)s, hour 0 to 23"),
    N_("%(text)s is no month, day and hour such as 01-01 00"),
    N_("number %(number)s is empty, and a later one is not"),
    N_("without a backup set there is nothing to switch to"),
    N_("%(moment)s is no local time in whole minutes"),
    N_("the year %(year)s does not fit"),
    N_("a switch time lies after the first day of the version"),
    N_("divided by CT %(ct)s times PT %(pt)s, two thresholds become the same"),
    N_("expected a ratio of 1 or more"),
    N_("this version has no backup set"),
    N_("expected %(number)s shares that are not all 0"),
    N_("step %(step)s costs nothing"),
    N_("expected %(range)s kWh, got %(value)s"),
    N_("expected %(range)s, got %(value)s"),
    N_(
        "the balance would become %(balance)s yuan, more than the meter can hold (%(limit)s):"
        " the meter refuses the card with error 21"
    ),
    N_(
        "the balance would become %(balance)s yuan, above the hoarding limit of %(limit)s:"
        " the meter refuses the card with error 21"
    ),
    N_("the meter stays overdrawn by %(amount)s yuan"),
    N_(
        "the balance of %(balance)s yuan lies below alarm amount %(number)s (%(limit)s):"
        " the meter warns at once"
    ),
    N_(
        "a ladder by the year without a settlement day never begins anew, and some meters refuse it"
    ),
    N_(
        "some meters refuse a ladder without a settlement day, or never begin it anew:"
        " try one card at a meter of each kind first"
    ),
    N_("the rates of the backup set have no switch time: they never hold"),
    N_("the ladder of the backup set has no switch time: it never holds"),
    N_("the backup set is the same as the main set"),
    N_(
        "accounts that bought nothing while the last version held have meters without its backup"
        " set: put the main prices into the backup set too, with a switch time"
    ),
    N_(
        "the main set differs from what open meters hold, and purchase cards bring only the backup"
        " set: put new prices into the backup set, with a switch time"
    ),
    # The counter.
    N_("number %(number)s is %(name)s"),
    N_("this customer is not known yet: enter the name"),
    N_("say an amount or an energy"),
    N_("%(text)s is not up to 12 digits"),
    N_(
        "selling is off: this station has no keys for cards; name their file as prepaid.keys in"
        " the configuration"
    ),
    # Money that was typed.
    N_("an amount has at most two decimals"),
    N_("an amount is at most %(amount)s yuan"),
    # Wide ones.
    N_("%(value)s is none of %(allowed)s"),
    N_("%(value)s is not in %(range)s"),
)
