"""Names in the two languages of the product; tables carry both, side by side."""

from typing import NamedTuple


class Text(NamedTuple):
    """One name, in English and in Chinese."""

    en: str
    zh: str
