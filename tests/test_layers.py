"""The house stands: floors look down, plugins see the public API alone, the host knows no name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
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
STRANGERS = {tree.name for tree in BUILT_IN}
DEPTH = Tree("mtlsearch_depth", ROOT / "examples" / "mtlsearch-depth")
PUBLIC = ("mtlsearch.plugin", "mtlsearch.plugin.layers")
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}


def floors_of(page: str) -> list[str]:
    """The floors as AGENTS.md lists them, the lowest first."""
    listed = re.search(r"`(errors < .*?)`", page)
    assert listed is not None
    return listed[1].split(" < ")


FLOORS = floors_of((ROOT / "AGENTS.md").read_text(encoding="utf-8"))


def import_faults(tree: Tree, floors: Sequence[str]) -> Iterator[str]:
    """Imports that reach up, or past the front door of a lower floor."""
    for module in tree.modules:
        here = _floor(module)
        for found in tree.imports(module):
            if found.module.partition(".")[0] != tree.name:
                continue
            there = _floor(found.module)
            if there and there not in floors:
                yield f"{found}, which is on no floor"
            elif there and there != here and (not here or floors.index(there) > floors.index(here)):
                yield f"{found}, which is above"
            elif there != here and _is_private(found):
                yield f"{found}, which is private"


def _floor(module: str) -> str:
    """The floor of ``mtlsearch.plan._cost`` is ``plan``; that of ``mtlsearch`` is empty."""
    return module.split(".")[1] if "." in module else ""


def _is_private(found: Import) -> bool:
    parts = [*found.module.split("."), found.name]
    return any(part.startswith("_") and not part.startswith("__") for part in parts)


def stranger_faults(tree: Tree, host: Tree) -> Iterator[str]:
    """Imports of a plugin that a stranger's package could not have, or not for long."""
    for module in tree.modules:
        own = ".".join(module.split(".")[:2])
        for found in tree.imports(module, host, *BUILT_IN):
            top = found.module.partition(".")[0]
            if top == host.name and not _is_public(found):
                yield f"{found}, which is not public"
            if top in STRANGERS and not f"{found.module}.".startswith(f"{own}."):
                yield f"{found}, which is another plugin's"


def _is_public(found: Import) -> bool:
    if found.module not in PUBLIC:
        return False
    return not found.name or found.name in import_module(found.module).__all__


def name_faults(tree: Tree, names: Collection[str]) -> Iterator[str]:
    """Texts that are the name of a task kind, a data set source or a search space."""
    for module in tree.modules:
        for place, text in tree.texts(module):
            if text in names:
                yield f"{place} holds the name {text!r}"


def file_faults(folder: Path) -> Iterator[str]:
    """Names of folders and files that say nothing of what is in them."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and path.name.strip("_") in NAMELESS:
            yield f"{path.relative_to(folder)}/ is named after nothing"
        if path.suffix == ".py" and path.stem.strip("_") in NAMELESS:
            yield f"{path.relative_to(folder)} is named after nothing"


def public_files(tree: Tree) -> list[str]:
    """Modules below a floor that are not private."""
    return [
        str(file.relative_to(tree.folder))
        for module, file in tree.modules.items()
        if _floor(module) and file.name != "__init__.py" and not file.name.startswith("_")
    ]


def test_floors_are_those_that_are_listed() -> None:
    folders = {path.parent.name for path in HOST.folder.glob("*/__init__.py")}
    assert folders == set(FLOORS)
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    block = re.search(r"```text\n(errors .*?)```", design, re.DOTALL)
    assert block is not None
    assert re.findall(r"^(\w+)  ", block[1], re.MULTILINE) == FLOORS


def test_floors_look_down_through_the_front_door() -> None:
    assert list(import_faults(HOST, FLOORS)) == []


def test_nothing_public_lies_beside_the_front_door() -> None:
    assert public_files(HOST) == []
    assert list(HOST.folder.glob("*.py")) == [HOST.folder / "__init__.py"]


@pytest.mark.parametrize("tree", [*BUILT_IN, DEPTH], ids=lambda tree: tree.name)
def test_plugins_use_the_public_api_alone(tree: Tree) -> None:
    # A plugin's own tests take the contract suites from mtlsearch.testing, as every stranger does.
    assert [fault for fault in stranger_faults(tree, HOST) if "/test_" not in fault] == []


def test_the_host_knows_no_plugin() -> None:
    reached = {found.module.partition(".")[0] for at in HOST.modules for found in HOST.imports(at)}
    assert not reached & STRANGERS


def test_the_host_knows_no_name() -> None:
    """But for words of its own: the baselines' roles, and the balance that changes nothing."""
    registry = build_registry()
    of_ours = [at for at in registry.plugins if at.where.startswith("mtlsearch: ")]
    names = {name for at in of_ours for given in at.contributions.values() for name in given}
    assert len(names) >= len(of_ours) > 0
    assert list(name_faults(HOST, names - {*get_args(Baseline), STATIC})) == []


@pytest.mark.parametrize("folder", ["mtlsearch", "plugins", "search_spaces", "tests", "benchmarks"])
def test_everything_has_a_name(folder: str) -> None:
    assert list(file_faults(ROOT / folder)) == []


LIGHT = {
    "errors": (),
    "plan": (),
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
"""Floors that start fast or run on small machines, and the libraries they may bring along."""

WATCHED = (
    *("torch", "torchvision", "timm", "pandas", "optuna", "matplotlib", "onnx", "onnxruntime"),
    *("numpy", "PIL", "pluggy", "pydantic", "ruamel", "typer", "rich", "torchmetrics"),
)

PROBE = """
import importlib, json, os, sys
brought = {}
for floor in json.loads(sys.argv[1]):
    reader, writer = os.pipe()
    if os.fork() == 0:
        importlib.import_module(f"mtlsearch.{floor}")
        os.write(writer, json.dumps([at for at in sys.modules if "." not in at]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        brought[floor] = json.load(pipe)
    os.wait()
print(json.dumps(brought))
"""


def test_light_floors_bring_no_heavy_library() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(list(LIGHT))],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    brought = json.loads(ran.stdout)
    for floor, allowed in LIGHT.items():
        assert "mtlsearch" in brought[floor]
        assert set(brought[floor]) & set(WATCHED) <= set(allowed), floor


# The rules above are worth what they find: a house with one fault each.

HOUSE = {
    "__init__.py": "",
    "low/__init__.py": "from house.low._a import thing\n",
    "low/_a.py": "thing = 1\n",
    "low/layers/__init__.py": "",
    "high/__init__.py": "",
    "high/_b.py": "from house.low import thing\nfrom house.low import layers\nimport house\n",
}

UPWARD = {
    "plain": "import house.high\n",
    "from": "from house.high import thing\n",
    "of the root": "from house import high\n",
    "relative": "from ..high import thing\n",
    "relative root": "from .. import high\n",
    "lazy": "def f():\n    from house.high import thing\n",
    "for types": "if TYPE_CHECKING:\n    from house.high import thing\n",
    "in a class": "class A:\n    import house.high as up\n",
    "by name": "import importlib\nimportlib.import_module('house.high')\n",
    "private": "from house.high._b import thing\n",
}

PAST_THE_DOOR = {
    "module": "import house.low._a\n",
    "from a module": "from house.low._a import thing\n",
    "a module": "from house.low import _a\n",
    "relative": "from ..low._a import thing\n",
    "a private name": "from house.low import _thing\n",
    "lazy": "def f():\n    from house.low._a import thing\n",
    "by name": "modules = ['house.low._a']\n",
}


def build(folder: Path, extra: dict[str, str]) -> Tree:
    for name, text in {**HOUSE, **extra}.items():
        file = folder / "house" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Tree("house", folder / "house")


def test_a_sound_house_has_no_faults(tmp_path: Path) -> None:
    house = build(tmp_path, {"low/_c.py": "from house.low._a import thing\n'''house.high'''\n"})
    assert list(import_faults(house, ["low", "high"])) == []
    assert public_files(house) == []
    assert list(file_faults(house.folder)) == []


@pytest.mark.parametrize("text", UPWARD.values(), ids=UPWARD)
def test_reaching_up_is_found(tmp_path: Path, text: str) -> None:
    faults = list(import_faults(build(tmp_path, {"low/_c.py": text}), ["low", "high"]))
    assert faults
    assert all("house/low/_c.py:" in at and at.endswith("which is above") for at in faults)


@pytest.mark.parametrize("text", PAST_THE_DOOR.values(), ids=PAST_THE_DOOR)
def test_reaching_past_the_door_is_found(tmp_path: Path, text: str) -> None:
    (fault,) = import_faults(build(tmp_path, {"high/_c.py": text}), ["low", "high"])
    assert "house/high/_c.py:" in fault
    assert fault.endswith("which is private")


def test_the_root_imports_no_floor(tmp_path: Path) -> None:
    house = build(tmp_path, {"__init__.py": "from house.low import thing\n"})
    (fault,) = import_faults(house, ["low", "high"])
    assert "house/__init__.py:1" in fault


def test_a_floor_that_is_not_listed_is_found(tmp_path: Path) -> None:
    house = build(tmp_path, {"new/__init__.py": "", "high/_c.py": "import house.new\n"})
    (fault,) = import_faults(house, ["low", "high"])
    assert fault.endswith("which is on no floor")


@pytest.mark.parametrize(
    "text",
    [
        "from mtlsearch.errors import DataError",
        "from mtlsearch import errors",
        "import mtlsearch.data",
        "from mtlsearch.plugin._task import Task",
        "from mtlsearch.plugin import _task",
        "from mtlsearch.plugin import _hooks_of_nobody",
        "from mtlsearch.testing import TaskContract",
        "from mtlsearch_plugins.voc import Voc",
    ],
)
def test_a_plugin_that_knows_too_much_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text(f"def f():\n    {text}\n")
    assert len(list(stranger_faults(Tree("mine", tmp_path / "mine"), HOST))) == 1


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
def test_a_name_in_the_host_is_found(tmp_path: Path, text: str, count: int) -> None:
    house = build(tmp_path, {"low/_c.py": text})
    assert len(list(name_faults(house, {"voc", "coco"}))) == count


def test_names_that_say_nothing_are_found(tmp_path: Path) -> None:
    house = build(
        tmp_path,
        {"low/utils/__init__.py": "", "low/_misc.py": "", "high/shown.py": "", "common.py": ""},
    )
    assert len(list(file_faults(house.folder))) == 3
    assert public_files(house) == ["common.py", "high/shown.py"]
