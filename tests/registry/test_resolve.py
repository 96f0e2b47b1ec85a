"""Tests of run files resolved against the registry: settings, names and their locations."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.config import load_run
from mtlsearch.errors import ConfigError, TrainingError, UnknownNameError
from mtlsearch.plugin import Form, LabelSpec, Settings
from mtlsearch.registry import PluginRegistry, ResolvedRun, build_registry
from tests.cli.program import call
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


def resolve(registry: PluginRegistry, folder: Path, text: str = RUN, *sets: str) -> ResolvedRun:
    (folder / "run.yaml").write_text(text)
    return registry.resolve(load_run(folder / "run.yaml", sets))


def test_open_sources_passes_settings_root_and_seed(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    (source,) = resolve(registry, tmp_path, RUN, "data.sources.root=set").open_sources()
    assert source.size("train") == 7
    assert vars(source)["root"] == tmp_path / "photos" / "set"
    assert vars(source)["seed"] == 3


def test_build_tasks_passes_name_settings_and_label(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    resolved = resolve(registry, tmp_path)
    (source,) = resolved.open_sources()
    tasks = resolved.build_tasks(source.labels)
    assert list(tasks) == ["shade", "tone"]
    assert tasks["tone"].name == "tone"
    assert tasks["tone"].settings.model_dump() == {"smoothing": 0.5}
    assert tasks["tone"].label == source.labels["shade"]


def test_build_space_returns_the_named_space(registry: PluginRegistry, tmp_path: Path) -> None:
    assert resolve(registry, tmp_path).build_space().name == "flat"


@pytest.mark.parametrize(
    ("override", "key", "message"),
    [
        ("tasks.tone.smooting=1", "tasks.tone.smooting", "did you mean 'smoothing'?"),
        ("tasks.tone.smoothing=2", "tasks.tone.smoothing", "less than 1"),
        ("data.sources.0.cuont=2", "data.sources.cuont", "did you mean 'count'?"),
        ("search.space.first=2", "search.space.first", "unknown key 'first'"),
    ],
)
def test_resolve_wrong_setting_names_its_location(
    registry: PluginRegistry, tmp_path: Path, override: str, key: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(registry, tmp_path, RUN, override)
    assert message in caught.value.what
    assert caught.value.where == f"--set {override} ({key})"


def test_resolve_lists_all_wrong_settings_with_lines(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    text = RUN.replace("count: 7", "count: 0").replace("smoothing: 0.5", "smoothing: much")
    with pytest.raises(ConfigError) as caught:
        resolve(registry, tmp_path, text)
    assert "run.yaml:6 (data.sources.count)" in caught.value.what
    assert "run.yaml:12 (tasks.tone.smoothing)" in caught.value.what


@pytest.mark.parametrize(
    ("right", "wrong", "line", "message"),
    [
        ("kind: squares", "kind: square", 5, "data set source 'square'; did you mean"),
        ("{kind: shades}", "{kind: shade}", 8, "task kind 'shade'; did you mean 'shades'?"),
        ("space: flat", "space: flut", 14, "search space 'flut'; did you mean 'flat'?"),
    ],
)
def test_resolve_unknown_name_has_a_line(
    registry: PluginRegistry, tmp_path: Path, right: str, wrong: str, line: int, message: str
) -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve(registry, tmp_path, RUN.replace(right, wrong))
    assert message in caught.value.what
    assert f"run.yaml:{line} (" in str(caught.value.where)


def test_resolve_missing_space_lists_spaces(registry: PluginRegistry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names no search space") as caught:
        resolve(registry, tmp_path, RUN.replace("  space: flat", "  trials: 3"))
    assert caught.value.allowed == ("space: flat",)
    assert "run.yaml:13 (" in str(caught.value.where)


def test_build_tasks_unknown_label_suggests_one(registry: PluginRegistry, tmp_path: Path) -> None:
    labels = {"shade": LabelSpec(Form.CATEGORY, ("dark", "light"))}
    resolved = resolve(registry, tmp_path, RUN.replace("label: shade", "label: shad"))
    with pytest.raises(ConfigError) as caught:
        resolved.build_tasks(labels)
    assert (
        "'tone' learns the label 'shad', which no data source provides; did you mean 'shade'?"
        in caught.value.what
    )
    assert "run.yaml:11 (tasks.tone.label)" in str(caught.value.where)
    assert caught.value.allowed == ("shade (category)",)


def test_build_tasks_default_label_is_reported_at_the_task(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(registry, tmp_path).build_tasks({})
    assert "run.yaml:8 (tasks.shade)" in str(caught.value.where)


def test_build_tasks_wrong_form_lists_fitting_labels(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    resolved = resolve(registry, tmp_path, RUN.replace("label: shade", "label: edges"))
    (source,) = resolved.open_sources()
    with pytest.raises(ConfigError) as caught:
        resolved.build_tasks(source.labels)
    assert "shades learns labels of the form category; 'edges' is a mask" in caught.value.what
    assert caught.value.allowed == ("shade",)


@pytest.mark.parametrize(("exists", "key"), [(False, "data.root"), (True, "data.sources.0.root")])
def test_open_sources_missing_folder_names_its_key(
    registry: PluginRegistry, tmp_path: Path, exists: bool, key: str
) -> None:
    if exists:
        (tmp_path / "photos").mkdir()
    text = RUN.replace("kind: squares", "kind: files\n    root: set")
    with pytest.raises(ConfigError) as caught:
        resolve(registry, tmp_path, text).open_sources()
    assert str(tmp_path / "photos" / "set") in caught.value.what
    assert f"({key})" in str(caught.value.where)


def test_open_sources_generated_source_needs_no_folder(
    registry: PluginRegistry, tmp_path: Path
) -> None:
    assert not (tmp_path / "photos").exists()
    assert resolve(registry, tmp_path).open_sources()


BALANCER = """
from mtlsearch.plugin import Balancer, Settings, hookimpl
from pydantic import Field

class HalfSettings(Settings):
    part: float = Field(0.5, description="factor of each loss")

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


def test_open_balancers_passes_settings_and_tasks(tmp_path: Path) -> None:
    folder = write(good(tmp_path / "plugins"), {"half": BALANCER})
    registry = build_registry([folder], entry_points=False)
    assert list(registry.balancers) == ["half"]
    text = RUN + "  balancer: [static, {kind: half, part: 0.25}]\n"
    makers = resolve(registry, tmp_path, text).open_balancers()
    assert list(makers) == ["half"]  # the host provides static if no plugin adds it
    balancer = makers["half"](["shade", "tone"])
    assert balancer.tasks == ("shade", "tone")
    assert balancer.settings.model_dump() == {"part": 0.25}


LOGGER = """
from mtlsearch.plugin import Logger, Settings, TrainingError, hookimpl
from pydantic import Field

class DiarySettings(Settings):
    missing: bool = Field(False, description="whether a library is missing")

class Diary(Logger[DiarySettings]):
    name = "diary"
    summary = "a log of the tests"
    Settings = DiarySettings

    def __init__(self, settings):
        super().__init__(settings)
        if settings.missing:
            raise TrainingError("logger 'diary' needs ink")

    def trial_started(self, trial, epochs):
        pass

    def epoch_finished(self, epoch):
        pass

@hookimpl
def mtlsearch_loggers():
    return [Diary]
"""


def test_open_loggers_passes_settings(tmp_path: Path) -> None:
    folder = write(good(tmp_path / "plugins"), {"diary": LOGGER})
    registry = build_registry([folder], entry_points=False)
    assert list(registry.loggers) == ["diary"]
    assert resolve(registry, tmp_path, RUN).open_loggers() == {}  # csv is of a built-in plugin
    logger = resolve(registry, tmp_path, RUN + "train: {log: diary}\n").open_loggers()["diary"]
    assert logger.settings.model_dump() == {"missing": False}
    text = RUN + "train: {log: {kind: diary, missing: true}}\n"
    with pytest.raises(TrainingError, match="needs ink"):
        resolve(registry, tmp_path, text).open_loggers()


@pytest.mark.parametrize(
    ("log", "line", "message"),
    [
        ("dairy", "train.log", "did you mean 'diary'?"),
        ("[diary, csv]", "train.log.1", "logger 'csv'"),
        ("[{kind: diary, mising: true}]", "train.log.0.mising", "did you mean 'missing'?"),
        ("[diary, diary]", "train.log", "contains 'diary' twice"),
    ],
)
def test_wrong_logger_is_reported_with_its_line(
    tmp_path: Path, log: str, line: str, message: str
) -> None:
    folder = write(good(tmp_path / "plugins"), {"diary": LOGGER})
    registry = build_registry([folder], entry_points=False)
    with pytest.raises((UnknownNameError, ConfigError)) as caught:
        resolve(registry, tmp_path, f"{RUN}train: {{log: {log}}}\n")
    assert message in str(caught.value)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("balancer", "line", "message"),
    [
        ("hlaf", "search.balancer", "did you mean 'half'?"),
        ("[static, hlaf]", "search.balancer.1", "did you mean 'half'?"),
        ("[{kind: half, prat: 1}]", "search.balancer.0.prat", "did you mean 'part'?"),
        ("{kind: half, part: much}", "search.balancer.part", "must be a number"),
    ],
)
def test_resolve_wrong_balancer_names_its_key(
    tmp_path: Path, balancer: str, line: str, message: str
) -> None:
    folder = write(good(tmp_path / "plugins"), {"half": BALANCER})
    registry = build_registry([folder], entry_points=False)
    with pytest.raises((UnknownNameError, ConfigError)) as caught:
        resolve(registry, tmp_path, RUN + f"  balancer: {balancer}\n")
    assert message in str(caught.value)
    assert line in str(caught.value)


SEARCH = """\
data: {sources: {kind: scenes, train: 4, val: 4}, image_size: 32, cache: null}
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 4}
search: {space: tree, trials: 2, balancer: [static, uw]}
"""


def test_search_validates_each_setting_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(SEARCH)
    validated: list[str] = []
    validate = Settings.model_validate.__func__  # type: ignore[attr-defined]

    def count(cls: type[Settings], *args: object, **options: object) -> object:
        validated.append(cls.__module__)
        return validate(cls, *args, **options)

    monkeypatch.setattr(Settings, "model_validate", classmethod(count))
    done = call("search", file, "--out", tmp_path / "run", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    # One source, two tasks, one search space, one logger and one or two balancers.
    settings = ("scenes", "classification", "segmentation", "tree")
    for name in settings:
        assert sum(name in module for module in validated) == 1, validated
    assert len(validated) in (len(settings) + 2, len(settings) + 3)
