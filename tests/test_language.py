"""The language gate: each check reports a planted violation, and the tree has none."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests import language
from tests.language import CODES, EXEMPT, GLOSSARY, files_below, main, violations


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An empty package that exports ``_module.f`` and ``_module.Class``."""
    folder = tmp_path / "package"
    folder.mkdir()
    text = "from package._module import Class, f\n\n__all__ = ['Class', 'f']\n"
    (folder / "__init__.py").write_text(text)
    return folder


def messages(code: str, folder: Path, text: str, name: str = "_module.py") -> list[str]:
    """Return the messages of one rule for one file."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return [violation.message for violation in violations(code, [folder])]


@pytest.mark.parametrize(
    "text",
    [
        "at = 1",
        "_found = 1",
        "for known in []: pass",
        "[0 for told in []]",
        "with open('f') as own: pass",
        "def f(one): pass",
        "def f(*, said=1): pass",
        "lambda at: 0",
        "(found := 1)",
        "try: pass\nexcept ValueError as one: pass",
        "match 1:\n    case found: pass",
        "match []:\n    case [*known]: pass",
        "match {}:\n    case {**own}: pass",
        "class A:\n    at: int",
        "x.told = 1",
        "x: int = 1\nx, (y, at) = 1, (2, 3)",
        "import re as found",
        "def said(): pass",
        "class Leg: pass",
        "def go_on(): pass",
        "SETTLED = 1",
        "def _settled(): pass",
    ],
)
def test_names_reports_each_binding(text: str, tmp_path: Path) -> None:
    assert len(messages("NAME", tmp_path, text)) == 1


def test_names_accepts_reading_and_words_inside_names(tmp_path: Path) -> None:
    text = """
        print(at, x.found, f(known=1))
        look_at = num_found = 1
        class TrialRunner:
            def resume(self, shell): ...
    """
    assert messages("NAME", tmp_path, text) == []


@pytest.mark.parametrize(
    "name",
    [
        "mtlsearch/search/_leg.py",
        "tests/search/test_leg.py",
        "tests/test_floors.py",
        "mtlsearch/search/_gate.py",
        "mtlsearch/units/__init__.py",
        "plugins/depth/_tried.py",
    ],
)
def test_stems_reports_old_files(name: str, tmp_path: Path) -> None:
    assert len(messages("STEM", tmp_path, "", name)) == 1


@pytest.mark.parametrize(
    "name", ["mtlsearch/models/_gate.py", "benchmarks/halving.py", "plugins/units/__init__.py"]
)
def test_stems_accepts_names_elsewhere(name: str, tmp_path: Path) -> None:
    assert messages("STEM", tmp_path, "", name) == []


@pytest.mark.parametrize(
    "text",
    [
        "Whoever trains it",
        "nobody, somebody",
        "this is no trial",
        "these are\nno trees",
        "the search goes on",
        "read anew",
        "which tasks get on",
        "the board does without",
        "it is told",
        "the file says so",
        "a head a task",
        "One line a unit",
        "a weight an\n    objective",
        "the floors below",
        "the front door",
        "a stranger's plugin",
        "as it likes",
        "learnt by heart",
    ],
)
def test_idioms_reports_each(text: str, tmp_path: Path) -> None:
    count = 2 if "," in text else 1
    assert len(messages("IDIOM", tmp_path, text, "page.md")) == count
    (tmp_path / "page.md").unlink()
    assert len(messages("IDIOM", tmp_path, f'"""{text}."""\n')) == count
    assert len(messages("IDIOM", tmp_path, "# " + text.replace("\n", "\n# "))) == count
    assert len(messages("IDIOM", tmp_path, f"x = f{text!r}\n")) == count


def test_idioms_accepts_plain_text_and_names(tmp_path: Path) -> None:
    text = '''
        """There is no trial. There
        is no longer a limit: one head per task, floor division, a household."""
        told = says = knows  # names are another rule's
        x = f"{told} is not {nobody}"
    '''
    assert messages("IDIOM", tmp_path, text) == []


def test_idioms_are_found_across_adjacent_strings(tmp_path: Path) -> None:
    text = """
        error = (
            "the search"
        )
        error = (
            f"{name!r} is "
            "no trial"
        )
    """
    messages("IDIOM", tmp_path, text)
    assert [found.line for found in violations("IDIOM", [tmp_path])] == [6]


def test_idioms_reads_yaml(tmp_path: Path) -> None:
    assert len(messages("IDIOM", tmp_path, "key: 1  # whoever", "run.yaml")) == 1


@pytest.mark.parametrize(
    "word",
    [
        *("colour", "normalised", "behaviour", "labelled", "catalogue", "neighbours", "favours"),
        *("honour", "organise", "initialisation", "optimiser", "grey", "centre", "Metres"),
    ],
)
def test_spelling_reports_british(word: str, tmp_path: Path) -> None:
    expected = [f"'{word}': use the American spelling"]
    assert messages("SPELL", tmp_path, f"A {word} here.", "page.md") == expected
    (tmp_path / "page.md").unlink()
    expected = [f"'x_{word}_y': use the American spelling"]
    assert messages("SPELL", tmp_path, f"x_{word}_y = 1") == expected


def test_spelling_accepts_american(tmp_path: Path) -> None:
    text = "Color, center, optimistic, parameters, programmer, finalists, analyses, otherwise."
    assert messages("SPELL", tmp_path, text, "page.md") == []


def test_summaries_reports_a_long_first_line(tmp_path: Path) -> None:
    template = 'def f():\n    """{}\n\n    More.\n    """\n'
    assert messages("SENTENCE", tmp_path, template.format("x" * 90)) == []
    assert len(messages("SENTENCE", tmp_path, template.format("x" * 91))) == 1


@pytest.mark.parametrize(
    "name", ["test_" + "x" * 56, "test_nobody_is_left", "test_it_is_told", "test_says_so"]
)
def test_test_names_reports_stories(name: str, tmp_path: Path) -> None:
    text = f"class TestA:\n    def {name}(self): pass"
    assert len(messages("TESTNAME", tmp_path, text)) == 1


def test_test_names_accepts_plain_names(tmp_path: Path) -> None:
    text = f"def test_{'x' * 55}(): pass\ndef test_unknown(): pass\ndef told(): pass"
    assert messages("TESTNAME", tmp_path, text) == []


def test_imperative_reports_a_noun_phrase(tmp_path: Path) -> None:
    assert len(messages("D401", tmp_path, 'def f():\n    """The number of units."""')) == 1
    assert messages("D401", tmp_path, 'def f():\n    """Return the number of units."""') == []


FUNCTION = '''
    def f(a, *, b=1, **rest) -> int:
        """Return the sum.

        Args:
            a: the first.
            b: the second,
                not: a parameter.
            **rest: ignored.

        Returns:
            The sum.

        Raises:
            ValueError: `a` is negative.
        """
        if a < 0:
            raise ValueError(a)
        return a + b
'''


def test_public_docs_accepts_complete(package: Path) -> None:
    assert messages("DOC", package, FUNCTION) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a: the first.", "c: the first.", "Args: misses `a`"),
        ("a: the first.", "c: the first.", "Args: `c` is not a parameter"),
        ("Returns:", "Result:", "Returns: is missing"),
        ("ValueError: `a`", "KeyError: `a`", "Raises: misses `ValueError`"),
        ("return a + b", "yield a + b", ""),
        ('"""Return the sum.', '"""See :func:`g`.', ""),
    ],
)
def test_public_docs_reports_gaps(old: str, new: str, message: str, package: Path) -> None:
    reported = messages("DOC", package, FUNCTION.replace(old, new))
    assert (f"`f`: {message}" in reported) if message else reported == []


def test_public_docs_skips_what_is_not_exported(package: Path) -> None:
    assert messages("DOC", package, FUNCTION.replace("def f", "def g").replace("Args", "")) == []


def test_public_docs_reports_one_file_alone(package: Path) -> None:
    messages("DOC", package, FUNCTION.replace("Returns:", "Result:"))
    assert len(violations("DOC", [package / "_module.py"])) == 1
    assert violations("DOC", [package / "__init__.py"]) == []


CLASS = '''
    from typing import ClassVar
    from dataclasses import dataclass

    class _Base:
        def inherited(self, x):
            """Return it."""

    @dataclass(frozen=True)
    class Class(_Base):
        """A class.

        Attributes:
            first: a field.
        """

        first: int
        _second: int
        kind: ClassVar[str]

        @property
        def size(self) -> int:
            """The size."""
            return 1

        def inherited(self, x):
            return x

        def _private(self, x) -> int: ...

        @classmethod
        def of(cls, x) -> None:
            """Make it.

            Args:
                x: what it is made of.
            """
'''


def test_public_docs_accepts_complete_class(package: Path) -> None:
    assert messages("DOC", package, CLASS) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("first: a field", "other: a field", "`Class`: Attributes: misses `first`"),
        ("x: what", "y: what", "`Class.of`: Args: misses `x`"),
        (
            "def inherited(self, x):\n            return",
            "def more(self, x):\n            return",
            "",
        ),
        ("@dataclass(frozen=True)", "", "`Class`: Args: misses `a`"),
    ],
)
def test_public_docs_reports_class_gaps(old: str, new: str, message: str, package: Path) -> None:
    text = CLASS.replace(old, new) + "\n        def __init__(self, a): ...\n"
    assert (message or "`Class.more`: no docstring") in messages("DOC", package, text)


def test_files_below_skips_built_and_own_files(tmp_path: Path) -> None:
    for name in ("a.py", "build/b.py", ".venv/c.py", "d.egg-info/e.md", "f.json", "g/h.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in files_below([tmp_path])] == ["a.py", "h.md"]
    assert not EXEMPT & set(files_below(language.DEFAULT_PATHS))


def test_the_glossary_may_list_old_words_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language, "GLOSSARY", tmp_path / "glossary.md")
    table = "| term | not |\n| --- | --- |\n| resume | go on |\n"
    assert messages("IDIOM", tmp_path, table, "glossary.md") == []
    assert len(messages("IDIOM", tmp_path, table + "| goes on | x |\n", "glossary.md")) == 1
    assert GLOSSARY.is_file()


def test_main_prints_violations_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.py"
    file.write_text("\nat = 'whoever'\n")
    assert main([str(tmp_path)]) == 1
    first, second, counts = capsys.readouterr().out.splitlines()
    assert first == f"{file}:2: IDIOM 'whoever' (name the subject)"
    assert second == f"{file}:2: NAME `at` names no element"
    assert "NAME 1, STEM 0, IDIOM 1" in counts
    file.write_text("")
    assert main([str(tmp_path)]) == 0


@pytest.mark.xdist_group("language")  # one worker reads all files
@pytest.mark.parametrize("code", CODES)
def test_the_tree_has_no_violation(code: str) -> None:
    assert [str(violation) for violation in violations(code)] == []
