"""Whether `tags check` puts wrong genre tags at the top of its list.

The files are the 100 tracks of `$GENRESCOPE_DATA/gtzan_mini`, ten genres, copied to a temporary
folder. In each of ten rounds they are tagged with their genres, and another tenth, one track of
each genre, with a wrong one drawn at random: in the end every track was wrong once. The tags
are written and checked by the functions behind the commands. Each track is heard by a model that
knows neither it nor its artist: the default of `genrescope train`, trained on the other four of
five folds of artists of `gtzan_mini` and `gtzan_short`.

Told are precision at 10 (how many of the first ten of the list are planted; by chance one), the
share of the planted that stand in the list at all, and the area under ROC of the sorting over all
files; means over rounds, with 95% intervals of a bootstrap over artists. Where the models keep
prediction sets: how many planted and how many right tags lie outside them.

    python benchmarks/misfiled_tags.py [--seed 0]
"""

import argparse
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from machine import describe_machine
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from genrescope.audio.tags import write_genres
from genrescope.collection.tag_checking import check_tags
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.evaluation.counts import percentile_interval
from genrescope.settings import FeatureSettings
from genrescope.study.single import train_single
from genrescope.taxonomy import load_taxonomy

FOLDS, ROUNDS, TOP, RESAMPLES = 5, 10, 10, 1000
SEGMENTS = {"gtzan_mini": "all", "gtzan_short": "start"}


def corpus_of(data: Path) -> Corpus:
    found = [
        index_corpus(
            "gtzan",
            data / name,
            name=name,
            culture="Western",
            taxonomy=load_taxonomy("labels"),
            options={"segments": segments},
        )
        for name, segments in SEGMENTS.items()
    ]
    clips = pd.concat([one.clips for one in found], ignore_index=True)
    failures = pd.concat([one.failures for one in found], ignore_index=True)
    return Corpus("gtzan", "Western", "gtzan", clips, failures)


def train_folds(corpus: Corpus, folder: Path) -> list[tuple[Path, pd.DataFrame]]:
    """A bundle for each fold, and the tracks of `gtzan_mini` whose artists it does not know."""
    clips = corpus.clips
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    parts = []
    for number, (train, test) in enumerate(splitter.split(clips, clips["genre"], clips["group"])):
        known = clips.iloc[train].reset_index(drop=True)
        heard = clips.iloc[test]
        train_single(
            Corpus(**{**vars(corpus), "clips": known}),
            folder / f"fold-{number}",
            kind="linear",
            taxonomy=load_taxonomy("labels"),
            features=FeatureSettings(set="extended"),
            store=str(folder / "store"),
        )
        tracks = heard[heard["clip_id"].str.startswith("gtzan_mini")].drop_duplicates("path")
        parts.append((folder / f"fold-{number}", tracks))
    return parts


def plant(tracks: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A column per round with the tags of that round: one track of each genre is wrong."""
    turn = tracks.groupby("genre")["path"].transform(lambda own: rng.permutation(len(own)))
    genres = sorted(tracks["genre"].unique())
    tags = {}
    for number in range(ROUNDS):
        wrong = [rng.choice([g for g in genres if g != own]) for own in tracks["genre"]]
        tags[number] = tracks["genre"].where(turn % ROUNDS != number, wrong)
    return pd.DataFrame(tags, index=tracks.index)


def check_fold(
    bundle: Path, tracks: pd.DataFrame, tags: pd.DataFrame, copies: Path
) -> pd.DataFrame:
    """What the check says of the copies of a fold's tracks, one for each round."""
    rows = {}
    for place, row in tracks.iterrows():
        for number in range(ROUNDS):
            path = copies / f"{place}-{number}.flac"
            shutil.copyfile(row["path"], path)
            write_genres(path, [tags.loc[place, number]])
            rows[str(path)] = {"group": row["group"], "genre": row["genre"], "round": number}
    check = check_tags(bundle, list(rows))
    if check.failures or check.unmapped or len(check.compared) != len(rows):
        raise SystemExit(f"misfiled_tags: not every track was compared: {check.failures}")
    known = pd.DataFrame([rows[path] for path in check.compared["path"]])
    table = pd.concat([check.compared, known], axis=1)
    shutil.rmtree(copies)
    return table.assign(planted=table["tag_genre"] != table["genre"])


def scores(table: pd.DataFrame, weights: np.ndarray | None = None) -> dict[str, float]:
    """Of one round, each file counted so many times."""
    rows = table if weights is None else table.iloc[np.repeat(np.arange(len(table)), weights)]
    planted = rows["planted"].to_numpy()
    sure = (rows["probability"] - rows["tag_probability"]).to_numpy()
    first = np.argsort(-sure, kind="stable")[:TOP]
    told = {
        "precision at 10": planted[first].mean(),
        "planted in the list": (sure[planted] > 0).mean() if planted.any() else np.nan,
        "right tags in the list": (sure[~planted] > 0).mean(),
        "AUROC": roc_auc_score(planted, sure) if 0 < planted.sum() < len(planted) else np.nan,
        "right tags heard right": (rows["predicted"] == rows["genre"])[~planted].mean(),
    }
    if rows["outside_set"].notna().all():
        outside = rows["outside_set"].to_numpy(bool)
        told["planted outside the set"] = outside[planted].mean() if planted.any() else np.nan
        told["right tags outside the set"] = outside[~planted].mean()
    return {name: float(value) for name, value in told.items()}


def tell(rounds: list[pd.DataFrame], *, seed: int) -> None:
    value = pd.DataFrame([scores(table) for table in rounds]).mean()
    artists = sorted({group for table in rounds for group in table["group"]})
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        count = pd.Series(0, index=artists).add(
            pd.Series(rng.choice(artists, len(artists))).value_counts(), fill_value=0
        )
        weighed = [scores(t, count.loc[t["group"]].to_numpy(np.intp)) for t in rounds]
        drawn.append(pd.DataFrame(weighed).mean())
    table = pd.DataFrame(drawn)
    files = len(rounds[0])
    print(
        f"{files} files of {len(artists)} artists, {len(rounds)} rounds with "
        f"{int(rounds[0]['planted'].sum())} wrong tags each; by chance precision and AUROC are "
        f"{rounds[0]['planted'].mean():.2f} and .50"
    )
    for name in value.index:
        low, high = percentile_interval(table[name].dropna().to_numpy())
        print(f"{name:<28} {value[name]:.3f} [{low:.3f}, {high:.3f}]")
    print("the head of the first round's list (* planted):")
    first = rounds[0].assign(sure=rounds[0]["probability"] - rounds[0]["tag_probability"])
    for row in first.sort_values("sure", ascending=False, kind="stable").head(TOP).itertuples():
        mark = "*" if row.planted else " "
        print(
            f"  {mark} {row.genre:<10} tagged {row.tag:<10} {row.tag_probability:.2f}  heard as "
            f"{row.predicted:<10} {row.probability:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the planted tags")
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("misfiled_tags: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    print(describe_machine("numpy", "scikit-learn", "mutagen"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        parts = train_folds(corpus_of(Path(data)), folder)
        tracks = pd.concat([own for _, own in parts]).sort_index()
        tags = plant(tracks, np.random.default_rng(arguments.seed))
        checked = []
        for bundle, own in parts:
            (folder / "copies").mkdir()
            checked.append(check_fold(bundle, own, tags, folder / "copies"))
    table = pd.concat(checked, ignore_index=True)
    rounds = [own.reset_index(drop=True) for _, own in table.groupby("round")]
    tell(rounds, seed=arguments.seed)


if __name__ == "__main__":
    main()
