"""The forms of the sentences that cards and their readers' conversations say in English.

They belong to `sentences.SENTENCES`, which says what they are for.
"""

from station.handlers.marking import N_
from station.prepaid.cards.apdu import STATUS_WORDS, UNKNOWN_STATUS

CARD_PHRASES = {
    "unknown": "未知",  # A rule that a card does not tell.
    **{text.en: text.zh for text in (*STATUS_WORDS.values(), UNKNOWN_STATUS)},
}

# The steps of a conversation, as the counter shows them too.
STEPS = (
    N_("select"),
    N_("serial"),
    N_("read parameters"),
    N_("read wallet"),
    N_("read return file"),
    N_("read prices"),
    N_("challenge"),
    N_("authenticate card"),
    N_("authenticate reader"),
    N_("write prices"),
    N_("write backup prices"),
    N_("write parameters"),
    N_("clear return file"),
    N_("write wallet"),
    N_("read back"),
)

CARD_SENTENCES: tuple[str, ...] = (
    *STEPS,
    # Which card lies there.
    N_("this card belongs to meter %(meter)s: take a blank card"),
    N_("this card is blank: take the customer's card, or sell a replacement"),
    N_("this card belongs to meter %(found)s, not to %(meter)s: take the customer's card"),
    N_("this card belongs to customer %(found)s, not to %(customer)s: take the customer's card"),
    N_("this card follows rule %(found)s and the meter %(rule)s: take a card of rule %(other)s"),
    N_("this chip was never issued as a user card: take a card from the stock of blank cards"),
    N_("this is not a card of this utility (%(problem)s): take another card"),
    N_("a file of this card is spoilt (%(problem)s): take another card, or sell a replacement"),
    N_("this card cannot be written: %(problem)s"),
    N_("it was never issued"),
    N_("the card lacks a file of a user card"),
    N_("the card does not know the key of this utility"),
    N_("another card was put in meanwhile: begin again"),
    # Whether the last purchase has entered the meter.
    N_(
        "the last purchase has not entered the meter: put the card into the meter first,"
        " then come back"
    ),
    N_(
        "the return file of this card cannot be read (%(problem)s): put the card into the meter"
        " again, or sell a replacement"
    ),
    N_(
        "the meter knows %(found)s purchases and the account %(count)s: put the card into the"
        " meter; if it stays so, call the administrator"
    ),
    N_(
        "meter %(meter)s wrote this card's return file, and the card is not its own: call the"
        " administrator"
    ),
    N_("this card has been in the meter since the purchase: it cannot be reversed"),
    N_("the card carries purchase %(found)s and the account %(count)s: it cannot be reversed"),
    # What the card refuses.
    N_("the card refused to %(step)s (%(status)s): %(reason)s"),
    N_("the card answered %(found)s bytes to %(step)s, not %(size)s"),
    N_("after the step %(step)s the card holds something else: try again, or take another card"),
    N_("the authentication failed, %(number)s tries left"),
    N_("the key machine returned a command that was not asked for"),
    # What a file breaks; the field is named as the digest of the layout names it.
    N_("parameters, %(field)s: %(problem)s"),
    N_("return file, %(field)s: %(problem)s"),
    N_("wallet, %(field)s: %(problem)s"),
    N_("prices, %(field)s: %(problem)s"),
    # Reader agents.
    N_("there is no reader agent %(key)s"),
    N_("there is no workplace %(key)s"),
    N_("the reader agent of %(workplace)s is not connected: start it there"),
    N_("the reader agent of %(workplace)s gave no answer for %(seconds)s s"),
    N_("the reader agent has gone"),
    N_("this reader is not attached any more"),
    N_("the conversation with the card has ended"),
    N_("%(number)s codes are waiting already: use them first"),
    N_("this code is not known, or no longer good: take a new one"),
    N_("a workplace's name has 1 to 32 letters, digits, spaces, dots, dashes"),
    N_("workplace %(workplace)s has readers of its own"),
    N_("%(number)s workplaces are paired already: forget one first"),
)
