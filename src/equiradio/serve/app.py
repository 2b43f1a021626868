"""The web application: guards, routes, and the page itself."""

import logging
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import equiradio
from equiradio.errors import Refusal
from equiradio.serve import answers_routes, labels_routes, lists_routes, shapes, sources_routes
from equiradio.serve.bodies import MOST_UPLOADED, Pace
from equiradio.serve.guards import LOOPBACK, MOST_AT_A_TIME, Guard
from equiradio.serve.offers import Offers
from equiradio.serve.prefix import Prefix
from equiradio.serve.refusals import AS_FORM, RequestRefusal, as_json, clipped, status_of

STATIC = Path(__file__).parent / "static"
KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
FAULTS = (400, 403, 404, 413, 422, 503)


def create_app(
    offers: Offers,
    hosts: tuple[str, ...] = LOOPBACK,
    *,
    most_uploaded: int = MOST_UPLOADED,
    most_at_a_time: int = MOST_AT_A_TIME,
    pace: Pace | None = None,
    root_path: str = "",
) -> FastAPI:
    """The application over what is offered.

    Parameters
    ----------
    hosts : names under which it may be asked; any other Host header is refused.
    most_uploaded, most_at_a_time : bytes of a body, requests.
    pace : how slowly bodies may arrive.
    root_path : the path under which a proxy shows it, as `equiradio.serve.prefix.root_path_of` gives it.
    """
    app = FastAPI(title="equiradio", version=equiradio.__version__, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.state.offers = offers
    faults: dict[int | str, dict[str, Any]] = {code: {"model": shapes.Error} for code in FAULTS}
    for routes in (sources_routes, answers_routes, lists_routes, labels_routes):
        app.include_router(routes.router, responses=faults)
    if root_path:
        app.add_middleware(Prefix, root=root_path)
    app.add_middleware(Guard, hosts=hosts, most_uploaded=most_uploaded, most_at_a_time=most_at_a_time, pace=pace)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(pa.ArrowException, _arrow)
    app.add_exception_handler(Exception, _broken)
    _add_pages(app)
    return app


def _add_pages(app: FastAPI) -> None:
    """Add the viewer's own files, read when it starts: no name opens any other."""
    pages = _static_files()

    @app.get("/{name:path}", include_in_schema=False)
    def page(request: Request, name: str) -> Response:
        file = {"": "index.html", "api": "api.html"}.get(name, name)
        if file not in pages:
            home, api = _address(request, ""), _address(request, "api")
            expected = f"{home}, {api}, or an endpoint that it lists"
            refusal = RequestRefusal("address", _address(request, clipped(name)), expected, f"Open {home}.")
            return JSONResponse(as_json(refusal), 404)
        kind, content = pages[file]
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})


def _address(request: Request, name: str) -> str:
    """The path of a page here, below the root path."""
    return f"{request.scope.get('root_path', '')}/{name}"


def _static_files() -> Mapping[str, tuple[str, bytes]]:
    files = [path for path in STATIC.iterdir() if path.is_file()]
    return {path.name: (KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "", path.read_bytes()) for path in files}


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return JSONResponse(as_json(error), status_of(error))


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, given = ".".join(str(part) for part in first["loc"]), first.get("input")
    found = "missing" if first["type"] == "missing" else clipped(repr(given)) if isinstance(given, str | int | float) else first["type"]
    expected = "a value" if first["type"] == "missing" else first["msg"].lower()
    do = f"See {_address(request, 'api')} for what this endpoint takes."
    if first["loc"] == ("body", "file"):
        found, expected, do = f"{found} in a body of {_kind_of(request)}", "a file in a form", AS_FORM
    return JSONResponse(as_json(RequestRefusal(where, found, expected, do)), 422)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    where, api = f"{request.method} {clipped(request.url.path)}", _address(request, "api")
    refusal = RequestRefusal(where, f"{error.status_code} {error.detail}", f"an endpoint that {api} lists", f"See {api}.")
    if error.status_code == 400:  # the parser of forms
        found = f"{error.detail.rstrip('.')}, in a body of {_kind_of(request)}"
        refusal = RequestRefusal(where, found, "a whole, well-formed form as body", AS_FORM)
    return JSONResponse(as_json(refusal), error.status_code, error.headers)


def _kind_of(request: Request) -> str:
    return clipped(request.headers.get("content-type", "")).partition(";")[0] or "no kind"


def _arrow(request: Request, error: Exception) -> JSONResponse:
    refusal = RequestRefusal("table", str(error).splitlines()[0][:200], "a column that can be compared and counted", "Choose another.")
    return JSONResponse(as_json(refusal), refusal.status)


def _broken(request: Request, error: Exception) -> JSONResponse:
    logging.getLogger("equiradio.serve").error("%s %s", request.method, request.url.path, exc_info=error)
    refusal = RequestRefusal("viewer", f"a defect of ours ({type(error).__name__})", "an answer", "Please report it.")
    return JSONResponse(as_json(refusal), 500, {"Connection": "close"})  # as uvicorn does behind a defect, without saying so
