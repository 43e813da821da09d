"""How the page is laid out in Gradio's components, and which of them answers to which."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import gradio
from markupsafe import escape

from genrescope.app.asking import Asked, Asking, waiting
from genrescope.app.examples import EXAMPLES, example_file
from genrescope.app.service import Service
from genrescope.app.sounds import clean_name
from genrescope.app.texts import page_texts, preferred_language
from genrescope.explanations.words import languages
from genrescope.report.templating import palette

FONTS = ("system-ui", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans KR", "Noto Sans CJK KR")
FIRST = "en"  # until the browser has said what it prefers
AT_ONCE = 8  # questions of the page the server takes up; the service has limits of its own
WAITING = 64


def template(name: str) -> str:
    """A file of the page."""
    place = resources.files("genrescope.app").joinpath("templates", name)
    return place.read_text(encoding="utf-8")


HEAD = f"<style>{palette()}{template('page.css')}</style>"


def theme() -> gradio.Theme:
    """Gradio's components in the colours and the type of the report, fonts of the system only."""
    fonts = [gradio.themes.Font(name) for name in FONTS]
    mono = [gradio.themes.Font(name) for name in ("ui-monospace", "DejaVu Sans Mono")]
    made = gradio.themes.Base(font=fonts, font_mono=mono)
    colours = {
        "body_background_fill": "var(--paper)",
        "body_text_color": "var(--ink)",
        "body_text_color_subdued": "var(--muted)",
        "background_fill_primary": "var(--card)",
        "background_fill_secondary": "var(--soft)",
        "border_color_primary": "var(--rule)",
        "border_color_accent": "var(--accent)",
        "color_accent": "var(--accent)",
        "color_accent_soft": "var(--soft)",
        "loader_color": "var(--accent)",
        "link_text_color": "var(--accent)",
        "block_background_fill": "var(--card)",
        "block_border_color": "var(--rule)",
        "block_label_background_fill": "var(--card)",
        "block_label_border_color": "var(--rule)",
        "block_label_text_color": "var(--muted)",
        "block_title_text_color": "var(--muted)",
        "block_info_text_color": "var(--muted)",
        "input_background_fill": "var(--card)",
        "input_border_color": "var(--muted)",
        "button_border_width": "1px",
        "button_secondary_background_fill": "var(--card)",
        "button_secondary_background_fill_hover": "var(--soft)",
        "button_secondary_border_color": "var(--muted)",
        "button_secondary_text_color": "var(--ink)",
        "button_secondary_text_color_hover": "var(--ink)",
        "checkbox_background_color": "var(--card)",
        "checkbox_background_color_selected": "var(--accent)",
        "checkbox_border_color": "var(--muted)",
        "checkbox_border_color_selected": "var(--accent)",
        "checkbox_label_background_fill": "var(--card)",
        "checkbox_label_background_fill_hover": "var(--soft)",
        "checkbox_label_background_fill_selected": "var(--soft)",
        "checkbox_label_border_color": "var(--rule)",
        "checkbox_label_text_color": "var(--ink)",
        "checkbox_label_text_color_selected": "var(--ink)",
        "error_background_fill": "var(--warn)",
        "error_border_color": "var(--warn-edge)",
        "error_text_color": "var(--ink)",
    }
    known = vars(made)
    dark = {f"{name}_dark": value for name, value in colours.items() if f"{name}_dark" in known}
    return made.set(**colours, **dark)


def build(service: Service, uploads: Path, *, report: str | None, kept_s: int) -> gradio.Blocks:
    """Lay the page out.

    Parameters
    ----------
    service : Service
    uploads : pathlib.Path
        Gradio's folder, where examples are rendered too.
    report : str or None
        Where a study's report is found on the server.
    kept_s : int
        Seconds that uploads and answers are kept.

    Returns
    -------
    gradio.Blocks
    """
    asking, models = Asking(service), list(service.models)
    texts = page_texts(FIRST)
    page = gradio.Blocks(
        title="genrescope", analytics_enabled=False, delete_cache=(kept_s // 6, kept_s)
    )
    with page:
        page.queue(default_concurrency_limit=AT_ONCE, max_size=WAITING, api_open=False)
        known = gradio.State(time_to_live=kept_s)
        with gradio.Row(elem_classes="top"):
            opening = gradio.HTML(_opening(FIRST, report), apply_default_css=False, scale=1)
            language = gradio.Radio(
                [(page_texts(code)["language"], code) for code in languages()],
                value=FIRST,
                label=texts["head"]["switch"],
                show_label=False,
                container=False,
                min_width=180,
                scale=0,
                elem_classes="languages",
            )
        sound = gradio.Audio(
            sources=["upload", "microphone"],
            type="filepath",
            label=texts["ask"]["sound"],
            editable=False,
            buttons=[],
            elem_classes="sound",
        )
        said = gradio.HTML(_examples_said(FIRST), apply_default_css=False)
        with gradio.Row(elem_classes="examples"):
            examples = [
                gradio.Button(texts["ask"]["labels"][label], size="sm", min_width=90)
                for label in EXAMPLES
            ]
        model = gradio.Radio(
            models,
            value=models[0],
            label=texts["ask"]["model"],
            visible=len(models) > 1,
            elem_classes="models",
        )
        result = gradio.HTML(
            waiting(FIRST),
            js_on_load=template("page.js"),
            apply_default_css=False,
            elem_classes="answer-place",
        )
        texts_shown = [opening, sound, said, *examples, model]

        async def given(path: str | None, model: str, language: str) -> AsyncIterator[Any]:
            name = clean_name(Path(path).name) if path else ""
            async for found in asking.ask(path, name, model, language):
                yield found

        async def recorded(path: str | None, model: str, language: str) -> AsyncIterator[Any]:
            async for found in asking.ask(path, "", model, language):
                yield found

        async def example(label: str, model: str, language: str) -> AsyncIterator[Any]:
            path = str(await asyncio.to_thread(example_file, label, uploads))
            async for found in asking.ask(path, _example_name(label, language), model, language):
                yield path, *found

        async def other_model(known: Asked | None, model: str, language: str) -> AsyncIterator[Any]:
            yield await asking.tell(known, model, language), known
            async for found in asking.explain(known, model, language):
                yield found

        async def other_language(known: Asked | None, model: str, language: str) -> list[Any]:
            return [await asking.tell(known, model, language), *_labels(language, report)]

        async def opened(request: gradio.Request) -> list[Any]:
            code = preferred_language(request.headers.get("accept-language", ""))
            return [code, waiting(code), *_labels(code, report)]

        question, answer = [model, language], [result, known]
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": result}
        sound.upload(given, [sound, *question], answer, **quiet)
        sound.stop_recording(recorded, [sound, *question], answer, **quiet)
        sound.clear(given, [sound, *question], answer, **quiet)
        for label, button in zip(EXAMPLES, examples, strict=True):
            button.click(partial(example, label), question, [sound, *answer], **quiet)
        model.input(other_model, [known, *question], answer, **quiet)
        language.input(
            other_language, [known, *question], [result, *texts_shown],
            api_visibility="private", show_progress="hidden",
        )  # fmt: skip
        page.load(
            opened, None, [language, result, *texts_shown],
            api_visibility="private", show_progress="hidden",
        )  # fmt: skip
    return page


def _labels(language: str, report: str | None) -> list[Any]:
    texts = page_texts(language)["ask"]
    return [
        _opening(language, report),
        gradio.update(label=texts["sound"]),
        _examples_said(language),
        *[gradio.update(value=texts["labels"][label]) for label in EXAMPLES],
        gradio.update(label=texts["model"]),
    ]


def _opening(language: str, report: str | None) -> str:
    texts = page_texts(language)["head"]
    link = f'<a href="{report}">{escape(texts["report"])}</a>' if report else ""
    return (
        f'<header class="opening" lang="{language}"><h1>{escape(texts["title"])}</h1>'
        f"<p>{escape(texts['lead'])}</p>{link}</header>"
    )


def _examples_said(language: str) -> str:
    text = escape(page_texts(language)["ask"]["examples"])
    return f'<p class="examples-said" lang="{language}">{text}</p>'


def _example_name(label: str, language: str) -> str:
    texts = page_texts(language)["ask"]
    return str(texts["example"].format(genre=texts["labels"][label]))
