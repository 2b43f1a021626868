"""Fields of forms: none that an endpoint does not take, and how a file is to be cut, as the command line has it."""

from typing import Annotated, Any

from fastapi import Depends, Form, Request

from equiradio.errors import ImageRefusal, SettingRefusal, nearest
from equiradio.serve.refusals import RequestRefusal, clipped
from equiradio.sky.advice import in_fields, without_options
from equiradio.sky.choices import check_choices

Choices = dict[str, Any]  # hdu, plane, beam of those that were given, as `equiradio.sky.fits.read_cutout` takes them


async def known_fields(request: Request) -> None:
    """Refuse fields that the endpoint does not take, and its own in the address, where they would not be heeded.

    Raises
    ------
    RequestRefusal : names the field, and those that there are.
    """
    if request.method != "POST":
        return
    taken = fields_of(request.app.openapi(), request.scope["route"].path)
    given = await request.form()
    if strange := [name for name in given if name not in taken]:
        do = nearest(strange[0][:100], taken) if taken else "Leave it out."
        raise RequestRefusal("form", f"a field {clipped(strange[0])!r}", ", ".join(taken) or "no fields", do)
    if misplaced := [name for name in taken if name in request.query_params]:
        do = f"Send it as 'curl -F {misplaced[0]}=...' does."
        raise RequestRefusal("address", f"{misplaced[0]} in it", "it as a field of the form", do)


def fields_of(description: dict[str, Any], path: str) -> list[str]:
    """Names of the fields that an endpoint takes by POST, by the description of all of them (OpenAPI)."""
    body = description["paths"][path]["post"].get("requestBody", {"content": {}})
    names: list[str] = []
    for kind in body["content"].values():
        schema = kind["schema"]
        while "$ref" in schema or "allOf" in schema:
            schema = schema["allOf"][0] if "allOf" in schema else description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        names += [name for name in schema["properties"] if name not in names]
    return names


def choices_of(
    hdu: Annotated[int | None, Form(ge=0, le=10**6, description="HDU of the image in the file, where there are several")] = None,
    plane: Annotated[str | None, Form(max_length=200, description="plane of a cube: a number from 0, or a value as 1.42GHz")] = None,
    beam: Annotated[
        str | None,
        Form(max_length=200, description="of a file that states none: major, minor axis (arcsec), angle (degrees); or one width"),
    ] = None,
) -> Choices:
    """How a file is to be cut.

    Raises
    ------
    SettingRefusal : what cannot be meant.
    """
    choices: Choices = {name: value for name, value in (("hdu", hdu), ("plane", plane), ("beam", beam)) if value is not None}
    try:
        check_choices(**choices)
    except SettingRefusal as refusal:
        raise SettingRefusal(refusal.where.removeprefix("--"), refusal.found, refusal.expected, in_fields(refusal.do)) from None
    return choices


Cutting = Annotated[Choices, Depends(choices_of)]


def advised(refusal: ImageRefusal) -> ImageRefusal:
    """The same refusal with advice by the fields that there are."""
    if "--max-nonfinite" in refusal.do or "--ra" in refusal.do:
        return without_options(refusal)
    return ImageRefusal(refusal.flag, refusal.where, in_fields(refusal.found), refusal.expected, in_fields(refusal.do))
