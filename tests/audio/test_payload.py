import struct

import pytest
from tagged import FORMATS

from genrescope.audio.payload import payload_digest


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_digest_tells_other_sound_apart(plain, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    content = bytearray((plain / path.name).read_bytes())
    content[-1000] ^= 1  # all of these end with sound
    path.write_bytes(content)
    assert payload_digest(path) != payload_digest(plain / path.name)


def test_an_mp4_whose_offsets_point_elsewhere_is_another_sound(song):
    path = song("m4a")
    content = path.read_bytes()
    sound = payload_digest(path)
    at = content.index(b"stco") + 12
    moved = struct.unpack(">I", content[at : at + 4])[0] + 1
    path.write_bytes(content[:at] + struct.pack(">I", moved) + content[at + 4 :])
    assert payload_digest(path) != sound
