"""Routes of runs and tables, and SAMP."""

import json
import urllib.parse
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from equiradio.errors import nearest
from equiradio.serve.fields import known_fields
from equiradio.serve.gallery import arranged
from equiradio.serve.guards import LOOPBACK
from equiradio.serve.offers import Offers
from equiradio.serve.refusals import NotOffered
from equiradio.serve.sets import DataSet
from equiradio.serve.sources_routes import Offered, attachment, binary
from equiradio.serve.tables import Table

MOST_ROWS = 500  # of a page

Name = Annotated[str, Query(max_length=300)]
Word = Annotated[str, Query(max_length=40)]
Where = Annotated[list[str], Query(max_length=20, description="column:test:value with test one of is, not, min, max, below, has")]
Sort = Annotated[str | None, Query(max_length=300)]


router = APIRouter(prefix="/api", dependencies=[Depends(known_fields)])


def table_of(offers: Offers, name: str) -> Table:
    """The table of this name, of those offered."""
    if name not in offers.tables:
        offered = ", ".join(offers.tables) or "none"
        do = nearest(name[:100], list(offers.tables)) if offers.tables else "Start the viewer with --table FILE."
        raise NotOffered("table", name, offered, do)
    return offers.tables[name]


@router.get("/runs")
def runs(offers: Offered) -> list[dict[str, Any]]:
    """The runs offered, with their evaluations and figures."""
    return offers.runs.listing()


@router.get("/gallery")
def gallery(
    offers: Offered,
    run: Name,
    evaluation: Annotated[str, Query(max_length=300, description="DATA-SPLIT")],
    label: Annotated[str, Query(max_length=40, description="a class, or the word for none of them; empty for all")] = "",
    answer: Annotated[str, Query(max_length=40, description="correct or wrong; empty for all")] = "",
    sureness: Annotated[str, Query(max_length=40, description="of the catalogue: confident or uncertain; empty for all")] = "",
    sort: Annotated[str, Query(max_length=40, description="name, confidence, disagreement, spread, or a column p_<class>")] = "name",
    descending: bool = False,
) -> dict[str, Any]:
    """Sources of an evaluation with the run's answers, filtered and in order."""
    tiles = offers.runs.tiles(run, evaluation)
    labels = offers.runs.labels(run, evaluation)
    rows = arranged(tiles, labels, classes=label, answer=answer, sureness=sureness, sort=sort, descending=descending)
    data = evaluation.rpartition("-")[0]
    offered = data if isinstance(offers.sets.by_name.get(data), DataSet) else None  # and no folder that is called the same
    return {"run": run, "evaluation": evaluation, "set": offered, "total": len(tiles), "tiles": rows}


@router.get("/figure.png", response_class=Response, responses=binary("image/png"))
def figure(offers: Offered, run: Name, figure: Name) -> Response:
    """A figure of a run."""
    return Response(offers.runs.figure(run, figure), media_type="image/png")


@router.get("/tables")
def tables(offers: Offered) -> list[str]:
    """Names of the tables offered."""
    return list(offers.tables)


@router.get("/rows")
def rows(
    offers: Offered,
    table: Name,
    where: Where = [],  # noqa: B006  FastAPI copies defaults
    sort: Sort = None,
    descending: bool = False,
    offset: Annotated[int, Query(ge=0, le=10**12)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
) -> Response:
    """A page of rows of a selection."""
    page = table_of(offers, table).page(where, sort, descending, offset, limit)
    file = next((k for k, column in enumerate(page["columns"]) if column["name"] == "file"), None)
    page["keys"] = [offers.key_of(str(row[file])) if file is not None else None for row in page["rows"]]
    return Response(json.dumps(page), media_type="application/json")  # rows are plain already; validating each costs more than the rest


@router.get("/histogram")
def histogram(offers: Offered, table: Name, column: Name, where: Where = []) -> dict[str, Any]:  # noqa: B006
    """Counts of a column over a selection."""
    return table_of(offers, table).histogram(column, where)


@router.get("/selection.vot", response_class=Response, responses=binary("application/x-votable+xml"))
def selection(offers: Offered, table: Name, where: Where = [], sort: Sort = None, descending: bool = False) -> Response:  # noqa: B006
    """A selection as a VOTable."""
    content = table_of(offers, table).votable(where, sort, descending)
    return attachment(content, "application/x-votable+xml", f"{table.rpartition('.')[0] or table}-selection.vot")


@router.get("/samp")
def samp() -> dict[str, bool]:
    """Whether a SAMP hub runs on this machine."""
    from equiradio.serve.hub import running

    return {"hub": running()}


@router.post("/samp")
def send(
    request: Request,
    kind: Annotated[str, Form(max_length=40, description="table or image")],
    query: Annotated[str, Form(max_length=4000, description="the query of selection.vot or map.fits, as in its address")],
    name: Annotated[str, Form(max_length=200)] = "equiradio",
) -> dict[str, int]:
    """Tell the hub's clients to fetch a selection or a map from here."""
    from equiradio.serve.hub import send as tell

    path = "api/selection.vot" if kind == "table" else "api/map.fits"
    asked = urllib.parse.urlencode(urllib.parse.parse_qsl(query.lstrip("?"), max_num_fields=60), quote_via=urllib.parse.quote)
    return {"clients": tell(kind, f"{own_address(request)}{path}?{asked}", name)}


def own_address(request: Request) -> str:
    """Where programs of this machine, as those of a SAMP hub are, reach the viewer: past any proxy."""
    host, port = request.scope.get("server") or ("", None)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/" if host in LOOPBACK else str(request.base_url)
