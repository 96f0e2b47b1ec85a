"""Documentation: hooks, public names, keys, commands, run files, code and links."""

from __future__ import annotations

import ast
import doctest
import functools
import inspect
import os
import re
import subprocess
import sys
import tomllib
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
from mtlsearch.config import RunConfig, difference, load_run
from mtlsearch.data import open_data
from mtlsearch.errors import ConfigError
from mtlsearch.plugin import hooks
from mtlsearch.registry import HOOKS, PluginRegistry, build_registry
from mtlsearch.results._columns import COLUMNS
from tests import pages
from tests.imports import Tree
from tests.pages import ROOT, Block, blocks

PAGES = pages.pages()
DOCS = ROOT / "docs"
PLUGINS = DOCS / "plugins.md"
DEPTH = ROOT / "examples" / "mtlsearch-depth" / "mtlsearch_depth.py"
RUN_FILES = sorted((ROOT / "examples").glob("*.yaml"))


def blocks_in(*languages: str) -> list[Any]:
    """Return the blocks of some languages of all pages, as parameters of a test."""
    chosen = [block for page in PAGES for block in blocks(page) if block.language in languages]
    return [pytest.param(block, id=block.location) for block in chosen]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> PluginRegistry:
    """Return the built-in plugins and the example package, installed or not."""
    installed = build_registry()
    if "depth" in installed.tasks:
        return installed
    folder = tmp_path_factory.mktemp("plugins")
    (folder / DEPTH.name).symlink_to(DEPTH)
    return build_registry([folder])


class TestPlugins:
    """``docs/plugins.md``."""

    @pytest.mark.parametrize("hook", HOOKS)
    def test_hook_is_documented_and_tested(self, hook: str) -> None:
        signature = str(inspect.signature(getattr(hooks, hook))).replace("'", "")
        assert f"### `{hook}{signature}`\n" in PLUGINS.read_text(encoding="utf-8")
        tests = (ROOT / "tests" / "registry").glob("*.py")
        assert any(f"def {hook}(" in file.read_text(encoding="utf-8") for file in tests)

    @pytest.mark.parametrize("package", ["plugin", "plugin.layers", "testing"])
    def test_public_names_are_documented(self, package: str) -> None:
        documented = set(re.findall(r"`(\w+)`", pages.prose(PLUGINS)))
        assert set(import_module(f"mtlsearch.{package}").__all__) - documented == set()

    def test_shown_plugins_load_and_open_the_run_file(self, mine: Path) -> None:
        loaded = load_run(mine / "run.yaml", ["data.sources.0.train=4", "data.sources.0.val=2"])
        loaded.require_paths()
        registry = build_registry(loaded.config.plugins)
        assert registry.failures == ()
        added = [plugin for plugin in registry.plugins if plugin.where.startswith(str(mine))]
        assert len({noun for plugin in added for noun in plugin.contributions}) == len(HOOKS)
        resolved = registry.resolve(loaded)
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        data = open_data(resolved.open_sources(), loaded.config.data, mean=mean, std=std, seed=0)
        data.check().raise_if_bad()
        assert list(resolved.build_tasks(data.labels)) == list(loaded.config.tasks)
        assert resolved.build_space().name == "fork"

    @pytest.mark.slow
    def test_shown_plugins_pass_their_contract(self, mine: Path) -> None:
        """Run the shown tests, except for the export, which `tests/examples` covers."""
        process = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "test_mine.py", "-k", "not export"],
            cwd=mine, capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "PYTHONPATH": str(mine / "mine")},
        )  # fmt: skip
        assert process.returncode == 0, process.stdout
        assert "skipped" not in process.stdout

    @pytest.fixture
    def mine(self, tmp_path: Path) -> Path:
        """Return a folder with the files that the page shows and a few images."""
        for block in blocks(PLUGINS):
            if block.name and not block.name.startswith("mtlsearch-depth/"):
                file = tmp_path / block.name
                file.parent.mkdir(exist_ok=True)
                file.write_text(block.text)
        for name in ("train/beagle/1", "train/pug/2", "val/pug/3"):
            picture = tmp_path / "pets" / f"{name}.jpg"
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 24), (200, 90, 10)).save(picture)
        return tmp_path


class TestGeneratedPages:
    def test_run_file_page_is_up_to_date(self, registry: PluginRegistry) -> None:
        generated = pages.load_generator().run_file_page(registry)
        page = (DOCS / "run-file.md").read_text(encoding="utf-8")
        assert page == generated, "run `make docs`"

    def test_search_page_has_the_current_columns(self) -> None:
        page = (DOCS / "search.md").read_text(encoding="utf-8")
        assert page == pages.load_generator().search_page(page), "run `make docs`"
        for column in COLUMNS:
            assert f"| `{column.name}` |" in page

    def test_run_file_page_has_every_built_in_plugin(self, registry: PluginRegistry) -> None:
        page = (DOCS / "run-file.md").read_text(encoding="utf-8")
        tables = (
            *(registry.tasks, registry.datasets, registry.spaces),
            *(registry.balancers, registry.loggers),
        )
        for name, cls in (item for table in tables for item in table.items()):
            if cls.__module__.startswith(("mtlsearch_plugins.", "mtlsearch_search_spaces.")):
                assert f"| `{name}` | {cls.summary} |" in page
                assert (f"### `{name}`\n" in page) == bool(cls.Settings.model_fields)

    def test_sharing_picture_is_drawn(self, tmp_path: Path) -> None:
        pages.load_generator().draw_plans(tmp_path / "sharing.png")
        with (
            Image.open(tmp_path / "sharing.png") as new,
            Image.open(DOCS / "images" / "sharing.png") as committed,
        ):
            assert new.size == committed.size

    def test_every_page_belongs_to_one_of_nine_chapters(self) -> None:
        chapters = list(pages.chapters())
        assert len(chapters) == 9
        listed = [page for chapter in chapters for page in chapter]
        assert len(set(listed)) == len(listed)
        assert set(listed) == set(DOCS.glob("*.md"))
        for chapter, *others in chapters:
            if others:
                names = ", ".join(f"[{pages.title(page)}]({page.name})" for page in others)
                word = "page" if len(others) == 1 else "pages"
                line = f"Further {word} of this chapter: {names}."
                assert pages.first_line(chapter) == line
            for page in others:
                line = f"Chapter: [{pages.title(chapter)}]({chapter.name})."
                assert pages.first_line(page) == line


class TestRunFiles:
    @pytest.mark.parametrize("file", RUN_FILES, ids=lambda file: file.name)
    def test_example_is_valid(self, file: Path, registry: PluginRegistry) -> None:
        registry.resolve(load_run(file))

    @pytest.mark.parametrize("block", blocks_in("yaml", "yml"))
    def test_block_is_valid(self, block: Block, registry: PluginRegistry, tmp_path: Path) -> None:
        """Check a whole run file, or sections that replace those of an example."""
        shown = YAML(typ="safe").load(block.text)
        assert set(shown) <= set(RunConfig.model_fields), block.location
        file = tmp_path / "run.yaml"
        if {"data", "tasks"} <= set(shown):
            file.write_text(block.text)
        else:
            base = YAML(typ="safe").load(ROOT / "examples" / "scenes.yaml")
            YAML(typ="safe").dump({**base, **shown}, file)
        loaded = load_run(file)
        if "plugins" in shown:  # `TestPlugins` loads these plugins
            assert loaded.config.plugins
        else:
            registry.resolve(loaded)

    def test_readme_shows_the_example_on_leaves(self, tmp_path: Path) -> None:
        readme = blocks(ROOT / "README.md")
        (block,) = [block for block in readme if block.language == "yaml"]
        assert len(block.text.splitlines()) <= 24
        file = tmp_path / "run.yaml"
        file.write_text(block.text)
        example = load_run(ROOT / "examples" / "leaves.yaml").config
        paths = ["backbone.checkpoint_path", "data.root"]  # relative to the file
        assert difference(load_run(file).config, example) == paths


USAGE = typer.BadParameter.__bases__[0]
"""Base class of all errors of a command line."""

UNKNOWN = re.compile(r"no such|got unexpected|is now|unknown", re.IGNORECASE)
"""Messages about commands, options and arguments that do not exist."""


def usage_error(arguments: list[str]) -> str:
    """Return the error of a command line; empty if the program would run it."""
    try:
        app(args=arguments, standalone_mode=False)
    except (USAGE, ConfigError) as error:
        return str(error) or type(error).__name__
    return ""


class TestCommands:
    """Commands are parsed by the program, and not run."""

    @pytest.fixture
    def parsed(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Return the names of the commands that would have run."""
        names: list[str] = []

        def record_name(command: Callable[..., None]) -> Callable[..., None]:
            @functools.wraps(command)
            def replacement(ctx: typer.Context, **options: Any) -> None:
                names.append(command.__name__)

            return replacement

        monkeypatch.setattr("mtlsearch.cli._app.handle_errors", record_name)
        return names

    @pytest.mark.parametrize("block", blocks_in("console", "bash", "sh", "text"))
    def test_commands_in_blocks(self, block: Block, parsed: list[str]) -> None:
        lines = list(pages.command_lines(block.text))
        assert [error for error in map(usage_error, lines) if error] == []
        assert len(parsed) == len(lines)

    @pytest.mark.parametrize(
        "file", [*RUN_FILES, *sorted((ROOT / "examples").glob("*.sh"))], ids=lambda file: file.name
    )
    def test_commands_in_examples(self, file: Path, parsed: list[str]) -> None:
        lines = list(pages.command_lines(file.read_text(encoding="utf-8")))
        assert [error for error in map(usage_error, lines) if error] == []
        assert len(parsed) == len(lines) > 0

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_commands_in_sentences(self, page: Path, parsed: list[str]) -> None:
        """Check that command and options exist; arguments may be missing or placeholders."""
        for arguments in pages.mentions(page):
            error = usage_error(arguments)
            assert not UNKNOWN.search(error), f"{arguments}: {error}"

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
    def test_invalid_command_is_detected(self, line: str, parsed: list[str]) -> None:
        (arguments,) = pages.command_lines(line)
        assert usage_error(arguments)
        assert not parsed

    @pytest.mark.parametrize(
        ("sentence", "is_valid"),
        [
            ("`mtlsearch check` and `mtlsearch --plugins DIR ...`", True),
            ("`mtlsearch export RUN [--trial best|N] --out BUNDLE`", True),
            ("`mtlsearch leaderboard RUN [--top N]`", True),
            ("`mtlsearch serch RUN.yaml`", False),
            ("`mtlsearch search RUN.yaml [--trails N]`", False),
            ("`mtlsearch search RUN.yaml ANOTHER.yaml`", False),
        ],
    )
    def test_sentences_are_checked(
        self, sentence: str, is_valid: bool, parsed: list[str], tmp_path: Path
    ) -> None:
        page = tmp_path / "page.md"
        page.write_text(f"Type {sentence}.\n")
        errors = [usage_error(arguments) for arguments in pages.mentions(page)]
        assert errors
        assert all(not UNKNOWN.search(error) for error in errors) == is_valid

    def test_command_lines_are_split(self) -> None:
        text = (
            "$ mtlsearch search a.yaml \\\n    --out 'b c'  # why\nmtlsearch\ntype mtlsearch x\n"
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
    @pytest.mark.parametrize("block", blocks_in("python", "pycon", "py"))
    def test_code_of_pages(
        self, block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Run doctests and blocks marked ``run``, compile others, look up imported names."""
        if ">>> " in block.text:
            _run_doctest(block.text, block.location)
            return
        _look_up_imports(block.text)
        if block.name == "run":
            monkeypatch.chdir(tmp_path)
            exec(compile(block.text, block.location, "exec"), {"__name__": block.location})

    def test_examples_in_docstrings_run(self) -> None:
        tree = Tree("mtlsearch", Path(mtlsearch.__file__).parent)
        names = [name for name, file in tree.modules.items() if ">>> " in file.read_text("utf-8")]
        assert names
        for name in names:
            result = doctest.testmod(import_module(name))
            assert result.attempted > 0, name
            assert result.failed == 0, name

    @pytest.mark.parametrize(
        "package", ["plugin", "testing", "config", "registry", "data", "export"]
    )
    def test_imports_in_docstrings_exist(self, package: str) -> None:
        shown = inspect.getdoc(import_module(f"mtlsearch.{package}")) or ""
        imports = re.findall(r"^ *(from mtlsearch\S* import [^(\n]+)$", shown, re.MULTILINE)
        assert imports
        for line in imports:
            _look_up_imports(line.strip())


def _run_doctest(text: str, location: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, {}, location, None, 0)
    result = doctest.DocTestRunner().run(test)
    assert result.attempted > 0
    assert result.failed == 0


def _look_up_imports(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mtlsearch":
            module = import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_targets_exist(self, page: Path) -> None:
        assert list(_broken_links(page)) == []

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_named_files_exist(self, page: Path) -> None:
        named = pages.NAMED.findall(pages.prose(page))
        assert [path for path in named if not (ROOT / path).exists()] == []

    def test_broken_links_are_detected(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text(
            "# One page\n\n[a](page.md#one-page) [b](gone.md) [c](#two) [d](https://example.com)\n"
            "![e](gone.png)\n\n```text\n[f](no-link.md)\n```\n"
        )
        assert list(_broken_links(page)) == ["gone.md", "#two", "gone.png"]


def test_extras_are_named_in_one_form_and_exist() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = declared["project"]["optional-dependencies"].keys()
    folders = ("mtlsearch", "plugins", "search_spaces")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    names = []
    for path in (*pages.pages(), *sources):
        text = path.read_text(encoding="utf-8")
        for name, form in re.findall(r"(pip install +(['\"]?[\w.]*\[\S+))", text):
            match = re.match(r"'mtlsearch\[([a-z0-9,]+|\{\w+\})\]'", form)
            assert match, f"{path}: {name}: write pip install 'mtlsearch[EXTRA]'"
            names += [] if "{" in match[1] else match[1].split(",")
    assert set(names) <= extras
    assert {"balancing", "dashboard"} <= set(names)


def _broken_links(page: Path) -> Iterator[str]:
    for target in pages.links(page):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in pages.anchors(file)):
            yield target
