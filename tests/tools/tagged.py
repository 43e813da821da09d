"""Sound files with tags of their own, and what mutagen says of them."""

from mutagen.aiff import AIFF
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, ID3, TCON, TIT2, TPE1, TXXX, TYER
from mutagen.mp4 import MP4
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

FORMATS = ("mp3", "flac", "ogg", "opus", "m4a", "wav", "aiff")


def tag(path, genres, version=4):
    if path.suffix in (".mp3", ".wav", ".aiff"):
        frames = [
            TIT2(encoding=1, text="제목"),
            TPE1(encoding=0, text=["Vera Lynn", "Choir"]),
            COMM(encoding=0, lang="eng", desc="", text="kept as it is"),
            TXXX(encoding=0, desc="REPLAYGAIN_TRACK_GAIN", text="-6.5 dB"),
            APIC(encoding=0, mime="image/png", type=3, desc="cover", data=bytes(range(256)) * 20),
        ]
        if genres:
            frames.append(TCON(encoding=1, text=list(genres)))
        if path.suffix == ".mp3":
            tags, where = ID3(), path
        else:
            opened = {".wav": WAVE, ".aiff": AIFF}[path.suffix](path)
            opened.add_tags()
            tags, where = opened.tags, path
        for frame in frames:
            tags.add(frame)
        if version == 3:
            tags.add(TYER(encoding=0, text="1942"))
        tags.save(where, v2_version=version, v23_sep=None)
        return
    opener = {".flac": FLAC, ".ogg": OggVorbis, ".opus": OggOpus, ".m4a": MP4}[path.suffix]
    file = opener(path)
    if file.tags is None:
        file.add_tags()
    if path.suffix == ".m4a":
        file["\xa9nam"], file["\xa9ART"], file["trkn"] = "제목", "Vera Lynn", [(3, 12)]
        if genres:
            file["\xa9gen"] = list(genres)
    else:
        file["TITLE"], file["Artist"], file["COMMENT"] = "제목", ["Vera Lynn", "Choir"], "a=b\nc"
        if genres:
            file["Genre"] = list(genres)
    if path.suffix == ".flac":
        picture = Picture()
        picture.type, picture.mime, picture.data = 3, "image/png", bytes(range(256)) * 20
        file.add_picture(picture)
    file.save()


def everything_else(path):
    """All tags but the genre, by mutagen's own eyes, in a form that can be compared."""
    opener = {
        ".mp3": ID3, ".wav": WAVE, ".aiff": AIFF, ".flac": FLAC, ".ogg": OggVorbis,
        ".opus": OggOpus, ".m4a": MP4,
    }[path.suffix]  # fmt: skip
    file = opener(path)
    own = ("TCON", "TXXX:GENRESCOPE_OLD_GENRE", "genre", "genrescope_old_genre", "\xa9gen",
           "----:org.genrescope:OLD_GENRE")  # fmt: skip
    found = {key: repr(value) for key, value in file.items() if key not in own}
    pictures = [picture.write() for picture in getattr(file, "pictures", ())]
    assert len(found) >= 3
    return found, pictures
