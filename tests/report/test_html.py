import html
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from genrescope.errors import GenrescopeError, OutputError
from genrescope.figures.style import number
from genrescope.files import read_json, write_json
from genrescope.report.embedding import Embedder
from genrescope.report.html import write_report


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "wbr"})

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_every_score_of_results_csv_is_in_the_results_table(full_run, full_report):
    section = full_report.split('id="results"')[1].split("</section>")[0]
    results = pd.read_csv(full_run / "results.csv")
    results = results[~results["model"].str.startswith("guess:")]
    groups = section.split('<tr class="group">')[1:]
    found = {}
    for group in groups:
        head, *rows = group.split("<tr>")
        head = " ".join(Page(f"<table>{head.split('</tr>')[0]}").text.split())
        for row in rows:
            text = Page(f"<table><tr>{row.split('</tr>')[0]}").text
            if "guess" not in text:
                found[head, text.split()[0]] = text
    assert len(found) == len(results)
    parts = {"test": "held-out clips", "all": "all clips"}
    for row in results.to_dict("records"):
        text = found[f"{row['source']} → {row['target']} {parts[row['part']]}", row["model"]]
        words = text.split()
        assert words[1] == str(row["n"])
        for name in ("accuracy", "macro_f1"):
            low, high = (number(row[f"{name}_{end}"], 3) for end in ("low", "high"))
            assert f"{number(row[name], 3)} [{low}, {high}]" in text
        others = [number(row[k], 3) for k in ("balanced_accuracy", "weighted_f1", "kappa", "ece")]
        assert words[-12::3] == others
        # Every score has an interval that holds it.
        for place in range(2, 20, 3):
            value, low, high = (float(w.strip("[],").replace("−", "-")) for w in words[place:][:3])
            assert low <= value <= high or place == 17  # resampled errors lean upwards


def test_the_majority_guess_of_each_group_is_results_csvs(full_run, full_report):
    section = full_report.split('id="results"')[1].split("</section>")[0]
    shown = re.findall(r"majority guess</th><td[^>]*>[\d,]+</td><td[^>]*>([^ <]+)", section)
    results = pd.read_csv(full_run / "results.csv")
    own = results.drop_duplicates(["source", "target", "part"])["majority_accuracy"]
    guessed = results.loc[results["model"] == "guess:majority", "accuracy"]
    assert sorted(shown) == sorted(number(value, 3) for value in own)
    assert sorted(shown) == sorted(number(value, 3) for value in guessed)


def test_the_report_loads_nothing_from_outside(full_report):
    page = Page(full_report)
    assert not page.open
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "data:audio/", "#"))
        assert not any(name.startswith("on") for name in attributes)
    styles = re.sub(r"data:[^\"']+", "", full_report)
    assert "http://" not in styles and "https://" not in styles
    assert "url(" not in styles and "@import" not in styles
    assert any("default-src 'none'" in str(a.get("content")) for t, a in page.tags if t == "meta")


def test_every_picture_has_words_and_every_table_a_caption(full_report):
    page = Page(full_report)
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) >= 20
    assert all(len(str(attributes.get("alt"))) > 20 for attributes in pictures)
    names = [tag for tag, _ in page.tags]
    assert names.count("table") == names.count("caption")
    assert dict(page.tags)["html"]["lang"] == "en"
    ids = [str(a["id"]) for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = {str(a["href"])[1:] for t, a in page.tags if t == "a"}
    assert links <= set(ids)


def section_of(report, name):
    return report.split(f'id="{name}"')[1].split("</section>")[0]


def test_empty_maps_missing_examples_and_sounds_are_stated(full_report):
    section = section_of(full_report, "maps")
    assert section.count("Empty Grad-CAM map: no positive evidence for the answer.") == 3
    assert section.count("No held-out clip of Rock/Metal to show.") == 3
    assert "5 examples, 1 with an empty map" in section
    # Five examples for each of three sources: a picture, and the clip with its two parts; and the
    # curves of each source.
    assert section.count("<img ") == 15 + 3 and section.count("<audio controls") == 3 * 15


def test_the_quality_of_maps_is_a_verdict_with_its_figures(full_run, full_report):
    section = Page(section_of(full_report, "maps")).text
    assert section.count("holds occlusion : Better than random, centre and energy maps") == 3
    assert section.count("fails Grad-CAM : Not shown to be better than any map") == 3
    table = pd.read_csv(full_run / "explanations" / "quality" / "gtzan" / "table.csv")
    row = table.query("genre == 'all' and method == 'occlusion' and measure == 'deletion'").iloc[0]
    figures = f"{number(row['value'])} [{number(row['low'])}, {number(row['high'])}]"
    assert f"occlusion {figures}" in section


def test_ranks_carry_their_range_and_families_their_sums(full_run, full_report):
    section = Page(section_of(full_report, "shap")).text
    place = full_run / "explanations" / "stability" / "boosting" / "gtzan"
    assert read_json(place / "stability.json")["verdict"] in section
    first = pd.read_csv(place / "stability.csv").iloc[0]
    assert f"[{first['rank_low']:.0f}, {first['rank_high']:.0f}]" in section
    families = pd.read_csv(full_run / "explanations/shap/boosting/gtzan/families.csv")
    for row in families.to_dict("records"):
        assert f"{row['family']} {row['Blues-like']:.3f}" in section


def test_every_source_has_its_reliability_and_every_genre_its_lift(full_run, full_report):
    assert section_of(full_report, "reliability").count("<img ") == 3
    section = section_of(full_report, "confusion")
    report = read_json(full_run / "cells/forest/gtzan__korean/report.json")
    block = section.split("Scores per genre, gtzan to korean")[1].split("</table>")[0]
    rows = dict(re.findall(r"</i>([^<]+)</span></th>(.*?)</tr>", block, re.DOTALL))
    for genre, share in zip(report, (20, 30, 110, 70), strict=False):
        cells = re.findall(r'<td class="num[^"]*">([^<]*)<br>', rows[genre])
        own = report[genre]
        figures = [own["precision"], own["recall"], own["f1-score"], own["f1-score"] - share / 230]
        assert cells[0] == str(share)
        assert cells[1:5] == [number(value, 3) for value in figures]


def test_synthetic_corpora_are_called_so(full_report):
    assert full_report.count("SYNTHETIC") >= 2
    assert "say nothing about music or cultures" in full_report


def test_failures_unmapped_labels_and_groups_are_shown(full_report):
    section = Page(full_report.split('id="corpora">')[1].split("</section>")[0]).text
    assert "genres_original/jazz/jazz.00054.wav" in section
    assert "no sound file" in section
    assert "jazz (100), 국악 (7)" in section
    assert "held together by artist" in section
    assert "file stem (song and artist are not known)" in section


def test_the_paper_stands_beside_ours_only_where_it_is_the_reference(full_report, make_run):
    assert 'id="paper"' in full_report
    assert ".678" in full_report and "rms_std" in full_report
    other = write_report(make_run(models=["forest"])).read_text(encoding="utf-8")
    assert 'id="paper"' not in other


def test_hostile_names_are_escaped(make_run):
    hostile = '<script>alert("x")</script><img src="http://evil.example/x.png">'
    run = make_run(models=["cnn"], exhibits=True, question=hostile, note=hostile)
    place = run / "explanations" / "grad_cam" / "gtzan" / "index.json"
    index = read_json(place)
    index[0]["clip_id"] = hostile
    write_json(place, index)
    failures = pd.read_csv(run / "failures.csv").assign(path=f"/x/{hostile}", reason=hostile)
    failures.to_csv(run / "failures.csv", index=False)
    (run / "study.yaml").write_text(f"name: '{hostile}'\n", encoding="utf-8")
    content = write_report(run).read_text(encoding="utf-8")
    assert html.escape(hostile, quote=False)[:20] in content.replace("&#34;", '"')
    page = Page(content)
    assert "script" not in {tag for tag, _ in page.tags}
    sources = [str(a.get("src")) for tag, a in page.tags if tag == "img"]
    assert sources and all(source.startswith("data:") for source in sources)
    assert page.text.count("evil.example") >= 5


def test_one_model_one_corpus_and_nothing_optional(make_run):
    run = make_run(models=["forest"], names=["solo"], cultures=["Western"])
    for name in ("failures.csv", "splits.parquet", "study.yaml"):
        (run / name).unlink()
    facts = read_json(run / "run.json")
    for key in ("question", "warnings", "skipped", "durations"):
        del facts[key]
    write_json(run / "run.json", facts)
    content = write_report(run).read_text(encoding="utf-8")
    for section in ("drops", "ranking", "shap", "maps", "curves", "paper"):
        assert f'id="{section}"' not in content
        assert f'href="#{section}"' not in content
    assert "does not say how well genres carry over" in content
    assert "SYNTHETIC" not in content


def test_skipped_models_are_listed_with_their_reason(make_run):
    run = make_run(models=["forest", "boosting"])
    facts = read_json(run / "run.json")
    facts["skipped"] = [
        {"model": "cnn", "reason": "cnn learns from spectrograms"},
        {"model": "forest", "source": "gtzan", "target": "korean", "reason": "nothing held out"},
    ]
    write_json(run / "run.json", facts)
    text = Page(write_report(run).read_text(encoding="utf-8")).text
    assert "cnn: cnn learns from spectrograms" in text
    assert "forest, trained on gtzan, tested on korean: nothing held out" in text


def test_several_seeds_are_averaged_and_every_row_is_kept(make_run):
    run = make_run(models=["forest"], seeds=[3, 4])
    content = write_report(run).read_text(encoding="utf-8")
    text = Page(content).text
    results = pd.read_csv(run / "results.csv")
    results = results[results["model"] == "forest"]
    cell = results[(results["source"] == "gtzan") & (results["target"] == "gtzan")]
    mean, sd = cell["accuracy"].mean(), cell["accuracy"].std()
    shown = re.search(rf"{re.escape(number(mean, 3))} \[([^]]*)\] ± {number(sd, 3)}", text)
    low, high = (float(word) for word in shown[1].split(", "))
    assert low < mean < high
    every = content.split("<details><summary>Every row of results.csv")[1].split("</details>")[0]
    assert every.count("<tr>") == len(results) + 1
    for row in results.to_dict("records"):
        assert f"[{number(row['macro_f1_low'], 3)}, {number(row['macro_f1_high'], 3)}]" in every
    # The grid shows the mean, too.
    away = results[(results["source"] == "gtzan") & (results["part"] == "all")]
    assert f"<b>{number(away['macro_f1'].mean())}</b>" in content.split('id="corpora"')[0]
    assert "Scores are means over 2 seeds." in text


def test_an_undefined_interval_is_said_not_drawn(make_run):
    run = make_run(models=["forest"])
    for path in run.glob("cells/forest/*/predictions.csv"):
        pd.read_csv(path).assign(group="one").to_csv(path, index=False)
    content = write_report(run).read_text(encoding="utf-8")
    assert "nan" not in Page(content).text.split()


def test_a_folder_that_is_not_a_run_is_refused(tmp_path):
    with pytest.raises(GenrescopeError, match=r"not a finished run: run\.json and results\.csv"):
        write_report(tmp_path)


def test_a_report_that_cannot_be_written_is_said(make_run):
    run = make_run(models=["forest"], names=["solo"], cultures=["x"])
    (run / "report.html").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(run)


def test_the_same_run_gives_the_same_report(make_run):
    run = make_run(models=["boosting"], exhibits=True)
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_what_does_not_fit_is_left_out_and_named(full_run: Path, tmp_path):
    run = tmp_path / "copy"
    shutil.copytree(full_run, run)
    embed = Embedder(run, budget=1000)
    sound = next((run / "explanations").rglob("*.wav"))
    assert embed.sound(sound) is None
    assert embed.left_out == [sound.relative_to(run).as_posix()]
    assert embed.budget == 1000
    assert embed.picture(run / "missing.png") is None
    assert len(embed.left_out) == 1
