"""What the server grants a request, and how much it does at once."""

from pydantic import Field

from genrescope.parallel import cpu_count
from genrescope.settings import Settings


class ServerSettings(Settings):
    """Limits of the server; a request beyond them is refused with a sentence.

    Examples
    --------
    >>> ServerSettings(upload_bytes=1_000_000).sound_seconds
    900.0
    """

    upload_bytes: int = Field(50_000_000, ge=1)  # of a request's body
    sound_seconds: float = Field(900.0, gt=0)  # length of a sound
    receiving: int = Field(64, ge=1)  # bodies received at once
    receive_seconds: float = Field(30.0, gt=0)  # for a body to arrive
    workers: int = Field(default_factory=cpu_count, ge=1)  # processes that decode and explain
    waiting: int = Field(32, ge=0)  # requests that wait for a worker
    wait_seconds: float = Field(30.0, gt=0)  # for a worker to be free
    work_seconds: float = Field(60.0, gt=0)  # of a worker for one request
    worker_bytes: int = Field(4 * 2**30, ge=2**28)  # memory a worker may claim
    windows_per_batch: int = Field(256, ge=1)  # of several requests, in one call of a model
