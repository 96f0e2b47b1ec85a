"""Whether a ``.pt2`` file holds nothing that loading or running it would execute.

``torch.export.load`` unpickles whatever the file's index marks as pickled, evaluates the
text of symbolic sizes as Python, and looks call targets up by dotted name from ``torch``
on. A program that :func:`~mtlsearch.export.save_program` wrote needs none of the three, so
here stands an allow-list of what it does need.
"""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtlsearch.errors import ExportError

_TARGET = re.compile(
    r"torch\.ops\.(aten|prims|torchvision|higher_order)\.\w+(\.\w+)?"
    r"|(torch\.sym_|_operator\.|math\.)\w+"
)
_SCRAPS = {"archive_format", "archive_version", "byteorder"}
_RAW = ("data/weights/weight_", "data/constants/tensor_", ".data/")
_NODES = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.keyword, ast.Constant, ast.BinOp,
    ast.UnaryOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.USub, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip
_FUNCTION = re.compile(r"[A-Z][A-Za-z]*")
"""``Symbol``, ``Integer``, ``Mul``, ``FloorDiv``: no builtin function is written so."""


def refuse_code(path: Path) -> None:
    """Refuse a program that holds more than tensors, sizes and calls of tensor operations.

    Raises:
        ExportError: it does, or is no program at all.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [what for entry in archive.infolist() for what in _code(archive, entry)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_program(path, error) from error
    except zipfile.BadZipFile as error:
        raise _no_program(path, error) from error
    if found:
        raise ExportError(
            f"loading the program could run code in it: {'; '.join(found[:3])}",
            where=str(path),
            allowed=["raw tensors", "sizes", "calls of tensor operations"],
            next_step="export it again with `mtlsearch export`, which writes only these",
        )


def _no_program(path: Path, error: Exception) -> ExportError:
    return ExportError(
        f"not a torch.export program: {error}",
        where=str(path),
        next_step="export the bundle again with `mtlsearch export`",
    )


def _code(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[str]:
    """What in one file of the archive may not be there."""
    _, _, name = entry.filename.partition("/")
    if name in _SCRAPS or name.startswith(_RAW):
        return
    if name.startswith("data/sample_inputs/"):
        if entry.file_size:
            yield f"{name} is a pickle"
    elif name.startswith(("data/weights/", "data/constants/")) and name.endswith("_config.json"):
        for tensor, payload in json.loads(archive.read(entry))["config"].items():
            if not _is_raw(payload):
                yield f"the tensor {tensor} is a pickle"
    elif name.startswith("models/") and name.endswith(".json"):
        yield from _graph_code(json.loads(archive.read(entry)))
    else:
        yield f"{name} is nothing a program needs"


def _is_raw(payload: Mapping[str, Any]) -> bool:
    return payload["use_pickle"] is False and payload["path_name"].startswith(
        ("weight_", "tensor_")
    )


def _graph_code(value: object) -> Iterator[str]:
    """Sizes that are no arithmetic, and calls of what is no operation, anywhere below."""
    if isinstance(value, list):
        for part in value:
            yield from _graph_code(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key == "expr_str" and not _is_arithmetic(part):
                yield f"the size {part!r:.60}"
            elif key == "target" and isinstance(part, str) and not _TARGET.fullmatch(part):
                yield f"the call of {part!r:.60}"
            yield from _graph_code(part)


def _is_arithmetic(text: str) -> bool:
    """Whether a text is numbers, symbols and capitalised functions of them, as sympy prints."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return all(isinstance(node, _NODES) and _is_named_well(node) for node in ast.walk(tree))


def _is_named_well(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and bool(_FUNCTION.fullmatch(node.func.id))
    if isinstance(node, ast.Name):
        return "__" not in node.id
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        # A symbol's name, which sympy would parse in its turn.
        return node.value.isidentifier() and "__" not in node.value
    return True
