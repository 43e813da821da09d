"""Bundles to and from the Hugging Face Hub: a bundle is a model repository as it stands.

Nothing that comes from the Hub is believed: it is loaded and checked in a temporary folder before
it stands where it was asked for. The client is `huggingface_hub`, an extra.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.errors import BundleError, ConfigError, GenrescopeError, HubError
from genrescope.files import PARTIAL, output_errors
from genrescope.models.bundle import check_replaceable, load_bundle, put_in_place
from genrescope.models.bundle_info import (
    DESCRIPTION,
    LARGEST_DESCRIPTION,
    LARGEST_FILE,
    read_info,
)

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAIN = "main"
COMMIT = re.compile(r"[0-9a-f]{40}")
CHUNK = 2**20  # bytes
PATIENCE_S = 30  # without a byte


def upload_bundle(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str = MAIN,
    endpoint: str | None = None,
) -> str:
    """Put a bundle on the Hub, in one commit; the repository is made where there is none.

    Parameters
    ----------
    folder : path-like
        The bundle. It is loaded first, and only what its description lists is sent.
    repo_id : str
        `OWNER/NAME`.
    private : bool
        Whether a new repository is private; an old one stays as it is.
    revision : str
        The branch, made where there is none.
    endpoint : str, optional
        Address of the Hub; that of the environment variable `HF_ENDPOINT`, or huggingface.co.

    Returns
    -------
    str
        Address of the commit.

    Raises
    ------
    BundleError
        Where it is no bundle, or one that `load_bundle` refuses.
    HubError
        Where the Hub cannot be reached or refuses it.
    ConfigError
        Where `huggingface_hub` is not installed.
    """
    folder = Path(folder)
    info = load_bundle(folder).info
    api = _api(endpoint)
    from huggingface_hub import CommitOperationAdd

    files = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name)
        for name in (DESCRIPTION, *sorted(info.files))
    ]
    with _hub_errors(repo_id, revision):
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision != MAIN:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        message = f"A {info.kind} for {len(info.classes)} genres"
        commit = api.create_commit(repo_id, files, commit_message=message, revision=revision)
    return str(commit.commit_url)


def download_bundle(
    repo_id: str, folder: str | Path, *, revision: str = MAIN, endpoint: str | None = None
) -> str:
    """Bring a bundle from the Hub, whole and checked or not at all.

    Only the files its description lists are asked for, all of one commit, none larger than the
    Hub says it is.

    Parameters
    ----------
    repo_id : str
        `OWNER/NAME`.
    folder : path-like
        Where the bundle shall be; an older bundle there is replaced, anything else left alone.
    revision : str
        A branch, a tag or a commit.
    endpoint : str, optional
        As for `upload_bundle`.

    Returns
    -------
    str
        The commit, 40 hexadecimal digits.

    Raises
    ------
    BundleError
        Where the repository holds no bundle, or one that `load_bundle` refuses.
    HubError
        Where the Hub cannot be reached, or has no such repository or revision.
    ConfigError
        Where `huggingface_hub`, or a library the model needs, is not installed.
    OutputError
        Where the folder cannot be written.
    """
    folder = Path(folder).absolute()
    check_replaceable(folder)
    api = _api(endpoint)
    with _hub_errors(repo_id, revision):
        found = api.model_info(repo_id, revision=revision, files_metadata=True, timeout=PATIENCE_S)
    commit = str(found.sha)
    if not COMMIT.fullmatch(commit):
        raise HubError("the Hub names no commit", path=repo_id)
    sizes = {file.rfilename: file.size for file in found.siblings or ()}
    partial = folder.with_name(f".{folder.name}{PARTIAL}")
    try:
        with output_errors(folder), _named(repo_id, partial):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _fetch(api, repo_id, commit, DESCRIPTION, partial, sizes, LARGEST_DESCRIPTION)
            # Read before anything else is asked for: the names in it are plain ones.
            left = LARGEST_FILE
            for name in sorted(read_info(partial).files):
                left -= _fetch(api, repo_id, commit, name, partial, sizes, left)
            load_bundle(partial)
            put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return commit


def _api(endpoint: str | None) -> "HfApi":
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise ConfigError("the Hub needs the extra: pip install 'genrescope[hub]'") from error
    return HfApi(endpoint=endpoint, library_name="genrescope")


def _fetch(
    api: "HfApi",
    repo_id: str,
    commit: str,
    name: str,
    folder: Path,
    sizes: dict[str, Any],
    largest: int,
) -> int:
    """Write one file of a commit into a folder; its size."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        hf_raise_for_status,
        http_stream_backoff,
    )

    if name not in sizes:
        raise BundleError("is not in the repository", path=folder / name)
    stated = sizes[name]
    largest = min(largest, stated) if isinstance(stated, int) else largest
    url = hf_hub_url(repo_id, name, revision=commit, endpoint=api.endpoint)
    # Not packed, so that what arrives is what was counted.
    headers = build_hf_headers(library_name="genrescope") | {"Accept-Encoding": "identity"}
    size = 0
    with (
        _hub_errors(repo_id, commit),
        http_stream_backoff("GET", url, headers=headers, timeout=PATIENCE_S) as response,
        (folder / name).open("wb") as file,
    ):
        hf_raise_for_status(response)
        for chunk in response.iter_bytes(CHUNK):
            size += len(chunk)
            if size > largest:
                raise BundleError(f"is larger than {largest:,} bytes", path=folder / name)
            file.write(chunk)
    return size


@contextlib.contextmanager
def _named(repo_id: str, partial: Path) -> Iterator[None]:
    """Name the files of a repository in errors, not those of the temporary folder."""
    try:
        yield
    except BundleError as error:
        path = Path(error.path or partial)
        place = path.relative_to(partial) if path.is_relative_to(partial) else Path()
        raise BundleError(error.reason, path=(Path(repo_id) / place).as_posix()) from error


@contextlib.contextmanager
def _hub_errors(repo_id: str, revision: str) -> Iterator[None]:
    """Turn what the client raises into a `HubError` of one sentence."""
    from huggingface_hub import errors

    def error_of(reason: str) -> HubError:
        return HubError(reason, path=repo_id)

    try:
        yield
    except GenrescopeError:
        raise
    except errors.HFValidationError as error:
        raise error_of("is no name of a repository: give OWNER/NAME") from error
    except errors.RevisionNotFoundError as error:
        raise error_of(f"has no revision {revision!r}") from error
    except (errors.RepositoryNotFoundError, errors.LocalTokenNotFoundError) as error:
        raise error_of(
            "is not on the Hub, or not for you to see; sign in (hf auth login) if it is private"
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        hint = "; sign in as one who may (hf auth login)" if status in (401, 403) else ""
        raise error_of(f"the Hub refuses this with HTTP status {status}{hint}") from error
    except (errors.HTTPError, ConnectionError) as error:  # type: ignore[attr-defined]
        raise error_of(f"the Hub cannot be reached ({error})") from error
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise error_of(f"the Hub gives no proper answer ({error})") from error
