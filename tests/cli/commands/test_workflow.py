"""From a run directory to predictions: leaderboard, picture, bundle, and what goes wrong."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mtlsearch.results import TrialRecord, leaderboard
from mtlsearch.study import RunDirectory
from tests.bundle import small
from tests.cli.conftest import Line, records_of
from tests.cli.inside import Said, call
from tests.cli.program import run as run_program

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("line")]

WITHOUT_TORCH = """
import atexit, os, sys
atexit.register(lambda: os.write(2, b"torch was loaded\\n") if "torch" in sys.modules else None)
"""


class TestLeaderboard:
    def test_in_python_it_is_a_data_frame_of_every_trial(self, line: Line) -> None:
        frame = leaderboard(records_of(line.run))
        assert isinstance(frame, pd.DataFrame)
        assert sorted(frame["trial"]) == [0, 1, 2, 3]
        assert frame["delta_m"].is_monotonic_decreasing
        assert frame.set_index("trial").loc[0, "delta_m"] == 0
        assert {"scene.accuracy", "shapes.mIoU"} <= set(frame.columns)

    def test_csv_and_json_hold_the_frame(self, line: Line) -> None:
        frame = leaderboard(records_of(line.run), all_metrics=True)
        by_csv = pd.read_csv(io.StringIO(call("leaderboard", line.run, "--format", "csv").out))
        by_json = json.loads(call("leaderboard", line.run, "--format", "json").out)
        assert list(by_csv.columns) == list(by_json[0]) == list(frame.columns)
        for column in ("trial", "delta_m", "shapes.mIoU", "params", "flops", "plan"):
            assert by_csv[column].tolist() == frame[column].tolist()
            assert [row[column] for row in by_json] == frame[column].tolist()

    @pytest.mark.parametrize("form", ["table", "markdown"])
    def test_table_and_markdown_are_for_people(self, line: Line, form: str) -> None:
        said = call("leaderboard", line.run, "--format", form)
        assert said.code == 0
        assert said.err == ""
        for text in ("Δm %", "scene.accuracy", "shapes.mIoU", "params", "FLOPs", "★"):
            assert text in said.out
        for baseline in ("independent (baseline)", "hard (baseline)"):
            assert baseline in said.out
        assert sum("  complete" in row or "| complete" in row for row in said.out.splitlines()) == 4
        assert "validation has 8 images: one more or less right is 12.5 points" in said.out

    def test_other_metrics_are_there_when_asked_for(self, line: Line) -> None:
        assert "pixel_accuracy" not in call("leaderboard", line.run).out
        assert "pixel_accuracy" in call("leaderboard", line.run, "--all-metrics").out

    @pytest.mark.parametrize(
        ("column", "falls"), [("flops", False), ("shapes.mIoU", True), ("trial", False)]
    )
    def test_sort(self, line: Line, column: str, falls: bool) -> None:
        said = call("leaderboard", line.run, "--format", "csv", "--sort", column)
        values = pd.read_csv(io.StringIO(said.out))[column].tolist()
        assert values == sorted(values, reverse=falls)

    def test_top(self, line: Line) -> None:
        whole = call("leaderboard", line.run, "--format", "csv").out.splitlines()
        said = call("leaderboard", line.run, "--format", "csv", "--top", "2")
        assert said.out.splitlines() == whole[:3]

    @pytest.mark.parametrize("form", ["table", "markdown"])
    def test_the_star_stays_with_the_best_of_all(self, line: Line, form: str) -> None:
        cut = call("leaderboard", line.run, "--format", form, "--sort", "flops", "--top", "1").out
        frame = leaderboard(records_of(line.run))
        cheapest = frame["trial"][frame["flops"].idxmin()]
        assert ("★" in cut) == (cheapest == frame["trial"].iloc[0])

    def test_a_column_that_is_not_there(self, line: Line) -> None:
        said = call("leaderboard", line.run, "--sort", "flop")
        assert said.code == 2
        assert "did you mean 'flops'?" in said.err
        assert said.out == ""

    def test_a_picture(self, line: Line, tmp_path: Path) -> None:
        said = call("leaderboard", line.run, "--plot", tmp_path / "new" / "plot.png")
        assert said.code == 0, said.err
        assert f"drawn: {tmp_path / 'new' / 'plot.png'}" in said.err
        with Image.open(tmp_path / "new" / "plot.png") as picture:
            assert picture.format == "PNG"
            assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50

    def test_a_picture_of_a_kind_that_is_not_drawn(self, line: Line, tmp_path: Path) -> None:
        said = call("leaderboard", line.run, "--plot", tmp_path / "plot.gif")
        assert said.code == 2
        assert "allowed: .png" in said.err
        assert said.out == ""  # before the table

    def test_it_is_there_at_once(self, line: Line) -> None:
        done = run_program("leaderboard", line.run, prelude=WITHOUT_TORCH)
        assert done.returncode == 0
        assert done.stderr == ""
        assert done.stdout == call("leaderboard", line.run).out

    def test_before_the_first_trial(self, line: Line, tmp_path: Path) -> None:
        run = line.copy(tmp_path)
        (run / "study.journal").unlink()
        said = call("leaderboard", run)
        assert said.code == 0
        assert "no trial was begun yet" in said.err


@pytest.fixture(scope="module")
def exported(line: Line, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """The best trial's bundle."""
    bundle = tmp_path_factory.mktemp("best") / "bundle"
    return bundle, call("export", line.run, "--out", bundle)


class TestExport:
    def test_the_best(self, line: Line, exported: tuple[Path, Said]) -> None:
        bundle, said = exported
        assert said.code == 0, said.err
        best = int(leaderboard(records_of(line.run))["trial"].iloc[0])
        assert said.err.splitlines()[0].startswith(f"exporting trial {best}: ")
        assert said.out == f"{bundle}\n"
        assert f"next: mtlsearch predict {bundle} IMAGE... --out DIR" in said.err
        card = json.loads((bundle / "bundle.json").read_text())
        assert card["extra"]["trial"] == best

    def test_one_by_number(
        self, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only what is exported: how, the best one shows, and it takes long."""
        chosen: list[int] = []

        def export_trial(session: object, record: TrialRecord, out: Path, **_: object) -> Path:
            chosen.append(record.number)
            return small.write(out)

        monkeypatch.setattr("mtlsearch.export.export_trial", export_trial)
        for number in (0, 2):
            out = tmp_path / f"bundle{number}"
            said = call("export", line.run, "--trial", str(number), "--out", out)
            assert said.code == 0, said.err
            assert said.err.startswith(f"exporting trial {number}: ")
        assert chosen == [0, 2]

    @pytest.mark.parametrize(
        ("trial", "code", "says"),
        [
            ("99", 1, ["there is no trial 99", "where:   {run}", "allowed: best, 0, 1, 2, 3"]),
            ("last", 2, ["'last' is no trial", "allowed: best, a trial's number"]),
        ],
    )
    def test_no_such_trial(
        self, line: Line, tmp_path: Path, trial: str, code: int, says: list[str]
    ) -> None:
        said = call("export", line.run, "--trial", trial, "--out", tmp_path / "bundle")
        assert said.code == code
        assert all(text.format(run=line.run) in said.err for text in says)
        assert not list(tmp_path.iterdir())

    def test_weights_that_were_not_kept(self, line: Line, tmp_path: Path) -> None:
        run = line.copy(tmp_path)
        kept = call("search", line.file, "--out", run, "--set", "search.keep_weights=1")
        assert kept.code == 0, kept.err
        left = {at for at in range(4) if RunDirectory(run).weights(at).is_file()}
        assert {0, 1} < left
        (gone,) = set(range(4)) - left
        said = call("export", run, "--trial", str(gone), "--out", tmp_path / "bundle")
        assert said.code == 1
        assert f"the weights of trial {gone} were not kept" in said.err
        assert "search.keep_weights" in said.err
        assert not (tmp_path / "bundle").exists()


def test_a_bundle_predicts_with_nothing_else(
    line: Line, exported: tuple[Path, Said], tmp_path: Path
) -> None:
    """In another place, without torch; on images that were never trained on."""
    shutil.copytree(exported[0], tmp_path / "moved")
    images = call("sample", line.file, "--count", "2", "--out", tmp_path / "images")
    assert images.code == 0, images.err
    names = images.out.splitlines()
    assert len(names) == 2
    done = run_program(
        "predict", "moved", *names, "--out", "pictures", cwd=tmp_path, prelude=WITHOUT_TORCH
    )
    assert done.returncode == 0, done.stderr
    assert "torch was loaded" not in done.stderr
    document = json.loads(done.stdout)
    assert [entry["image"] for entry in document["images"]] == names
    for entry in document["images"]:
        assert set(entry["tasks"]) == {"scene", "shapes"}
        assert entry["tasks"]["scene"]["class"]
        with Image.open(tmp_path / entry["picture"]) as picture:
            assert picture.width > 64
        with Image.open(tmp_path / entry["tasks"]["shapes"]["file"]) as mask:
            assert list(mask.size) == entry["image_size"][::-1]


def test_the_data_are_checked_and_drawn(line: Line, tmp_path: Path) -> None:
    said = call("check", line.file, "--out", tmp_path / "sheet.png")
    assert said.code == 0, said.err
    assert "nothing is wrong" in said.err
    assert ["train", "scene", "(images)", "16", "of", "16"] in [
        text.split() for text in said.out.splitlines()
    ]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
