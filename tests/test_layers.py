"""The layering rule: what a module imports when it is loaded lies below it, and some libraries have one home."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "styleheat_cli"

LAYERS = (  # from the top; a module may import from its own layer's package and from the layers under it
    ("app",),
    ("commands",),
    ("batch",),
    ("execute",),
    ("outputs",),
    ("preflight",),
    ("recipe",),
    ("ops",),
    ("training",),
    ("metrics",),
    ("engine",),
    ("checkpoints",),
    ("face", "media", "networks"),  # these three do not know each other
    ("shot", "errors", "progress"),
)
HOME = {"typer": {"app", "commands"}, "rich": {"commands"}, "av": {"media"}, "ray": {"batch"}, "socket": set()}
DEPTH = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}
LIGHT = ("app", "commands", "batch", "execute", "outputs", "preflight", "recipe", "ops")
HEAVY = {"torch", "av", "cv2", "mediapipe", "numpy", "scipy", "librosa", "insightface", "skimage", "PIL"}


def loaded(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run with the module: not those inside functions, nor those for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from loaded(ast.Module(node.orelse, []))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from loaded(node)


def targets(node: ast.Import | ast.ImportFrom, package: list[str]) -> list[list[str]]:
    """The dotted names that an import statement reaches, as parts, relative ones made absolute."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".") for alias in node.names]
    base = package[: len(package) + 1 - node.level] if node.level else []
    stem = base + (node.module.split(".") if node.module else [])
    return [[*stem, alias.name] for alias in node.names]


def faults(source: str, where: tuple[str, ...]) -> list[str]:
    """What is wrong with the imports of a module at this place in the package."""
    top = where[0].removesuffix(".py")
    package = ["styleheat_cli", *where[:-1]]
    found = []
    for node in loaded(ast.parse(source)):
        for root, *rest in targets(node, package):
            if root == "styleheat_cli" and rest and rest[0] in DEPTH and top in DEPTH:
                below = DEPTH[rest[0]] > DEPTH[top] or rest[0] == top
                found += [] if below else [f"line {node.lineno}: {top} may not import {rest[0]}"]
            if root in HOME and top not in HOME[root]:
                found.append(f"line {node.lineno}: {root} belongs to {', '.join(sorted(HOME[root])) or 'nobody'}")
            if root in HEAVY and top in LIGHT:
                found.append(f"line {node.lineno}: {root} is heavy: import it where it is used")
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_imports_point_down(path):
    assert faults(path.read_text("utf-8"), path.relative_to(PACKAGE).parts) == []


@pytest.mark.parametrize(
    ("source", "where", "fault"),
    [
        ("from ..engine import x", ("face", "track.py"), "face may not import engine"),
        ("from ..media.reader import probe", ("face", "track.py"), "face may not import media"),
        ("import styleheat_cli.app", ("ops", "x.py"), "ops may not import app"),
        ("from . import execute", ("recipe.py",), "recipe may not import execute"),
        ("class A:\n    import av", ("engine", "x.py"), "av belongs to media"),
        ("try:\n    import torch\nexcept ImportError: pass", ("ops", "x.py"), "torch is heavy"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import typer", ("ops", "x.py"), "typer belongs to"),
    ],
)
def test_a_planted_fault_is_found(source, where, fault):
    assert any(fault in found for found in faults(source, where))


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("from ..shot import Clip", ("face", "track.py")),
        ("def f():\n    import torch\n    from ..engine import x", ("ops", "x.py")),
        ("if TYPE_CHECKING:\n    from ..engine import Engine", ("ops", "x.py")),
        ("from .reader import probe", ("media", "writer.py")),
    ],
)
def test_what_is_allowed_is_not_reported(source, where):
    assert faults(source, where) == []


def test_every_module_has_a_layer():
    known = set(DEPTH) | {"__init__", "__main__"}
    assert {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.suffix in ("", ".py")} - {"_data", "__pycache__"} <= known
