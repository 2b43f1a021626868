"""What the documents say of the command, the settings and the files is what there is, and they leave nothing out."""

import dataclasses
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from shutil import copytree

import pytest
import typer

from equiradio.artefacts.card import Card
from equiradio.artefacts.catalogue import catalogue_schema
from equiradio.artefacts.flags import FLAGS
from equiradio.artefacts.manifest import Listing
from equiradio.artefacts.run import HISTORY, Run
from equiradio.artefacts.tables import predictions_schema
from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.cli.main import app
from equiradio.datasets.registry import data_sets
from equiradio.explain.part import parts
from equiradio.layers.forms import all_forms
from equiradio.models.names import TABLE1
from equiradio.settings import HABITS, PRESETS, keys

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
DOCS = "\n".join(text for name, text in TEXTS.items() if name.startswith("docs/"))
KINDS = ("tutorials", "how-to", "reference", "notebook")
REFERENCE = "docs/reference"
ALONE = ("--help", "--version", "--install-completion", "--show-completion")
CODE = re.compile(r"```.*?\n(.*?)```|``?([^`\n]+)``?", re.DOTALL)


def verbs(group=None, names=()):
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, (*names, name))
        else:
            yield (*names, name), command


VERBS = dict(verbs())
GROUPS = {names[:-1] for names in VERBS}
DEFAULTS = {("survey",): "run"}  # verbs of groups that may be left out


def mentioned(text):
    """Every command line that a document shows: in backticks, or at the start of a line of a code block."""
    for block, inline in CODE.findall(text):
        for line in (block or inline).replace("\\\n", " ").splitlines():
            words = line.strip().removeprefix("$ ")
            if words.startswith("equiradio ") or words == "equiradio":
                yield words.partition("#")[0].split()[1:]


def problem(words):
    """What is wrong with a command line, or nothing."""
    if not words or words[0].startswith("-"):
        return "" if all(word in ALONE for word in words) else f"no option {words[0]}"
    for spoken in words[0].split("|"):
        names = (spoken,)
        if names in GROUPS:
            following = words[1] if len(words) > 1 else "--help"
            if names in DEFAULTS and (*names, following.split("|")[0]) not in VERBS and not following.startswith("--"):
                following = DEFAULTS[names]
            wrong = [word for word in following.split("|") if not word.startswith("-") and (*names, word) not in VERBS]
            if wrong:
                return f"no verb {spoken} {wrong[0]}"
            commands = [VERBS[(*names, word)] for word in following.split("|") if not word.startswith("-")]
        elif names in VERBS:
            commands = [VERBS[names]]
        else:
            return f"no verb {spoken}"
        options = {option for part in commands for parameter in part.params for option in parameter.opts} | {"--help"}
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(words)):
            if option not in options:
                return f"no option {option} of {spoken}"
    return ""


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_shown_exists(name):
    wrong = {" ".join(words): problem(words) for words in mentioned(TEXTS[name]) if problem(words)}
    assert not wrong


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("train --modle x", "no option --modle of train"),
        ("trian", "no verb trian"),
        ("data grab", "no verb data grab"),
        ("survey catalogue.vot --images m.fits --out out", ""),
        ("survey catalogue.vot --image m.fits", "no option --image of survey"),
        ("train --model c4-attention --data mirabest", ""),
        ("data list --json", ""),
        ("--version", ""),
        ("evaluate RUN --passes=9", ""),
    ],
)
def test_the_check_of_commands_can_fail(line, wrong):
    assert problem(line.split()) == wrong
    assert list(mentioned(f"Run `equiradio {line}` now.")) == [line.split()]
    assert list(mentioned(f"```sh\n$ equiradio {line}  # why\n```")) == [line.split()]


def words_of(text):
    return set(re.findall(r"[\w.-]+", text))


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_is_in_the_documents_with_its_options(verb):
    everything = DOCS + TEXTS["README.md"]
    assert re.search(rf"equiradio {re.escape(' '.join(verb))}\b", everything)
    options = {option for parameter in VERBS[verb].params for option in parameter.opts if option.startswith("--")}
    assert not {option for option in options if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", everything)}


def test_the_readme_names_every_verb():
    shown = {tuple(words[:1]) for words in mentioned(TEXTS["README.md"])}
    assert {names[:1] for names in VERBS} <= shown


def test_every_setting_is_in_the_documents():
    words = words_of(TEXTS[f"{REFERENCE}/settings.md"])
    assert not {key for key in keys() if key not in words and key.partition(".")[2] not in words}
    choices = {str(choice) for spec in keys().values() for choice in spec.metadata["choices"]}
    assert not choices - words
    assert not set(PRESETS) - words
    assert not set(HABITS) - words
    assert not set(all_forms()) - words
    assert f"described by {len(keys())} settings" in TEXTS[f"{REFERENCE}/settings.md"]


def test_no_document_names_a_setting_that_is_not():
    text = "\n".join(text for name, text in TEXTS.items() if name != f"{REFERENCE}/errors.md")  # which shows mistakes on purpose
    named = re.findall(r"(?<![\w.])((?:model|data|training)\.[a-z_]+)(?![\w.(/])", text)
    assert not set(named) - keys().keys() - {"data.md", "training.md", "model.md"}


def test_every_file_of_a_run_is_described():
    run = Run(Path("RUN"))
    files = [run.settings_file, run.card_file, run.weights_file, run.checkpoint, run.history_file, run.maps_file]
    files += [run.predictions_file("<data>", "<split>"), run.metrics_file("<data>", "<split>")]
    files += [run.figure_file("attention"), run.figure_file("loss"), run.forms_file]
    text = TEXTS[f"{REFERENCE}/files.md"]
    assert not {file.relative_to("RUN").as_posix() for file in files if file.relative_to("RUN").as_posix() not in text}
    assert not {column for column in (*HISTORY, *predictions_schema().names) if column not in words_of(text)}


def test_every_data_set_and_model_is_described():
    assert not {name for name in data_sets() if name not in words_of(DOCS)}
    assert not {name for name in TABLE1 if name not in words_of(DOCS)}


def fields_of(kind):
    return {spec.name for spec in dataclasses.fields(kind)}


@pytest.mark.parametrize("kind", [Card, TeamCard, Listing])
def test_every_field_of_a_card_and_of_the_manifest_is_described(kind):
    assert not {name for name in fields_of(kind) if f"`{name}`" not in TEXTS[f"{REFERENCE}/files.md"]}


def test_every_file_of_a_team_is_described():
    folder = TeamFolder(Path("TEAM"))
    for file in (folder.card_file.name, folder.statistics_file.name, "seed<k>.safetensors"):
        assert f"| `{file}` |" in TEXTS[f"{REFERENCE}/files.md"]


def test_every_part_of_an_explanation_is_described():
    for page in ("files.md", "measures.md"):
        missing = set(parts()) - {"maps"} - words_of(TEXTS[f"{REFERENCE}/{page}"])
        assert not missing


def test_the_variables_of_the_environment_are_those_that_the_package_reads():
    read = {name for path in (ROOT / "src").rglob("*.py") for name in re.findall(r"EQUIRADIO_[A-Z]+", path.read_text(encoding="utf-8"))}
    assert set(re.findall(r"EQUIRADIO_[A-Z]+", DOCS)) == read


def slug(heading):
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")


def broken_links(name, text):
    """Targets of links and pictures that lead nowhere, and anchors that their page does not have."""
    wrong, spoken = set(), re.sub(r"^```.*?^```|`[^`\n]*`", "``", text, flags=re.DOTALL | re.MULTILINE)
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]+)?\)", spoken):
        path = (ROOT / name).parent.joinpath(target) if target else ROOT / name
        if not path.exists():
            wrong.add(target)
        elif anchor:
            body = re.sub(r"^```.*?^```", "", text if not target else path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
            if anchor[1:] not in {slug(heading) for heading in re.findall(r"^#+ (.*)", body, re.MULTILINE)}:
                wrong.add(target + anchor)
    return wrong


@pytest.mark.parametrize("name", TEXTS)
def test_links_between_documents_lead_somewhere(name):
    assert not broken_links(name, TEXTS[name])


def test_the_check_of_links_can_fail():
    text = "# One\n[a](nowhere.md) [b](#one) [c](#two) [d](docs/README.md#nothing) ![e](docs/images/none.png)"
    assert broken_links("README.md", text) == {"nowhere.md", "#two", "docs/README.md#nothing", "docs/images/none.png"}


def test_every_page_is_of_one_kind_and_in_the_index():
    pages = {name.removeprefix("docs/") for name in TEXTS if name.startswith("docs/")} - {"README.md"}
    assert {page.split("/")[0] for page in pages} == set(KINDS)
    assert set(re.findall(r"^- \[[^]]+\]\(([^)]+)\): ", TEXTS["docs/README.md"], re.MULTILINE)) == pages


DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")


def undated(text):
    """Headings of sections of a notebook whose first line has no date."""
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    return [heading for heading, body in zip(parts[1::2], parts[2::2], strict=True) if not DATE.search(body.strip().split("\n\n")[0])]


@pytest.mark.parametrize("name", TEXTS)
def test_notebooks_are_dated_and_nothing_else_is(name):
    if name.startswith("docs/notebook/"):
        assert not undated(TEXTS[name])
    else:
        assert not DATE.findall(re.sub(r"`[^`]*`", "", TEXTS[name]))


def test_the_check_of_dates_can_fail():
    assert undated("# A\n\n## One\n\n2026-11-22, here.\n\n## Two\n\nWords.\n\n2026-11-22\n") == ["Two"]


PROSE = 120


def long_lines(text):
    """Lines of prose that are too long; tables, code, headings and what cannot be broken (a link, a span of code) may be."""
    lines, fenced = [], False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        short = re.sub(r"<!-- .*? -->", "", line)
        whole = len(re.findall(r"(?:`[^`]*`|!?\[[^\]]*\]\([^)]*\)|\S)+", short)) < 2  # one link, one span of code
        if len(short) > PROSE and not (fenced or whole or line.startswith(("|", "#", "    "))):
            lines.append(line)
    return lines


@pytest.mark.parametrize("name", TEXTS)
def test_lines_of_prose_are_short(name):
    assert not long_lines(TEXTS[name])


def test_the_check_of_lines_can_fail():
    long, link = "word " * 30, f"[{'word ' * 30}](target.md)"
    assert long_lines(f"{long}\n| {long} |\n```\n{long}\n```\n    {long}\n{link}\n- {long}") == [long, f"- {long}"]


def script(name):
    """A module of scripts/, which finds its neighbours as a script does."""
    spec = spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "docs/notebook/reproduction.md", "docs/notebook/answering.md"])
def test_numbers_are_those_of_the_results_and_the_cards(name):
    lists = script("list_runs")
    assert name in lists.TARGETS
    assert set(re.findall(r"<!-- ([a-z-]+): begin -->", TEXTS[name])) <= set(lists.parts())
    assert lists.filled(TEXTS[name]) == TEXTS[name]


def test_a_stale_number_is_caught():
    fresh, lists = TEXTS["README.md"], script("list_runs")
    for old, new in (
        ("all eight", "four of the eight"),
        ("| `lenet` | 5 |", "| `lenet` | 4 |"),
        ("the default team, three", "the default team, two"),
    ):
        assert old in fresh
        assert lists.filled(fresh.replace(old, new)) == fresh


def test_a_run_without_scores_is_left_out_of_the_list_and_another_preset_is_named(tmp_path, monkeypatch):
    lists = script("list_runs")
    rows = [line.split(" | ")[0] for line in lists.details() if ", seed " in line]
    names = [folder.name for folder in sorted((lists.RESULTS / "runs").iterdir())]
    runs = Path(copytree(lists.RESULTS / "runs" / names[0], tmp_path / "runs" / names[0])).parent
    (runs / names[0] / "card.json").write_text((runs / names[0] / "card.json").read_text().replace('"preset": "fast"', '"preset": "paper"'))
    (runs / "without").mkdir()
    (runs / "without" / "card.json").write_text((runs / names[0] / "card.json").read_text())
    (runs / "notes.txt").write_text("no run")
    monkeypatch.setattr(lists, "RESULTS", tmp_path)
    assert [line.split(" | ")[0] for line in lists.details() if ", seed " in line] == [f"{rows[0]}, preset paper"]


def test_the_timings_are_those_of_the_results():
    name = "docs/notebook/performance.md"
    assert script("list_speed").filled(TEXTS[name]) == TEXTS[name]


def test_the_tables_of_transfer_are_those_of_the_results():
    name = f"{REFERENCE}/transfer.md"
    assert script("list_transfer").filled(TEXTS[name]) == TEXTS[name]


def test_the_python_names_are_those_that_there_are():
    name = f"{REFERENCE}/python.md"
    assert script("list_python").filled(TEXTS[name]) == TEXTS[name]


ALLOWED = r"20\d\d\b|E\(2\)|C4|D4|Table 1|doi:[\d./a-z]+|BSD-3-Clause|CC BY 4\.0|\(#[\w-]+\)|Figures 1 to 3"


def numbers_in_prose(text):
    """Numbers of a text outside code, links and markers."""
    for pattern in (r"^```.*?^```", r"<!-- ([a-z-]+): begin -->.*?<!-- \1: end -->", r"`[^`]*`", r"\]\([^)]*\)", ALLOWED):
        text = re.sub(pattern, "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\d[\d.,]*", text)


def test_the_readme_has_no_number_that_no_script_writes():
    assert not numbers_in_prose(TEXTS["README.md"])
    assert numbers_in_prose("Accuracy 86.9 % of 153, `x1`, [a](b2.md), C4 <!-- a: begin -->5<!-- a: end -->.") == ["86.9", "153,"]


NAMED = re.compile(r"`((?:src|tests|scripts|benchmarks|configs|results)/[\w./-]*)`")


def test_pages_that_code_names_exist():
    files = [path for folder in ("src", "scripts", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    named = {page for path in files for page in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))}
    assert f"{REFERENCE}/files.md" in named
    assert not {page for page in named if not (ROOT / page).exists()}


@pytest.mark.parametrize("name", TEXTS)
def test_files_of_the_repository_that_are_named_exist(name):
    made = {"results/report"}
    assert not {path for path in NAMED.findall(TEXTS[name]) if not (ROOT / path).exists()} - made


@pytest.mark.parametrize("name", TEXTS)
def test_no_document_holds_a_path_of_somebody_s_machine(name):
    assert not re.findall(r"(?<![\w.])/(?:work|root|home|tmp|Users)/\S*", TEXTS[name])


def test_columns_and_flags_of_the_catalogue_are_documented():
    for field in catalogue_schema():
        about = {key.decode(): value.decode() for key, value in field.metadata.items()}
        assert f"| `{field.name}` | {about['unit']} | {about['description']} |" in TEXTS[f"{REFERENCE}/catalogue.md"]
    for flag in FLAGS:
        assert f"| {flag.bit} | `{flag.name}` | {'no answer: ' if flag.fatal else ''}{flag.meaning} |" in TEXTS[f"{REFERENCE}/catalogue.md"]
        assert not flag.fatal or flag.name == "unreadable" or f"\n| `{flag.name}` | `" in TEXTS[f"{REFERENCE}/errors.md"]
