"""The forms of the sentences that selling says in English.

They belong to `sentences.SENTENCES`, which says what they are for.
"""

from station.handlers.marking import N_

SALE_SENTENCES: tuple[str, ...] = (
    # Who and where.
    N_("there is no account of customer %(customer)s at meter %(meter)s"),
    N_("there is no account %(key)s"),
    N_("there is no order %(key)s"),
    N_("there is no customer %(key)s"),
    N_("customer %(key)s exists already"),
    N_("there is no meter %(meter)s in the archive"),
    N_("meter %(meter)s has an account already"),
    N_("the account belongs to customer %(customer)s already"),
    N_("a number of zeros alone stands for a blank card"),
    N_("alarm amount 2 comes after 1: it cannot be higher"),
    N_("cards of %(profile)s carry no ladder: choose a tariff without one, or other cards"),
    N_(
        "%(profile)s cards carry no ladder, and this tariff is on such cards"
        " (accounts: %(number)s): enter it as a tariff of its own"
    ),
    # What stands in the way.
    N_("this account has an unfinished order: finish or abandon it first"),
    N_("this account has a purchase %(count)s already"),
    N_("this order has changed meanwhile: look at it again"),
    N_("this account has changed meanwhile: look at it again"),
    N_("this account is changed by others right now: try again"),
    N_("this account is not open yet: finish or abandon its opening first"),
    N_("this account waits for its new meter: finish or abandon the change first"),
    N_("this account is closed"),
    # What becomes of an order.
    N_("this order was abandoned: sell again"),
    N_("this order is on its card already: reverse it instead"),
    N_("the card carries this order: finish it"),
    N_("this order needs no card"),
    N_("an order of this kind cannot be reversed: enter a correction"),
    N_("this order was never finished: there is nothing to reverse"),
    N_("this order was reversed already"),
    N_("only the last sale of an account can be reversed: enter a correction"),
    N_(
        "the card of this sale was replaced, and either may bring it to the meter: it cannot be"
        " reversed"
    ),
    N_("this purchase has entered the meter: it cannot be reversed"),
    N_(
        "nobody knows whether the last purchase has entered the meter: read its purchase count "
        "from the meter, or replace the card without a new amount"
    ),
    N_(
        "the meter shows %(shown)s purchases and the account has %(count)s: look again, or call"
        " the administrator"
    ),
    N_(
        "the card brought back %(held)s and may still carry %(carried)s: no more than that is "
        "given back"
    ),
    # Which card lies there, and what is on it.
    N_(
        "the meter held %(held)s and takes in no more than %(limit)s in all (hoarding limit): "
        "sell less"
    ),
    N_(
        "this order was begun on card %(card)s: put that card in; if it is lost or broken, "
        "replace it"
    ),
    N_("this card is blank and still holds an amount or a return file: take another blank card"),
    N_("this card was replaced: the account's card is %(card)s"),
    N_("the card carries purchase %(found)s and the account %(count)s: sell a replacement"),
    N_("this card has been in the meter, which knows no other now: finish this order"),
    N_("the card is half taken back already: finish this order"),
)
