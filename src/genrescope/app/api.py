"""The routes for programs: predict and explain by upload, the models, health, metrics."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

from genrescope.app.problems import declared, problem
from genrescope.app.schemas import Answer, Explanation, Health, Model, Models, Prediction
from genrescope.app.service import Service
from genrescope.explanations.explainer import MOMENTS
from genrescope.explanations.words import languages
from genrescope.models.doubt import COVERAGE

MOST_MOMENTS = 10
LONGEST = 200  # characters of a name
FIELD_BYTES = 4096
Sound = Annotated[
    UploadFile, File(description="WAV, FLAC, OGG, Opus, MP3, AIFF or AU, of half a second or more.")
]
Target = Annotated[
    str | None,
    Form(max_length=LONGEST, description="The genre to ask about; if not given, the one heard."),
]
Against = Annotated[
    str | None, Form(max_length=LONGEST, description="Ask why the target rather than this genre.")
]
Moments = Annotated[int, Form(ge=1, le=MOST_MOMENTS, description="Telling windows at most.")]
Coverage = Annotated[float, Form(gt=0, lt=1, description="Of the sets of genres under `doubt`.")]
Timeline = Annotated[bool, Form(description="Give the answer of each window.")]
Files = Annotated[bool, Form(description="Give pictures, sounds and maps, as data URIs.")]
UPLOAD_PROBLEMS = declared(
    400, 408, 413, 415, 422, 429, 503,
    s400="Missing boundary in multipart.",
    s408="The body did not arrive within 30 s.",
    s413="The body is larger than 50,000,000 bytes; send a part of the sound.",
    s415="Send the sound as the field `file` of a multipart/form-data body.",
    s422="The file is empty (0 bytes); copy or download it again.",
    s429="34 requests are at work or waiting; try again later.",
    s503="No worker was free within 30 s; try again later.",
)  # fmt: skip
METRICS_EXAMPLE: dict[str, Any] = {
    "content": {"text/plain": {"example": "genrescope_requests_inside 3.0\n"}}
}


def create_router(service: Service) -> APIRouter:
    """The routes of a service.

    Parameters
    ----------
    service : Service
        Its models are the ones that the OpenAPI document names.
    """
    router = APIRouter(form_limits={"max_files": 1, "max_fields": 64, "max_part_size": FIELD_BYTES})
    # The service refuses unknown names, and says which is nearest.
    models_named: dict[str, Any] = {"enum": list(service.models)}
    languages_named: dict[str, Any] = {"enum": list(languages())}
    one_model = Field(max_length=LONGEST, json_schema_extra=models_named)

    @router.post("/v1/predict", responses=UPLOAD_PROBLEMS)
    async def predict(
        request: Request,
        file: Sound,
        model: Annotated[
            list[Annotated[str, one_model]], Form(description="Models to ask; if none, all.")
        ] = [],  # noqa: B006 (FastAPI copies it)
        coverage: Coverage = COVERAGE,
        timeline: Timeline = False,
    ) -> Prediction:
        """Which genre a sound is, by one model or several, decoded once for all of them."""
        found = await service.predict(
            file.file,
            model or None,
            coverage=coverage,
            name=file.filename,
            gone=request.is_disconnected,
        )
        first = next(iter(found.values()))
        return Prediction(
            name=str(first.path),
            duration_s=first.duration_s,
            answers=[Answer.of(name, said, timeline=timeline) for name, said in found.items()],
        )

    @router.post("/v1/explain", responses=UPLOAD_PROBLEMS)
    async def explain(
        request: Request,
        file: Sound,
        model: Annotated[
            str,
            Form(max_length=LONGEST, description="To ask.", json_schema_extra=models_named),
        ],
        target: Target = None,
        against: Against = None,
        language: Annotated[
            str,
            Form(
                max_length=LONGEST,
                description="Of the sentences.",
                json_schema_extra=languages_named,
            ),
        ] = "en",
        moments: Moments = MOMENTS,
        files: Files = False,
    ) -> Explanation:
        """Why a model answers what it answers: sentences, values, pictures and sounds."""
        found = await service.explain(
            file.file,
            model,
            target=target,
            against=against,
            language=language,
            moments=moments,
            files=files,
            name=file.filename,
            gone=request.is_disconnected,
        )
        return Explanation.of(model, found)

    @router.get("/v1/models")
    async def models() -> Models:
        """The models that can be asked."""
        return Models(models=[Model.of(name, bundle) for name, bundle in service.models.items()])

    @router.get(
        "/health", response_model=Health, responses=declared(503, s503="The workers are starting.")
    )
    async def health() -> Any:
        """Whether the server can answer: 200 if it can, 503 while it starts and stops."""
        if not service.ready:
            return problem(503, "The workers are starting or stopping.")
        return Health(ready=True, models=len(service.models))

    @router.get("/metrics", response_class=PlainTextResponse, responses={200: METRICS_EXAMPLE})
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router
