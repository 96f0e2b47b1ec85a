"""The documentation tells the truth: hooks, names, settings, commands, run files, code, links."""

from __future__ import annotations

import ast
import doctest
import functools
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from ruamel.yaml import YAML

import mtlsearch
from mtlsearch.cli._app import app
from mtlsearch.config import RunConfig, load_run
from mtlsearch.data import open_data
from mtlsearch.plugin import hooks
from mtlsearch.registry import HOOKS, PluginRegistry, build_registry
from tests import pages
from tests.imports import Tree
from tests.pages import ROOT, Block, blocks

PAGES = pages.pages()
PLUGINS = ROOT / "docs" / "plugins.md"
FORMATS = ROOT / "docs" / "data-formats.md"
DEPTH = ROOT / "examples" / "mtlsearch-depth" / "mtlsearch_depth.py"
RUN_FILES = sorted((ROOT / "examples").glob("*.yaml"))


def of_language(*languages: str) -> list[Any]:
    """The blocks of some languages of all pages, as parameters of a test."""
    found = [block for page in PAGES for block in blocks(page) if block.language in languages]
    return [pytest.param(block, id=block.place) for block in found]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> PluginRegistry:
    """The built-in plugins and the example of an outside one, whether or not it is installed."""
    installed = build_registry()
    if "depth" in installed.tasks:
        return installed
    folder = tmp_path_factory.mktemp("plugins")
    (folder / DEPTH.name).symlink_to(DEPTH)
    return build_registry([folder])


class TestPlugins:
    """``docs/plugins.md``."""

    @pytest.mark.parametrize("hook", HOOKS)
    def test_every_hook_is_documented_and_tested(self, hook: str) -> None:
        signature = str(inspect.signature(getattr(hooks, hook))).replace("'", "")
        assert f"### `{hook}{signature}`\n" in PLUGINS.read_text(encoding="utf-8")
        tests = (ROOT / "tests" / "catalog").glob("*.py")
        assert any(f"def {hook}(" in file.read_text(encoding="utf-8") for file in tests)

    @pytest.mark.parametrize("door", ["plugin", "plugin.layers", "testing"])
    def test_every_public_name_is_documented(self, door: str) -> None:
        said = set(re.findall(r"`(\w+)`", pages.prose(PLUGINS)))
        assert set(import_module(f"mtlsearch.{door}").__all__) - said == set()

    def test_its_plugins_load_and_feed_its_run_file(self, mine: Path) -> None:
        loaded = load_run(mine / "run.yaml", ["data.sources.0.train=4", "data.sources.0.val=2"])
        loaded.require_paths()
        registry = build_registry(loaded.config.plugins)
        assert registry.failures == ()
        added = [at for at in registry.plugins if at.where.startswith(str(mine))]
        assert len({noun for plugin in added for noun in plugin.contributions}) == len(HOOKS)
        resolved = registry.resolve(loaded)
        sources = resolved.open_sources()
        plain = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        data = open_data(sources, loaded.config.data, mean=plain[0], std=plain[1], seed=0)
        data.check().raise_if_bad()
        assert list(resolved.build_tasks(data.labels)) == list(loaded.config.tasks)
        assert resolved.build_space().name == "fork"

    @pytest.mark.slow
    def test_its_plugins_keep_the_contract(self, mine: Path) -> None:
        """As the page says, but for what takes longest; `tests/examples` does that too."""
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "test_mine.py", "-k", "not export"],
            cwd=mine, capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "PYTHONPATH": str(mine / "mine")},
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout
        assert "skipped" not in ran.stdout

    @pytest.fixture
    def mine(self, tmp_path: Path) -> Path:
        """The files that the page shows, as they lie on its reader's disk, and a few pictures."""
        for block in blocks(PLUGINS):
            if block.name:
                file = tmp_path / block.name
                file.parent.mkdir(exist_ok=True)
                file.write_text(block.text)
        for name in ("train/beagle/1", "train/pug/2", "val/pug/3"):
            picture = tmp_path / "pets" / f"{name}.jpg"
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 24), (200, 90, 10)).save(picture)
        return tmp_path


def test_every_setting_of_every_source_is_documented(registry: PluginRegistry) -> None:
    text = FORMATS.read_text(encoding="utf-8")
    for name, source in registry.datasets.items():
        if not source.__module__.startswith("mtlsearch_plugins."):
            continue
        (section,) = re.findall(rf"^## `{name}`\n.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        models = (source.Settings, *pages.nested(source.Settings))
        rows = [row for model in models for row in pages.settings_rows(model)]
        assert rows == re.findall(r"^\| `\w+` \| (?:`.*?`|required) \| .* \|$", section, re.M)


class TestRunFiles:
    @pytest.mark.parametrize("file", RUN_FILES, ids=lambda file: file.name)
    def test_an_example_is_right(self, file: Path, registry: PluginRegistry) -> None:
        registry.resolve(load_run(file))

    @pytest.mark.parametrize("block", of_language("yaml", "yml"))
    def test_what_a_page_shows_is_right(
        self, block: Block, registry: PluginRegistry, tmp_path: Path
    ) -> None:
        """A whole run file, or parts of one that take the place of an example's."""
        shown = YAML(typ="safe").load(block.text)
        assert set(shown) <= set(RunConfig.model_fields), block.place
        file = tmp_path / "run.yaml"
        if {"data", "tasks"} <= set(shown):
            file.write_text(block.text)
        else:
            base = YAML(typ="safe").load(ROOT / "examples" / "scenes.yaml")
            YAML(typ="safe").dump({**base, **shown}, file)
        loaded = load_run(file)
        if "plugins" in shown:  # they lie on the reader's disk: `TestPlugins` has them
            assert loaded.config.plugins
        else:
            registry.resolve(loaded)


USAGE = typer.BadParameter.__bases__[0]
"""What every complaint about a command line derives from."""

WRONG = re.compile(r"no such|got unexpected", re.IGNORECASE)
"""What is said of commands, options and arguments that do not exist."""


def complaint(arguments: list[str]) -> str:
    """What the program says of a command line; empty where it would run it."""
    try:
        app(args=arguments, standalone_mode=False)
    except USAGE as error:
        return str(error) or type(error).__name__
    return ""


class TestCommands:
    """Commands are parsed as the program parses them, and not run."""

    @pytest.fixture
    def parsed(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The commands that would have run."""
        names: list[str] = []

        def instead(command: Callable[..., None]) -> Callable[..., None]:
            @functools.wraps(command)
            def note(ctx: typer.Context, **options: Any) -> None:
                names.append(command.__name__)

            return note

        monkeypatch.setattr("mtlsearch.cli._app.guarded", instead)
        return names

    @pytest.mark.parametrize("block", of_language("console", "bash", "sh", "text"))
    def test_those_in_blocks(self, block: Block, parsed: list[str]) -> None:
        lines = list(pages.command_lines(block.text))
        assert [said for said in map(complaint, lines) if said] == []
        assert len(parsed) == len(lines)

    @pytest.mark.parametrize(
        "file", [*RUN_FILES, *sorted((ROOT / "examples").glob("*.sh"))], ids=lambda file: file.name
    )
    def test_those_in_examples(self, file: Path, parsed: list[str]) -> None:
        lines = list(pages.command_lines(file.read_text(encoding="utf-8")))
        assert [said for said in map(complaint, lines) if said] == []
        assert len(parsed) == len(lines) > 0

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_those_in_sentences(self, page: Path, parsed: list[str]) -> None:
        """They may be cut short or hold placeholders; command and options must exist."""
        for arguments in pages.mentions(page):
            said = complaint(arguments)
            assert not WRONG.match(said), f"{arguments}: {said}"

    @pytest.mark.parametrize(
        "line",
        [
            "$ mtlsearch serch run.yaml",
            "$ mtlsearch search run.yaml --trails 3",
            "$ mtlsearch leaderboard RUN --format html",
            "$ mtlsearch export RUN",
            "$ .venv/bin/mtlsearch search one.yaml two.yaml > log",
        ],
    )
    def test_a_wrong_one_is_found(self, line: str, parsed: list[str]) -> None:
        (arguments,) = pages.command_lines(line)
        assert complaint(arguments)
        assert not parsed

    @pytest.mark.parametrize(
        ("sentence", "is_right"),
        [
            ("`mtlsearch check` and `mtlsearch --plugins DIR ...`", True),
            ("`mtlsearch export RUN [--trial best|N] --out BUNDLE`", True),
            ("`mtlsearch leaderboard RUN [--top N]`", True),
            ("`mtlsearch serch RUN.yaml`", False),
            ("`mtlsearch search RUN.yaml [--trails N]`", False),
            ("`mtlsearch search RUN.yaml ANOTHER.yaml`", False),
        ],
    )
    def test_sentences_are_told_apart(
        self, sentence: str, is_right: bool, parsed: list[str], tmp_path: Path
    ) -> None:
        page = tmp_path / "page.md"
        page.write_text(f"Say {sentence}.\n")
        found = [complaint(arguments) for arguments in pages.mentions(page)]
        assert found
        assert all(not WRONG.match(said) for said in found) == is_right

    def test_how_lines_are_read(self) -> None:
        text = (
            "$ mtlsearch search a.yaml \\\n    --out 'b c'  # why\nmtlsearch\nsay mtlsearch x\n"
            "#   mtlsearch check a.yaml\n  bin/mtlsearch init d    a word | two\n"
            "mtlsearch predict b *.png > out.json\n"
        )
        assert list(pages.command_lines(text)) == [
            ["search", "a.yaml", "--out", "b c"],
            ["check", "a.yaml"],
            ["init", "d"],
            ["predict", "b", "*.png"],
        ]


class TestCode:
    @pytest.mark.parametrize("block", of_language("python", "pycon", "py"))
    def test_of_pages(self, block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Doctests and blocks marked ``run`` are run, others compiled; names are looked up."""
        if ">>> " in block.text:
            _run_doctest(block.text, block.place)
            return
        _look_up_imports(block.text)
        if block.name == "run":
            monkeypatch.chdir(tmp_path)
            exec(compile(block.text, block.place, "exec"), {"__name__": block.place})

    def test_of_docstrings(self) -> None:
        """Examples in the docstrings of packages run as they stand."""
        tree = Tree("mtlsearch", Path(mtlsearch.__file__).parent)
        names = [at for at, file in tree.modules.items() if ">>> " in file.read_text("utf-8")]
        assert names
        for name in names:
            result = doctest.testmod(import_module(name))
            assert result.attempted > 0, name
            assert result.failed == 0, name

    @pytest.mark.parametrize("door", ["plugin", "testing", "config", "registry", "data", "export"])
    def test_of_docstrings_that_is_only_shown(self, door: str) -> None:
        """Its imports are of names that there are."""
        shown = inspect.getdoc(import_module(f"mtlsearch.{door}")) or ""
        imports = re.findall(r"^ *(from mtlsearch\S* import [^(\n]+)$", shown, re.MULTILINE)
        assert imports
        for line in imports:
            _look_up_imports(line.strip())


def _run_doctest(text: str, place: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, {}, place, None, 0)
    result = doctest.DocTestRunner().run(test)
    assert result.attempted > 0
    assert result.failed == 0


def _look_up_imports(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mtlsearch":
            module = import_module(str(node.module))
            assert [at.name for at in node.names if not hasattr(module, at.name)] == []


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_they_lead_somewhere(self, page: Path) -> None:
        assert list(_broken(page)) == []

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_files_that_are_named_exist(self, page: Path) -> None:
        named = pages.NAMED.findall(pages.prose(page))
        assert [path for path in named if not (ROOT / path).exists()] == []

    def test_a_broken_one_is_found(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text(
            "# One page\n\n[a](page.md#one-page) [b](gone.md) [c](#two) [d](https://example.com)\n"
            "![e](gone.png)\n\n```text\n[f](no-link.md)\n```\n"
        )
        assert list(_broken(page)) == ["gone.md", "#two", "gone.png"]


def _broken(page: Path) -> Iterator[str]:
    for target in pages.links(page):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        if not there.exists() or (anchor and anchor not in pages.anchors(there)):
            yield target
