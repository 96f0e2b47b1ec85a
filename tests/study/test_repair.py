"""Repair of damaged journals: what can be read is kept, with its trial."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlsearch.config import RunConfig, load_run
from mtlsearch.errors import RunError
from mtlsearch.results import TrialRecord
from mtlsearch.search import search
from mtlsearch.study import (
    RunDirectory,
    TrialStore,
    open_run_storage,
    open_storage,
    open_store,
    read_records,
    repair_journal,
    require_unused,
)
from tests.search.synthetic import Formula, space_for

RUN_FILE = """\
data: {sources: {kind: scenes, train: 4, val: 2, image_size: 32}, image_size: 32}
tasks: {scene: {kind: classification}}
backbone: {name: test_resnet}
search: {space: tree}
"""


def run(out: Path, evaluator: Formula, trials: int) -> list[TrialRecord]:
    store = TrialStore(open_storage(None, out / "study.journal"), "mtlsearch")
    with store.joined(out):
        search(space_for(evaluator), evaluator, store, trials=trials, seed=0)
    return store.records()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the journal of a search with five trials, of which the fourth failed."""
    out = tmp_path_factory.mktemp("whole")
    run(out, Formula(fails=lambda number: number == 3), 5)
    return (out / "study.journal").read_bytes()


def damaged(tmp_path: Path, lines: list[bytes]) -> tuple[Path, RunConfig]:
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    (tmp_path / "study.journal").write_bytes(b"".join(lines))
    return tmp_path, load_run(tmp_path / "run.yaml").config


def whole(tmp_path: Path, journal: bytes) -> list[TrialRecord]:
    return read_records(*damaged(tmp_path, [journal]))


def test_each_damaged_line_costs_at_most_its_trial(tmp_path: Path, journal: bytes) -> None:
    """And a search that resumes trains no finished plan again."""
    lines = journal.splitlines(keepends=True)
    before = whole(tmp_path, journal)
    entries = [json.loads(line) for line in lines]
    for index, entry in enumerate(entries):
        out = tmp_path / str(index)
        out.mkdir()
        garbage = lines[index][: len(lines[index]) // 2] + b"\0\n"
        content = [*lines[:index], garbage, *lines[index + 1 :]]
        out, config = damaged(out, content)
        with pytest.raises(RunError, match=f"damaged: line {index + 1} is not") as error:
            read_records(out, config)
        assert f"mtlsearch repair {out}" in str(error.value)
        result = repair_journal(out, config)
        assert result.damaged[0].number == index + 1
        assert result.damaged[0].content == garbage
        assert garbage in result.side_file.read_bytes()
        assert result.backup.read_bytes() == b"".join(content)
        after = {record.number: record for record in read_records(out, config)}
        following = entries[index + 1] if index + 1 < len(entries) else {}
        own_trial = entry.get("trial_id", following.get("trial_id"))
        for record in before:
            if record.number != own_trial:
                assert after[record.number] == record, (index, entry["op_code"])
        evaluator = Formula()
        records = run(out, evaluator, 5)
        finished = [record.candidate.digest for record in records if record.state != "interrupted"]
        assert len(finished) == len(set(finished)) == 5
        assert len(evaluator.measured) <= 1


@pytest.mark.parametrize("old", [b'"state":0', b'"trial_id":2', b"+00:00", b'"rows"'])
def test_entry_that_optuna_rejects_is_set_aside(tmp_path: Path, journal: bytes, old: bytes) -> None:
    new = {b'"state":0': b'"state":17', b'"trial_id":2': b'"trial_id":[2]', b"+00:00": b"+00:zz"}
    content = journal.replace(old, new.get(old, b'"lines"'), 1)
    number = journal[: journal.index(old)].count(b"\n") + 1
    out, config = damaged(tmp_path, [content])
    result = repair_journal(out, config)
    assert result.damaged[0].number == number
    assert not result.damaged[0].reason.startswith("is not an entry")
    assert read_records(out, config)
    assert not repair_journal(out, config).damaged


def test_lines_of_a_lost_trial_keep_their_trial(tmp_path: Path, journal: bytes) -> None:
    """All lines of trial 1 are lost: the later trials keep their numbers."""
    lines = journal.splitlines(keepends=True)
    new = [number for number, line in enumerate(lines) if json.loads(line)["op_code"] == 4]
    kept = [*lines[: new[1]], *[b"?\n"] * (new[2] - new[1]), *lines[new[2] :]]
    before = whole(tmp_path, journal)
    out, config = damaged(tmp_path, kept)
    assert repair_journal(out, config).num_restored == 1
    after = {record.number: record for record in read_records(out, config)}
    assert [after[number] for number in (0, 2, 3, 4)] == [before[n] for n in (0, 2, 3, 4)]
    assert 1 not in after


def test_trial_with_folder_stays_in_the_study(tmp_path: Path, journal: bytes) -> None:
    lines = journal.splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if json.loads(line)["op_code"] == 4)
    out, config = damaged(tmp_path, [*lines[:last], *[b"?\n"] * (len(lines) - last)])
    RunDirectory(out).trial(4).mkdir(parents=True)
    assert repair_journal(out, config).num_restored == 1
    store = TrialStore(open_storage(None, out / "study.journal"), "mtlsearch")
    assert [trial.number for trial in store.trials] == [0, 1, 2, 3, 4]
    assert store.trials[4].state.is_finished()


def test_whole_journal_is_unchanged(tmp_path: Path, journal: bytes) -> None:
    out, config = damaged(tmp_path, [journal])
    result = repair_journal(out, config)
    assert not result.damaged
    assert result.num_by_state == {"complete": 4, "failed": 1}
    assert (out / "study.journal").read_bytes() == journal
    assert result.backup is None


def test_study_in_a_database_is_refused(tmp_path: Path, journal: bytes) -> None:
    out, config = damaged(tmp_path, [journal])
    search_config = config.search.model_copy(update={"storage": "sqlite:///study.db"})
    with pytest.raises(RunError, match="in a database"):
        repair_journal(out, config.model_copy(update={"search": search_config}))


def test_running_search_is_refused(tmp_path: Path, journal: bytes) -> None:
    out, config = damaged(tmp_path, [journal])
    store = TrialStore(open_storage(None, out / "study.journal"), "mtlsearch")
    with store.joined(out), pytest.raises(RunError, match="a search uses this run directory"):
        repair_journal(out, config)


def test_workers_of_a_database_are_seen(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(f"{RUN_FILE[:-2]}, storage: 'sqlite:///{tmp_path}/s.db'}}\n")
    config, folder = load_run(tmp_path / "run.yaml").config, RunDirectory(tmp_path)
    store = open_store(folder, config, open_run_storage(folder, config))
    require_unused(folder, config)
    with store.joined(tmp_path), pytest.raises(RunError, match="a search uses this run directory"):
        require_unused(folder, config)


def test_carriage_return_in_place_of_a_newline_is_damage(tmp_path: Path, journal: bytes) -> None:
    """Two lines are then one, which is set aside; an incomplete last line is none."""
    lines = journal.splitlines(keepends=True)
    joined = lines[5].replace(b"\n", b"\r") + lines[6]
    out, config = damaged(tmp_path, [*lines[:5], joined, *lines[7:], b"{"])
    result = repair_journal(out, config)
    assert [(line.number, line.content) for line in result.damaged] == [(6, joined)]
    assert result.num_lines == len(lines) - 1
    assert read_records(out, config)
    assert not repair_journal(out, config).damaged
