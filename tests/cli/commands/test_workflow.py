"""From a run directory to predictions: leaderboard, plot, bundle and errors."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mtlsearch.results import TrialRecord, leaderboard
from mtlsearch.study import RunDirectory
from tests.bundle import small
from tests.cli.conftest import SmallSearch, records_of, verdict_in
from tests.cli.program import call
from tests.cli.program import run as run_process

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_search")]

WITHOUT_TORCH = """
import atexit, os, sys
atexit.register(lambda: os.write(2, b"torch was loaded\\n") if "torch" in sys.modules else None)
"""


class TestLeaderboard:
    def test_python_function_returns_a_data_frame(self, small_search: SmallSearch) -> None:
        frame = leaderboard(records_of(small_search.run))
        assert isinstance(frame, pd.DataFrame)
        assert sorted(frame["trial"]) == [0, 1, 2, 3]
        assert frame["delta_m"].is_monotonic_decreasing
        assert frame.set_index("trial").loc[0, "delta_m"] == 0
        assert {"scene.accuracy", "shapes.mIoU"} <= set(frame.columns)

    def test_csv_and_json_contain_the_frame(self, small_search: SmallSearch) -> None:
        expected = verdict_in(small_search.run).expected_by_number
        frame = leaderboard(records_of(small_search.run), all_metrics=True, expected=expected)
        by_csv = pd.read_csv(
            io.StringIO(call("leaderboard", small_search.run, "--format", "csv").stdout)
        )
        by_json = json.loads(call("leaderboard", small_search.run, "--format", "json").stdout)
        assert list(by_csv.columns) == list(by_json[0]) == list(frame.columns)
        for column in ("trial", "delta_m", "expected_delta_m", "shapes.mIoU", "flops", "plan"):
            assert by_csv[column].tolist() == frame[column].tolist()
            assert [row[column] for row in by_json] == frame[column].tolist()

    @pytest.mark.parametrize("form", ["table", "markdown"])
    def test_table_and_markdown_show_primary_metrics(
        self, small_search: SmallSearch, form: str
    ) -> None:
        result = call("leaderboard", small_search.run, "--format", form)
        assert result.returncode == 0
        assert result.stderr == ""
        for text in ("Δm %", "scene.accuracy", "shapes.mIoU", "params", "FLOPs", "★"):
            assert text in result.stdout
        for baseline in ("independent (baseline)", "hard (baseline)"):
            assert baseline in result.stdout
        assert (
            sum("  complete" in row or "| complete" in row for row in result.stdout.splitlines())
            == 4
        )
        assert "measured on 8 validation images: one image is 12.5 % of them." in result.stdout

    def test_long_table_shows_the_best_rows(
        self, small_search: SmallSearch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The table of a long search takes longer than everything else; CSV contains all rows."""
        monkeypatch.setattr("mtlsearch.cli.commands._leaderboard.MAX_ROWS", 3)
        short, whole = (call("leaderboard", small_search.run, *top) for top in ((), ("--top", "4")))
        rows = [line for line in whole.stdout.splitlines() if "  complete" in line]
        shown = [line for line in short.stdout.splitlines() if "  complete" in line]
        assert [row.split() for row in shown] == [row.split() for row in rows[:3]]
        assert "3 of 4 trials are shown" in short.stderr
        assert whole.stderr == ""
        csv = call("leaderboard", small_search.run, "--format", "csv")
        assert (len(csv.stdout.splitlines()), csv.stderr) == (1 + 4, "")

    def test_errors_are_shown_on_demand(self, small_search: SmallSearch) -> None:
        records = records_of(small_search.run)
        assert all(result.errors for record in records for result in record.results.values())
        plain = call("leaderboard", small_search.run).stdout
        shown = call("leaderboard", small_search.run, "--errors").stdout
        assert shown.count("±") >= plain.count("±") + 8
        result = call("leaderboard", small_search.run, "--errors", "--format", "csv")
        frame = pd.read_csv(io.StringIO(result.stdout))
        assert (frame["delta_m_error"] >= 0).all()
        assert (frame["scene.accuracy_error"] >= 0).all()

    def test_all_metrics_shows_other_metrics(self, small_search: SmallSearch) -> None:
        def heading(*options: str) -> str:
            lines = call("leaderboard", small_search.run, *options).stdout.splitlines()
            return next(line for line in lines if line.startswith("trial "))

        assert "pixel_accuracy" not in heading()
        assert "pixel_accuracy" in heading("--all-metrics")

    @pytest.mark.parametrize(
        ("column", "descending"), [("flops", False), ("shapes.mIoU", True), ("trial", False)]
    )
    def test_sort_orders_the_rows(
        self, small_search: SmallSearch, column: str, descending: bool
    ) -> None:
        result = call("leaderboard", small_search.run, "--format", "csv", "--sort", column)
        values = pd.read_csv(io.StringIO(result.stdout))[column].tolist()
        assert values == sorted(values, reverse=descending)

    def test_top_shows_the_first_rows(self, small_search: SmallSearch) -> None:
        table = call("leaderboard", small_search.run, "--format", "csv").stdout.splitlines()
        result = call("leaderboard", small_search.run, "--format", "csv", "--top", "2")
        assert result.stdout.splitlines() == table[:3]

    @pytest.mark.parametrize("form", ["table", "markdown"])
    def test_star_marks_the_best_of_all_trials(self, small_search: SmallSearch, form: str) -> None:
        cut = call(
            "leaderboard", small_search.run, "--format", form, "--sort", "flops", "--top", "1"
        ).stdout
        frame = leaderboard(records_of(small_search.run))
        cheapest = frame["trial"][frame["flops"].idxmin()]
        assert "Best plan: " in cut
        assert ("★" in cut) == (cheapest == verdict_in(small_search.run).winner)

    def test_unknown_column_is_an_error(self, small_search: SmallSearch) -> None:
        result = call("leaderboard", small_search.run, "--sort", "flop")
        assert result.returncode == 2
        assert "did you mean 'flops'?" in result.stderr
        assert result.stdout == ""

    def test_plot_is_written(self, small_search: SmallSearch, tmp_path: Path) -> None:
        result = call("leaderboard", small_search.run, "--plot", tmp_path / "new" / "plot.png")
        assert result.returncode == 0, result.stderr
        assert f"written: {tmp_path / 'new' / 'plot.png'}" in result.stderr
        with Image.open(tmp_path / "new" / "plot.png") as picture:
            assert picture.format == "PNG"
            assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50

    def test_plot_of_unknown_format_is_an_error(
        self, small_search: SmallSearch, tmp_path: Path
    ) -> None:
        result = call("leaderboard", small_search.run, "--plot", tmp_path / "plot.gif")
        assert result.returncode == 2
        assert "allowed: .png" in result.stderr
        assert result.stdout == ""  # the error precedes the table

    def test_leaderboard_imports_no_torch(self, small_search: SmallSearch) -> None:
        result = run_process("leaderboard", small_search.run, prelude=WITHOUT_TORCH)
        assert result.returncode == 0
        assert result.stderr == ""
        assert result.stdout == call("leaderboard", small_search.run).stdout

    def test_leaderboard_without_trials_is_empty(
        self, small_search: SmallSearch, tmp_path: Path
    ) -> None:
        run = small_search.copy(tmp_path)
        shutil.rmtree(run / "trials")
        (run / "study.journal").write_bytes(b"")
        result = call("leaderboard", run)
        assert result.returncode == 0, result.stderr
        assert "the run has no trials yet" in result.stderr

    def test_leaderboard_without_journal_names_it(
        self, small_search: SmallSearch, tmp_path: Path
    ) -> None:
        run = small_search.copy(tmp_path)
        (run / "study.journal").unlink()
        result = call("leaderboard", run)
        assert result.returncode != 0
        assert "study.journal is missing" in result.stderr


@pytest.fixture(scope="module")
def exported(
    small_search: SmallSearch, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, CompletedProcess[str]]:
    """Export the best trial."""
    bundle = tmp_path_factory.mktemp("best") / "bundle"
    return bundle, call("export", small_search.run, "--out", bundle)


class TestExport:
    def test_export_writes_the_best_trial(
        self, small_search: SmallSearch, exported: tuple[Path, CompletedProcess[str]]
    ) -> None:
        bundle, result = exported
        assert result.returncode == 0, result.stderr
        best = verdict_in(small_search.run).recommended
        assert f"\nexporting trial {best}: " in result.stderr
        assert result.stdout == f"{bundle}\n"
        assert f"next: mtlsearch predict {bundle} IMAGE... --out DIR" in result.stderr
        for runtime in ("ONNX Runtime", "torch"):
            for size in (1, 8):
                assert f"\n{runtime}, batch {size}: " in result.stderr
        manifest = json.loads((bundle / "bundle.json").read_text())
        assert manifest["extra"]["trial"] == best

    def test_export_writes_a_trial_by_number(
        self, small_search: SmallSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The export is replaced, since it is slow and the best trial tests it."""
        chosen: list[int] = []

        def export_network(
            session: object, record: TrialRecord, network: object, out: Path, **_: object
        ) -> Path:
            chosen.append(record.number)
            return small.write(out)

        monkeypatch.setattr("mtlsearch.export.export_network", export_network)
        for number in (0, 2):
            out = tmp_path / f"bundle{number}"
            options = ["--trial", str(number), "--no-benchmark"]
            result = call("export", small_search.run, *options, "--out", out)
            assert result.returncode == 0, result.stderr
            assert result.stderr.startswith(f"exporting trial {number}: ")
        assert chosen == [0, 2]

    @pytest.mark.parametrize(
        ("trial", "code", "messages"),
        [
            ("99", 1, ["trial 99 does not exist", "where:   {run}", "allowed: best, 0, 1, 2, 3"]),
            (
                "last",
                2,
                [
                    "`--trial` must be `best` or a trial number, got 'last'",
                    "allowed: best, a trial number",
                ],
            ),
        ],
    )
    def test_export_of_unknown_trial_is_an_error(
        self, small_search: SmallSearch, tmp_path: Path, trial: str, code: int, messages: list[str]
    ) -> None:
        result = call("export", small_search.run, "--trial", trial, "--out", tmp_path / "bundle")
        assert result.returncode == code
        assert all(text.format(run=small_search.run) in result.stderr for text in messages)
        assert not list(tmp_path.iterdir())

    def test_export_without_weights_is_an_error(
        self, small_search: SmallSearch, tmp_path: Path
    ) -> None:
        run = small_search.copy(tmp_path)
        kept = call("search", small_search.file, "--out", run, "--set", "search.keep_weights=1")
        assert kept.returncode == 0, kept.stderr
        left = {number for number in range(4) if RunDirectory(run).weights(number).is_file()}
        assert {0, 1} < left
        (gone,) = set(range(4)) - left
        result = call("export", run, "--trial", str(gone), "--out", tmp_path / "bundle")
        assert result.returncode == 1
        assert f"the weights of trial {gone} do not exist" in result.stderr
        assert "search.keep_weights" in result.stderr
        assert not (tmp_path / "bundle").exists()


def test_bundle_predicts_without_torch(
    small_search: SmallSearch, exported: tuple[Path, CompletedProcess[str]], tmp_path: Path
) -> None:
    """In another folder, on images of the test split."""
    shutil.copytree(exported[0], tmp_path / "moved")
    images = call("sample", small_search.file, "--count", "2", "--out", tmp_path / "images")
    assert images.returncode == 0, images.stderr
    names = images.stdout.splitlines()
    assert len(names) == 2
    result = run_process(
        "predict", "moved", *names, "--out", "pictures", cwd=tmp_path, prelude=WITHOUT_TORCH
    )
    assert result.returncode == 0, result.stderr
    assert "torch was loaded" not in result.stderr
    document = json.loads(result.stdout)
    assert [entry["image"] for entry in document["images"]] == names
    for entry in document["images"]:
        assert set(entry["tasks"]) == {"scene", "shapes"}
        assert entry["tasks"]["scene"]["class"]
        with Image.open(tmp_path / entry["picture"]) as picture:
            assert picture.width > 64
        with Image.open(tmp_path / entry["tasks"]["shapes"]["file"]) as mask:
            assert list(mask.size) == entry["size"][::-1]


def test_check_draws_samples(small_search: SmallSearch, tmp_path: Path) -> None:
    result = call("check", small_search.file, "--out", tmp_path / "sheet.png")
    assert result.returncode == 0, result.stderr
    assert "No errors, 1 warning." in result.stderr  # a class of train is not in val
    assert ["train", "scene", "(images)", "16", "of", "16"] in [
        text.split() for text in result.stdout.splitlines()
    ]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
