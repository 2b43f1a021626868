"""Routes of sources and networks: health, models, sources, classify, explain, maps."""

import resource
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from starlette.concurrency import run_in_threadpool

import equiradio
from equiradio.artefacts.atomic import printable
from equiradio.serve import shapes
from equiradio.serve.held import Held
from equiradio.serve.networks import Network, Networks
from equiradio.serve.offers import Offers
from equiradio.serve.reading import read_source
from equiradio.serve.refusals import Busy, NotOffered, RequestRefusal, clipped
from equiradio.serve.shapes import as_base64

LABELS = {0: "FRI", 1: "FRII", -1: "hybrid"}
MOST_MODELS = 2  # side by side
MOST_LISTED = 2000

Key = Annotated[str, Query(max_length=1000, description="key of a source, SET/NAME")]
File_ = Annotated[UploadFile | None, File(description="FITS (plain or gzipped), or PNG or NPY in MiraBest form")]
SourceKey = Annotated[str | None, Form(max_length=1000, description="key of a source, in place of a file")]
ModelName = Annotated[str | None, Form(max_length=1000, description="a model's name; the first offered where left out")]
Angle = Annotated[float, Form(ge=-3600, le=3600, allow_inf_nan=False, description="degrees, in the sense of torch.rot90")]


def routes(offers: Offers) -> APIRouter:
    """The routes over what is offered."""
    router = APIRouter(prefix="/api")
    networks = offers.networks

    @router.get("/health")
    def health() -> shapes.Health:
        """Whether the viewer answers, and what it offers."""
        return shapes.Health(
            state="ready",
            version=equiradio.__version__,
            models=len(networks.by_name),
            sets=offers.sets.names(),
            runs=len(offers.runs.by_name),
            tables=len(offers.tables),
            megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )

    @router.get("/models")
    def models() -> list[shapes.Model]:
        """The models offered, the default first."""
        return [shapes.Model(**network.summary()) for network in networks.by_name.values()]

    @router.get("/sources")
    def sources(
        set: Annotated[str, Query(max_length=200)],
        text: Annotated[str, Query(max_length=200, description="part of a name")] = "",
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 200,
    ) -> shapes.Listing:
        """Sources of a set."""
        rows = [row for row in offers.sets.listing(set) if text.lower() in row["name"].lower()]
        listed = [shapes.Listed(**row) for row in rows[offset : offset + limit]]
        return shapes.Listing(set=set, total=len(rows), sources=listed)

    @router.post("/sources")
    def upload(file: Annotated[UploadFile, File()]) -> shapes.Source:
        """Hold an uploaded image until the viewer stops."""
        return described(uploaded(offers, file))

    @router.get("/source")
    def source(key: Key) -> shapes.Source:
        """One source with its pixels, values and positions."""
        return described(offers.sets.get(key))

    @router.post("/classify")
    async def classify(request: Request, file: File_ = None, source: SourceKey = None, model: ModelName = None) -> shapes.Answer:
        """The class of a source, with its uncertainty: an uploaded file, or the key of a source."""
        network = networks.get(model)
        held = await run_in_threadpool(chosen, offers, file, source)
        answer = offers.answered.get((held.key, held.digest, network.name))
        if answer is None:
            answer = await asked(request, offers, networks, network, held)
        return shapes.Answer(**answer)

    @router.post("/explain")
    def explain(
        file: File_ = None,
        source: SourceKey = None,
        model: Annotated[list[str] | None, Form(max_length=MOST_MODELS, description="one model or two")] = None,
        rotation_deg: Angle = 0.0,
    ) -> shapes.Explained:
        """Where networks look while the source turns: maps in the turning frame and turned back, and their drift."""
        from equiradio.serve import answers

        named, held = [networks.get(name) for name in model or [""]], chosen(offers, file, source)
        said = [shapes.Explanation(**answers.explain(offers.turner(), network, held, rotation_deg)) for network in named]
        pixels = as_base64(answers.turned_pixels(held, rotation_deg))
        return shapes.Explained(source=held.key, rotation_deg=rotation_deg, pixels=pixels, answers=said)

    @router.get("/map.fits", response_class=Response, responses=binary("application/fits"))
    def map_fits(
        source: Key,
        model: Annotated[str | None, Query(max_length=1000)] = None,
        rotation_deg: Annotated[float, Query(ge=-3600, le=3600, allow_inf_nan=False)] = 0.0,
    ) -> Response:
        """Image, attention maps and evidence on the sky, one HDU each."""
        held = offers.sets.get(source)
        content = fits_of(offers, networks, held, model, rotation_deg)
        return attachment(content, "application/fits", f"{held.name.removesuffix('.gz').removesuffix('.fits')}-attention.fits")

    @router.get("/picture.png", response_class=Response, responses=binary("image/png"))
    def picture(
        source: Key = "",
        run: Annotated[str, Query(max_length=300, description="show this run's stored attention instead")] = "",
        source_id: Annotated[str, Query(max_length=300)] = "",
    ) -> Response:
        """A small picture for lists: of a source, or of a run's stored attention."""
        from equiradio.serve.pictures import png

        if run:
            stored = offers.runs.attention(run, source_id)
            if stored is None:
                raise NotOffered("source_id", source_id, "a source whose attention the run has stored", "Evaluate the run.")
            content = png(stored, "viridis")
        else:
            content = png(offers.sets.get(source).pixels)
        return Response(content, media_type="image/png", headers={"cache-control": "private, max-age=600"})

    return router


async def asked(request: Request, offers: Offers, networks: Networks, network: Network, held: Held) -> dict[str, Any]:
    """The class of a source, given up when whoever asked has gone: a page that moves on asks for another source at once."""
    from equiradio.serve import answers

    said = await run_in_threadpool(answers.classify, networks, network, held)
    while (answer := await run_in_threadpool(next, said)) is None:
        if await request.is_disconnected():
            raise Busy("classify", "nobody waits for the answer", "a client that waits", "Ask again.")
    offers.remember((held.key, held.digest, network.name), answer)
    return answer


def uploaded(offers: Offers, file: UploadFile) -> Held:
    """An uploaded file as a source on the shelf; decoded one at a time, so that memory stays bounded."""
    name = printable((file.filename or "upload").replace("\\", "/").rpartition("/")[2])[:200] or "upload"
    with offers.reading:
        content = file.file.read()
        return offers.sets.shelf.put(content, lambda key: read_source(content, name, key))


def chosen(offers: Offers, file: UploadFile | None, source: str | None) -> Held:
    if (file is None) == (not source):
        found = "neither a file nor a source" if file is None else "both a file and a source"
        raise RequestRefusal("form", found, "one of the two", "Send file=@CUTOUT.fits, or source=SET/NAME.")
    return uploaded(offers, file) if file is not None else offers.sets.get(source or "")


def described(held: Held) -> shapes.Source:
    return shapes.Source(
        key=held.key,
        name=held.name,
        pixels=as_base64(held.pixels),
        values=None if held.values is None else as_base64(held.values.astype("<f4")),
        unit=printable(held.unit),
        sky=held.sky_grid(),
        arcsec_per_pixel=held.arcsec_per_pixel,
        beam_arcsec=held.beam_arcsec,
        beam_pa_deg=held.beam_pa_deg,
        label=None if held.label is None else LABELS[held.label],
        confidence=held.confidence,
        flags=held.flags,
    )


def fits_of(offers: Offers, networks: Networks, held: Held, model: str | None, rotation_deg: float) -> bytes:
    """Image, attention maps and evidence as a FITS file."""
    from equiradio.serve import answers
    from equiradio.serve.pictures import maps_as_fits

    network = networks.get(model)
    seen = answers.look(offers.turner(), network, held, rotation_deg).back
    return maps_as_fits(held, network.name, seen.maps.numpy(), network.card.labels, seen.evidence, rotation_deg, equiradio.__version__)


def binary(kind: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}


def attachment(content: bytes, kind: str, name: str) -> Response:
    """A file to save; its name reduced to what a header carries safely."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "+-._") else "_" for letter in clipped(name))
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{safe}"'})
