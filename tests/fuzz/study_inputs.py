"""Tables of trained plans, journals and records of outputs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mtlsearch.files import Outputs, unchanged_outputs
from mtlsearch.search.evaluators import TableEvaluator

TABLE = (
    "plan,seed,epoch,boxes.mAP:max,depth.abs_rel:min,delta_m,parameters,flops,seconds\n"
    "01 01 01,0,1,0.45,0.220,0.0,200,2000,4.1\n01 01 01,0,2,0.50,0.200,0.0,200,2000,9.1\n"
    "00 00 00,0,1,0.40,0.210,-12.5,100,1000,5.0\n00 01 01,0,1,0.55,0.196,6.0,180,1800,8.3\n"
)


def write_table(folder: Path) -> None:
    (folder / "t.csv").write_text(TABLE)


def read_table(folder: Path) -> None:
    """Read a table of trained plans."""
    evaluator = TableEvaluator.read(folder / "t.csv")
    assert evaluator.epochs > 0
    for plan in evaluator.plans:
        str(plan)
        assert plan.digest


@cache
def journal() -> bytes:
    with TemporaryDirectory() as folder:
        from mtlsearch.search import search
        from mtlsearch.study import TrialStore, open_storage
        from tests.search.synthetic import Formula, space_for

        evaluator, path = Formula(), Path(folder) / "study.journal"
        store = TrialStore(open_storage(None, path), "test")
        search(space_for(evaluator), evaluator, store, trials=4, seed=0)
        return (Path(folder) / "study.journal").read_bytes()


def write_journal(folder: Path) -> None:
    (folder / "study.journal").write_bytes(journal())


def read_journal(folder: Path) -> None:
    """Read all trials of a journal and print them in each format."""
    from mtlsearch.report import render
    from mtlsearch.results import leaderboard
    from mtlsearch.study import TrialStore, open_storage

    storage = open_storage(None, folder / "study.journal")
    for study in storage.get_all_studies():
        store = TrialStore(storage, study.study_name)
        records = store.records()
        store.repeats()
        assert store.view().num_finished >= 0
        frame = leaderboard(records)
        for form in ("table", "csv", "json", "markdown"):
            render(frame, form)


def write_outputs(folder: Path) -> None:
    outputs = Outputs("sample")
    for name in ("a.png", "b é.png"):
        with outputs.write(folder / name) as path:
            path.write_bytes(name.encode())


def read_outputs(folder: Path) -> None:
    unchanged_outputs(folder)
    outputs = Outputs("sample")
    outputs.check({folder / "a.png": None})
    outputs.check_folder(folder)
