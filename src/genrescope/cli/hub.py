"""Commands that bring bundles to the Hugging Face Hub and back."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

Revision = Annotated[str, typer.Option(help="A branch; to download, also a tag or a commit.")]
RepoId = Annotated[str, typer.Argument(metavar="REPO_ID", help="OWNER/NAME.")]


def upload(
    bundle: Annotated[Path, typer.Argument(help="A trained model.")],
    repo_id: RepoId,
    private: Annotated[bool, typer.Option("--private", help="For a new repository.")] = False,
    revision: Revision = "main",
) -> None:
    """Check a bundle and put it on the Hub, in one commit."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from genrescope.models.hub import upload_bundle

    commit = upload_bundle(bundle, repo_id, private=private, revision=revision)
    typer.echo(f"commit: {commit}")


def download(
    repo_id: RepoId,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The bundle to write.")],
    revision: Revision = "main",
) -> None:
    """Bring a bundle from the Hub, checked before it is put in place."""
    from genrescope.models.hub import download_bundle

    commit = download_bundle(repo_id, folder, revision=revision)
    typer.echo(f"bundle: {folder}, commit {commit} of {repo_id}")
