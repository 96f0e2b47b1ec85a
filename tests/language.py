"""The language rules of CONTRIBUTING.md as checks: names, idioms, docstrings, spelling.

``python -m tests.language PATH ...`` prints every violation below some paths, and a count per code.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_PATHS = tuple(
    ROOT / name
    for name in (
        *("mtlsearch", "plugins", "search_spaces", "benchmarks", "examples", "tests", "docs"),
        *("README.md", "CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md", "results/README.md"),
    )
)
# These files list the banned words.
EXEMPT = {ROOT / "tests" / "language.py", ROOT / "tests" / "test_language.py"}
GLOSSARY = ROOT / "docs" / "glossary.md"
SUFFIXES = {".py", ".md", ".yaml", ".yml"}
SKIPPED_FOLDERS = {"build", "dist", "__pycache__", "node_modules"}
# Where the import name of a package differs from its folder.
FOLDER_BY_PACKAGE = {"mtlsearch_plugins": "plugins", "mtlsearch_search_spaces": "search_spaces"}

MAX_SUMMARY = 90
MAX_TEST_NAME = 60

# Words that name no element; rule 8.
BANNED_VARIABLES = frozenset(["at", "found", "known", "told", "own", "one", "said"])
TEST_NAME_WORDS = frozenset(["nobody", "somebody", "whoever", "told", "says", "knows"])

# Old name -> new name, without leading underscores, of what is defined.
OLD_NAMES = {
    "ALONE": "SINGLE_PROCESS",
    "ActivationMemo": "ActivationCache",
    "Additions": "OptionalComponents",
    "Address": "ImageRef",
    "AnswerSampler": "OptunaSampler",
    "AtLength": "LongTraining",
    "BESIDE": "ALLOWED_EXTRAS",
    "BLIND": "N_STARTUP",
    "Balance": "BalancerConfig",
    "Balancing": "GradientBalancer",
    "Batches": "BatchLoader",
    "BlindSampler": "RandomSampler",
    "Budget": "ResourceLimits",
    "Changes": "AugmentationParams",
    "Character": "KernelParams",
    "Choices": "Suggest",
    "Confirmed": "SeedStatistics",
    "Finish": "BatchTransform",
    "FirstProposal": "WarmStartSampler",
    "FittedStep": "AccumulatingStep",
    "Gate": "AttentionGate",
    "GatedHead": "HeadWithAttention",
    "Gathered": "LoadedPlugins",
    "Given": "a name with a noun, as KnowledgeInput",
    "Halving": "SuccessiveHalving",
    "Instructed": "NetworkWithAuxiliaryLoss",
    "KeptBuffers": "BufferSnapshot",
    "KeptSplit": "CachedSplit",
    "LEARNT_FROM": "MAX_OBSERVATIONS",
    "Labelled": "LabeledOutputs",
    "LeadingEvaluator": "Rank0Evaluator",
    "Leg": "TrialRunner",
    "Lesson": "AuxiliaryLoss",
    "Levels": "SharingFeatures",
    "LossLog": "LossTracker",
    "MAY_DIFFER": "RESUMABLE_CHANGES",
    "NEEDED": "a name with a noun",
    "Named": "a name with a noun, as KnowledgeName",
    "OWN": "RUN_FILES",
    "Origins": "SourceLocations",
    "Outlook": "LearningCurveModel",
    "Owners": "ModuleOwners",
    "PassBy": "SkipUnit",
    "Pause": "Checkpointing",
    "Piece": "UnitModules",
    "Place": "CacheEntry",
    "PlanRanking": "SharingGPSampler",
    "PlaneFile": "ArrayWriter",
    "Prepared": "PreparedSample",
    "Problems": "ConfigErrors",
    "Ranks": "ProcessGroup",
    "Reading": "ReadResult",
    "Readings": "ImageDataset",
    "RecalledForward": "CachedForward",
    "Repeats": "ResultsBySeed",
    "Room": "a name in terms of limits or feasibility",
    "SETTLED": "FINISHED_STATES",
    "SharedPart": "SharedGroup",
    "Shelf": "NameTable",
    "Silent": "NullProgress",
    "Slot": "CutPoint",
    "Standing": "RungRank",
    "Start": "StepSnapshot",
    "Tried": "Observation",
    "TriedTrials": "ObservationHistory",
    "USUAL": "PRIOR_SLOPE",
    "admits": "allows",
    "again": "retraining_evaluator",
    "aims": "objective_values",
    "begin": "start",
    "begins_file": "would_create_file",
    "behind": "outranked",
    "best_first": "sort_by_dominance",
    "blamed_on": "attribute_errors_to",
    "chance": "uniform",
    "choose_character": "fit_kernel",
    "clashes": "conflicts",
    "clock": "measure_latency",
    "close_interrupted": "mark_interrupted",
    "counted": "is_finite",
    "distilled": "distillation_loss",
    "doubts": "data_warnings",
    "draw_changes": "sample_params",
    "drop_torn_line": "truncate_partial_line",
    "evidence": "log_marginal_likelihood",
    "explained": "translate_errors",
    "faults_of": "find_errors",
    "fits_whole": "require_full_batch",
    "follow": "run_worker",
    "follow_search": "run_search_worker",
    "forget_weights": "prune_weights",
    "ghost": "to_meta",
    "go_on": "resume",
    "halve": "split_further",
    "jitter": "color_jitter",
    "kept_at_length": "find_long_training",
    "leading": "broadcasting",
    "left_out": "invalid_rungs",
    "level_of": "similarity_threshold",
    "listed": "enumerate",
    "look": "run_probe",
    "mapped": "ArrayFile",
    "most_promising_tree": "best_tree",
    "none_fits": "too_many_rejections",
    "none_left": "exhaustion_reason",
    "one_step": "batch_too_large",
    "pass_over": "train_epoch",
    "pooled": "all_reduce",
    "promise": "log_expected_improvement",
    "promises": "plan_scores",
    "publish": "commit",
    "ranked_at": "rank_at_epoch",
    "read_again": "read_retrained",
    "refuse_twice": "reject_duplicates",
    "refuse_unfit": "check_balancer_compatible",
    "repeated": "duplicates",
    "representations_alike": "representation_similarity",
    "require_labels": "check_label_coverage",
    "require_own_folder": "check_run_directory",
    "require_room": "check_feasible",
    "room": "num_promoted or crowding_distance",
    "run_storage": "open_run_storage",
    "say": "info or print",
    "settle": "finish or fsync",
    "settled": "num_finished or resolve_train_config",
    "shell": "task_model",
    "sites": "run_ids",
    "sound": "require_valid",
    "standings": "rung_ranks",
    "taps": "out_indices",
    "tell": "notify",
    "tie_shells": "build_task_models",
    "together": "is_distributed",
    "train_again": "retrain",
    "train_at_length": "train_longer",
    "trained_record": "load_long_training",
    "unfinished": "atomic_write",
    "usable": "valid_rungs",
    "usual": "prior_variance",
    "views": "sharing_features",
    "way_to_a_baseline": "baseline_next_step",
    "without_choice": "single_class",
    "write_again": "write_retrained",
}

# Old file -> new file, without ``test_`` and underscores, wherever in the tree.
OLD_STEMS = {
    "additions": "optional_components",
    "again": "retrain",
    "answer_sampler": "optuna",
    "at_length": "long_training",
    "blame": "error_context",
    "blind_sampler": "random",
    "canvas": "layout",
    "cells": "columns",
    "changes": "params",
    "choices": "options or suggest",
    "colour": "color",
    "confirmed": "seed_statistics",
    "doubts": "warnings",
    "faults": "errors",
    "finish": "pipeline",
    "first_proposal": "warm_start",
    "fitted_step": "accumulation",
    "floors": "layers",
    "found": "a noun",
    "frames": "boxes",
    "halving": "successive_halving",
    "keep": "retention",
    "kept_split": "split_file",
    "labelled": "label_coverage",
    "leg": "trial_runner",
    "listing": "list",
    "memo": "activation_cache",
    "move_boxes": "boxes",
    "opening": "context",
    "origins": "locations",
    "outlook": "learning_curve",
    "place": "entry",
    "plan_ranking": "sharing_gp",
    "plan_surrogate": "gp_surrogate",
    "plane_file": "array_writer",
    "prepared": "samples",
    "problems": "errors",
    "promise": "plan_score",
    "quantity": "formatting",
    "ranks": "process_group",
    "resumption": "resume",
    "room": "feasibility",
    "send": "batch",
    "shared_parts": "shared_groups",
    "shelf": "a noun",
    "shell": "global_options",
    "simplex": "loss_weights",
    "skips": "skippable",
    "slots": "cut_points",
    "standing": "rung_ranking",
    "strangers": "third_party",
    "team": "distributed",
    "tie": "build",
    "tied": "shared_backbones",
    "trained": "load_trial",
    "tried": "observations",
    "trust": "pt2_safety",
    "unfinished": "atomic",
    "unfit": "balancer_compatibility",
}
# The same for stems that are old in one folder alone.
OLD_STEMS_BELOW = {
    "config/difference": "diff",
    "search/advice": "baseline_advice",
    "search/gate": "rejection",
    "report/labels": "label_placement",
    "training/adapter": "feature_distillation",
    "training/failures": "error_context",
    "training/knowledge": "feature_distillation",
    "data/column": "label_column",
}
OLD_PACKAGES = {
    "units": "plan",
    "record": "results",
    "leaderboard": "results",
    "catalog": "registry",
    "backbone": "models",
    "network": "models",
}

_PER_WHAT = (
    "task|unit|trial|step|process|class|split|seed|rung|objective|file|image|batch|group|label|"
    "pixel|channel|member|command|setting|loss|measure|device|gpu|epoch|candidate|row|line|"
    "plan|sample|kind|key|head|stage|block|rank|worker|core|box|scale|level|baseline"
)
_THINGS = (
    "head|weight|number|line|row|file|copy|gpu|trial|step|batch|process|class|plan|unit|gradient|"
    "model|loss|value|key|measure|entry|column|device|gate|thread|worker|core|seed|epoch|folder"
)
IDIOMS: tuple[tuple[str, str], ...] = (
    (r"who(?:m|so)?ever|nobody|somebody|everybody", "name the subject"),
    (
        r"(?<!there\s)(?:is|are) no(?!-| (?:longer|more|less|fewer|better|worse|slower|faster)\b)"
        r"(?: \w+)?",
        "is not, does not exist",
    ),
    (r"go(?:es|ing|ne)? on|went on", "resume, continue"),
    (r"anew", "again"),
    (r"gets? on", "name the relation"),
    (r"(?:do|does|did) without", "does not need"),
    (r"sa(?:ys|id)|tells|told|knows", "files, keys and trials report, raise, contain"),
    (r"task's own way", "name what differs"),
    (rf"(?:an?|one) (?:{_THINGS}) an? (?:{_PER_WHAT})", "per"),
    (r"floors?(?! division)", "layer"),
    (r"front doors?", "public API"),
    (r"houses?", "package, layout"),
    (r"strangers?(?:'s?)?", "third-party"),
    (r"sittings", "sessions"),
    (r"(?:what(?:ever)?|as) it likes", "anything, freely"),
    (r"by heart", "memorize, overfit"),
)
# A blank in a pattern is any run of blanks, so that a line break hides nothing.
_IDIOMS = re.compile(
    "|".join(rf"\b(?P<_{i}>{pattern})\b" for i, (pattern, _) in enumerate(IDIOMS)).replace(
        " ", r"\s+"
    ),
    re.IGNORECASE,
)

_BRITISH = re.compile(
    r"(?:colour|favour|honour|behaviour|neighbour|labour(?!sa)|catalogue|grey|artefact|centre"
    r"|(?:normal|organ|initial|optim|serial|recogn|summar|parametr|general|visual|regular|special"
    r"|minim|maxim|penal|priorit|token|vector|discret|standard|random|parallel|quant|util)is"
    r"(?:e|ing|ation|able)|labell|modell|cancelled|cancelling|judgement|learnt|spelt|whilst"
    r"|licence|analys(?:e|ed|ing)(?![a-z])|(?<![a-z])metres?(?![a-z])|(?<![a-z])programmes?(?![a-z]))",
    re.IGNORECASE,
)


@dataclass(frozen=True, order=True, slots=True)
class Violation:
    """One place where a rule is broken.

    Attributes:
        file: the file.
        line: the line in it, from 1.
        code: which rule.
        message: what is wrong there.
    """

    file: Path
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        is_inside = self.file.is_relative_to(ROOT)
        file = self.file.relative_to(ROOT) if is_inside else self.file
        return f"{file}:{self.line}: {self.code} {self.message}"


@dataclass(frozen=True)
class Passage:
    """Prose that is read as one: a comment block, a string, a page.

    Attributes:
        lines: number and text of every line.
    """

    lines: tuple[tuple[int, str], ...]

    def search(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
        """Yield every match with its line, across line breaks."""
        text = "\n".join(line.strip() for _, line in self.lines)
        for match in pattern.finditer(text):
            line, _ = self.lines[text.count("\n", 0, match.start())]
            yield line, match


class Source:
    """A file, read and parsed once.

    Args:
        file: the file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.text = file.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; empty where the file is no Python or has a syntax error."""
        try:
            return ast.parse(self.text if self.is_python else "")
        except SyntaxError:
            return ast.Module(body=[], type_ignores=[])

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the tree."""
        return tuple(ast.walk(self.tree))

    @property
    def is_python(self) -> bool:
        """Whether this is a Python file."""
        return self.file.suffix == ".py"

    @property
    def is_test(self) -> bool:
        """Whether this is a file of tests or of what tests share."""
        return "tests" in self.file.parts or self.file.stem.startswith(("test_", "conftest"))

    @property
    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method."""
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    @cached_property
    def lines(self) -> Passage:
        """The whole text, of the glossary without the column of old words."""
        lines = list(enumerate(self.text.splitlines(), 1))
        if self.file == GLOSSARY:
            lines = [(number, _without_last_cell(line)) for number, line in lines]
        return Passage(tuple(lines))

    @cached_property
    def prose(self) -> tuple[Passage, ...]:
        """Comments and strings of Python, all of a page or a YAML file."""
        if not self.is_python:
            return (self.lines,)
        try:
            return tuple(_prose(self.text))
        except (tokenize.TokenError, SyntaxError):
            return ()


@cache
def _source(file: Path, _modified: int) -> Source:
    return Source(file)


def read(file: Path) -> Source:
    """Return a file, read again only where it has changed."""
    return _source(file, file.stat().st_mtime_ns)


def files_below(paths: Iterable[Path]) -> list[Path]:
    """Return the files that the rules hold for, sorted."""
    files = set()
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else [path]:
            parts = file.relative_to(path).parts
            is_skipped = any(
                part in SKIPPED_FOLDERS or part.startswith(".") or part.endswith(".egg-info")
                for part in parts
            )
            if file.suffix in SUFFIXES and file.is_file() and not is_skipped:
                files.add(file.resolve())
    return sorted(files - EXEMPT)


def check_names(source: Source) -> Iterator[Violation]:
    """Yield variables that name no element, and definitions under their old name."""
    for node, name in _bound_names(source):
        bare = name.strip("_")
        if bare in BANNED_VARIABLES:
            yield _violation(source, node, "NAME", f"`{name}` names no element")
    for node, name in _defined_names(source):
        bare = name.strip("_")
        if bare in OLD_NAMES:
            yield _violation(source, node, "NAME", f"`{name}`: use {OLD_NAMES[bare]}")


def check_stems(source: Source) -> Iterator[Violation]:
    """Yield files and packages under their old name."""
    if not source.is_python or "benchmarks" in source.file.parts:
        return
    stem = re.sub(r"^(?:test)?_+", "", source.file.stem)
    keys = {f"{folder}/{stem}" for folder in source.file.parts}
    new = OLD_STEMS.get(stem) or next(
        (OLD_STEMS_BELOW[key] for key in keys & OLD_STEMS_BELOW.keys()), None
    )
    if new:
        yield Violation(source.file, 1, "STEM", f"`{source.file.name}`: use {new}")
    package = source.file.parent
    is_top = package.parent.name in {"mtlsearch", "tests"}
    if source.file.name == "__init__.py" and is_top and package.name in OLD_PACKAGES:
        new = OLD_PACKAGES[package.name]
        yield Violation(source.file, 1, "STEM", f"package `{package.name}`: use {new}")


def check_idioms(source: Source) -> Iterator[Violation]:
    """Yield words and idioms that the style guide replaces."""
    for passage in source.prose:
        for line, match in passage.search(_IDIOMS):
            _, advice = IDIOMS[int(str(match.lastgroup)[1:])]
            words = " ".join(match[0].split())
            yield Violation(source.file, line, "IDIOM", f"'{words}' ({advice})")


def check_spelling(source: Source) -> Iterator[Violation]:
    """Yield British spellings, in names as well."""
    for line, match in source.lines.search(_BRITISH):
        start = re.search(r"\w*\Z", match.string[: match.start()])
        end = re.match(r"\w*", match.string[match.end() :])
        word = "".join(part[0] for part in (start, match, end) if part)
        yield Violation(source.file, line, "SPELL", f"'{word}': use the American spelling")


def check_summaries(source: Source) -> Iterator[Violation]:
    """Yield functions whose docstring has a long first line."""
    for node in source.functions:
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        if len(first) > MAX_SUMMARY:
            text = f"`{node.name}`: first line of {len(first)} characters, at most {MAX_SUMMARY}"
            yield _violation(source, node, "SENTENCE", text)


def check_test_names(source: Source) -> Iterator[Violation]:
    """Yield test functions with long names, and with words that tell a story."""
    for node in source.functions:
        if not node.name.startswith("test_"):
            continue
        if len(node.name) > MAX_TEST_NAME:
            text = f"`{node.name}`: {len(node.name)} characters, at most {MAX_TEST_NAME}"
            yield _violation(source, node, "TESTNAME", text)
        for word in sorted(TEST_NAME_WORDS & set(node.name.split("_"))):
            yield _violation(source, node, "TESTNAME", f"`{node.name}`: without '{word}'")


def check_imperative(files: Sequence[Path]) -> Iterator[Violation]:
    """Yield what ruff's D401 reports outside of tests."""
    python = [str(file) for file in files if file.suffix == ".py" and not read(file).is_test]
    if not python:
        return
    command = [sys.executable, "-m", "ruff", "check", "--select", "D401", "--no-cache"]
    answer = subprocess.run(
        [*command, "--output-format", "json", "--exit-zero", *python],
        capture_output=True,
        text=True,
        check=True,
    )
    for entry in json.loads(answer.stdout):
        if entry["code"] == "D401":
            file, line = Path(entry["filename"]).resolve(), entry["location"]["row"]
            yield Violation(file, line, "D401", entry["message"])


def check_public_docs(files: Sequence[Path]) -> Iterator[Violation]:
    """Yield what the docstrings of exported functions and classes leave out."""
    chosen = set(files)
    seen: set[tuple[Path, int]] = set()
    for init in sorted({init for file in files for init in _inits_above(file)}):
        for name in _exported(read(init)):
            definition = _resolve(read(init), name)
            if definition is None or definition[0].file not in chosen:
                continue
            source, node = definition
            if (source.file, node.lineno) not in seen:
                seen.add((source.file, node.lineno))
                if isinstance(node, ast.ClassDef):
                    yield from _class_gaps(source, node)
                else:
                    yield from _function_gaps(source, node, node.name)


CHECKS: dict[str, Callable[[Source], Iterator[Violation]]] = {
    "NAME": check_names,
    "STEM": check_stems,
    "IDIOM": check_idioms,
    "SPELL": check_spelling,
    "SENTENCE": check_summaries,
    "TESTNAME": check_test_names,
}
TREE_CHECKS: dict[str, Callable[[Sequence[Path]], Iterator[Violation]]] = {
    "D401": check_imperative,
    "DOC": check_public_docs,
}
CODES = (*CHECKS, *TREE_CHECKS)


def violations(code: str, paths: Iterable[Path] = DEFAULT_PATHS) -> list[Violation]:
    """Return all violations of one rule below some paths, sorted."""
    files = files_below(paths)
    if code in TREE_CHECKS:
        return sorted(TREE_CHECKS[code](files))
    return sorted({violation for file in files for violation in CHECKS[code](read(file))})


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the violations below some paths and a count per code."""
    parser = argparse.ArgumentParser(prog="python -m tests.language", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, default=DEFAULT_PATHS)
    parser.add_argument("--code", action="append", choices=CODES, help="only this rule")
    options = parser.parse_args(arguments)
    paths = [path for path in options.paths if path.exists()]
    codes = options.code or CODES
    report = sorted(line for code in codes for line in violations(code, paths))
    counts = Counter(violation.code for violation in report)
    for violation in report:
        print(violation)
    print(", ".join(f"{code} {counts[code]}" for code in codes))
    return 1 if report else 0


def _violation(source: Source, node: ast.AST, code: str, message: str) -> Violation:
    return Violation(source.file, getattr(node, "lineno", 1), code, message)


def _without_last_cell(line: str) -> str:
    cells = line.rstrip().rstrip("|").split("|")
    return "|".join(cells[:-1]) if line.startswith("|") else line


def _bound_names(source: Source) -> Iterator[tuple[ast.AST, str]]:
    for node in source.nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node, name
            case ast.arg(arg=name):
                yield node, name
            case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
                yield node, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node, name
            case ast.MatchMapping(rest=str(name)):
                yield node, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node, name


def _defined_names(source: Source) -> Iterator[tuple[ast.AST, str]]:
    for node in source.nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node, name
            case ast.ClassDef(name=name):
                yield node, name
            case ast.Name(id=name, ctx=ast.Store()) if name[:1].isupper() or name[1:2].isupper():
                yield node, name


def _prose(text: str) -> Iterator[Passage]:
    """Yield comment blocks, and strings with those that follow them directly."""
    comment: list[tuple[int, str]] = []
    string: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            if comment and comment[-1][0] != line - 1:
                yield Passage(tuple(comment))
                comment = []
            comment.append((line, token.string.lstrip("#: ")))
        elif token.type == tokenize.STRING:
            string += enumerate(_content(token.string).split("\n"), line)
        elif token.type != tokenize.NL and string:
            yield Passage(tuple(string))
            string = []
    if comment:
        yield Passage(tuple(comment))


def _content(literal: str) -> str:
    """Return what stands between the quotes, without expressions and escapes."""
    match = re.fullmatch(r"(\w*)('''|\"\"\"|'|\")(.*)\2", literal, re.DOTALL)
    if match is None:
        return literal
    prefix, _, text = match.groups()
    if "f" in prefix.lower():
        text = re.sub(r"\{[^{}]*\}", "{}", text)
    return re.sub(r"\\[nrt]", " ", text)


def _inits_above(file: Path) -> Iterator[Path]:
    """Yield the ``__init__`` of every package that a file is in."""
    folder = file.parent
    while file.suffix == ".py" and (folder / "__init__.py").is_file():
        if "tests" not in folder.parts:
            yield folder / "__init__.py"
        folder = folder.parent


def _exported(source: Source) -> list[str]:
    for node in source.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List() | ast.Tuple()):
                return [str(name) for name in ast.literal_eval(node.value)]
    return []


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _resolve(source: Source, name: str) -> tuple[Source, Definition] | None:
    """Return where a function or class is defined, through imports; None of anything else."""
    for node in source.tree.body:
        if isinstance(node, Definition) and node.name == name and not _has(node, "overload"):
            return source, node
    for imported in source.nodes:
        if isinstance(imported, ast.ImportFrom):
            for alias in imported.names:
                if (alias.asname or alias.name) == name:
                    file = _module_file(source.file, imported)
                    return _resolve(read(file), alias.name) if file else None
    return None


def _module_file(importer: Path, node: ast.ImportFrom) -> Path | None:
    parts = node.module.split(".") if node.module else []
    if node.level:
        folders = [importer.parents[node.level - 1]]
    else:
        parts[0] = FOLDER_BY_PACKAGE.get(parts[0], parts[0])
        folders = list(importer.parents)
    for folder in folders:
        path = folder.joinpath(*parts)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if parts and file.is_file() and file != importer:
                return file
    return None


def _has(node: Definition, *names: str) -> bool:
    """Return whether a decorator has one of some names, called or not."""
    return any(_last_name(decorator) in names for decorator in node.decorator_list)


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Call(func=called):
            return _last_name(called)
        case ast.Subscript(value=value):
            return _last_name(value)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _class_gaps(source: Source, node: ast.ClassDef) -> Iterator[Violation]:
    doc = _sections(ast.get_docstring(node) or "")
    bases = {_last_name(base) for base in node.bases}
    if _has(node, "dataclass") or "NamedTuple" in bases:
        documented = doc.get("Attributes", set()) | doc.get("Args", set())
        for field in sorted(_fields(node) - documented):
            yield _gap(source, node, node.name, f"Attributes: misses `{field}`")
    for method in node.body:
        if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        label = f"{node.name}.{method.name}"
        if method.name == "__init__" and not _has(node, "dataclass"):
            method_doc = _sections(ast.get_docstring(method) or "")
            names = doc.get("Args", set()) | method_doc.get("Args", set())
            yield from _parameter_gaps(source, method, node.name, names, skip_first=True)
        elif _is_public_method(method) and not _is_documented_above(source, node, method):
            is_static = _has(method, "staticmethod")
            yield from _function_gaps(source, method, label, skip_first=not is_static)


def _fields(node: ast.ClassDef) -> set[str]:
    """Return the public fields of a dataclass."""
    return {
        item.target.id
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not item.target.id.startswith("_")
        and not re.search(r"\bClassVar\b|\bKW_ONLY\b", ast.unparse(item.annotation))
    }


def _is_public_method(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    is_exempt = _has(
        method, "property", "cached_property", "setter", "overload", "fixture", "abstractproperty"
    )
    return not (is_exempt or method.name.startswith(("_", "test_")))


def _is_documented_above(
    source: Source, node: ast.ClassDef, method: ast.FunctionDef | ast.AsyncFunctionDef
) -> bool:
    """Return whether a method without docstring inherits one; a base out of reach counts."""
    if ast.get_docstring(method) is not None:
        return False
    for base in node.bases:
        name = _last_name(base)
        if name in {"Protocol", "ABC", "Generic", "Enum", "object"}:
            continue
        above = _resolve(source, name)
        if above is None or not isinstance(above[1], ast.ClassDef):
            return True
        for inherited in above[1].body:
            is_same = isinstance(inherited, ast.FunctionDef) and inherited.name == method.name
            if is_same and ast.get_docstring(inherited) is not None:
                return True
        if _is_documented_above(above[0], above[1], method):
            return True
    return False


def _function_gaps(
    source: Source,
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    label: str,
    *,
    skip_first: bool = False,
) -> Iterator[Violation]:
    text = ast.get_docstring(node)
    if text is None:
        yield _gap(source, node, label, "no docstring")
        return
    if re.match(r"See :\w+:`", text) or _has(node, "hookimpl"):
        return
    doc = _sections(text)
    yield from _parameter_gaps(source, node, label, doc.get("Args", set()), skip_first=skip_first)
    inside = list(_body_nodes(node))
    yields = [item for item in inside if isinstance(item, ast.Yield | ast.YieldFrom)]
    if any(isinstance(item, ast.YieldFrom) or item.value for item in yields):
        if not {"Yields", "Returns"} & doc.keys():
            yield _gap(source, node, label, "Yields: is missing")
    elif not yields and _returns_value(node, inside) and not {"Yields", "Returns"} & doc.keys():
        yield _gap(source, node, label, "Returns: is missing")
    for error in sorted(_raised(inside) - doc.get("Raises", set())):
        yield _gap(source, node, label, f"Raises: misses `{error}`")


def _parameter_gaps(
    source: Source,
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    label: str,
    documented: set[str],
    *,
    skip_first: bool,
) -> Iterator[Violation]:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args][1 if skip_first else 0 :]
    extra = [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
    names = {item.arg for item in (*named, *arguments.kwonlyargs, *extra)}
    for name in sorted(name for name in names - documented if not name.startswith("_")):
        yield _gap(source, node, label, f"Args: misses `{name}`")
    for name in sorted(documented - names):
        yield _gap(source, node, label, f"Args: `{name}` is not a parameter")


def _gap(source: Source, node: ast.AST, label: str, message: str) -> Violation:
    return _violation(source, node, "DOC", f"`{label}`: {message}")


def _sections(docstring: str) -> dict[str, set[str]]:
    """Return the sections of a Google docstring, each with the names of its entries."""
    sections: dict[str, set[str]] = {}
    entries: set[str] = set()
    indent: int | None = None
    for line in inspect.cleandoc(docstring).splitlines():
        header = re.fullmatch(r"(Args|Attributes|Returns|Yields|Raises):", line)
        if header:
            entries = sections.setdefault(header[1], set())
            indent = None
        elif line.strip():
            depth = len(line) - len(line.lstrip())
            if depth == 0:
                entries = set()
            indent = depth if indent is None else indent
            entry = re.match(r"\s*([\w*., ~:`]+?)(?: \([^)]*\))?:(?: |$)", line)
            if entry and depth == indent:
                entries |= {part.split(".")[-1].strip("*` ") for part in entry[1].split(",")}
    return sections


def _body_nodes(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions and classes inside it."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        item = waiting.pop()
        yield item
        if not isinstance(item, Definition | ast.Lambda):
            waiting += ast.iter_child_nodes(item)


def _returns_value(node: ast.FunctionDef | ast.AsyncFunctionDef, inside: Iterable[ast.AST]) -> bool:
    if node.returns is not None:
        annotation = ast.unparse(node.returns).strip("'\"")
        return annotation not in {"None", "NoReturn", "Never"}
    return any(
        isinstance(item, ast.Return)
        and item.value is not None
        and not (isinstance(item.value, ast.Constant) and item.value.value is None)
        for item in inside
    )


def _raised(inside: Iterable[ast.AST]) -> set[str]:
    """Return the exceptions that are raised by class, but for a method left to subclasses."""
    names = {_last_name(item.exc) for item in inside if isinstance(item, ast.Raise) and item.exc}
    return {name for name in names if name[:1].isupper()} - {"NotImplementedError"}


if __name__ == "__main__":
    raise SystemExit(main())
