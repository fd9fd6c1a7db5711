"""What a page says when something has ended that its person began."""

from typing import Any

from station.handlers.language import Language
from station.handlers.selling.money import yuan
from station.handlers.selling.order_views import KIND_NAMES


def ending_words(message: dict[str, Any], language: Language) -> dict[str, Any]:
    """Return what a page shows of an ending: a text, where it leads, and whether all is well."""
    return {
        "text": _text(message, language),
        "href": message["href"],
        "good": message["good"],
    }


def _text(message: dict[str, Any], language: Language) -> str:
    say = language.say
    title = message["name"]
    name = say(title) if message["what"] in ("run", "commands") else title
    if message["what"] == "run":
        done, due = message["done"], message["all"]
        return say("%(name)s: %(done)s of %(all)s points", name=name, done=done, all=due)
    if message["what"] == "order":
        kind = language.name(KIND_NAMES[message["name"]])
        amount, meter = yuan(message["amount_fen"]), message["meter"]
        return say(
            "%(kind)s, %(amount)s yuan, meter %(meter)s: it is on the card",
            kind=kind,
            amount=amount,
            meter=meter,
        )
    if message["what"] == "import":
        return _import_text(message, language)
    if message["all"] == 1 and message["good"]:
        return say("%(name)s: done", name=name)
    if message["all"] == 1:
        return say("%(name)s: it did not happen", name=name)
    done, every = message["done"], message["all"]
    return say("%(name)s: %(done)s of %(all)s devices", name=name, done=done, all=every)


def _import_text(message: dict[str, Any], language: Language) -> str:
    say, name = language.say, message["name"]
    if message["error"]:
        return say("%(name)s: %(error)s", name=name, error=language.sentence(message["error"]))
    return {
        "apply": say("%(name)s: all rows are in the archive", name=name),
        "undo": say("%(name)s: the import is undone", name=name),
    }.get(message["act"], say("%(name)s: the preview is ready", name=name))
