"""The two languages of the pages: catalogues, the choice between them, and others' sentences.

Catalogues are read from their .po files at start. Other rooms say their sentences in English;
`Language.sentence` knows the forms of those sentences and says them in the reader's language.
"""

import functools
import gettext
import io
import re
from pathlib import Path

from babel import Locale
from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from station.handlers.sentences import PHRASES, SENTENCES
from station.words import Text

LANGUAGES = {"en": "English", "zh": "中文"}
LOCALE_DIRECTORY = Path(__file__).parent / "locale"
ACCEPT_SIZE_MAX = 200  # Bytes of an Accept-Language header that are looked at.

_FIELD = re.compile(r"%\((\w+)\)s")


class Language:
    """One language: its code, its catalogue, and which of two names it takes."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.tag = "zh-CN" if code == "zh" else code
        self.locale = Locale.parse(code)
        self.catalogue = _catalogue(code)

    def say(self, message: str, **values: object) -> str:
        """Return a message of the pages in this language, with its values filled in."""
        text = self.catalogue.gettext(message)
        return text % values if values else text

    def name(self, text: Text) -> str:
        """Return the one of two names that is in this language."""
        return text.zh if self.code == "zh" else text.en

    def sentence(self, english: str) -> str:
        """Return another room's English sentence in this language, or as it is if unknown."""
        if self.code == "en":
            return english
        if english in PHRASES:
            return PHRASES[english]
        for form, pattern in _FORMS:
            if found := pattern.fullmatch(english):
                values = {key: self._part(key, part) for key, part in found.groupdict().items()}
                return self.catalogue.gettext(form) % values
        return english

    def _part(self, key: str, part: str) -> str:
        """Return a part of a sentence; `phrases` are several, with commas between them."""
        if key == "phrases":
            return "、".join(self.sentence(phrase) for phrase in part.split(", "))
        return self.sentence(part)


def load_languages() -> dict[str, Language]:
    """Return the languages by code. Raises OSError when a catalogue is missing."""
    return {code: Language(code) for code in LANGUAGES}


def preferred_language(header: str) -> str | None:
    """Return the language that an Accept-Language header likes best, or None."""
    wanted = []
    for part in header[:ACCEPT_SIZE_MAX].split(","):
        tag, _, quality = part.strip().partition(";q=")
        wanted.append((_quality(quality), tag.strip().replace("-", "_")))
    wanted.sort(key=lambda pair: -pair[0])
    return negotiate_locale([tag for quality, tag in wanted if tag and quality > 0], [*LANGUAGES])


def _quality(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


@functools.cache  # Reading it takes a third of a second.
def _catalogue(code: str) -> gettext.NullTranslations:
    if code == "en":  # The messages themselves are English.
        return gettext.NullTranslations()
    path = LOCALE_DIRECTORY / code / "LC_MESSAGES" / "station.po"
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _form(sentence: str) -> tuple[str, re.Pattern[str]]:
    parts = _FIELD.split(sentence)
    pattern = "".join(
        f"(?P<{part}>.+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    return sentence, re.compile(pattern, re.DOTALL)


_FORMS = [_form(sentence) for sentence in SENTENCES]
