"""Spares the tests what a station does once and they would do for every office they open.

Its templates are compiled once in a process, for each language. Passwords of the tests are hashed
at the lowest cost; checking one costs what its hash says, in the same way.
"""

from types import CodeType
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from station.handlers import routes
from station.handlers.language import Language
from station.handlers.templating import make_environment

CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Compiled(BytecodeCache):
    """The templates of one language that were compiled in this process."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


_compiled: dict[str, Compiled] = {}


def _make_environment(language: Language, zone: ZoneInfo) -> Environment:
    environment = make_environment(language, zone)
    environment.bytecode_cache = _compiled.setdefault(language.code, Compiled())
    return environment


def spare() -> None:
    """Let every application of this process share its compiled templates."""
    routes.make_environment = _make_environment
