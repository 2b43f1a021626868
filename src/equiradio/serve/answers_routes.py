"""Routes of networks: classify, explain, maps. They import torch when first asked, and not before."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from starlette.concurrency import run_in_threadpool

from equiradio.serve import shapes
from equiradio.serve.fields import Cutting, known_fields
from equiradio.serve.held import Held
from equiradio.serve.networks import Network, Networks
from equiradio.serve.offers import Offers
from equiradio.serve.refusals import Busy, RequestRefusal
from equiradio.serve.shapes import as_base64
from equiradio.serve.sources_routes import Key, Offered, attachment, binary, chosen

MOST_MODELS = 2  # side by side

File_ = Annotated[UploadFile | None, File(description="FITS (plain or gzipped), or PNG or NPY in MiraBest form")]
SourceKey = Annotated[str | None, Form(max_length=1000, description="key of a source, in place of a file")]
ModelName = Annotated[str | None, Form(max_length=1000, description="a model's name; the first offered where left out")]
ModelNames = Annotated[list[str] | None, Form(max_length=MOST_MODELS, description="one model or two")]
Members = Annotated[
    list[str] | None,
    Form(max_length=MOST_MODELS, description="for each model the seed of a member; empty or left out for the mean over all of them"),
]
Angle = Annotated[float, Form(ge=-3600, le=3600, allow_inf_nan=False, description="degrees, in the sense of torch.rot90")]


router = APIRouter(prefix="/api", dependencies=[Depends(known_fields)])


@router.post("/classify")
async def classify(
    offers: Offered, request: Request, cutting: Cutting, file: File_ = None, source: SourceKey = None, model: ModelName = None
) -> shapes.Answer:
    """The class of a source, with its uncertainty: an uploaded file, or the key of a source."""
    network = offers.networks.get(model)
    held = await run_in_threadpool(chosen, offers, file, source, cutting)
    network.check(held)
    answer = offers.answered.get((held.key, held.digest, network.name))
    if answer is None:
        answer = await asked(request, offers, network, held)
    return shapes.Answer(**answer)


@router.post("/explain")
def explain(
    offers: Offered,
    cutting: Cutting,
    file: File_ = None,
    source: SourceKey = None,
    model: ModelNames = None,
    member: Members = None,
    rotation_deg: Angle = 0.0,
) -> shapes.Explained:
    """Where networks look while the source turns: maps in the turning frame and turned back, and their drift."""
    from equiradio.serve import explanations

    named = [offers.networks.get(name) for name in model or [""]]
    seeds, held = seeds_of(named, member or []), chosen(offers, file, source, cutting)
    for network in named:
        network.check(held)
    pairs = zip(named, seeds, strict=True)
    answers = [explanations.explain(offers.turner(), network, held, rotation_deg, seed) for network, seed in pairs]
    return shapes.Explained(
        source=held.key,
        rotation_deg=rotation_deg,
        pixels=as_base64(explanations.turned_pixels(held, rotation_deg)),
        answers=[shapes.Explanation(**answer) for answer in answers],
    )


@router.get("/map.fits", response_class=Response, responses=binary("application/fits"))
def map_fits(
    offers: Offered,
    source: Key,
    model: Annotated[str | None, Query(max_length=1000)] = None,
    member: Annotated[str, Query(max_length=40, description="seed of a member; left out for the mean over all of them")] = "",
    rotation_deg: Annotated[float, Query(ge=-3600, le=3600, allow_inf_nan=False)] = 0.0,
) -> Response:
    """The file that ``equiradio classify --maps`` writes, for the source at an angle: image, maps and evidence turned back to the sky."""
    from equiradio.inference.rows import source_name

    network, held = offers.networks.get(model), offers.sets.get(source)
    network.check(held)
    content = fits_of(offers, network, held, network.seed_of(member), rotation_deg)
    return attachment(content, "application/fits", f"{source_name(held.name)}-attention.fits")


def seeds_of(named: Sequence[Network], members: Sequence[str]) -> list[int | None]:
    """For each model the seed of the member asked for, None for all of them.

    Raises
    ------
    NotOffered : a team has no such member. RequestRefusal : more members than models.
    """
    if len(members) > len(named):
        raise RequestRefusal("member", f"{len(members)} for {len(named)} of model", "one for each model", "Leave one out.")
    return [network.seed_of(member) for network, member in zip_longest(named, members, fillvalue="") if isinstance(network, Network)]


async def asked(request: Request, offers: Offers, network: Network, held: Held) -> dict[str, Any]:
    """The class of a source, given up when whoever asked has gone: a page that moves on asks for another at once."""
    pieces = await run_in_threadpool(classified, offers.networks, network, held)
    while (answer := await run_in_threadpool(next, pieces)) is None:
        if await request.is_disconnected():
            raise Busy("classify", "nobody waits for the answer", "a client that waits", "Ask again.")
    offers.remember((held.key, held.digest, network.name), answer)
    return answer


def classified(networks: Networks, network: Network, held: Held) -> Iterator[dict[str, Any] | None]:
    """`answers.classify`; called in a thread, because the first call imports torch, which takes seconds."""
    from equiradio.serve import answers

    return answers.classify(networks, network, held)


def fits_of(offers: Offers, network: Network, held: Held, seed: int | None, rotation_deg: float) -> bytes:
    """Image, attention maps and evidence as a FITS file, as ``equiradio classify --maps`` writes it."""
    from equiradio.inference.reading import provenance
    from equiradio.serve import explanations
    from equiradio.verbs.sky_maps import SkyMaps, as_fits

    view = explanations.look(offers.turner(), network, held, rotation_deg, seed)
    back = view.back
    maps = SkyMaps(back.maps[1:].numpy(), back.attention, network.card.labels, back.evidence_for(view.toward), back.agreement)
    several = f", mean of {len(network.card.seeds)} networks" if len(network.card.seeds) > 1 else ""
    history = [
        f"equiradio serve: {held.name}, model {network.name}{several if seed is None else f', seed {seed}'}",
        f"maps of the source turned by {rotation_deg:g} deg, turned back",
    ]
    return as_fits(held.cutout(), maps, offers.networks.turn.ask(lambda: provenance(network.open())), history)
