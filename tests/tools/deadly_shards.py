"""Shards that end their process, or lie where nobody else sees them."""

import os
import signal
import tempfile
from dataclasses import replace

from genrescope.collection.predicting import Outcome, predict_shard
from genrescope.collection.predicting import Shard as Asked
from genrescope.features.place import Place
from genrescope.features.shards import Made, Shard, make_shard

UNMOUNTED = "/not/mounted/here"


def make_shard_or_die(shard: Shard) -> Made:
    """Extract a shard; a clip of a file called `poison` kills the process."""
    if any("poison" in clip.path for clip in shard.clips):
        os.kill(os.getpid(), signal.SIGKILL)
    return make_shard(shard)


def make_shard_blind(shard: Shard) -> Made:
    """Extract a shard on a machine where its sound files are not."""
    clips = tuple(replace(clip, path=f"{UNMOUNTED}{clip.path}") for clip in shard.clips)
    made = make_shard(replace(shard, clips=clips))
    return made._replace(gone=tuple(path.removeprefix(UNMOUNTED) for path in made.gone))


def make_shard_for_itself(shard: Shard) -> Made:
    """Extract a shard into a store that nobody else sees."""
    return make_shard(replace(shard, place=Place(tempfile.mkdtemp())))


def predict_or_die(shard: Asked) -> list[Outcome]:
    """Answer for a shard; a file called `poison` kills the process."""
    if any("poison" in str(file) for file in shard.files):
        os.kill(os.getpid(), signal.SIGKILL)
    return predict_shard(shard)
