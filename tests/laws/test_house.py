"""The house keeps its shape: short files and functions, plain words, few facts read from names."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "equiradio"
FILES = sorted([*SOURCE.rglob("*.py"), *SOURCE.rglob("*.js")])
LONGEST_FILE, LONGEST_FUNCTION = 300, 40
PRIVATE_WORDS = {"told", "said", "found", "known", "kept"}


def functions(tree: ast.AST):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def long_functions(text: str) -> list[str]:
    """Functions of more lines than `LONGEST_FUNCTION`, less those of functions inside them."""
    names = []
    for node in functions(ast.parse(text)):
        inner = sum(each.end_lineno - each.lineno + 1 for each in ast.walk(node) if each is not node and each in functions(node))
        if node.end_lineno - node.lineno + 1 - inner > LONGEST_FUNCTION:
            names.append(node.name)
    return names


def private_words(text: str) -> list[str]:
    """Variables and arguments named by a word of the private vocabulary; what a refusal has found may be called so."""
    tree = ast.parse(text)
    refused = {
        argument.id
        for call in ast.walk(tree)
        if (isinstance(call, ast.Call) and "Refusal" in ast.unparse(call.func))
        or (isinstance(call, ast.Call) and "__init__" in ast.unparse(call.func))
        for argument in call.args
        if isinstance(argument, ast.Name)
    }
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    names += [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    allowed = {"found"} if "found" in refused else set()
    return sorted(set(names) & PRIVATE_WORDS - allowed)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_functions_are_short_and_words_are_plain(path):
    text = path.read_text(encoding="utf-8")
    if path.parent.name != "cli":  # where a verb's options are its arguments
        assert not long_functions(text)
    assert not private_words(text)


def test_the_checks_can_fail():
    assert long_functions("def f():\n" + "    pass\n" * 41) == ["f"]
    assert long_functions("def f():\n" + "    pass\n" * 39) == []
    assert private_words("told = 1\n\ndef f(known): pass\n") == ["known", "told"]
    assert private_words("found = 1\nraise Refusal('x', found, 'y', 'z')\n") == []
    assert private_words("found = 1\n") == ["found"]
