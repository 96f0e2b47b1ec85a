"""The search layer: no torch, no files, no cycles."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mtlsearch.search

FOLDER = Path(mtlsearch.search.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))
READS_A_TABLE = FOLDER / "evaluators" / "_plan_table.py"
BANNED_MODULES = ("torch", "torchvision", "timm", "mtlsearch.files", "mtlsearch.models")
FILE_FUNCTIONS = {"open", "write_text", "write_bytes", "read_text", "read_bytes", "mkdir", "unlink"}


def imported_modules(tree: ast.AST) -> set[str]:
    """Return all modules that a file imports, inside functions too."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return modules


def called_names(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            names.add(function.attr if isinstance(function, ast.Attribute) else "")
            names.add(function.id if isinstance(function, ast.Name) else "")
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_module_uses_no_torch_and_no_files(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for module in imported_modules(tree):
        assert not f"{module}.".startswith(tuple(f"{name}." for name in BANNED_MODULES)), module
    if file != READS_A_TABLE:
        assert not called_names(tree) & FILE_FUNCTIONS


def test_modules_import_each_other_without_cycles() -> None:
    """Imports for type checking count as well."""
    file_by_module = {
        ".".join(("mtlsearch", "search", *file.relative_to(FOLDER).with_suffix("").parts)): file
        for file in FILES
        if file.name != "__init__.py"
    }
    imports = {
        module: imported_modules(ast.parse(file.read_text(encoding="utf-8"))) & set(file_by_module)
        for module, file in file_by_module.items()
    }
    while leaves := [module for module, modules in imports.items() if not modules]:
        imports = {
            module: modules - set(leaves)
            for module, modules in imports.items()
            if module not in leaves
        }
    assert not imports
