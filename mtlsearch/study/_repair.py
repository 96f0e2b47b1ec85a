"""Repair of a damaged journal: damaged lines are set aside, all others are kept."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from mtlsearch.config import RunConfig
from mtlsearch.errors import MtlsearchError, RunError
from mtlsearch.files import FileLock, atomic_write
from mtlsearch.results import Objective, TrialRecord, objectives_of
from mtlsearch.study._journal import open_journal, parse_entry
from mtlsearch.study._run_directory import RunDirectory
from mtlsearch.study._study import JOURNAL_STUDY, read_records, require_unused

CREATE_STUDY, CREATE_TRIAL, END_TRIAL, SET_ATTRIBUTE = 0, 4, 6, 8
"""Numbers of operations in a journal of Optuna."""

RUNNING, COMPLETE, FAIL = 0, 1, 3
"""Numbers of trial states in a journal of Optuna."""

_WRITER = "repair"
_NOT_JSON = "is not an entry of Optuna"
_REJECTIONS = (AssertionError, AttributeError, LookupError, TypeError, ValueError)

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DamagedLine:
    """A line of a journal that was set aside.

    Attributes:
        number: its number, from 1.
        reason: why it cannot be used.
        content: the line.
    """

    number: int
    reason: str
    content: bytes


@dataclass(frozen=True, slots=True)
class JournalRepair:
    """Result of a repair.

    Attributes:
        num_lines: lines of the journal before.
        damaged: the lines that were set aside.
        num_restored: trials of which a damaged line had been the first one.
        backup: copy of the journal before the repair; None if nothing was changed.
        side_file: file with the damaged lines; None if nothing was changed.
        num_by_state: number of trials that can be read, by state.
    """

    num_lines: int
    damaged: tuple[DamagedLine, ...]
    num_restored: int
    backup: Path | None
    side_file: Path | None
    num_by_state: Counter[str]


@dataclass(slots=True)
class _Line:
    """A line of a journal, its entry if it is usable, and entries that are put before it."""

    number: int
    content: bytes
    entry: Entry | None
    reason: str = ""
    before: list[Entry] = field(default_factory=list)

    @property
    def trial(self) -> int | None:
        """The trial that the entry changes; None if it changes none."""
        number = None if self.entry is None else self.entry.get("trial_id")
        return number if isinstance(number, int) else None

    def is_op(self, code: int) -> bool:
        """Return whether the entry is an operation."""
        return self.entry is not None and self.entry["op_code"] == code


def repair_journal(out: Path, config: RunConfig) -> JournalRepair:
    """Set aside the damaged lines of a run's journal; keep a backup.

    Optuna numbers trials in the order of the lines that add them. If such a line is damaged, an
    empty trial takes its place, so that all later lines keep their trial.

    Args:
        out: run directory.
        config: its run file.

    Returns:
        What was changed, and the trials that can be read.

    Raises:
        RunError: the study is in a database, a search is running, or the journal is missing or
            cannot be repaired.
    """
    run = RunDirectory(out)
    run.require()
    if config.search.storage is not None:
        raise RunError(
            "the study of this run is in a database, which has no lines to repair",
            where=str(run.config),
            next_step="use the tools of the database",
        )
    require_unused(run, config)
    with FileLock(run.journal.with_suffix(".lock")):
        lines = _read(run.journal)
        _set_aside_ends_without_results(lines)
        damaged = tuple(
            DamagedLine(line.number, line.reason, line.content) for line in lines if line.reason
        )
        num_restored = _restore_numbers(lines, run.trial_numbers()) if damaged else 0
        backup = side_file = None
        if damaged:
            _restore_study(lines, config)
            backup, side_file = _write(run.journal, lines, damaged)
    records = read_records(out, config)
    states: Counter[str] = Counter(record.state for record in records)
    return JournalRepair(len(lines), damaged, num_restored, backup, side_file, states)


def _read(journal: Path) -> list[_Line]:
    lines = []
    *contents, _ = journal.read_bytes().split(b"\n")  # a killed process leaves an incomplete line
    for number, content in enumerate((content + b"\n" for content in contents), start=1):
        entry = parse_entry(content)
        reason = _NOT_JSON if entry is None else _rejection_of(entry)
        lines.append(_Line(number, content, None if reason else entry, reason))
    return lines


class _Entries(BaseJournalBackend):
    """Journal in memory that is only read."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    def read_logs(self, log_number_from: int) -> Iterable[Entry]:
        return self._entries[log_number_from:]

    def append_logs(self, logs: list[Entry]) -> None:
        raise NotImplementedError


def _rejection_of(entry: Entry) -> str:
    """Return why Optuna or a trial store rejects an entry; empty if they accept it."""
    study = _study_entry([2])
    tested = {**entry, **dict.fromkeys({"study_id", "trial_id"} & entry.keys(), 0)}
    entries = [study, tested] if tested["op_code"] == CREATE_TRIAL else [study, _empty(), tested]
    try:
        if any(type(entry.get(key, 0)) is not int for key in ("study_id", "trial_id")):
            raise TypeError("a number must be an integer")
        JournalStorage(_Entries(entries))
        if (record := _record_in(entry)) is not None:
            TrialRecord.from_json(record)
    except _REJECTIONS as error:
        return f"is rejected by Optuna ({type(error).__name__}{f': {error}' if str(error) else ''})"
    except MtlsearchError as error:
        return f"contains an invalid trial ({error.what})"
    return ""


def _record_in(entry: Entry | None) -> Any:
    """Return the trial record that an entry writes; None if it writes none."""
    attributes = {} if entry is None else entry.get("user_attr", entry.get("user_attrs"))
    return attributes.get("record") if isinstance(attributes, dict) else None


def _set_aside_ends_without_results(lines: Sequence[_Line]) -> None:
    """Set aside the ends of trials whose results are in a damaged line: they run again."""
    if not any(line.reason for line in lines):
        return
    state_by_trial: dict[int, str] = {}
    for line in lines:
        if line.trial is None or line.entry is None:
            continue
        if (record := _record_in(line.entry)) is not None:
            state_by_trial[line.trial] = record["state"]
        is_complete = line.is_op(END_TRIAL) and line.entry.get("state") == COMPLETE
        if is_complete and state_by_trial.get(line.trial, "running") != "complete":
            line.reason = "ends a trial whose results are in a damaged line"
            line.entry = None


def _restore_numbers(lines: list[_Line], folders: Sequence[int]) -> int:
    """Put empty trials in the places of damaged lines that had added a trial."""
    number_by_line = _numbers_of_new_trials(lines)
    count = num_restored = 0
    gap: list[_Line] = []  # the damaged lines since the last new trial
    for line in lines:
        if line.reason:
            gap.append(line)
            continue
        is_new = line.is_op(CREATE_TRIAL)
        needed = number_by_line.get(line.number) if is_new else line.trial
        missing = 0 if needed is None else needed - count + (0 if is_new else 1)
        if 0 < missing <= len(gap):
            gap[0].before += [_empty() for _ in range(missing)]
            count += missing
            num_restored += missing
        if is_new:
            count, gap = count + 1, []
    missing = max(folders, default=-1) + 1 - count
    if 0 < missing <= sum(bool(line.reason) for line in lines):
        lines.append(_Line(len(lines) + 1, b"", None, before=[_empty() for _ in range(missing)]))
        num_restored += missing
    return num_restored


def _numbers_of_new_trials(lines: Sequence[_Line]) -> dict[int, int]:
    """Return the trial number by line of each new trial, where a later line contains it.

    A worker writes to a trial right after it has added it.
    """
    number_by_line: dict[int, int] = {}
    new_line_by_worker: dict[str, int] = {}
    for line in lines:
        if line.entry is None:
            continue
        worker = str(line.entry["worker_id"])
        if line.is_op(CREATE_TRIAL):
            new_line_by_worker[worker] = line.number
        elif line.trial is not None and worker in new_line_by_worker:
            number_by_line[new_line_by_worker.pop(worker)] = line.trial
    return number_by_line


def _restore_study(lines: list[_Line], config: RunConfig) -> None:
    """Add the line that creates the study if it is damaged."""
    if not any(line.is_op(CREATE_STUDY) for line in lines):
        directions = [2 if objective.maximize else 1 for objective in _objectives(lines, config)]
        lines.insert(0, _Line(0, b"", None, before=[_study_entry(directions)]))


def _objectives(lines: Sequence[_Line], config: RunConfig) -> tuple[Objective, ...]:
    metrics: dict[str, Any] = {}
    for line in lines:
        if (record := _record_in(line.entry)) is not None:
            results = TrialRecord.from_json(record).results
            metrics.update({task: result.specs for task, result in results.items()})
    return objectives_of(config.search.objectives, metrics)


def _write(
    journal: Path, lines: Sequence[_Line], damaged: Sequence[DamagedLine]
) -> tuple[Path, Path]:
    backup = _unused(journal.with_name(f"{journal.name}.backup"))
    side_file = _unused(journal.with_name(f"{journal.name}.damaged"))
    with atomic_write(backup) as temporary:
        shutil.copyfile(journal, temporary)
    with atomic_write(side_file) as temporary:
        temporary.write_bytes(
            b"".join(
                f"# line {line.number} {line.reason}\n".encode() + line.content for line in damaged
            )
        )
    with atomic_write(journal) as temporary:
        temporary.write_bytes(b"".join(_contents(lines)))
        _end_empty_trials(temporary)
    return backup, side_file


def _contents(lines: Sequence[_Line]) -> Iterator[bytes]:
    for line in lines:
        yield from (json.dumps(entry).encode() + b"\n" for entry in line.before)
        if line.entry is not None:
            yield line.content


def _end_empty_trials(journal: Path) -> None:
    """End the trials of which nothing but their place is left."""
    storage = open_journal(journal)
    trials = storage.get_all_trials(storage.get_study_id_from_name(JOURNAL_STUDY))
    with journal.open("ab") as file:
        for trial in trials:
            if not trial.user_attrs and not trial.state.is_finished():
                file.write(json.dumps(_end(trial.number)).encode() + b"\n")


def _unused(path: Path) -> Path:
    """Return a path that does not exist yet: the path itself or with a number."""
    number, unused = 2, path
    while unused.exists():
        unused, number = path.with_name(f"{path.name}-{number}"), number + 1
    return unused


def _study_entry(directions: Sequence[int]) -> Entry:
    return {
        "op_code": CREATE_STUDY,
        "worker_id": _WRITER,
        "study_name": JOURNAL_STUDY,
        "directions": [*directions],
    }


def _empty() -> Entry:
    return {
        "op_code": CREATE_TRIAL,
        "worker_id": _WRITER,
        "study_id": 0,
        "datetime_start": datetime.now(UTC).isoformat(),
        "state": RUNNING,
    }


def _end(number: int) -> Entry:
    return {
        "op_code": END_TRIAL,
        "worker_id": _WRITER,
        "trial_id": number,
        "state": FAIL,
        "values": None,
        "datetime_complete": datetime.now(UTC).isoformat(),
    }
