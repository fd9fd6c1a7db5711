"""The forms of sentences that other rooms say in English, so that pages can translate them.

Each is a message of the catalogue; a `%(name)s` stands for whatever the sentence puts there.
"""


def N_(message: str) -> str:  # noqa: N802  The name by which the message extractor knows it.
    return message


SENTENCES: tuple[str, ...] = (
    N_("there is no terminal %(key)s"),
    N_("there is no channel %(key)s"),
    N_("there is no meter %(key)s"),
    N_("there is no task %(key)s"),
    N_("there is no run %(key)s"),
)
