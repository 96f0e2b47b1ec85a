"""What is public: on every floor well formed, and for plugins written down here.

A change to the plugins' API is a change to ``API`` below, and so deliberate.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import mtlsearch

FRONT_DOORS = sorted(
    ".".join(("mtlsearch", *file.parent.relative_to(Path(mtlsearch.__file__).parent).parts))
    for file in Path(mtlsearch.__file__).parent.rglob("*/__init__.py")
)

API = """
mtlsearch.plugin:
  Balancer(settings, tasks)
    Settings
    after_step(losses, tasks)
    combine(jacobian, tasks)
    epoch_ended()
    measures_again
    name
    observe(losses, tasks)
    per_task_gradients
    summary
    weigh(losses, tasks)
  Batch(images, targets)
    to(device)
  BoxTargets(xyxy, classes, crowd)
    to(device)
  BoxXml(width, height, names, xyxy, difficult)
    boxes(classes, *, image_size, where, one_based=..., difficult_is_crowd=...)
    read(path, where)
  Boxes(xyxy, classes, crowd)
    empty()
  Candidate(plan, loss_weights=..., learning_rate=..., backbone=..., balancer=..., distillation=..., attention=...)
    digest
    from_json(value)
    to_json()
    with_defaults(*, loss_weights, learning_rate, backbone, balancer=..., distillation=..., attention=...)
  DataError
  DatasetSource(settings, *, root, seed)
    Settings
    files(split, index)
    generated
    labels (abstract)
    locate(split, index) (abstract)
    name
    read(split, index) (abstract)
    size(split) (abstract)
    summary
  Distillation(kind, alpha)
  FeatureLevel(channels, stride)
  FeatureSpec(levels, image_size, shapes=...)
    sizes
  Form
    BOXES
    CATEGORIES
    CATEGORY
    MAP
    MASK
  LabelSpec(form, classes=..., ignore_index=..., channels=..., unit=..., counts=...)
    describe()
  Meter
    compute()
    update(outputs, targets)
  Metric(name, higher_is_better, primary=..., low=..., high=...)
  OutputSpec(form, classes=..., unit=..., options=...)
  Outputs
  PROJECT
  Prediction
  RawLabel
  STATIC
  Sample(image, labels=...)
  SearchSpace(settings)
    Settings
    candidates(units, tasks)
    count(units, tasks)
    encode(candidate, units, tasks)
    name
    propose(suggest, units, tasks) (abstract)
    starter
    summary
  Settings
  SharingPlan(tasks, rows, statistics=...)
    copies
    digest
    from_groups(units)
    from_json(value)
    from_splits(order, depths, units)
    groups(unit)
    hard(tasks, units)
    has_skips
    independent(tasks, units)
    is_tree
    paths
    runs
    shared_groups()
    shares
    skipping(unit)
    to_json()
    with_skips(skips)
    with_statistics(statistics)
  Suggest
    suggest_categorical(name, choices)
    suggest_float(name, low, high, *, log=...)
    suggest_int(name, low, high)
  TargetValues
  Targets(rows, values)
    to(device)
  Task(name, settings, label)
    Settings
    accepts
    build_head(features) (abstract)
    decode(arrays, *, input_size, image_size)
    draw(image, prediction)
    kind
    loss(outputs, targets) (abstract)
    meter() (abstract)
    metrics (abstract)
    output (abstract)
    predict(outputs) (abstract)
    summary
  TrainingError
  UnitSpec(index, name, channels, stride, parameters, flops, skippable=...)
  count_tree_plans(tasks, units, *, first_shared=...)
  hookimpl
  hooks: mtlsearch_balancers, mtlsearch_datasets, mtlsearch_search_spaces, mtlsearch_tasks
  read_image(path, where)
  read_plane(path, where)
  tree_plans(tasks, units, *, first_shared=...)
mtlsearch.plugin.layers:
  ClassWeights
  FeaturePyramid(features, channels, strides)
    forward(levels)
  class_weights(weights, label, *, where)
  conv_block(channels_in, channels_out, kernel_size=...)
  resize(maps, size)
mtlsearch.testing:
  BalancerContract
    balancer
    combined(seed=...)
    make(tasks=...)
    settings
    weights(seed=...)
  DatasetContract
    make_source(folder)
    samples
    source
  FEATURES
  FixedChoices(table)
    suggest_categorical(name, choices)
    suggest_float(name, low, high, *, log=...)
    suggest_int(name, low, high)
  RandomChoices(seed)
    suggest_categorical(name, choices)
    suggest_float(name, low, high, *, log=...)
    suggest_int(name, low, high)
  SpaceContract
    counted
    make_space()
    propose(suggest, tasks, units)
    settings
    space
  TaskContract
    fair
    fallen
    features
    label
    make_fit(features, count=..., seed=...)
    make_targets(count, image_size, generator)
    make_task()
    samples
    settings
    steps
    task
  random_levels(features, count, generator)
  random_targets(label, count, image_size, generator)
"""  # noqa: E501


@pytest.mark.parametrize("name", FRONT_DOORS)
class TestFrontDoor:
    def test_it_lists_what_it_imports_and_nothing_else(self, name: str) -> None:
        floor = import_module(name)
        listed = floor.__all__
        assert len(set(listed)) == len(listed)
        assert set(listed) == set(_imported(floor))

    def test_everything_listed_is_there_and_of_the_house(self, name: str) -> None:
        floor = import_module(name)
        for item in floor.__all__:
            value = getattr(floor, item)
            if isinstance(value, type | FunctionType):
                assert value.__module__.startswith("mtlsearch."), item

    def test_everything_that_can_have_a_docstring_has_one(self, name: str) -> None:
        floor = import_module(name)
        assert floor.__doc__
        for item in floor.__all__:
            value = getattr(floor, item)
            if isinstance(value, type | FunctionType | ModuleType):
                # A dataclass without a docstring gets its signature as one.
                assert not (value.__doc__ or f"{item}(").startswith(f"{item}("), item


def test_the_api_for_plugins_is_as_written_down() -> None:
    doors = ("mtlsearch.plugin", "mtlsearch.plugin.layers", "mtlsearch.testing")
    lines = [line for name in doors for line in describe(import_module(name))]
    assert lines == API.strip().splitlines()


def test_the_package_says_its_version_alone() -> None:
    public = {name for name, value in vars(mtlsearch).items() if not isinstance(value, ModuleType)}
    assert {name for name in public if not name.startswith("__")} == set()
    assert mtlsearch.__version__


def _imported(floor: ModuleType) -> Iterator[str]:
    """The names that an ``__init__`` takes from the house."""
    for node in ast.parse(inspect.getsource(floor)).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mtlsearch"):
            yield from (alias.asname or alias.name for alias in node.names)


def describe(floor: ModuleType) -> Iterator[str]:
    """A line a public name and a line a member, in the order of the alphabet."""
    yield f"{floor.__name__}:"
    for name in sorted(floor.__all__):
        value = getattr(floor, name)
        if isinstance(value, ModuleType):
            hooks = (at for at in vars(value) if at.startswith("mtlsearch_"))
            yield f"  {name}: {', '.join(sorted(hooks))}"
        elif isinstance(value, FunctionType):
            yield f"  {name}{_parameters(value)}"
        elif isinstance(value, type):
            yield f"  {name}{_made_from(value)}"
            yield from (f"    {line}" for line in sorted(_members(value)))
        else:
            yield f"  {name}"


def _made_from(made: type) -> str:
    """How an object is made; empty where no constructor of its own says so."""
    is_open = "__init__" in vars(made) and not getattr(made, "_is_protocol", False)
    return _parameters(made.__init__, skip=1) if is_open else ""


def _members(made: type) -> Iterator[str]:
    """Attributes that the class itself names, but for those that its constructor is given."""
    given = set(inspect.signature(made.__init__).parameters)
    own = {**inspect.get_annotations(made), **vars(made)}
    for name, value in own.items():
        if name in given or name.startswith(("_", "model_", "test_")):
            continue
        bare = value.__func__ if isinstance(value, classmethod) else value
        needed = " (abstract)" if getattr(bare, "__isabstractmethod__", False) else ""
        is_method = isinstance(bare, FunctionType)
        yield f"{name}{_parameters(bare, skip=1) if is_method else ''}{needed}"


def _parameters(function: FunctionType, skip: int = 0) -> str:
    """``(image, *, where=...)``: names, and which may be left out."""
    found = list(inspect.signature(function).parameters.values())[skip:]
    bare = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=parameter.default if parameter.default is parameter.empty else ...,
        )
        for parameter in found
    ]
    return str(inspect.Signature(bare)).replace("=Ellipsis", "=...")
