"""A run file meets the catalogue: everything that cannot be is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.config import LoadedRun, load_run
from mtlsearch.errors import ConfigError, UnknownNameError
from mtlsearch.plugin import Form, LabelSpec
from mtlsearch.registry import PluginRegistry, build_registry
from tests.registry.plugins import DATASET, good, write

RUN = """\
seed: 3
data:
  root: photos
  sources:
    kind: squares
    count: 7
tasks:
  shade: {kind: shades}
  tone:
    kind: shades
    label: shade
    smoothing: 0.5
search:
  space: flat
"""


@pytest.fixture
def registry(tmp_path: Path) -> PluginRegistry:
    folder = write(
        good(tmp_path / "plugins"), {"files": DATASET.format(name="files", generated=False)}
    )
    return build_registry([folder], entry_points=False)


def loaded(folder: Path, text: str = RUN, *overrides: str) -> LoadedRun:
    (folder / "run.yaml").write_text(text)
    return load_run(folder / "run.yaml", overrides)


def test_sources_get_settings_root_and_seed(registry: PluginRegistry, tmp_path: Path) -> None:
    (source,) = registry.open_sources(loaded(tmp_path, RUN, "data.sources.root=set"))
    assert source.size("train") == 7
    assert vars(source)["root"] == tmp_path / "photos" / "set"
    assert vars(source)["seed"] == 3


def test_tasks_get_name_settings_and_label(registry: PluginRegistry, tmp_path: Path) -> None:
    run = loaded(tmp_path)
    (source,) = registry.open_sources(run)
    tasks = registry.build_tasks(run, source.labels)
    assert list(tasks) == ["shade", "tone"]
    assert tasks["tone"].name == "tone"
    assert tasks["tone"].settings.model_dump() == {"smoothing": 0.5}
    assert tasks["tone"].label == source.labels["shade"]


def test_the_space(registry: PluginRegistry, tmp_path: Path) -> None:
    assert registry.space(loaded(tmp_path)).name == "flat"


@pytest.mark.parametrize(
    ("override", "key", "says"),
    [
        ("tasks.tone.smooting=1", "tasks.tone.smooting", "did you mean 'smoothing'?"),
        ("tasks.tone.smoothing=2", "tasks.tone.smoothing", "less than 1"),
        ("data.sources.0.cuont=2", "data.sources.cuont", "did you mean 'count'?"),
        ("search.space.first=2", "search.space.first", "unknown key 'first'"),
    ],
)
def test_settings_are_checked_where_they_stand(
    registry: PluginRegistry, tmp_path: Path, override: str, key: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.check(loaded(tmp_path, RUN, override))
    assert says in caught.value.what
    assert caught.value.where == f"--set {override} ({key})"


def test_wrong_settings_are_told_together_with_their_lines(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    text = RUN.replace("count: 7", "count: 0").replace("smoothing: 0.5", "smoothing: much")
    with pytest.raises(ConfigError) as caught:
        registry.check(loaded(tmp_path, text))
    assert "run.yaml:6 (data.sources.count)" in caught.value.what
    assert "run.yaml:12 (tasks.tone.smoothing)" in caught.value.what


@pytest.mark.parametrize(
    ("right", "wrong", "line", "says"),
    [
        ("kind: squares", "kind: square", 5, "data set source named 'square'; did you mean"),
        ("{kind: shades}", "{kind: shade}", 8, "task kind named 'shade'; did you mean 'shades'?"),
        ("space: flat", "space: flut", 14, "search space named 'flut'; did you mean 'flat'?"),
    ],
)
def test_unknown_names_have_a_line(
    registry: PluginRegistry, tmp_path: Path, right: str, wrong: str, line: int, says: str
) -> None:
    with pytest.raises(UnknownNameError) as caught:
        registry.check(loaded(tmp_path, RUN.replace(right, wrong)))
    assert says in caught.value.what
    assert f"run.yaml:{line} (" in str(caught.value.where)


def test_a_run_file_without_a_space_is_told_what_there_is(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="names no search space") as caught:
        registry.check(loaded(tmp_path, RUN.replace("  space: flat", "  trials: 3")))
    assert caught.value.allowed == ("space: flat",)
    assert "run.yaml:13 (" in str(caught.value.where)


def test_a_label_that_no_source_has(registry: PluginRegistry, tmp_path: Path) -> None:
    labels = {"shade": LabelSpec(Form.CATEGORY, ("dark", "light"))}
    run = loaded(tmp_path, RUN.replace("label: shade", "label: shad"))
    with pytest.raises(ConfigError) as caught:
        registry.build_tasks(run, labels)
    assert "'tone' learns the label 'shad', which no data source has; did you mean 'shade'?" in (
        caught.value.what
    )
    assert "run.yaml:11 (tasks.tone.label)" in str(caught.value.where)
    assert caught.value.allowed == ("shade (category)",)


def test_a_label_by_the_name_of_the_task_points_at_the_task(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.build_tasks(loaded(tmp_path), {})
    assert "run.yaml:8 (tasks.shade)" in str(caught.value.where)


def test_a_label_of_a_form_that_the_kind_can_not_learn(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    run = loaded(tmp_path, RUN.replace("label: shade", "label: edges"))
    (source,) = registry.open_sources(run)
    with pytest.raises(ConfigError) as caught:
        registry.build_tasks(run, source.labels)
    assert "shades learns labels of the form category; 'edges' is a mask" in caught.value.what
    assert caught.value.allowed == ("shade",)


@pytest.mark.parametrize(("exists", "key"), [(False, "data.root"), (True, "data.sources.0.root")])
def test_a_folder_that_is_not_there_has_a_line(
    registry: PluginRegistry, tmp_path: Path, exists: bool, key: str
) -> None:
    if exists:
        (tmp_path / "photos").mkdir()
    text = RUN.replace("kind: squares", "kind: files\n    root: set")
    with pytest.raises(ConfigError) as caught:
        registry.open_sources(loaded(tmp_path, text))
    assert str(tmp_path / "photos" / "set") in caught.value.what
    assert f"({key})" in str(caught.value.where)


def test_what_is_generated_needs_no_folder(registry: PluginRegistry, tmp_path: Path) -> None:
    assert not (tmp_path / "photos").exists()
    assert registry.open_sources(loaded(tmp_path))


BALANCER = """
from mtlsearch.plugin import Balancer, Settings, hookimpl
from pydantic import Field

class HalfSettings(Settings):
    part: float = Field(0.5, description="how much is left")

class Half(Balancer[HalfSettings]):
    name = "half"
    summary = "half of every loss"
    Settings = HalfSettings

    def weigh(self, losses, tasks):
        return losses * 0 + self.settings.part

@hookimpl
def mtlsearch_balancers():
    return [Half]
"""


def test_balancers_are_made_with_their_settings_for_tasks(tmp_path: Path) -> None:
    folder = write(good(tmp_path / "plugins"), {"half": BALANCER})
    registry = build_registry([folder], entry_points=False)
    assert list(registry.balancers) == ["half"]
    text = RUN + "  balancer: [static, {kind: half, part: 0.25}]\n"
    makers = registry.open_balancers(loaded(tmp_path, text))
    assert list(makers) == ["half"]  # static is the host's own where no plugin gives it
    balancer = makers["half"](["shade", "tone"])
    assert balancer.tasks == ("shade", "tone")
    assert balancer.settings.model_dump() == {"part": 0.25}


@pytest.mark.parametrize(
    ("balancer", "line", "says"),
    [
        ("hlaf", "search.balancer", "did you mean 'half'?"),
        ("[static, hlaf]", "search.balancer.1", "did you mean 'half'?"),
        ("[{kind: half, prat: 1}]", "search.balancer.0.prat", "did you mean 'part'?"),
        ("{kind: half, part: much}", "search.balancer.part", "a valid number"),
    ],
)
def test_a_wrong_balance_is_said_with_its_key(
    tmp_path: Path, balancer: str, line: str, says: str
) -> None:
    folder = write(good(tmp_path / "plugins"), {"half": BALANCER})
    registry = build_registry([folder], entry_points=False)
    with pytest.raises((UnknownNameError, ConfigError)) as error:
        registry.check(loaded(tmp_path, RUN + f"  balancer: {balancer}\n"))
    assert says in str(error.value)
    assert line in str(error.value)
