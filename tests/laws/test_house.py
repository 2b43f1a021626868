"""The house keeps its shape: short files and functions, plain words, few facts read from names."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "equiradio"
FILES = sorted([*SOURCE.rglob("*.py"), *SOURCE.rglob("*.js")])
LONGEST_FILE, LONGEST_FUNCTION = 300, 40
PRIVATE_WORDS = {"told", "said", "found", "known", "kept"}

REFUSAL = {"where", "found", "expected", "do"}  # fields of a refusal

Function = ast.FunctionDef | ast.AsyncFunctionDef


def long_functions(text: str) -> list[str]:
    """Functions of more lines than `LONGEST_FUNCTION`, all lines counted: docstring, comments and functions inside."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, Function)]
    return [node.name for node in functions if node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION]


def inside(scope: ast.AST):
    """Everything in a function, class or module, but not in the functions and classes inside it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            yield from inside(node)


def refused(scope: ast.AST) -> set[str]:
    """Names that stand for what a refusal has found: its second argument, behind the flag of an `ImageRefusal` the third.

    `Refusal` itself may use the word, and so may the class of the viewer's answers that has its fields.
    """
    names = set()
    if isinstance(scope, Function) and [argument.arg for argument in scope.args.args[:3]] == ["self", "where", "found"]:
        names.add("found")
    if isinstance(scope, ast.ClassDef) and REFUSAL <= names_in(scope):
        names.add("found")
    for call in (node for node in inside(scope) if isinstance(node, ast.Call)):
        called = ast.unparse(call.func)
        if called.endswith("Refusal") or called == "super().__init__":
            place = 2 if called == "ImageRefusal" else 1
            names |= {argument.id for argument in call.args[place : place + 1] if isinstance(argument, ast.Name)}
    return names


def names_in(scope: ast.AST) -> set[str]:
    """Variables and arguments of a function, or names of a module or class."""
    names = {node.id for node in inside(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.arg for node in inside(scope) if isinstance(node, ast.arg)}
    return names


def private_words(text: str) -> list[str]:
    """Variables and arguments named by a word of the private vocabulary; what a refusal has found may be called so."""
    tree = ast.parse(text)
    words = set()
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, Function | ast.ClassDef))]:
        words |= names_in(scope) & PRIVATE_WORDS - (refused(scope) & {"found"})
    return sorted(words)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_functions_are_short_and_words_are_plain(path):
    text = path.read_text(encoding="utf-8")
    if path.parent.name != "cli":  # where a verb's options are its arguments
        assert not long_functions(text)
    assert not private_words(text)


def placeless_legends(text):
    """Lines of legends that look for the best place themselves, which takes matplotlib seconds, and a warning, on a busy machine."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [call.lineno for call in calls if call.func.attr == "legend" and not {"loc", None} & {each.arg for each in call.keywords}]


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_legends_have_a_place(path):
    assert not placeless_legends(path.read_text(encoding="utf-8"))


def test_the_checks_can_fail():
    assert placeless_legends("axes.legend(frameon=False)\naxes.legend(loc='lower left')\naxes.legend(**place)\n") == [1]
    assert long_functions("def f():\n" + "    pass\n" * 40) == ["f"]
    assert long_functions("def f():\n" + "    pass\n" * 39) == []
    assert long_functions('def f():\n    """Words.\n' + "\n" * 39 + '    """\n') == ["f"]
    assert long_functions("def f():\n    def g():\n" + "        pass\n" * 39) == ["f"]
    assert private_words("told = 1\n\ndef f(known): pass\n") == ["known", "told"]
    assert private_words("found = 1\nraise Refusal('x', found, 'y', 'z')\n") == []
    assert private_words("found = 1\nraise ImageRefusal('flag', 'x', found, 'y', 'z')\n") == []
    assert private_words("found = 1\nraise Refusal('x', 'y', found, 'z')\n") == ["found"]
    assert private_words("def f():\n    found = 1\n\ndef g(found):\n    raise Refusal('x', found, 'y', 'z')\n") == ["found"]
    assert private_words("kept = 1\nraise Refusal('x', kept, 'y', 'z')\n") == ["kept"]
    assert private_words("class A:\n    where = found = expected = do = ''\n") == []
    assert private_words("class A:\n    found = ''\n") == ["found"]
    assert private_words("found = 1\n") == ["found"]
