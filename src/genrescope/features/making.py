"""Making the shards of a store in many processes, whatever befalls some of them."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from genrescope.errors import ClusterError, OutputError
from genrescope.features.place import Place
from genrescope.features.shards import Made, Shard, give_up, make_shard
from genrescope.files import UNREADABLE, content_digest
from genrescope.parallel import Workers, at_most, map_processes
from genrescope.remote import forget

LATE_S = 30.0  # how long a network filesystem may take to show what another machine wrote
SHARED = "audio and store have to lie where every machine sees them, under the same name"


def make_shards(
    place: Place,
    shards: Sequence[Shard],
    *,
    workers: Workers,
    on_clips: Callable[[int], None],
) -> None:
    """Make shards, and see that they are there.

    Parameters
    ----------
    place : Place
        Of the store, as this process sees it.
    shards : sequence of Shard
    workers : Workers
        Processes; the usable cores where None. Where there are several, a clip that ends the
        process that reads it costs itself only.
    on_clips : callable
        Called with the number of clips of each finished shard.

    Raises
    ------
    OutputError
        Where a shard cannot be written, or does not show in the store when all are made.
    ClusterError
        Where workers of a cluster do not see a sound file that this process sees, or are lost.
    """
    workers = at_most(workers, len(shards))
    here = workers is None or isinstance(workers, int)
    written: set[str] = set()
    for made in map_processes(
        make_shard,
        shards,
        workers=workers,
        on_death=None
        if workers == 1
        else functools.partial(_clip_by_clip, workers=1 if here else workers),
    ):
        for path in () if here else made.gone:
            forget(path)
            if content_digest(path) != UNREADABLE:
                raise ClusterError(
                    f"can be read here but not on {made.where}: {SHARED}",
                    path=path,
                    kind="unshared",
                )
        written.update(made.files)
        on_clips(made.clips)
    _see(place, written)


def _clip_by_clip(shard: Shard, *, workers: Workers) -> Made:
    singles = [replace(shard, clips=(clip,)) for clip in shard.clips]
    parts = list(map_processes(make_shard, singles, workers=workers, on_death=give_up))
    return Made(
        len(shard.clips),
        tuple(name for part in parts for name in part.files),
        tuple(path for part in parts for path in part.gone),
        parts[0].where,
    )


def _see(place: Place, written: set[str]) -> None:
    folders = {name.rpartition("/")[0] for name in written}
    pause, deadline = 0.05, time.monotonic() + LATE_S
    while True:
        listed = {f"{folder}/{name}" for folder in folders for name in place.names(folder)}
        missing = sorted(written - listed)
        if not missing:
            return
        if time.monotonic() > deadline:
            raise OutputError(
                f"{len(missing)} files that were written do not show here after {LATE_S:g} s, such "
                f"as {missing[0]}: {SHARED}",
                path=place.url,
            )
        time.sleep(pause)
        pause = min(2 * pause, 2.0)
