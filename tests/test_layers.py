"""Layering: packages import lower layers only, files form no cycle, plugins use the public API."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from mtlsearch.plugin import STATIC
from mtlsearch.registry import build_registry
from mtlsearch.results import Baseline
from tests.imports import Import, Tree

ROOT = Path(__file__).resolve().parents[1]
HOST = Tree("mtlsearch", ROOT / "mtlsearch")
BUILT_IN = (
    Tree("mtlsearch_plugins", ROOT / "plugins"),
    Tree("mtlsearch_search_spaces", ROOT / "search_spaces"),
)
PLUGIN_PACKAGES = {tree.name for tree in BUILT_IN}
DEPTH = Tree("mtlsearch_depth", ROOT / "examples" / "mtlsearch-depth")
PUBLIC = ("mtlsearch.plugin", "mtlsearch.plugin.layers")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


def read_layers(page: str) -> list[str]:
    """Return the layers that AGENTS.md lists, lowest first."""
    match = re.search(r"`(errors < .*?)`", page)
    assert match is not None
    return match[1].split(" < ")


LAYERS = read_layers((ROOT / "AGENTS.md").read_text(encoding="utf-8"))

ROOT_IMPORTS = {"api", "errors"}
"""Layers that the root package imports, on first use of a name."""

HEAVY = ("torch", "torchvision", "timm")
FORBIDDEN = {
    "search": (*HEAVY, *(f"mtlsearch.{name}" for name in ("files", "registry", "data", "models"))),
    "study": (*HEAVY, "mtlsearch.training", "mtlsearch.models"),
    "results": HEAVY,
}
"""Modules that a layer never imports, not even inside a function."""


def find_layer_violations(tree: Tree, layers: Sequence[str]) -> Iterator[str]:
    """Yield imports of higher layers and of private names of other packages."""
    for module in tree.modules:
        layer = _layer(module)
        for imported in tree.imports(module):
            if imported.module.partition(".")[0] != tree.name:
                continue
            target = _layer(imported.module)
            if target and target not in layers:
                yield f"{imported}, which is in no layer"
            elif not layer and target in ROOT_IMPORTS:
                continue
            elif _is_above(layer, target, layers):
                yield f"{imported}, which is above"
            elif _is_private(tree, module, imported):
                yield f"{imported}, which is private"


def _layer(module: str) -> str:
    """Return the layer: ``plan`` for ``mtlsearch.plan._cost``, empty for ``mtlsearch``."""
    return module.split(".")[1] if "." in module else ""


def _is_above(layer: str, target: str, layers: Sequence[str]) -> bool:
    if not target or target == layer:
        return False
    return not layer or layers.index(target) > layers.index(layer)


def _is_private(tree: Tree, module: str, imported: Import) -> bool:
    """Check whether a name is private to a package that does not contain the importing module."""
    parts = [*imported.module.split("."), *([imported.name] if imported.name else [])]
    package = tree.package_of(module).split(".")
    for index, part in enumerate(parts):
        if part.startswith("_") and not part.startswith("__"):
            owner = parts[:index]
            name = ".".join(owner)
            if name in tree.modules and tree.package_of(name) != name:
                owner = owner[:-1]  # a private name of a file belongs to the file's package
            if package[: len(owner)] != owner:
                return True
    return False


def find_cycle(tree: Tree) -> list[str]:
    """Return the files of one import cycle, imports for types included; empty if none exists."""
    graph = {}
    for module in tree.modules:
        imported = {name.module for name in tree.imports(module)}
        graph[module] = {name for name in imported if name in tree.modules} - {module}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def find_plugin_violations(tree: Tree, host: Tree) -> Iterator[str]:
    """Yield imports of a plugin that a third-party package could not rely on."""
    for module in tree.modules:
        package = ".".join(module.split(".")[:2])
        for imported in tree.imports(module, host, *BUILT_IN):
            top = imported.module.partition(".")[0]
            if top == host.name and not _is_public(imported):
                yield f"{imported}, which is not public"
            if top in PLUGIN_PACKAGES and not f"{imported.module}.".startswith(f"{package}."):
                yield f"{imported}, which belongs to another plugin"


def _is_public(imported: Import) -> bool:
    if imported.module not in PUBLIC:
        return False
    return not imported.name or imported.name in import_module(imported.module).__all__


def find_plugin_names(tree: Tree, names: Collection[str]) -> Iterator[str]:
    """Yield strings that name a task kind, a source, a search space or a balancer."""
    for module in tree.modules:
        for place, text in tree.texts(module):
            if text in names:
                yield f"{place} contains the name {text!r}"


def find_vague_names(folder: Path) -> Iterator[str]:
    """Yield folders and files with a name such as ``utils``."""
    for path in sorted(folder.rglob("*")):
        is_named = path.is_dir() or path.suffix == ".py"
        if is_named and path.stem.strip("_") in VAGUE_NAMES:
            yield f"{path.relative_to(folder)} has a vague name"


def find_public_files(tree: Tree) -> list[str]:
    """Return modules inside a layer that are not private."""
    return [
        str(file.relative_to(tree.folder))
        for module, file in tree.modules.items()
        if _layer(module) and file.name != "__init__.py" and not file.name.startswith("_")
    ]


def test_layers_are_the_listed_packages() -> None:
    folders = {path.parent.name for path in HOST.folder.glob("*/__init__.py")}
    assert folders == set(LAYERS)
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    block = re.search(r"```text\n(errors .*?)```", design, re.DOTALL)
    assert block is not None
    assert re.findall(r"^(\w+)  ", block[1], re.MULTILINE) == LAYERS


def test_layers_import_lower_layers_only() -> None:
    assert list(find_layer_violations(HOST, LAYERS)) == []


@pytest.mark.parametrize("tree", [HOST, *BUILT_IN], ids=lambda tree: tree.name)
def test_files_form_no_cycle(tree: Tree) -> None:
    assert find_cycle(tree) == []


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_layer_never_imports_forbidden_modules(layer: str) -> None:
    reached = [
        str(imported)
        for module in HOST.modules
        if _layer(module) == layer
        for imported in HOST.imports(module)
        for name in FORBIDDEN[layer]
        if f"{imported.module}.".startswith(f"{name}.")
    ]
    assert reached == []


def test_layers_have_private_files_only() -> None:
    assert find_public_files(HOST) == []
    assert list(HOST.folder.glob("*.py")) == [HOST.folder / "__init__.py"]


@pytest.mark.parametrize("tree", [*BUILT_IN, DEPTH], ids=lambda tree: tree.name)
def test_plugins_use_the_public_api_only(tree: Tree) -> None:
    # The tests of a plugin take the contract suites from mtlsearch.testing.
    violations = find_plugin_violations(tree, HOST)
    assert [violation for violation in violations if "/test_" not in violation] == []


def test_host_imports_no_plugin() -> None:
    reached = {
        imported.module.partition(".")[0]
        for module in HOST.modules
        for imported in HOST.imports(module)
    }
    assert not reached & PLUGIN_PACKAGES


def test_host_contains_no_plugin_name() -> None:
    """Except the baselines' names, the balancer that changes nothing and a format of tables."""
    registry = build_registry()
    built_in = [plugin for plugin in registry.plugins if plugin.where.startswith("mtlsearch: ")]
    names = {
        name
        for plugin in built_in
        for contributed in plugin.contributions.values()
        for name in contributed
    }
    assert len(names) >= len(built_in) > 0
    assert list(find_plugin_names(HOST, names - {*get_args(Baseline), STATIC, "csv"})) == []


@pytest.mark.parametrize("folder", ["mtlsearch", "plugins", "search_spaces", "tests", "benchmarks"])
def test_no_file_has_a_vague_name(folder: str) -> None:
    assert list(find_vague_names(ROOT / folder)) == []


LIGHT = {
    "": (),
    "api": (),
    "errors": (),
    "files": (),
    "plan": (),
    "images": ("numpy", "PIL"),
    "labels": ("numpy",),
    "cli": ("typer", "rich"),
    "prediction": ("numpy", "PIL"),
    "bundle": ("numpy", "PIL", "onnxruntime"),
    "plugin": ("numpy", "PIL", "pluggy", "pydantic"),
    "config": ("pydantic", "ruamel"),
    "results": ("numpy", "PIL", "pluggy", "pydantic"),
    "registry": ("numpy", "PIL", "pluggy", "pydantic", "ruamel"),
    "affinity": ("numpy", "PIL", "pluggy", "pydantic", "ruamel"),
}
"""Layers that start fast or run on small machines, with the libraries they may import.

The empty name is the root package.
"""

WATCHED = (
    *("torch", "torchvision", "timm", "pandas", "optuna", "matplotlib", "onnx", "onnxruntime"),
    *("numpy", "PIL", "pluggy", "pydantic", "ruamel", "typer", "rich", "torchmetrics"),
)

PROBE = """
import importlib, json, subprocess, sys
imported = {}
for layer in json.loads(sys.argv[1]):
    name = f"mtlsearch.{layer}".rstrip(".")
    code = f"import json, sys, {name}; print(json.dumps([*sys.modules]))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    imported[layer] = [name for name in json.loads(output) if "." not in name]
print(json.dumps(imported))
"""


def test_light_layers_import_no_heavy_library() -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(list(LIGHT))],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    imported = json.loads(process.stdout)
    for layer, allowed in LIGHT.items():
        assert "mtlsearch" in imported[layer]
        assert set(imported[layer]) & set(WATCHED) <= set(allowed), layer


# Each rule above is tried on a package with one planted violation.

PACKAGE = {
    "__init__.py": "",
    "low/__init__.py": "from sample.low._a import thing\n",
    "low/_a.py": "thing = 1\n",
    "low/layers/__init__.py": "",
    "low/layers/_deep.py": "from sample.low._a import thing\n",
    "high/__init__.py": "",
    "high/_b.py": "from sample.low import thing\nfrom sample.low import layers\nimport sample\n",
}

UPWARD = {
    "plain": "import sample.high\n",
    "from": "from sample.high import thing\n",
    "of the root": "from sample import high\n",
    "relative": "from ..high import thing\n",
    "relative root": "from .. import high\n",
    "lazy": "def f():\n    from sample.high import thing\n",
    "for types": "if TYPE_CHECKING:\n    from sample.high import thing\n",
    "in a class": "class A:\n    import sample.high as up\n",
    "by name": "import importlib\nimportlib.import_module('sample.high')\n",
    "private": "from sample.high._b import thing\n",
}

PRIVATE = {
    "module": "import sample.low._a\n",
    "from a module": "from sample.low._a import thing\n",
    "a module": "from sample.low import _a\n",
    "relative": "from ..low._a import thing\n",
    "a private name": "from sample.low import _thing\n",
    "lazy": "def f():\n    from sample.low._a import thing\n",
    "by name": "modules = ['sample.low._a']\n",
    "of a sub-package": "from sample.low.layers._deep import thing\n",
}


def build(folder: Path, extra: dict[str, str]) -> Tree:
    for name, text in {**PACKAGE, **extra}.items():
        file = folder / "sample" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Tree("sample", folder / "sample")


def test_a_clean_package_has_no_violation(tmp_path: Path) -> None:
    text = "from sample.low._a import thing\n'''sample.high'''\n"
    tree = build(tmp_path, {"low/_c.py": text})
    assert list(find_layer_violations(tree, ["low", "high"])) == []
    assert find_public_files(tree) == []
    assert list(find_vague_names(tree.folder)) == []
    assert find_cycle(tree) == []


@pytest.mark.parametrize("text", UPWARD.values(), ids=UPWARD)
def test_an_upward_import_is_reported(tmp_path: Path, text: str) -> None:
    violations = list(find_layer_violations(build(tmp_path, {"low/_c.py": text}), ["low", "high"]))
    assert violations
    assert all("sample/low/_c.py:" in text and text.endswith("above") for text in violations)


@pytest.mark.parametrize("text", PRIVATE.values(), ids=PRIVATE)
def test_an_import_of_a_private_file_is_reported(tmp_path: Path, text: str) -> None:
    (violation,) = find_layer_violations(build(tmp_path, {"high/_c.py": text}), ["low", "high"])
    assert "sample/high/_c.py:" in violation
    assert violation.endswith("which is private")


def test_a_sub_package_is_private_to_its_siblings(tmp_path: Path) -> None:
    tree = build(tmp_path, {"low/_c.py": "from sample.low.layers._deep import thing\n"})
    (violation,) = find_layer_violations(tree, ["low", "high"])
    assert violation.endswith("which is private")


@pytest.mark.parametrize("form", ["{}", "def f():\n    {}", "if TYPE_CHECKING:\n    {}"])
def test_a_cycle_between_files_is_reported(tmp_path: Path, form: str) -> None:
    tree = build(tmp_path, {
        "low/_c.py": form.format("from sample.low._d import d") + "\n",
        "low/_d.py": "from sample.low._c import c\n",
    })  # fmt: skip
    assert {"sample.low._c", "sample.low._d"} == set(find_cycle(tree))


def test_the_root_package_imports_no_layer(tmp_path: Path) -> None:
    tree = build(tmp_path, {"__init__.py": "from sample.low import thing\n"})
    (violation,) = find_layer_violations(tree, ["low", "high"])
    assert "sample/__init__.py:1" in violation


def test_an_unlisted_layer_is_reported(tmp_path: Path) -> None:
    tree = build(tmp_path, {"new/__init__.py": "", "high/_c.py": "import sample.new\n"})
    (violation,) = find_layer_violations(tree, ["low", "high"])
    assert violation.endswith("which is in no layer")


@pytest.mark.parametrize(
    "text",
    [
        "from mtlsearch.errors import DataError",
        "from mtlsearch import errors",
        "import mtlsearch.data",
        "from mtlsearch.plugin._task import Task",
        "from mtlsearch.plugin import _task",
        "from mtlsearch.plugin import _missing_hooks",
        "from mtlsearch.testing import TaskContract",
        "from mtlsearch_plugins.voc import Voc",
    ],
)
def test_a_private_import_of_a_plugin_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text(f"def f():\n    {text}\n")
    assert len(list(find_plugin_violations(Tree("mine", tmp_path / "mine"), HOST))) == 1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("if kind == 'voc': pass", 1),
        ("if 'voc' in kinds: pass", 1),
        ("if kind in {'voc', 'coco'}: pass", 2),
        ("match kind:\n    case 'voc': pass", 1),
        ("table = {'voc': 1}", 1),
        ("'''voc'''\ndef f():\n    'voc'\n", 0),
        ("text = 'as voc does'", 0),
    ],
)
def test_a_plugin_name_in_the_host_is_reported(tmp_path: Path, text: str, count: int) -> None:
    tree = build(tmp_path, {"low/_c.py": text})
    assert len(list(find_plugin_names(tree, {"voc", "coco"}))) == count


def test_a_vague_name_is_reported(tmp_path: Path) -> None:
    tree = build(
        tmp_path,
        {"low/utils/__init__.py": "", "low/_misc.py": "", "high/shown.py": "", "common.py": ""},
    )
    assert len(list(find_vague_names(tree.folder))) == 3
    assert find_public_files(tree) == ["common.py", "high/shown.py"]
