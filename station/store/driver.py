"""The border to the database driver: every call passes here, and its errors become ours.

A database that does not answer in time, is stopping, or no longer lets us in is `DatabaseDown`;
a value that breaks a unique index stays the driver's `DuplicateKeyError`, for the store module to
put into words. Anything else is a defect and passes unchanged.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import ConnectionFailure, InvalidOperation, OperationFailure, PyMongoError

from station.errors import DatabaseDown

Document = dict[str, Any]
Query = Mapping[str, Any]
Order = list[tuple[str, int]]
Result = TypeVar("Result")

COUNTED_MAX = 5_000  # Documents without a filter that are counted one by one: some 2 ms.

# Codes of the server.
UNAUTHORIZED = 13
WRITE_CONFLICT = 112
AUTHENTICATION_FAILED = 18
# Stopping, not primary, or just started and without the keys of its clock yet (211).
DOWN_CODES = frozenset({91, 189, 211, 10107, 11600, 11602, 13435, 13436})

# The server's word for "nothing was written, try again": mostly another writer came first.
TRANSIENT = "TransientTransactionError"
CONFLICT_PAUSE_S = 0.002  # About what the other writer's commit takes; grows with each attempt.
CONFLICT_PAUSE_MAX_S = 0.02

# A session is used again for the next transaction: making and ending one costs as much as a call.
SESSIONS_KEPT = 4
SESSION_KEPT_S = 60.0  # The server forgets one that rests for half an hour.

# Where transactions are done at once: as many as counters may well sell in the same moment.
THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="transaction")


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn the driver's ways of saying "not now" into DatabaseDown."""
    try:
        yield
    except PyMongoError as error:
        code = error.code if isinstance(error, OperationFailure) else None
        if code in (UNAUTHORIZED, AUTHENTICATION_FAILED):
            raise DatabaseDown("the database does not let the station in any more") from error
        if code == WRITE_CONFLICT:
            raise DatabaseDown("others are changing this right now: try again") from error
        if code in DOWN_CODES or _is_down(error):
            raise DatabaseDown(f"the database does not answer: {type(error).__name__}") from error
        raise


def _is_down(error: PyMongoError) -> bool:
    gone = isinstance(error, (ConnectionFailure, InvalidOperation))
    return gone or error.timeout or error.has_error_label(TRANSIENT)


class Collection:
    """One collection, with the verbs that the store modules use; each ends within the timeout."""

    def __init__(
        self, client: "AsyncIOMotorClient[Document]", database: str, name: str, timeout_s: float
    ) -> None:
        self._client = client
        self._collection = client[database][name]
        self._plain = self._collection.delegate  # The same for a thread, which waits.
        self._timeout_s = timeout_s
        self._resting: list[tuple[float, Any]] = []

    async def find_one(
        self, query: Query, *, fields: Query | None = None, session: Any = None
    ) -> Document | None:
        """Return the first document that matches."""
        with our_errors():
            found: Document | None = await self._collection.find_one(query, fields, session=session)
            return found

    async def find(
        self,
        query: Query,
        *,
        fields: Query | None = None,
        order: Order | None = None,
        skip: int = 0,
        limit: int = 0,
        session: Any = None,
    ) -> list[Document]:
        """Return the documents that match; a limit of 0 means all."""
        with our_errors():
            cursor = self._collection.find(
                query, fields, sort=order, skip=skip, limit=limit, session=session
            )
            found: list[Document] = await cursor.to_list(None)
            return found

    async def aggregate(self, stages: Sequence[Query], *, session: Any = None) -> list[Document]:
        """Return what a pipeline makes of the documents."""
        with our_errors():
            cursor = self._collection.aggregate([*stages], session=session)
            made: list[Document] = await cursor.to_list(None)
            return made

    async def count(self, query: Query, *, limit: int | None = None) -> int:
        """Return how many documents match, counting no further than the limit.

        Of all documents of a large collection it is what the server has noted, as counting reads
        each; after a crash of the server that may be off by the writes of its last minute.
        """
        bound: dict[str, Any] = {} if limit is None else {"limit": limit}
        with our_errors():
            if not query and limit is None:
                noted = int(await self._collection.estimated_document_count())
                if noted > COUNTED_MAX:
                    return noted
            return int(await self._collection.count_documents(query, **bound))

    async def estimated_count(self) -> int:
        """Return about how many documents there are, without counting them."""
        with our_errors():
            return int(await self._collection.estimated_document_count())

    async def insert(self, document: Document, *, session: Any = None) -> None:
        """Insert one document. Raises the driver's DuplicateKeyError."""
        with our_errors():
            await self._collection.insert_one(document, session=session)

    async def replace(
        self, query: Query, document: Document, *, upsert: bool = False, session: Any = None
    ) -> int:
        """Replace one document and return how many matched."""
        with our_errors():
            result = await self._collection.replace_one(
                query, document, upsert=upsert, session=session
            )
            return int(result.matched_count)

    async def update(self, query: Query, change: Query, *, session: Any = None) -> int:
        """Change one document and return how many matched."""
        with our_errors():
            result = await self._collection.update_one(query, change, session=session)
            return int(result.matched_count)

    async def update_all(self, query: Query, change: Query, *, session: Any = None) -> int:
        """Change every document that matches and return how many did."""
        with our_errors():
            result = await self._collection.update_many(query, change, session=session)
            return int(result.matched_count)

    async def remove(self, query: Query, *, session: Any = None) -> int:
        """Remove every document that matches and return how many did."""
        with our_errors():
            result = await self._collection.delete_many(query, session=session)
            return int(result.deleted_count)

    async def write(self, operations: Sequence[Any], *, session: Any = None) -> None:
        """Send many writes at once, in any order. Raises the driver's BulkWriteError."""
        with our_errors():
            await self._collection.bulk_write(operations, ordered=False, session=session)

    async def transaction(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        """Run `work(session)` so that all its writes happen, or none, and return its result.

        It is run again when another writer came first. When the outcome is unknown DatabaseDown
        is raised, and the caller may repeat it if repeating is harmless.
        """
        deadline = time.monotonic() + self._timeout_s
        pause_s = CONFLICT_PAUSE_S
        with our_errors():
            async with self._session() as session:
                while True:
                    try:
                        async with session.start_transaction():
                            return await work(session)
                    except (PyMongoError, DatabaseDown) as error:
                        if not _may_run_again(error) or time.monotonic() > deadline:
                            raise
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s + CONFLICT_PAUSE_S, CONFLICT_PAUSE_MAX_S)

    async def at_once(self, work: Callable[[Any], Result]) -> Result:
        """Do as `transaction` does, in one go in a thread, with the verbs that end in `_in`.

        So nothing goes through the loop between two calls, and a sale waits less.
        """
        loop = asyncio.get_running_loop()
        with our_errors():
            async with self._session() as session:
                return await loop.run_in_executor(THREADS, self._in_thread, session.delegate, work)

    def _in_thread(self, session: Any, work: Callable[[Any], Result]) -> Result:
        deadline = time.monotonic() + self._timeout_s
        pause_s = CONFLICT_PAUSE_S
        while True:
            try:
                with session.start_transaction():
                    return work(session)
            except (PyMongoError, DatabaseDown) as error:
                if not _may_run_again(error) or time.monotonic() > deadline:
                    raise
            time.sleep(pause_s)
            pause_s = min(pause_s + CONFLICT_PAUSE_S, CONFLICT_PAUSE_MAX_S)

    def find_one_in(self, session: Any, query: Query) -> Document | None:
        """Return the first document that matches."""
        found: Document | None = self._plain.find_one(query, session=session)
        return found

    def aggregate_in(self, session: Any, stages: Sequence[Query]) -> list[Document]:
        """Return what a pipeline makes of the documents."""
        return [*self._plain.aggregate([*stages], session=session)]

    def insert_in(self, session: Any, document: Document) -> None:
        """Insert one document. Raises the driver's DuplicateKeyError."""
        self._plain.insert_one(document, session=session)

    def update_in(self, session: Any, query: Query, change: Query) -> int:
        """Change one document and return how many matched."""
        return int(self._plain.update_one(query, change, session=session).matched_count)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Any]:
        """Give a session, and let it rest for the next one unless something went wrong."""
        while self._resting:
            since, session = self._resting.pop()
            if time.monotonic() - since < SESSION_KEPT_S:
                break
            await session.end_session()
        else:
            # Nothing is read in it that an earlier call wrote; a station restarted beside a
            # database restarted must not wait for a moment that was lost.
            session = await self._client.start_session(causal_consistency=False)
        try:
            yield session
        except BaseException:
            await session.end_session()
            raise
        if len(self._resting) < SESSIONS_KEPT:
            self._resting.append((time.monotonic(), session))
        else:
            await session.end_session()


def _may_run_again(error: BaseException) -> bool:
    cause = error.__cause__ or error  # What our_errors turned into DatabaseDown, or the error.
    return isinstance(cause, PyMongoError) and cause.has_error_label(TRANSIENT)
