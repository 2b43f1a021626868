"""What the documents say of the command, the settings and the files is what there is, and they leave nothing out."""

import re
from pathlib import Path

import pytest
import typer

from equiradio.artefacts.catalogue import catalogue_schema
from equiradio.artefacts.flags import FLAGS
from equiradio.artefacts.run import HISTORY, Run
from equiradio.artefacts.tables import predictions_schema
from equiradio.cli.main import app
from equiradio.datasets.registry import data_sets
from equiradio.models.names import TABLE1
from equiradio.settings import HABITS, PRESETS, keys

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
DOCS = "\n".join(text for name, text in TEXTS.items() if name.startswith("docs/"))
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
        return "" if all(word in ("--help", "--version") for word in words) else f"no option {words[0]}"
    for spoken in words[0].split("|"):
        names = (spoken,)
        if names in GROUPS:
            following = words[1] if len(words) > 1 else "--help"
            wrong = [word for word in following.split("|") if not word.startswith("-") and (*names, word) not in VERBS]
            if wrong:
                return f"no verb {spoken} {wrong[0]}"
            parts = [VERBS[(*names, word)] for word in following.split("|") if not word.startswith("-")]
        elif names in VERBS:
            parts = [VERBS[names]]
        else:
            return f"no verb {spoken}"
        known = {option for part in parts for parameter in part.params for option in parameter.opts} | {"--help"}
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(words)):
            if option not in known:
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
    text = next((text for name, text in TEXTS.items() if name.endswith("settings.md")), "")
    known = words_of(text)
    assert not {key for key in keys() if key not in known and key.partition(".")[2] not in known}
    choices = {str(choice) for spec in keys().values() for choice in spec.metadata["choices"]}
    assert not choices - known
    assert not set(PRESETS) - known
    assert not set(HABITS) - known


def test_no_document_names_a_setting_that_is_not():
    text = "\n".join(text for name, text in TEXTS.items() if name != "docs/errors.md")  # which shows mistakes on purpose
    named = re.findall(r"(?<![\w.])((?:model|data|training)\.[a-z_]+)(?![\w.(/])", text)
    assert not set(named) - keys().keys() - {"data.md", "training.md", "model.md"}


def test_every_file_of_a_run_is_described():
    run = Run(Path("RUN"))
    files = [run.settings_file, run.card_file, run.weights_file, run.checkpoint, run.history_file, run.maps_file]
    files += [run.predictions_file("<data>", "<split>"), run.metrics_file("<data>", "<split>")]
    files += [run.figure_file("attention"), run.figure_file("loss")]
    text = TEXTS.get("docs/files.md", "")
    assert not {file.relative_to("RUN").as_posix() for file in files if file.relative_to("RUN").as_posix() not in text}
    assert not {column for column in (*HISTORY, *predictions_schema().names) if column not in words_of(text)}


def test_every_data_set_and_model_is_described():
    assert not {name for name in data_sets() if name not in words_of(DOCS)}
    assert not {name for name in TABLE1 if name not in words_of(DOCS)}


@pytest.mark.parametrize("name", TEXTS)
def test_links_between_documents_lead_somewhere(name):
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", TEXTS[name])
    assert not {target for target in targets if not (ROOT / name).parent.joinpath(target).exists()}


@pytest.mark.parametrize("name", TEXTS)
def test_no_document_holds_a_path_of_somebody_s_machine(name):
    assert not re.findall(r"(?<![\w.])/(?:work|root|home|tmp|Users)/\S*", TEXTS[name])


def test_columns_and_flags_of_the_catalogue_are_documented():
    for field in catalogue_schema():
        about = {key.decode(): value.decode() for key, value in field.metadata.items()}
        assert f"| `{field.name}` | {about['unit']} | {about['description']} |" in TEXTS["docs/classify.md"]
    for flag in FLAGS:
        assert f"| {flag.bit} | `{flag.name}` | {'no answer: ' if flag.fatal else ''}{flag.meaning} |" in TEXTS["docs/classify.md"]
        assert not flag.fatal or flag.name == "unreadable" or f"\n| `{flag.name}` | `" in TEXTS["docs/errors.md"]
