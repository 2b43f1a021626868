"""Fields of forms and parameters of addresses: none that an endpoint does not take; how a file is to be cut, as on the command line."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, Form, Request

from equiradio.errors import ImageRefusal, SettingRefusal, nearest
from equiradio.serve.refusals import RequestRefusal, clipped
from equiradio.sky.advice import in_fields, without_options
from equiradio.sky.choices import check_choices

OF_A_PROXY = "token"  # a parameter by which JupyterHub knows a user, passed on to the viewer
Choices = dict[str, Any]  # hdu, plane, beam of those that were given, as `equiradio.sky.fits.read_cutout` takes them


async def known_fields(request: Request) -> None:
    """Refuse fields and parameters that the endpoint does not take, and its own fields in the address, where they would not be heeded.

    Raises
    ------
    RequestRefusal : names what it does not take, and those that there are.
    """
    fields, parameters = taken_by(request.app.openapi(), request.scope["route"].path, request.method.lower())
    if request.method == "POST":
        _refuse_others("form", "field", await request.form(), fields)
        if misplaced := [name for name in fields if name in request.query_params]:
            do = f"Send it as 'curl -F {misplaced[0]}=...' does."
            raise RequestRefusal("address", f"{misplaced[0]} in it", "it as a field of the form", do)
    _refuse_others("address", "parameter", [name for name in request.query_params if name != OF_A_PROXY], parameters)


def _refuse_others(where: str, kind: str, given: Iterable[str], taken: list[str]) -> None:
    """Refuse a name that is none of those taken."""
    if strange := next((name for name in given if name not in taken), None):
        do = nearest(strange[:100], taken) if taken else "Leave it out."
        raise RequestRefusal(where, f"a {kind} {clipped(strange)!r}", ", ".join(taken) or f"no {kind}s", do)


def taken_by(description: dict[str, Any], path: str, method: str) -> tuple[list[str], list[str]]:
    """Names of the fields and of the parameters that an endpoint takes, by the description of all of them (OpenAPI)."""
    operation = description["paths"][path][method]
    names: list[str] = []
    for kind in operation.get("requestBody", {"content": {}})["content"].values():
        schema = kind["schema"]
        while "$ref" in schema or "allOf" in schema:
            schema = schema["allOf"][0] if "allOf" in schema else description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        names += [name for name in schema["properties"] if name not in names]
    return names, [parameter["name"] for parameter in operation.get("parameters", [])]


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
