"""What goes wrong between a device and the station, each as a share of the device's answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Faults(BaseModel):
    """How often an answer is treated badly; 0.1 is every tenth, drawn by the seed of the site."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lost: Share = 0.0  # It is never sent.
    late: Share = 0.0  # It is sent `late_ms` later, when others have been asked for already.
    late_ms: Annotated[int, Field(ge=0, le=600_000)] = 4_000
    corrupt: Share = 0.0  # One bit of it is turned over.
    duplicate: Share = 0.0  # It is sent twice.
    split: Share = 0.0  # It is sent in pieces, some milliseconds apart.
    merged: Share = 0.0  # It is sent in one piece with a heartbeat.
    noise: Share = 0.0  # Up to NOISE_MAX bytes of nonsense go before it.
    drop: Share = 0.0  # Half of it is sent, then the connection breaks.


NOISE_MAX = 200
PIECES_MAX = 4
PIECE_GAP_S = 0.02
