"""The parts of the station that the pages stand on; `app` builds them and hands them in."""

from dataclasses import dataclass

from station.collector.archive import Archive
from station.collector.completeness import Completeness
from station.collector.reader import Reader
from station.collector.scheduler import Scheduler
from station.config import Config
from station.frontend.registry import Registry
from station.frontend.trace import Trace
from station.live import Feed
from station.store.database import Database


@dataclass(frozen=True)
class Parts:
    """What a handler may call. It changes things through `archive`, never through the stores."""

    config: Config
    database: Database
    feed: Feed
    registry: Registry
    trace: Trace
    archive: Archive
    reader: Reader
    scheduler: Scheduler
    completeness: Completeness
