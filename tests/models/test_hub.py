"""The Hub's layout and client, against a stand-in on this machine; the network is not asked."""

import json
import sys

import numpy as np
import pytest
from doctoring import edit, replace
from hub_stand_in import TOKEN, Repository, stand_in

from genrescope.cli import main
from genrescope.errors import BundleError, ConfigError, HubError, OutputError
from genrescope.files import sha256_file
from genrescope.models.bundle import load_bundle
from genrescope.models.bundle_info import LARGEST_FILE
from genrescope.models.hub import download_bundle, upload_bundle

constants = pytest.importorskip("huggingface_hub.constants")

# The client's own use of its HTTP library.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO = "someone/genres"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with stand_in() as server:
        yield server


def hold(hub, folder, **changes) -> Repository:
    """A repository with what is in a folder, whatever that is."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    repository = Repository(**changes)
    repository.commit("main", files)
    hub.repositories[REPO] = repository
    return repository


def digests(folder):
    return {path.name: sha256_file(path) for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["forest", "ensemble", "cnn"])
def test_up_and_down_again_a_bundle_is_the_same(hub, save, tmp_path, kind, vectors, maps):
    folder = save(kind)
    (folder / "training_curve.csv").write_text("not listed, so not sent")
    commit = upload_bundle(folder, REPO, endpoint=hub.url)
    (sent,) = hub.repositories[REPO].commits.values()
    listed = {"bundle.json", *json.loads((folder / "bundle.json").read_text())["files"]}
    assert set(sent) == listed
    down = tmp_path / "down"
    assert commit.endswith(download_bundle(REPO, down, endpoint=hub.url))
    (folder / "training_curve.csv").unlink()
    assert digests(down) == digests(folder)
    assert not any(path.is_symlink() for path in down.iterdir())
    X = maps[0] if kind == "cnn" else vectors[0]
    answers = [load_bundle(one).model.predict_proba(X) for one in (folder, down)]
    assert np.array_equal(*answers)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "down"]


def test_a_branch_and_a_commit_are_revisions(hub, save, tmp_path):
    first = upload_bundle(save("forest"), REPO, endpoint=hub.url)[-40:]
    upload_bundle(save("linear"), REPO, revision="try", endpoint=hub.url)
    assert download_bundle(REPO, tmp_path / "down", endpoint=hub.url) == first
    download_bundle(REPO, tmp_path / "down", revision="try", endpoint=hub.url)
    assert load_bundle(tmp_path / "down").info.kind == "linear"
    download_bundle(REPO, tmp_path / "down", revision=first, endpoint=hub.url)
    assert load_bundle(tmp_path / "down").info.kind == "forest"


def test_every_file_is_of_the_one_commit(hub, save, tmp_path):
    commit = hold(hub, save("forest")).branches["main"]
    download_bundle(REPO, tmp_path / "down", endpoint=hub.url)
    asked = [request for request in hub.requests if "/resolve/" in request]
    assert len(asked) == 3 and all(f"/resolve/{commit}/" in request for request in asked)


def test_files_of_the_hubs_own_are_neither_asked_for_nor_in_the_way(hub, save, tmp_path):
    folder = save("forest")
    (folder / ".gitattributes").write_text("*.skops filter=lfs diff=lfs merge=lfs -text\n")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    hold(hub, folder)
    download_bundle(REPO, tmp_path / "down", endpoint=hub.url)
    assert sorted(digests(tmp_path / "down")) == ["README.md", "bundle.json", "forest.skops"]
    assert not any("pytorch" in request or "git" in request for request in hub.requests)
    assert load_bundle(folder).info.kind == "forest"


def test_private_repositories_are_for_those_who_may(hub, save, tmp_path, monkeypatch):
    upload_bundle(save("linear"), REPO, private=True, endpoint=hub.url)
    assert hub.repositories[REPO].private
    download_bundle(REPO, tmp_path / "mine", endpoint=hub.url)
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(
        HubError, match=r"genres: is not on the Hub, or not for you to see; sign in"
    ):
        download_bundle(REPO, tmp_path / "theirs", endpoint=hub.url)
    with pytest.raises(HubError, match="sign in"):
        upload_bundle(save("linear"), "someone/more", endpoint=hub.url)
    assert not (tmp_path / "theirs").exists()


def test_a_doctored_bundle_is_not_sent(hub, save):
    folder = save("forest")
    (folder / "forest.skops").write_bytes(b"PK")
    with pytest.raises(BundleError, match="altered or truncated"):
        upload_bundle(folder, REPO, endpoint=hub.url)
    assert hub.requests == []


def endless(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")
    except OSError:
        handler.close_connection = True


def traversal(folder):
    edit(folder, lambda info: info["files"].update({"../../escaped": "0" * 64}))


HOSTILE = {
    "a path out": (traversal, {}, r"genres/bundle\.json: unsafe: it lists the file '\.\./\.\./esc"),
    "a file is missing": (
        lambda folder: (folder / "forest.skops").unlink(),
        {},
        r"genres/forest\.skops: is not in the repository",
    ),
    "another digest": (
        lambda folder: (folder / "forest.skops").write_bytes(b"x" * 2000),
        {},
        r"genres/forest\.skops: altered or truncated",
    ),
    "another model": (
        lambda folder: replace(folder, "forest.skops", b"\x80\x04N."),
        {},
        r"genres/forest\.skops: is no forest",
    ),
    "larger than stated": (
        lambda folder: None,
        {"sizes": {"forest.skops": 1000}},
        r"genres/forest\.skops: is larger than 1,000 bytes",
    ),
    "without end": (
        lambda folder: None,
        {"send": {"bundle.json": endless}, "sizes": {"bundle.json": 2**50}},
        r"genres/bundle\.json: is larger than 33,554,432 bytes",
    ),
    "no bundle": (
        lambda folder: (folder / "bundle.json").unlink(),
        {},
        r"genres/bundle\.json: is not in the repository",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_repositories_leave_nothing_behind(hub, save, tmp_path, name):
    change, lies, sentence = HOSTILE[name]
    folder = save("forest")
    change(folder)
    hold(hub, folder, **lies)
    place = tmp_path / "a" / "b"
    with pytest.raises(BundleError, match=sentence) as caught:
        download_bundle(REPO, place, endpoint=hub.url)
    assert "partial" not in str(caught.value)
    assert list(place.parent.iterdir()) == []
    assert not list(tmp_path.rglob("escaped"))


def test_all_files_together_are_bounded(hub, save, tmp_path, monkeypatch):
    assert LARGEST_FILE == 2**31
    monkeypatch.setattr("genrescope.models.hub.LARGEST_FILE", 100)
    hold(hub, save("forest"))
    with pytest.raises(BundleError, match=r"is larger than \d\d bytes"):
        download_bundle(REPO, tmp_path / "down", endpoint=hub.url)


def test_a_refused_download_leaves_the_old_bundle(hub, save, tmp_path):
    hold(hub, save("linear"), sizes={"linear.npz": 10})
    old = save("forest", "down")
    before = digests(old)
    with pytest.raises(BundleError):
        download_bundle(REPO, old, endpoint=hub.url)
    assert digests(old) == before
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "song.wav").write_bytes(b"RIFF")
    asked = len(hub.requests)
    with pytest.raises(BundleError, match="something else than a bundle"):
        download_bundle(REPO, tmp_path / "music", endpoint=hub.url)
    assert len(hub.requests) == asked


def test_what_is_not_there_is_said(hub, save, tmp_path):
    down = tmp_path / "down"
    with pytest.raises(HubError, match="nobody/nothing: is not on the Hub"):
        download_bundle("nobody/nothing", down, endpoint=hub.url)
    hold(hub, save("forest"))
    with pytest.raises(HubError, match="has no revision 'v9'"):
        download_bundle(REPO, down, revision="v9", endpoint=hub.url)
    with pytest.raises(HubError, match="is no name of a repository"):
        download_bundle("../etc/passwd", down, endpoint=hub.url)
    hub.repositories[REPO].commits["not a commit"] = {}
    with pytest.raises(HubError, match="the Hub names no commit"):
        download_bundle(REPO, down, revision="not a commit", endpoint=hub.url)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        download_bundle(REPO, tmp_path / "file" / "b", endpoint=hub.url)


def test_a_hub_out_of_reach_is_said(save, tmp_path):
    with stand_in() as server:
        url = server.url
    with pytest.raises(HubError, match="the Hub cannot be reached"):
        download_bundle(REPO, tmp_path / "down", endpoint=url)
    with pytest.raises(HubError, match="the Hub cannot be reached"):
        upload_bundle(save("forest"), REPO, endpoint=url)


def test_without_the_extra_it_is_named(save, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"pip install 'genrescope\[hub\]'"):
        download_bundle(REPO, tmp_path / "down")


def test_the_commands(hub, save, tmp_path, monkeypatch, capsys):
    # What HF_ENDPOINT sets, read when the client is imported.
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)

    def genrescope(*arguments):
        monkeypatch.setattr(sys, "argv", ["genrescope", "hub", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr()

    code, said = genrescope("upload", save("forest"), REPO, "--private")
    commit = hub.repositories[REPO].branches["main"]
    assert (code, said.out) == (0, f"commit: {hub.url}/{REPO}/commit/{commit}\n")
    code, said = genrescope("download", REPO, tmp_path / "down")
    assert (code, said.out) == (0, f"bundle: {tmp_path / 'down'}, commit {commit} of {REPO}\n")
    assert load_bundle(tmp_path / "down").info.kind == "forest"
    code, said = genrescope("download", "nobody/nothing", tmp_path / "more")
    assert code == 1 and said.err.startswith("error: nobody/nothing: is not on the Hub, or not")
    assert said.err.count("\n") == 1
