"""What lies behind URLs: the one place where fsspec is asked."""

from genrescope.remote.details import (
    Detail,
    content_identity,
    exists,
    file_detail,
    find_files,
    is_folder,
    look_up,
)
from genrescope.remote.files import (
    at_hand,
    download_file,
    download_folder,
    read_file,
    remove_file,
    upload_file,
    upload_folder,
    write_file,
)
from genrescope.remote.paths import Address, AtHand, UrlPath, is_url, name_of, place_of
from genrescope.remote.ranges import Ranges, open_ranges

__all__ = [
    "Address",
    "AtHand",
    "Detail",
    "Ranges",
    "UrlPath",
    "at_hand",
    "content_identity",
    "download_file",
    "download_folder",
    "exists",
    "file_detail",
    "find_files",
    "is_folder",
    "is_url",
    "look_up",
    "name_of",
    "open_ranges",
    "place_of",
    "read_file",
    "remove_file",
    "upload_file",
    "upload_folder",
    "write_file",
]
