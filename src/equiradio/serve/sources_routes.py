"""Routes of what is offered and of sources: health, models, sources, pictures."""

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Query, Request, Response, UploadFile

import equiradio
from equiradio.printable import printable
from equiradio.processes import peak_mib
from equiradio.serve import shapes
from equiradio.serve.fields import Choices, Cutting, advised, known_fields
from equiradio.serve.held import Held
from equiradio.serve.offers import Offers
from equiradio.serve.reading import read_source
from equiradio.serve.refusals import NotOffered, RequestRefusal, clipped
from equiradio.serve.shapes import as_base64

MOST_LISTED = 2000


def offers_of(request: Request) -> Offers:
    """What this application offers: it stands in its state."""
    offers: Offers = request.app.state.offers
    return offers


Offered = Annotated[Offers, Depends(offers_of)]
Key = Annotated[str, Query(max_length=1000, description="key of a source, SET/NAME")]


router = APIRouter(prefix="/api", dependencies=[Depends(known_fields)])


def binary(kind: str) -> dict[int | str, dict[str, Any]]:
    """What the list of endpoints says of an answer that is a file of this kind."""
    return {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/health")
def health(offers: Offered) -> shapes.Health:
    """Whether the viewer answers, and what it offers."""
    return shapes.Health(
        state="ready",
        version=equiradio.__version__,
        models=len(offers.networks.by_name),
        sets=offers.sets.names(),
        runs=len(offers.runs.by_name),
        tables=len(offers.tables),
        labelling=offers.desk is not None,
        megabytes=peak_mib(),
    )


@router.get("/models")
def models(offers: Offered) -> list[shapes.Model]:
    """The models offered, the default first."""
    return [shapes.Model(**network.summary()) for network in offers.networks.by_name.values()]


@router.get("/sources")
def sources(
    offers: Offered,
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
def upload(offers: Offered, cutting: Cutting, file: Annotated[UploadFile, File()]) -> shapes.Source:
    """Hold an uploaded image until the viewer stops."""
    return described(uploaded(offers, file, cutting))


@router.get("/source")
def source(offers: Offered, key: Key) -> shapes.Source:
    """One source with its pixels, values and positions."""
    return described(offers.sets.get(key))


@router.get("/picture.png", response_class=Response, responses=binary("image/png"))
def picture(
    offers: Offered,
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


def uploaded(offers: Offers, file: UploadFile, cutting: Choices) -> Held:
    """An uploaded file as a source on the shelf, cut as chosen; decoded one at a time, so that memory stays bounded."""
    name = printable((file.filename or "upload").replace("\\", "/").rpartition("/")[2])[:200] or "upload"
    with offers.reading:
        content = file.file.read()
        read = lambda key: read_source(content, name, key, offers.networks.recipe, advice=advised, **cutting)
        return offers.sets.shelf.put(content, read, cutting)


def chosen(offers: Offers, file: UploadFile | None, source: str | None, cutting: Choices) -> Held:
    """The source of a request: a file that it brings, cut as chosen, or one that is read already."""
    if (file is None) == (not source):
        found = "neither a file nor a source" if file is None else "both a file and a source"
        raise RequestRefusal("form", found, "one of the two", "Send file=@CUTOUT.fits, or source=SET/NAME.")
    if file is not None:
        return uploaded(offers, file, cutting)
    if cutting:
        raise RequestRefusal(next(iter(cutting)), "given with a source, which is read already", "a file", "Send file=@CUTOUT.fits.")
    return offers.sets.get(source or "")


def stated(number: float) -> float | None:
    """None for nan, which JSON has not."""
    return None if math.isnan(number) else number


def described(held: Held) -> shapes.Source:
    beam = held.beam
    return shapes.Source(
        key=held.key,
        name=held.name,
        side=len(held.pixels),
        pixels=as_base64(held.pixels),
        values=None if held.values is None else as_base64(held.values.astype("<f4")),
        unit=printable(held.unit),
        sky=held.sky_grid(),
        arcsec_per_pixel=held.arcsec_per_pixel,
        beam_arcsec=None if beam is None else (beam.major, stated(beam.minor)),
        beam_pa_deg=None if beam is None else stated(beam.angle),
        label=held.label,
        confidence=held.confidence,
        flags=held.flags,
    )


def attachment(content: bytes, kind: str, name: str) -> Response:
    """A file to save; its name reduced to what a header carries safely."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "+-._") else "_" for letter in clipped(name))
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{safe}"'})
