"""Routes of labels that a person gives: what there is to label, a label, and the way back."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from pydantic import BaseModel, Field

from equiradio.serve.fields import known_fields
from equiradio.serve.labelling import COMMENT, KEYS
from equiradio.serve.offers import Desk, Offers
from equiradio.serve.refusals import NotOffered
from equiradio.serve.sources_routes import Offered

NEXT = 20  # sources named in advance


class Label(BaseModel):
    """A label that somebody gave."""

    label: str
    comment: str
    who: str
    when: str = Field(description="UTC")


class Labels(BaseModel):
    """How far a labelling is, and what comes next."""

    file: str = Field(description="name of the table")
    who: str
    classes: list[str]
    keys: list[str] = Field(description="one for each class")
    counts: dict[str, int] = Field(description="files of each class in the table")
    total: int = Field(description="images")
    labelled: int = Field(description="of these")
    asked: int = Field(description="images that the model was asked about so far, to order them")
    unreadable: int = Field(description="images that cannot be shown")
    next: list[str] = Field(description="keys of sources without a label, the least sure and the most unlike first, skipped ones last")
    source: str | None = Field(description="the source that was asked about, skipped, or whose label was given or taken back")
    given: Label | None = Field(description="its label")


router = APIRouter(prefix="/api", dependencies=[Depends(known_fields)])
Source = Annotated[str, Form(max_length=1000, description="key of a source, SET/NAME")]


@router.get("/labels")
def labels(offers: Offered, source: Annotated[str, Query(max_length=1000, description="key of a source")] = "") -> Labels:
    """How far a labelling is; with a source, the label that it has."""
    return described(desk_of(offers), source or None)


@router.post("/labels")
def give(
    offers: Offered,
    source: Source,
    label: Annotated[str, Form(max_length=200, description="a class")],
    comment: Annotated[str, Form(max_length=COMMENT)] = "",
) -> Labels:
    """Give a source a label; the table is written before this answers."""
    desk = desk_of(offers)
    desk.labelling.give(source, label, comment)
    return described(desk, source)


@router.post("/labels/skip")
def skip(offers: Offered, source: Source) -> Labels:
    """Put a source behind all others that have no label, until the viewer stops."""
    desk = desk_of(offers)
    desk.labelling.given(source)  # refuses what is no source
    desk.order.skip(source)
    return described(desk, source)


@router.post("/labels/undo")
def undo(offers: Offered) -> Labels:
    """Take the last label back."""
    desk = desk_of(offers)
    return described(desk, desk.labelling.undo())


def desk_of(offers: Offers) -> Desk:
    """The labelling that is offered."""
    if offers.desk is None:
        raise NotOffered("labels", "labels", "none", "Start the viewer with --images FOLDER --label OUT.csv.")
    return offers.desk


def described(desk: Desk, source: str | None) -> Labels:
    labelling, order = desk.labelling, desk.order
    done = labelling.labelled()
    given = labelling.given(source) if source else None
    numbers: dict[str, Any] = {"total": len(labelling.folder.keys), "asked": order.asked, "unreadable": len(order.unreadable)}
    return Labels(
        file=labelling.file.name,
        who=labelling.who,
        classes=labelling.classes,
        keys=list(KEYS[: len(labelling.classes)]),
        counts=labelling.counts(),
        labelled=len(done),
        next=order.first(done, NEXT),
        source=source,
        given=None if given is None else Label(label=given.label, comment=given.comment, who=given.who, when=given.when),
        **numbers,
    )
