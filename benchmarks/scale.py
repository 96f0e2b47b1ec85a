"""Time per trial of a search by the number of trials that the study already has.

Run ``python benchmarks/scale.py`` (minutes). The evaluator is a formula, so that nothing is
trained. For each storage, a study is filled with complete trials up to a size, and a search adds
some trials to it. ``wall`` and ``processor`` are the median milliseconds of such a trial:
proposing, measuring, writing, reading what changed and updating the values derived from it.
``open`` is the time to open the study. With a journal, ``leaderboard`` is the time of that command
as a program of its own, for the number of trials before the search.

With ``--workers 1 2 4``, so many processes add trials to the same study after that, as workers do.
Then ``wall`` is the elapsed time and ``processor`` the processor time of all workers, both per
trial added. Their trainings take no time, so that they meet as often as possible: workers that
propose the same candidate, or wait for a lock, are in these times.

Storages: ``journal`` is a journal file, ``sqlite`` a file, and ``--url URL`` any other database,
such as ``postgresql+psycopg://...``, in which studies are created. The default sampler is
``random``, which needs no model: so the rest of a trial dominates. With other samplers than
``auto``, loss weights are searched too, so that there is no last candidate.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import TrialState, create_trial

from mtlsearch.config import SAMPLER_NAMES, SearchConfig
from mtlsearch.plugin import Candidate
from mtlsearch.results import Baseline, TrialRecord
from mtlsearch.search import CandidateSpace, NullProgress, search
from mtlsearch.search.evaluators import FunctionEvaluator
from mtlsearch.search.space import Proposal, propose_baseline
from mtlsearch.study import StudyView, TrialStore, open_storage

TASKS = ("boxes", "depth", "normals", "scene", "segmentation")
NUM_UNITS = 6
BASELINES: tuple[Baseline, ...] = ("independent", "hard")

RUN_FILE = """\
data: {sources: {kind: scenes, image_size: 32}}
tasks: {scene: {kind: classification}, shapes: {kind: segmentation}}
search: {space: tree}
"""
"""Run file of a run directory, of which ``leaderboard`` reads the search section only."""


def score(candidate: Candidate) -> Mapping[str, float]:
    """Return a score per task that depends on the size of its group in each unit."""
    rows = candidate.plan.rows
    return {
        task: 1.0
        + 0.01 * sum(row.count(row[index]) * (unit + index) for unit, row in enumerate(rows))
        for index, task in enumerate(TASKS)
    }


EVALUATOR = FunctionEvaluator(score, TASKS, NUM_UNITS)


def make_space(sampler: str) -> CandidateSpace:
    """Return the space of all trees, with loss weights unless the sampler compares all plans."""
    settings = {
        "sampler": sampler,
        "loss_weights": "equal" if sampler == "auto" else "search",
        "stop_when_settled": False,
        "max_seeds": 1,
    }
    return CandidateSpace(
        space=TreeSpace(TreeSettings()),
        config=SearchConfig.model_validate(settings),
        tasks=TASKS,
        backbones=("one",),
        learning_rate=0.1,
        units_of=EVALUATOR.units,
    )


class Lines(BaseJournalBackend):
    """Journal in memory, which is written to a file at once."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """See :class:`optuna.storages.journal.BaseJournalBackend`."""
        return self.entries[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """See :class:`optuna.storages.journal.BaseJournalBackend`."""
        self.entries += [json.loads(json.dumps(log)) for log in logs]


def fill(storage: BaseStorage, name: str, space: CandidateSpace, count: int) -> None:
    """Add complete trials to a new study, each in one write."""
    TrialStore(storage, name)
    study_id = storage.get_study_id_from_name(name)
    sampler = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for number in range(count):
        if number < len(BASELINES):
            proposal = propose_baseline(space, BASELINES[number])
        else:
            trial = sampler.ask()
            proposal = Proposal(space.propose(trial), trial.params, trial.distributions)
        cost = EVALUATOR.cost(proposal.candidate)
        results = EVALUATOR.measure(number, proposal.candidate, NullProgress()).results
        record = TrialRecord(
            number,
            "complete",
            proposal.baseline,
            proposal.candidate,
            cost.parameters,
            cost.flops,
            results,
            epochs=1,
        )
        trial = create_trial(
            state=TrialState.COMPLETE,
            value=0.0,
            params=dict(proposal.params),
            distributions=dict(proposal.distributions),
            user_attrs={"record": record.to_json()},
        )
        storage.create_new_trial(study_id, trial)


def fill_journal(folder: Path, space: CandidateSpace, count: int) -> None:
    """Write a run directory whose journal contains complete trials."""
    lines = Lines()
    fill(JournalStorage(lines), "mtlsearch", space, count)
    text = "".join(json.dumps(entry) + "\n" for entry in lines.entries)
    (folder / "study.journal").write_text(text, encoding="utf-8")
    (folder / "run.yaml").write_text(RUN_FILE, encoding="utf-8")


class Clock:
    """Elapsed and processor milliseconds since the last call."""

    def __init__(self) -> None:
        self._last = (time.perf_counter(), time.process_time())

    def lap(self) -> tuple[float, float]:
        """Return both, and start again."""
        now = (time.perf_counter(), time.process_time())
        wall, processor = (1000 * (new - old) for new, old in zip(now, self._last, strict=True))
        self._last = now
        return wall, processor


def measure(storage: str, size: int, options: argparse.Namespace) -> None:
    """Fill a study, add trials to it by a search, and print the times."""
    space, name = make_space(options.sampler), "mtlsearch"
    with tempfile.TemporaryDirectory(dir=options.folder) as path:
        folder = Path(path)
        url = {"journal": None, "sqlite": f"sqlite:///{folder / 'study.db'}"}.get(storage, storage)
        if url is None:
            fill_journal(folder, space, size)
        else:
            name = f"scale-{uuid.uuid4().hex[:8]}"
            fill(open_storage(url, folder / "study.journal"), name, space, size)
        seconds = time_leaderboard(folder) if url is None and options.leaderboard else None
        clock, laps = Clock(), list[tuple[float, float]]()
        store = TrialStore(open_storage(url, folder / "study.journal"), name)
        store.view()
        opening = clock.lap()

        def record_lap(view: StudyView) -> None:
            laps.append(clock.lap())

        total = size + options.trials
        search(space, EVALUATOR, store, trials=total, seed=0, after_each=record_lap)
        wall, processor = (statistics.median(times) for times in zip(*laps[1:], strict=True))
        kind = storage.partition(":")[0]
        text = "" if seconds is None else f"{seconds[0]:13.2f}{seconds[1]:13.2f}"
        print(
            f"{kind:24}{size:8}{'':9}{wall:10.1f}{processor:14.1f}{opening[0] / 1000:9.2f}"
            f"{opening[1] / 1000:13.2f}{text}",
            flush=True,
        )
        for count in options.workers:
            added = total + options.trials * count
            wall, processor = measure_workers(folder, url, name, total, added, count, options)
            total = added
            print(f"{kind:24}{size:8}{count:9}{wall:10.1f}{processor:14.1f}", flush=True)


def measure_workers(
    folder: Path,
    url: str | None,
    name: str,
    first: int,
    last: int,
    count: int,
    options: argparse.Namespace,
) -> tuple[float, float]:
    """Let several processes add trials; return elapsed and processor milliseconds per trial."""
    command = [
        *(sys.executable, __file__, "--join", str(folder), str(last), url or "", name),
        *("--sampler", options.sampler),
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(count)]
    for worker in workers:  # all have opened the study
        assert worker.stdout is not None
        worker.stdout.readline()
    start = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    seconds = [float(worker.communicate()[0]) for worker in workers]
    wall = time.perf_counter() - start
    return 1000 * wall / (last - first), 1000 * sum(seconds) / (last - first)


def join(folder: str, trials: str, url: str, name: str, sampler: str) -> None:
    """Add trials as one worker, and print its processor seconds after the study was opened."""
    space, path = make_space(sampler), Path(folder)
    store = TrialStore(open_storage(url or None, path / "study.journal"), name)
    with store.joined(path):
        store.view()
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.process_time()
        search(space, EVALUATOR, store, trials=int(trials), seed=0)
        print(time.process_time() - start)


def time_leaderboard(folder: Path) -> tuple[float, float]:
    """Return elapsed and processor seconds of ``mtlsearch leaderboard`` as a program."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "mtlsearch.cli", "leaderboard", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storages", nargs="*", default=["journal", "sqlite"])
    parser.add_argument("--url", help="storage URL of a further database")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--sampler", choices=SAMPLER_NAMES, default="random")
    parser.add_argument("--trials", type=int, default=30, help="trials that a search adds")
    parser.add_argument("--folder", help="parent of temporary files, such as a folder in memory")
    parser.add_argument("--no-leaderboard", dest="leaderboard", action="store_false")
    parser.add_argument("--workers", type=int, nargs="*", default=[], help="numbers of workers")
    parser.add_argument("--join", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.join:
        return join(*options.join, options.sampler)
    print(
        f"{'storage':24}{'trials':>8}{'workers':>9}{'wall ms':>10}{'processor ms':>14}{'open s':>9}"
        f"{'processor s':>13}{'leaderboard s':>13}{'processor s':>13}"
    )
    for storage in [*options.storages, *([options.url] if options.url else [])]:
        for size in options.sizes:
            measure(storage, size, options)
    return None


if __name__ == "__main__":
    main()
