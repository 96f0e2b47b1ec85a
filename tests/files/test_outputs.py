"""Outputs of a command replace an unchanged output of the same command, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mtlsearch.errors import ConfigError
from mtlsearch.files import RECORD, Outputs, unchanged_outputs, unique_stems


def write(path: Path, text: str, command: str = "draw", source: Path | None = None) -> None:
    with Outputs(command).write(path, source=source) as temporary:
        temporary.write_text(text)


def test_unchanged_output_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sheet.png"
    for text in ("first", "second", "second", "first"):
        write(path, text)
        assert path.read_text() == text
    assert {file.name for file in path.parent.iterdir()} == {"sheet.png", RECORD}
    assert len((path.parent / RECORD).read_text().splitlines()) == 2


def test_moved_folder_keeps_its_record(tmp_path: Path) -> None:
    source = tmp_path / "one" / "photo.jpg"
    write(tmp_path / "one" / "out" / "photo.png", "first", source=source)
    (tmp_path / "one").rename(tmp_path / "two")
    moved = tmp_path / "two"
    write(moved / "out" / "photo.png", "second", source=moved / "photo.jpg")
    assert (moved / "out" / "photo.png").read_text() == "second"


def changed(path: Path) -> None:
    path.write_text("first, changed")


def lost_record(path: Path) -> None:
    (path.parent / RECORD).unlink()


def cut_record(path: Path) -> None:
    record = path.parent / RECORD
    record.write_text(record.read_text()[:-20])


def renamed(path: Path) -> None:
    path.rename(path.with_name("other.png"))
    write(path, "other")
    path.with_name("other.png").replace(path)
    path.write_text("renamed")


def linked(path: Path) -> None:
    path.rename(path.with_name("target.png"))
    path.symlink_to("target.png")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing.png")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change", [changed, lost_record, cut_record, renamed, linked, dangling, folder]
)
def test_file_of_the_user_is_never_replaced(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "sheet.png"
    write(path, "first")
    change(path)
    before = path.read_text() if path.is_file() else None
    with pytest.raises(ConfigError, match="would replace") as caught:
        write(path, "second")
    assert caught.value.where == str(path)
    assert caught.value.next_step
    assert (path.read_text() if path.is_file() else None) == before
    assert path.is_symlink() == (change in (linked, dangling))


@pytest.mark.parametrize(
    ("change", "what"), [(linked, "a link"), (dangling, "a link"), (folder, "a folder")]
)
def test_refusal_states_what_is_in_the_way(
    tmp_path: Path, change: Callable[[Path], None], what: str
) -> None:
    path = tmp_path / "sheet.png"
    write(path, "first")
    change(path)
    with pytest.raises(ConfigError, match=rf"would replace {what}\n") as caught:
        Outputs("draw").check({path: None})
    assert "the name of a file" in str(caught.value.next_step) or what != "a folder"


def test_folder_with_images_of_the_user_is_refused(tmp_path: Path) -> None:
    outputs = Outputs("draw")
    outputs.check_folder(tmp_path / "missing")
    write(tmp_path / "a.png", "mine by record")
    (tmp_path / "notes.txt").touch()
    outputs.check_folder(tmp_path)
    (tmp_path / "photo.JPG").touch()
    (tmp_path / "photo2.png").touch()
    with pytest.raises(ConfigError, match=r"did not write: photo\.JPG and 1 more") as caught:
        Outputs("draw").check_folder(tmp_path)
    assert caught.value.where == str(tmp_path)
    assert "new folder" in str(caught.value.next_step)


def test_only_unchanged_outputs_are_listed(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        write(tmp_path / name, "first")
    (tmp_path / "b.png").write_text("changed")
    (tmp_path / "c.png").unlink()
    (tmp_path / "d.png").write_text("first")
    assert unchanged_outputs(tmp_path) == [tmp_path / "a.png"]


def test_output_of_another_command_is_not_replaced(tmp_path: Path) -> None:
    write(tmp_path / "a.png", "first", command="sample")
    with pytest.raises(ConfigError, match="`mtlsearch predict` did not write"):
        write(tmp_path / "a.png", "second", command="predict")


def test_output_of_another_source_is_not_replaced(tmp_path: Path) -> None:
    write(tmp_path / "a.png", "first", source=tmp_path / "one" / "a.jpg")
    with pytest.raises(ConfigError, match="did not write"):
        write(tmp_path / "a.png", "second", source=tmp_path / "two" / "a.jpg")


@pytest.mark.parametrize("name", ["a.png", "link.png", "./b/../a.png"])
def test_input_is_never_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "b").mkdir()
    write(tmp_path / "a.png", "first")
    (tmp_path / "link.png").symlink_to("a.png")
    outputs = Outputs("draw", inputs=[tmp_path / name, tmp_path / "missing.png"])
    with pytest.raises(ConfigError, match="an input of this command"):
        outputs.check({tmp_path / "a.png": None})


def write_while_another_process_writes(path: Path) -> None:
    with Outputs("draw").write(path) as partial:
        partial.write_text("output")
        path.write_text("of another process")


def test_file_that_appears_during_a_write_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(ConfigError, match="would replace"):
        write_while_another_process_writes(path)
    assert path.read_text() == "of another process"


@pytest.mark.parametrize("second", ["a.png", "A.png", "./a.png"])
def test_name_is_written_once_per_command(tmp_path: Path, second: str) -> None:
    outputs = Outputs("draw")
    with outputs.write(tmp_path / "a.png") as temporary:
        temporary.write_text("first")
    with pytest.raises(ConfigError, match="another output"):
        outputs.check({tmp_path / second: None})


def test_earlier_outputs_of_the_command_are_removed(tmp_path: Path) -> None:
    for name in ("a.png", 'b", "c.png', "é.png", "again.png"):
        write(tmp_path / name, name)
    write(tmp_path / "again.png", "changed by the command")
    outputs = Outputs("draw")
    outputs.remove_earlier([tmp_path, tmp_path / "missing"])
    assert [path.name for path in tmp_path.iterdir()] == [RECORD]
    with outputs.write(tmp_path / "a.png") as temporary:
        temporary.write_text("new")
    outputs.remove_earlier([tmp_path])
    assert (tmp_path / "a.png").read_text() == "new"


@pytest.mark.parametrize(
    "change", [changed, lost_record, cut_record, renamed, linked, dangling, folder]
)
def test_earlier_output_that_was_changed_is_not_removed(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "sheet.png"
    write(path, "first")
    change(path)
    before = sorted(path.name for path in tmp_path.iterdir())
    Outputs("draw").remove_earlier([tmp_path])
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_files_that_the_command_did_not_write_are_not_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_text("first")
    write(tmp_path / "other.png", "first", command="sample")
    write(tmp_path / "of-a-photo.png", "first", source=tmp_path / "photo.jpg")
    write(tmp_path / "input.png", "first")
    Outputs("draw", inputs=[tmp_path / "input.png"]).remove_earlier([tmp_path])
    names = {"mine.png", "other.png", "of-a-photo.png", "input.png", RECORD}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_many_refused_outputs_are_summarized(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path in paths:
        path.touch()
    with pytest.raises(ConfigError, match="5 outputs would replace") as caught:
        Outputs("draw").check(dict.fromkeys(paths))
    assert str(caught.value.where).endswith("2.png and 2 more")


def test_temporary_file_has_the_suffix_of_the_output(tmp_path: Path) -> None:
    with Outputs("draw").write(tmp_path / "plot.svg") as temporary:
        assert temporary.suffix == ".svg"
        temporary.touch()


@pytest.mark.parametrize(
    ("stems", "unique"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a-2", "a-3"]),
        (["a", "a", "a-2"], ["a", "a-2", "a-2-2"]),
        (["a", "A"], ["a", "A-2"]),
        (["\u00e9", "e\u0301"], ["\u00e9", "e\u0301-2"]),
        (["a", "a.mask"], ["a", "a.mask-2"]),
        (["a.mask", "a"], ["a.mask", "a-2"]),
    ],
)
def test_unique_stems_differ_on_every_disk(stems: list[str], unique: list[str]) -> None:
    assert unique_stems(stems, [".png", ".mask.png"]) == unique
