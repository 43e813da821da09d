"""From a sound that somebody gave to the answer they see, step by step, whatever goes wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

from markupsafe import escape

from genrescope.app.result import render_result
from genrescope.app.service import Service
from genrescope.app.texts import page_texts
from genrescope.app.view import ExplanationView
from genrescope.errors import AudioError, ServiceError
from genrescope.models.predictor import FilePrediction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A sound and what has been found out about it.

    Attributes
    ----------
    path : str
        Where the server keeps it.
    name : str
        What it is called; empty for a recording.
    answers : dict of str to FilePrediction
        Of every model.
    views : dict of str to ExplanationView
        Of the models that were asked why.
    """

    path: str
    name: str
    answers: Mapping[str, FilePrediction]
    views: Mapping[str, ExplanationView] = field(default_factory=dict)


class Asking:
    """Asks the service on behalf of the page; every error becomes a sentence.

    Parameters
    ----------
    service : Service
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    async def ask(
        self, path: str | None, name: str, model: str, language: str
    ) -> AsyncIterator[tuple[str, Asked | None]]:
        """Ask about a new sound.

        Parameters
        ----------
        path : str or None
            None where there is no sound.
        name : str
            Empty for a recording.
        model : str
            The one to be explained.
        language : str

        Yields
        ------
        tuple of str and Asked
            HTML, first without the explanation; None where there is no answer.
        """
        if path is None:
            yield waiting(language), None
            return
        try:
            asked = Asked(path, name, await self.service.predict(path, name=name))
        except Exception as error:  # noqa: BLE001 (a page shows a sentence whatever happens)
            yield self._trouble(error, language), None
            return
        yield await self.tell(asked, model, language), asked
        async for found in self.explain(asked, model, language):
            yield found

    async def explain(
        self, asked: Asked | None, model: str, language: str
    ) -> AsyncIterator[tuple[str, Asked | None]]:
        """Ask one model why, unless it was asked before."""
        trouble = ""
        if asked is not None and model not in asked.views:
            try:
                view = await self.service.view(asked.path, model)
                asked = replace(asked, views={**asked.views, model: view})
            except Exception as error:  # noqa: BLE001 (as above)
                trouble = self._trouble(error, language)
        yield await self.tell(asked, model, language) + trouble, asked

    async def tell(self, asked: Asked | None, model: str, language: str) -> str:
        """What is known, in another language or of another model; nothing is asked."""
        if asked is None:
            return waiting(language)
        corpora = self.service.models[model].info.corpora
        return await asyncio.to_thread(
            render_result,
            asked.answers,
            model,
            asked.views.get(model),
            name=asked.name or page_texts(language)["answer"]["recording"],
            language=language,
            synthetic=bool(corpora) and all(corpus.get("synthetic") for corpus in corpora),
        )

    def _trouble(self, error: Exception, language: str) -> str:
        texts = page_texts(language)["errors"]
        if isinstance(error, AudioError):
            minutes = self.service.settings.sound_seconds / 60
            sentence = texts.get(error.kind, texts["unreadable"]).format(minutes=f"{minutes:g}")
        elif isinstance(error, ServiceError) and error.kind in ("busy", "late"):
            sentence = texts["busy"]
        else:
            if not isinstance(error, ServiceError):
                log.error("the page could not answer", exc_info=error)
            sentence = texts["other"]
        return f'<p class="trouble" role="alert" lang="{language}">{escape(sentence)}</p>'


def waiting(language: str) -> str:
    """What stands where the answer will be."""
    text = escape(page_texts(language)["waiting"])
    return f'<p class="waiting" lang="{language}" data-language="{language}">{text}</p>'
