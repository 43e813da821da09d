import pandas as pd
import pytest

from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.corpora.table import failures_frame
from genrescope.corpora.tree import open_tree
from genrescope.errors import ConfigError, CorpusError
from genrescope.remote import UrlPath, write_file

UNICODE = "\u1105\u1169\u11a8"  # rok, decomposed as macOS writes it


@pytest.fixture
def files(tmp_path, tone):
    """A folder of genres with what is found in folders: other files, hidden ones, broken ones."""
    root = tmp_path / "music"
    for name in ("rock/b.wav", "rock/live/a.flac", "blues/z.wav", f"blues/{UNICODE}.wav"):
        tone(root / name, 2.0)
    for name, content in {
        "rock/cover.jpg": b"picture",
        "rock/.hidden.wav": b"",
        "__MACOSX/rock/b.wav": b"",
        "rock/broken.wav": b"no sound",
        "beside.wav": b"",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def sent(root, url):
    for path in root.rglob("*"):
        if path.is_file():
            write_file(f"{url}/{path.relative_to(root).as_posix()}", path.read_bytes())
    return UrlPath(url)


def indexed(format, root, meta_genre, **options):
    return index_corpus(
        format, root, name="toy", culture="Western", taxonomy=meta_genre, options=options
    )


def same_but_for_the_place(local, remote, root, url):
    """The two corpora, once the URL is put in place of the folder."""
    for table in (local.clips, local.failures):
        for column in table.columns.intersection(["path", "midi_path", "reason"]):
            table[column] = table[column].str.replace(str(root), str(url), regex=False)
    pd.testing.assert_frame_equal(remote.clips, local.clips)
    pd.testing.assert_frame_equal(remote.failures, local.failures)
    assert remote.notes == local.notes and remote.synthetic == local.synthetic


def test_a_tree_behind_a_url_is_walked_like_a_folder(files, memory):
    url = sent(files, memory)
    walked = []
    for root in (files, url):
        tree, failures = open_tree(root), []
        paths = [path.relative_to(root).as_posix() for path in tree.walk(root, failures=failures)]
        below = [
            path.relative_to(root).as_posix() for path in tree.walk(root / "rock", failures=[])
        ]
        children = [(path.name, tree.is_folder(path)) for path in tree.children(root)]
        walked.append((paths, below, children, failures))
    assert walked[0] == walked[1]
    assert walked[0][1] == ["rock/b.wav", "rock/broken.wav", "rock/cover.jpg", "rock/live/a.flac"]
    assert ("rock", True) in walked[0][2] and ("beside.wav", False) in walked[0][2]


@pytest.mark.parametrize("format", ["folder", "gtzan"])
@pytest.mark.parametrize("segments", ["start", "all"])
def test_a_folder_behind_a_url_gives_the_same_clips(files, memory, meta_genre, format, segments):
    url = sent(files, memory)
    local, remote = (
        indexed(format, root, meta_genre, segments=segments) for root in (files, str(url))
    )
    assert len(remote.clips) == 4 and len(remote.failures) >= 1
    same_but_for_the_place(local, remote, files, url)


def test_gtzan_is_found_above_and_below_its_root(files, memory, meta_genre):
    url = sent(files, f"{memory}/Data/genres_original")
    whole = indexed("gtzan", memory, meta_genre)
    assert list(whole.clips["clip_id"]) == list(
        indexed("gtzan", str(url), meta_genre).clips["clip_id"]
    )
    assert list(indexed("gtzan", f"{url}/blues", meta_genre).clips["label"]) == ["blues"] * 2


def test_loops_behind_a_url_give_the_same_clips(loops, memory, meta_genre):
    from genrescope.corpora.synthetic import write_synthetic

    root = loops.root.parent / "rendered"
    write_synthetic(root, style="korean", size=6, workers=1)
    (root / "codes.json").write_text('{"GN0600": "rock"}')
    url = sent(root, f"{memory}/loops")
    local, remote = (
        indexed("korean-loops", where, meta_genre, codes="codes.json") for where in (root, str(url))
    )
    assert remote.synthetic and remote.clips["midi_path"].str.startswith(str(url)).all()
    same_but_for_the_place(local, remote, root, url)


def test_a_table_of_features_can_lie_behind_a_url(memory, meta_genre):
    write_file(f"{memory}/table.csv", b"filename,label,tempo\na,blues,1.5\nb,rock,x\n")
    table = indexed("feature-table", f"{memory}/table.csv", meta_genre)
    assert table.features["tempo"].tolist() == [1.5]
    assert table.failures["path"].tolist() == [f"{memory}/table.csv:3"]


def test_a_corpus_table_is_written_and_read_behind_a_url(files, memory, meta_genre):
    corpus = indexed("folder", files, meta_genre)
    corpus.to_parquet(f"{memory}/tables/toy.parquet")
    read = Corpus.from_parquet(f"{memory}/tables/toy.parquet")
    pd.testing.assert_frame_equal(read.clips, corpus.clips)
    pd.testing.assert_frame_equal(read.failures, failures_frame(corpus.failures))
    with pytest.raises(CorpusError, match=r"other\.parquet: there is no such file"):
        Corpus.from_parquet(f"{memory}/tables/other.parquet")


def test_the_fingerprint_follows_what_the_server_says(files, memory, meta_genre):
    url = sent(files, memory)
    first = indexed("folder", str(url), meta_genre)
    fingerprint = first.fingerprint()
    assert first.fingerprint() == fingerprint
    write_file(url / "rock/b.wav", (files / "blues/z.wav").read_bytes())
    assert first.fingerprint() != fingerprint


@pytest.mark.parametrize(
    ("name", "reason"), [("nowhere", "does not exist"), ("rock/b.wav", "is not a folder")]
)
def test_what_is_no_folder_is_refused(files, memory, meta_genre, name, reason):
    sent(files, memory)
    with pytest.raises(CorpusError, match=reason):
        indexed("folder", f"{memory}/{name}", meta_genre)


def test_names_that_no_path_can_have_are_failures(files, memory, meta_genre):
    url = sent(files, memory)
    write_file(f"{memory}/rock/../x.wav", b"")
    found = indexed("folder", str(url), meta_genre)
    odd = found.failures[found.failures["path"].str.contains("..", regex=False)]
    assert odd["kind"].tolist() == ["unreadable"] and len(found.clips) == 4


def test_a_synthetic_corpus_is_not_rendered_behind_a_url(memory, meta_genre):
    with pytest.raises(ConfigError, match="rendered into a folder of this machine"):
        indexed("synthetic", memory, meta_genre, style="western")
