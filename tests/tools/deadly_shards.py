"""Shards that end their process, or lie where nobody else sees them."""

import os
import signal
import tempfile
from dataclasses import replace

from genrescope.collection.predicting import Outcome, predict_shard
from genrescope.collection.predicting import Shard as Asked
from genrescope.features.place import Place
from genrescope.features.shards import Made, Shard, ShardClip, make_shard


def make_shard_or_die(shard: Shard) -> Made:
    """Extract a shard; a clip of a file called `poison` kills the process."""
    if any("poison" in clip.path for clip in shard.clips):
        os.kill(os.getpid(), signal.SIGKILL)
    return make_shard(shard)


def make_shard_blind(shard: Shard) -> Made:
    """Extract a shard on a machine where its sound files are not."""
    return make_shard(replace(shard, clips=tuple(_elsewhere(clip) for clip in shard.clips)))


def _elsewhere(clip: ShardClip) -> ShardClip:
    return replace(clip, path=f"/not/mounted/here{clip.path}")


def make_shard_for_itself(shard: Shard) -> Made:
    """Extract a shard into a store that nobody else sees."""
    return make_shard(replace(shard, place=Place(tempfile.mkdtemp())))


def predict_or_die(shard: Asked) -> list[Outcome]:
    """Answer for a shard; a file called `poison` kills the process."""
    if any("poison" in str(file) for file in shard.files):
        os.kill(os.getpid(), signal.SIGKILL)
    return predict_shard(shard)
