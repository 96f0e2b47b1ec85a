"""Programs that could run code are refused before torch sees them."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import pytest

from mtlsearch.bundle import PROGRAM
from mtlsearch.errors import ExportError
from mtlsearch.export import load_program
from mtlsearch.export._pt2_safety import _is_arithmetic


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle ran')",))


def _rewrite(exported, path, change):
    """The exported program with ``change(name, content)`` applied to each of its files."""
    with zipfile.ZipFile(exported.path / PROGRAM) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
    return path


def _graph(change):
    def edit(name, content):
        if not name.endswith("models/model.json"):
            return content
        model = json.loads(content)
        change(model)
        return json.dumps(model).encode()

    return edit


def _walk(value, key, replacement):
    """Replace every value under ``key``."""
    if isinstance(value, dict):
        for name in value:
            if name == key and isinstance(value[name], str):
                value[name] = replacement
            _walk(value[name], key, replacement)
    elif isinstance(value, list):
        for part in value:
            _walk(part, key, replacement)


def test_a_rewritten_program_that_changes_nothing_loads(exported, tmp_path):
    path = _rewrite(exported, tmp_path / "same.pt2", lambda _, content: content)
    assert load_program(path).module() is not None


def test_an_exported_program_holds_no_pickle(exported):
    with zipfile.ZipFile(exported.path / PROGRAM) as archive:
        contents = {at.filename: archive.read(at) for at in archive.infolist()}
    assert not [name for name, content in contents.items() if b"data.pkl" in content]
    assert not [name for name in contents if name.endswith((".pkl", ".py"))]


def test_pickled_example_inputs_are_refused(exported, tmp_path):
    bomb = pickle.dumps(Bomb())
    path = _rewrite(
        exported,
        tmp_path / "bomb.pt2",
        lambda name, content: bomb if "sample_inputs" in name else content,
    )
    with pytest.raises(ExportError, match="is a pickle"):
        load_program(path)


def test_a_tensor_marked_as_a_pickle_is_refused(exported, tmp_path):
    def mark(name, content):
        return content.replace(b'"use_pickle": false', b'"use_pickle": true')

    with pytest.raises(ExportError, match="is a pickle"):
        load_program(_rewrite(exported, tmp_path / "bomb.pt2", mark))


@pytest.mark.parametrize(
    "extra", ["data/constants/custom_obj_0", "data/weights/model.pt", "data/aotinductor/a.so"]
)
def test_a_file_that_no_program_needs_is_refused(exported, tmp_path, extra):
    path = _rewrite(exported, tmp_path / "more.pt2", lambda _, content: content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"model/{extra}", b"code")
    with pytest.raises(ExportError, match="nothing a program needs"):
        load_program(path)


def test_a_size_that_is_code_is_refused(exported, tmp_path):
    evil = "__import__('os').system('true')"
    change = _graph(lambda model: _walk(model, "expr_str", evil))
    with pytest.raises(ExportError, match="the size"):
        load_program(_rewrite(exported, tmp_path / "size.pt2", change))


@pytest.mark.parametrize("target", ["torch.hub.load", "torch.os.system", "builtins.eval"])
def test_a_call_of_what_is_no_operation_is_refused(exported, tmp_path, target):
    change = _graph(lambda model: _walk(model, "target", target))
    with pytest.raises(ExportError, match="the call of"):
        load_program(_rewrite(exported, tmp_path / "call.pt2", change))


@pytest.mark.parametrize("content", [b"", b"PK no zip", None])
def test_what_is_no_program_is_named(content, tmp_path):
    path = tmp_path / "other.pt2"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("m/models/model.json", "{")
    else:
        path.write_bytes(content)
    with pytest.raises(ExportError) as caught:
        load_program(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "text",
    ["s0", "2*s0 + 1", "Symbol('s31', positive=True, integer=True)", "FloorDiv(s0, Integer(2))"],
)
def test_sizes_are_arithmetic(text):
    assert _is_arithmetic(text)


@pytest.mark.parametrize(
    "text",
    [
        "eval('1')", "exec('1')", "().__class__", "[s for s in ()]", "lambda: 0", "a if b else c",
        "Symbol('__import__(1)')", "s0 := 1", "Symbol.x()", "__builtins__", "f'{s0}'", "1;2", "",
    ],
)  # fmt: skip
def test_all_else_is_not(text):
    assert not _is_arithmetic(text)


def test_the_bomb_would_go_off():
    """The attack is real: what the checks above refuse would have run."""
    with pytest.raises(SystemExit, match="the pickle ran"):
        pickle.load(io.BytesIO(pickle.dumps(Bomb())))
