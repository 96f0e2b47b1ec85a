"""The HTML text of a page."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from mtlsearch.affinity import Affinity
from mtlsearch.plan import SharingPlan
from mtlsearch.report.page import NetworkResults, RunContents, compared_networks, render_page
from mtlsearch.report.page._facts import search_facts, task_facts, trial_counts
from mtlsearch.report.page._sections import estimate_panel, failures, plan_cards, state_sentence
from mtlsearch.report.page._summary import number, primary_specs, task_rows
from mtlsearch.report.page._table import page_table
from mtlsearch.results import TaskResult, TrialRecord
from mtlsearch.search import verdict_of
from mtlsearch.search.estimate import Estimate, PlanEstimate, TaskEstimate
from mtlsearch.study import StudyView
from tests.report.page.conftest import HOSTILE, contents_of
from tests.results.trials import TASKS, UNITS, baselines, results, run, trial

VOID = {"meta", "input", "img", "br"}


class Structure(HTMLParser):
    """Parser that requires every element to be closed, and collects sections and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections.append(str(values["id"]))
        self.links += [str(values[name]) for name in ("href", "src") if name in values]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parse(text: str) -> Structure:
    structure = Structure()
    structure.feed(text)
    assert structure.open == []
    return structure


def test_page_is_one_file_with_all_sections(contents: RunContents) -> None:
    structure = parse(render_page(contents, NetworkResults()))
    assert structure.sections == [
        *("verdict", "searched", "leaderboard", "front", "plans", "mattered", "curves", "classes"),
        *("images", "failures", "reproduce"),
    ]
    assert all(link.startswith(("#", "data:")) for link in structure.links)
    assert {link[1:] for link in structure.links if link[0] == "#"} == set(structure.sections)


def test_page_escapes_names_everywhere(contents: RunContents) -> None:
    text = render_page(contents, NetworkResults())
    assert HOSTILE not in text
    assert text.count("window.hacked") >= 8  # name, source, class, reason, param, ...


def test_page_without_images_contains_a_note(contents: RunContents) -> None:
    text = render_page(contents, NetworkResults())
    assert "Data and weights were not opened" in text
    note = "trial 0, independent: the weights of trial 0 do not exist."
    assert note in render_page(contents, NetworkResults(notes=(note,)))


def test_page_of_a_run_without_results_is_written() -> None:
    running = trial(0, SharingPlan.independent(TASKS, UNITS), state="running")
    contents = contents_of([running])
    structure = parse(render_page(contents, NetworkResults()))
    assert "leaderboard" in structure.sections
    assert "front" not in structure.sections
    assert "no result yet" in render_page(contents_of([]), NetworkResults())


def test_best_baseline_is_compared_with_the_best_plan(contents: RunContents) -> None:
    assert [*compared_networks(contents)] == [
        "trial 5, best, recommended",
        "trial 0, independent",
        "trial 1, hard",
    ]
    worse = [*baselines(), trial(2, measured=results(0.1, 0.5, 0.3), flops=10**9)]
    titles = [*compared_networks(contents_of(worse))]
    assert titles == [
        "trial 0, best, recommended, independent",
        "trial 1, hard",
        "trial 2, best proposed",
    ]


def test_ring_marks_the_best_trial_even_if_it_is_a_baseline(contents: RunContents) -> None:
    worse = [*baselines(), trial(2, measured=results(0.1, 0.5, 0.3), flops=10**9)]
    for shown in (contents, contents_of(worse)):
        text = render_page(shown, NetworkResults())
        assert text.count('class="ring"') == 2  # one in each of the two drawings


def test_legends_name_only_the_roles_that_are_drawn(contents: RunContents) -> None:
    text = render_page(contents_of([*baselines()]), NetworkResults())
    assert "curve independent" in text
    assert "other trials" not in text
    assert "on the front" not in text
    tree = trial(2, measured=results(0.4, 0.1, 0.7), flops=10**9)
    only_front = render_page(contents_of([*baselines(), tree]), NetworkResults())
    assert only_front.count("other trials") == 0  # it is the best one
    assert render_page(contents, NetworkResults()).count("other trials") == 3


def test_running_trials_are_no_failures(contents: RunContents) -> None:
    split = SharingPlan.from_splits(TASKS, [2, 4], UNITS)
    running = [trial(number, split, state="running") for number in (2, 3)]
    assert failures(contents_of([*baselines(), *running])) == []
    for records, sentence in (
        ([], "This run has no trials."),
        (baselines(), "All 2 trials are complete."),
        (baselines()[:1], "Trial 0 is complete."),
        ([*baselines(), running[0]], "1 training is running."),
        ([*baselines(), *running], "2 trainings run."),
        (contents.records, ""),
    ):
        assert state_sentence(contents_of([*records])) == sentence
    assert "This run has no trials." in render_page(contents_of([]), NetworkResults())


def test_continued_trials_are_named_and_counted_apart() -> None:
    split = SharingPlan.from_splits(TASKS, [2, 4], UNITS)
    stopped = [trial(number, split, state="interrupted") for number in (2, 3)]
    again = trial(4, split, measured=results(0.1, 0.5, 0.3))
    shown = contents_of([*baselines(), *stopped, again])
    assert [(row[0], row[3]) for row in failures(shown)] == [
        (2, "continued as trial 3"),
        (3, "continued as trial 4"),
    ]
    counts = ["3 complete", "2 interrupted and continued"]
    assert trial_counts(shown) == counts
    assert f"trials: {', '.join(counts)}" in render_page(shown, NetworkResults())
    assert ", ".join(counts) in dict(search_facts(shown))["trials"]
    columns, _ = page_table(shown.frame, shown.primary)
    assert [column.is_shown for column in columns if column.title == "state"] == [True]
    assert trial_counts(contents_of([*baselines(), *stopped]))[1:] == [
        "1 interrupted and continued",
        "1 interrupted",
    ]


def test_metrics_that_are_not_counted_are_marked() -> None:
    records = [*baselines(), trial(2, measured=results(0.1, 0.5, 0.3))]
    shown = contents_of(records)
    assert "Not counted in Δm" not in render_page(shown, NetworkResults())
    task, spec = next(iter(primary_specs(shown).items()))
    shown.frame.attrs["not_counted"] = [f"{task}.{spec.name}"]
    rows = {row.task: row for row in task_rows(shown, {})}
    assert [name for name, row in rows.items() if not row.is_counted] == [task]
    facts = {fact.name: fact.metrics for fact in task_facts(shown, NetworkResults(), {})}
    assert [name for name, text in facts.items() if f"{spec.name} ○" in text] == [task]
    text = render_page(shown, NetworkResults())
    assert text.count("Not counted in Δm") == 2
    assert f"change: {rows[task].counted}" in text


def test_affinity_has_a_symmetric_scale(contents: RunContents) -> None:
    values = np.array([[[1.0, -0.02, 0.01], [0.004, 1.0, 0.0], [0.0, np.nan, 1.0]]])
    affinity = Affinity(
        TASKS, ("stem",), values, values[0], values[0], values, values, np.ones((3, 3)), 9, 1
    )
    text = render_page(replace(contents, affinity=affinity), NetworkResults())
    # The largest effect on another task has the strongest color, and the sign selects the hue.
    assert 'class="cell negative" fill-opacity="1.00"' in text
    assert 'class="cell positive" fill-opacity="0.50"' in text
    assert "<span>\N{MINUS SIGN}2</span><i></i><span>+2</span>" in text


def test_trial_with_undefined_delta_m_has_a_card_without_it() -> None:
    records = run()
    records[9] = trial(9, records[9].candidate.plan, results(boxes=math.nan))
    verdict = verdict_of(StudyView(records=tuple(records), params_by_number={}, repeats=()))
    assert verdict is not None
    assert 9 not in verdict.expected_by_number
    contents = contents_of(records, verdict)
    labels = {
        card.trial: [label for label, _ in card.facts if "Δm" in label]
        for card in plan_cards(contents)
    }
    assert labels.pop(9) == labels.pop(0) == []
    assert all(names == ["expected Δm", "measured Δm"] for names in labels.values())
    parse(render_page(contents, NetworkResults()))


def test_estimate_with_an_unknown_change_has_a_finite_scale(contents: RunContents) -> None:
    means = {"boxes": math.nan, "depth": -4.0, "scene": 1.0}
    plan = PlanEstimate(SharingPlan.hard(TASKS, UNITS), "hard", math.nan, 1.0, means, means, 9, 9)
    task = TaskEstimate(1.0, 1.0, 0.5, 0.5)
    estimate = Estimate((plan,), dict.fromkeys(TASKS, task), "hard", 0.0, 1.0, 1, 5)
    panel = estimate_panel(replace(contents, estimate=estimate))
    assert panel is not None
    assert "\N{PLUS-MINUS SIGN} 4.0 %" in panel.note
    assert "nan" not in panel.picture
    assert "from trainings of 1 of 5 epochs." in panel.note
    estimate = replace(estimate, has_own_schedule=True)
    panel = estimate_panel(replace(contents, estimate=estimate))
    assert panel is not None
    assert "1 epoch with a schedule of their own, and from the trials of the run." in panel.note


def test_estimate_names_plans_with_their_errors(contents: RunContents) -> None:
    means = {"boxes": -0.031, "depth": 0.001, "scene": 0.0}
    split = SharingPlan.from_splits(TASKS, [2, 4], UNITS)
    plan = PlanEstimate(split, None, -0.01, 0.39, means, means, 9, 9)
    task = TaskEstimate(1.0, 1.0, 0.5, 0.5)
    estimate = Estimate((plan,), dict.fromkeys(TASKS, task), "hard", 0.0, 1.0, 1, 5)
    panel = estimate_panel(replace(contents, estimate=estimate))
    assert panel is not None
    assert str(split)[:20] in panel.picture
    assert "\N{PLUS-MINUS SIGN} 0.39" in panel.picture
    assert "\N{MINUS SIGN}0.03<" in panel.picture
    assert ">0<" in panel.picture  # not +0.00


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00042, "0.00042"),
        (0.000_123_4, "0.000123"),
        (-0.0001, "\N{MINUS SIGN}0.0001"),
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.0123, "0.012"),
        (12345.6, "12345.6"),
        (math.nan, "-"),
    ],
)
def test_small_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_small_metrics_are_not_shown_as_zero() -> None:
    specs = results()["depth"].specs
    small = TaskResult({"abs_rel": 0.000_42}, specs, errors={"abs_rel": 0.000_012})
    records = [*baselines(), trial(2, measured={**results(), "depth": small})]
    columns, rows = page_table(contents_of(records).frame, ["depth.abs_rel"])
    index = next(i for i, column in enumerate(columns) if column.title.startswith("depth.abs_rel"))
    cell = next(row.cells[index] for row in rows if row.trial == 2)
    assert (cell.text, cell.error) == ("0.00042", "± 1.2e\N{MINUS SIGN}05")


def many_trials(count: int) -> list[TrialRecord]:
    generator = np.random.default_rng(0)
    records = baselines()
    for index in range(len(records), count):
        depths = [int(depth) for depth in generator.integers(0, UNITS + 1, 2)]
        plan = SharingPlan.from_splits(TASKS, depths, UNITS)
        factors = 1 + generator.normal(0, 0.05, 3)
        records.append(trial(index, plan, results(*(factors * [0.3, 0.2, 0.6]))))
    return records


def test_page_of_200_trials_is_below_3_megabytes() -> None:
    text = render_page(contents_of(many_trials(200), epochs=300), NetworkResults())
    # Images add at most 120 pictures of about 12 kB, 2 MB in base64.
    assert len(text.encode()) < 3_000_000
