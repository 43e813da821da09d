"""Asking the servers behind URLs, through fsspec and nothing else; their errors in one sentence."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from genrescope.errors import ConfigError, RemoteError
from genrescope.remote.paths import Address

# Stores that show an object when it is whole, and have no folders.
OBJECT_STORES = frozenset(
    {"abfs", "abfss", "adl", "az", "gcs", "gs", "hf", "memory", "oci", "oss", "r2", "s3", "s3a"}
)

# One connection for all threads of a process, and none that was made before a fork.
_filesystems: dict[tuple[int, str], Any] = {}
_lock = threading.Lock()


def _connected(url: str) -> tuple[Any, str]:
    """The filesystem of a URL, and what the URL is called there."""
    protocol, _, rest = url.partition("://")
    # Stores are known by the protocol alone, servers by their host.
    key = (os.getpid(), protocol if protocol in OBJECT_STORES else f"{protocol}://{_host(rest)}")
    with _lock:
        if key not in _filesystems:
            _filesystems[key] = _connect(url, protocol)
        filesystem = _filesystems[key]
    return filesystem, str(filesystem._strip_protocol(url))


def _host(rest: str) -> str:
    return rest.partition("/")[0]


def _connect(url: str, protocol: str) -> Any:
    import fsspec
    from fsspec.registry import known_implementations

    try:
        filesystem, _ = fsspec.core.url_to_fs(url)
    except ImportError as error:
        about = known_implementations.get(protocol, {})
        package = str(about.get("class", "")).partition(".")[0]
        hint = f"({about.get('err') or error})"
        if package and package != "fsspec":
            hint = f": pip install {package}"
        reason = f"{protocol}:// needs a package that is not installed{hint}"
        raise ConfigError(reason, path=url) from error
    except ValueError as error:
        known = "s3://, gs://, abfs://, https:// and sftp:// are among those that are known"
        raise ConfigError(
            f"no kind of address begins with {protocol}://; {known}", path=url
        ) from error
    return filesystem


@contextlib.contextmanager
def asking(url: Address) -> Iterator[tuple[Any, str]]:
    """Ask the filesystem of a URL; whatever it raises becomes a `RemoteError` naming the URL."""
    text = os.fspath(url)
    try:
        yield _connected(text)
    except (ConfigError, RemoteError):
        raise
    except FileNotFoundError as error:
        bucket = "bucket" in str(error).lower() and "not exist" in str(error).lower()
        reason = "there is no such bucket" if bucket else "there is no such file"
        raise RemoteError(reason, path=text, kind="missing") from error
    except PermissionError as error:
        said = f" ({error})" if str(error) else ""
        reason = f"access is denied{said}; check the credentials and their rights"
        raise RemoteError(reason, path=text, kind="forbidden") from error
    except Exception as error:
        # Each protocol brings errors of its own: those of botocore are no OSError.
        if "credentials" in type(error).__name__.lower():
            reason = f"there are no credentials to ask with ({error})"
            raise RemoteError(reason, path=text, kind="forbidden") from error
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise RemoteError(f"cannot be reached ({said})", path=text) from error
