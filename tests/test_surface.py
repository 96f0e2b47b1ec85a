"""The public API: each package exports what it documents, and ``API`` lists what users use.

These are the Python API (``mtlsearch``) and the plugin API. A change of them needs a change of
``API`` below, which makes it deliberate.
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

PACKAGES = sorted(
    ".".join(("mtlsearch", *file.parent.relative_to(Path(mtlsearch.__file__).parent).parts))
    for file in Path(mtlsearch.__file__).parent.rglob("*/__init__.py")
)

API = """
mtlsearch:
  Comparison(compared)
    plot_fronts()
    table(top=...)
  FineTuning(network, metrics_before, metrics, history, note, _export)
    export(out)
  Plan(sharing, title=...)
    copies
    figure()
    groups(unit)
    tasks
  Run(path, loaded)
    export(out, trial=..., *, retrained=..., precision=..., max_drop=..., decode=..., web=..., web_runtime=...)
    fine_tune(trial=..., *, epochs, learning_rate=..., seed=..., overrides=..., device=..., progress=...)
    leaderboard(*, sort=..., top=..., all_metrics=..., errors=...)
    network(trial=..., *, retrained=..., device=...)
    plot_curves(trials=..., *, all_metrics=...)
    plot_front()
    plot_plans(trials=...)
    predict(images, trial=..., *, retrained=..., batch_size=...)
    trial(trial=...)
    trials
    verdict
  TrainedNetwork(network, tasks, preprocessing)
    device
    draw(image, predictions)
    forward(images, tasks=...)
    outputs
    plan
    predict(images, *, batch_size=...)
    preprocess(images)
    tensors(images, tasks=...)
  Trial(number, state, baseline, plan, backbone, loss_weights, learning_rate, balancer, metrics, errors, delta_m, expected_delta_m, expected_delta_m_sd, parameters, flops, epochs, seconds, reason, _history)
    history()
  __version__
  compare(runs)
  errors: a package
  load(run, *, plugins=..., data_root=...)
  open_bundle(path, *, providers=...)
  search(run_file, out=..., *, trials=..., epochs=..., batch_size=..., seed=..., data_root=..., overrides=..., plugins=..., device=..., progress=...)
mtlsearch.plugin:
  Balancer(settings, tasks)
    Settings
    after_step(losses, tasks)
    combine(jacobian, tasks)
    epoch_ended()
    name
    observe(losses, tasks)
    per_task_gradients
    remeasures_losses
    summary
    weigh(losses, tasks)
  Bands(values)
    size
    tobytes()
  Batch(images, targets)
    to(device)
  BoxTargets(xyxy, classes, crowd)
    to(device)
  BoxXml(width, height, names, xyxy, difficult)
    boxes(classes, *, image_size, where, one_based=..., difficult_is_crowd=..., size=...)
    read(path, where)
    stated_size(where)
  Boxes(xyxy, classes, crowd)
    empty()
  Branch(task, follows, depth)
  Candidate(plan, loss_weights=..., learning_rate=..., backbone=..., balancer=..., distillation=..., attention=..., origins=...)
    digest
    from_json(value)
    to_json()
    trained_tasks
    with_defaults(*, loss_weights, learning_rate, backbone, balancer=..., distillation=..., attention=...)
  ClassNames
  DataError
    named_in(place)
  DatasetSource(settings, *, root, seed)
    Settings
    example
    files(split, index)
    generated
    group(split, index)
    label_summary
    labels (abstract)
    locate(split, index) (abstract)
    name
    read(split, index) (abstract)
    size(split) (abstract)
    summary
    warnings
    written_labels(split, index)
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
    NUMBER
  IMAGE_SUFFIXES
  LabelSpec(form, classes=..., ignore_index=..., channels=..., unit=..., counts=..., mean=..., std=..., named_classes=...)
    describe()
  LogStatus
  LoggedEpoch(epoch, values, seconds)
  LoggedTrial(number, run, folder, params, metrics)
  Logger(settings)
    Settings
    epoch_finished(epoch) (abstract)
    name
    summary
    trial_finished(status)
    trial_started(trial, epochs) (abstract)
  MapPrediction(values)
  MaskValues(index_by_value, ignore_index=...)
    apply(plane, where)
    of(values, classes, *, ignore_index=..., where)
  Meter
    compute()
    update(outputs, targets)
  Metric(name, higher_is_better, primary=..., low=..., high=..., in_delta_m=...)
  OutputSpec(form, classes=..., unit=..., options=...)
    class_name(index)
  Outputs
  PROJECT
  PerClassMeter
    per_class()
  Prediction
  RawLabel
  STATIC
  Sample(image, labels=...)
  Scorer
    add(prediction, label) (abstract)
    compute(counts) (abstract)
    confusion()
    per_class(counts)
    qualities() (abstract)
    support()
  SearchSpace(settings)
    Settings
    candidates(units, tasks)
    count(units, tasks)
    encode(candidate, units, tasks)
    extends
    name
    propose(suggest, units, tasks) (abstract)
    starter
    summary
  Settings
  SharingPlan(tasks, rows, statistics=...)
    copies
    describe_unit(unit)
    digest
    from_groups(units)
    from_json(value)
    from_splits(order, depths, units)
    groups(unit)
    hard(tasks, units)
    has_skips
    independent(tasks, units)
    is_tree
    path_of(task)
    paths
    runs
    shared_groups()
    shares
    skips(unit)
    to_json()
    with_skips(skips)
    with_statistics(statistics)
  SizeRule
  SubsetMeter
    compute_subset(images)
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
    scorer()
    summary
  TrainingError
    named_in(place)
  UnitSpec(index, name, channels, stride, parameters, flops, skippable=...)
  atomic_write(path)
  backslash_warnings(texts, where)
  class_scores(classes, *, correct, true, predicted)
  count_tree_plans(tasks, units, *, first_shared=...)
  did_you_mean(name, names)
  extend_plan(plan, branches)
  hookimpl
  hooks: mtlsearch_balancers, mtlsearch_datasets, mtlsearch_loggers, mtlsearch_search_spaces, mtlsearch_tasks
  list_images(folder)
  parse_flag(value, *, name, where)
  parse_json(text, *, what, where)
  parse_yaml(text, *, what, where)
  read_image(path, where=...)
  read_plane(path, where)
  read_text(path, *, what=..., where=...)
  read_xml(path, where)
  require_below_root(path, where)
  require_image_size(path, size, stated, *, origin, where, next_step)
  require_unique(noun, keys, place, *, where, next_step)
  resolve_path(folder, text, *, where=...)
  to_device(tensor, device)
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
  FixedSuggest(table)
    suggest_categorical(name, choices)
    suggest_float(name, low, high, *, log=...)
    suggest_int(name, low, high)
  LoggerContract
    check(trial)
    logger
    make()
    read(trial)
    run
    settings
  RandomSuggest(seed)
    suggest_categorical(name, choices)
    suggest_float(name, low, high, *, log=...)
    suggest_int(name, low, high)
  SpaceContract
    count_cases
    make_space()
    propose(suggest, tasks, units)
    settings
    space
  TaskContract
    features
    label
    loss_is_mean
    make_fit(features, count=..., seed=...)
    make_targets(count, image_size, generator)
    make_task()
    max_loss_ratio
    samples
    settings
    steps
    task
  random_levels(features, count, generator)
  random_targets(label, count, image_size, generator)
"""  # noqa: E501


@pytest.mark.parametrize("name", PACKAGES)
class TestPublicPackage:
    def test_all_lists_exactly_the_imports(self, name: str) -> None:
        package = import_module(name)
        assert len(set(package.__all__)) == len(package.__all__)
        assert set(package.__all__) == set(_imported(package))
        assert all(hasattr(package, item) for item in package.__all__)

    def test_all_lists_only_names_of_mtlsearch(self, name: str) -> None:
        package = import_module(name)
        for item in package.__all__:
            value = getattr(package, item)
            if isinstance(value, type | FunctionType):
                assert value.__module__.startswith("mtlsearch."), item

    def test_everything_public_has_a_docstring(self, name: str) -> None:
        package = import_module(name)
        assert package.__doc__
        for item in package.__all__:
            value = getattr(package, item)
            if isinstance(value, type | FunctionType | ModuleType):
                # A dataclass without a docstring gets its signature as one.
                assert not (value.__doc__ or f"{item}(").startswith(f"{item}("), item


PUBLIC = ("mtlsearch", "mtlsearch.plugin", "mtlsearch.plugin.layers", "mtlsearch.testing")


def test_public_api_is_as_listed() -> None:
    lines = [line for name in PUBLIC for line in describe(import_module(name))]
    assert lines == API.strip().splitlines()


def test_root_package_exports_what_it_lists() -> None:
    for name in mtlsearch.__all__:
        getattr(mtlsearch, name)
    public = {name for name, value in vars(mtlsearch).items() if not isinstance(value, ModuleType)}
    listed = {*mtlsearch.__all__, "annotations", "import_module", "Any", "TYPE_CHECKING"}
    assert {name for name in public if not name.startswith("_")} <= {*listed, "ModuleType"}
    assert set(mtlsearch.__all__) <= set(dir(mtlsearch))
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        mtlsearch.serch  # noqa: B018


def test_root_package_imports_its_names_for_types() -> None:
    """What type checkers see are the names that ``__getattr__`` returns."""
    tree = ast.parse(inspect.getsource(mtlsearch))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    shown = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*shown, "__version__"} == set(mtlsearch.__all__)
    for name, path in shown.items():
        package, _, attribute = path.rpartition(".")
        expected = getattr(import_module(package), attribute)
        value = getattr(mtlsearch, name)
        # A package of this name is in the place of the function, and calls it.
        assert value is expected or (isinstance(value, ModuleType) and callable(value)), name


def _imported(package: ModuleType) -> Iterator[str]:
    """Yield the names that an ``__init__`` imports from mtlsearch, on first use too."""
    body = ast.parse(inspect.getsource(package)).body
    lazy = [node for block in body if isinstance(block, ast.If) for node in block.body]
    for node in [*body, *lazy]:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mtlsearch"):
            yield from (alias.asname or alias.name for alias in node.names)


def describe(package: ModuleType) -> Iterator[str]:
    """Yield one line per public name and one per member, in alphabetical order."""
    yield f"{package.__name__}:"
    for name in sorted(package.__all__):
        value = getattr(package, name)
        if isinstance(value, ModuleType) and callable(value):  # a function beside a package
            yield f"  {name}{_parameters(getattr(import_module('mtlsearch.api'), name))}"
        elif isinstance(value, ModuleType):
            hooks = (hook for hook in vars(value) if hook.startswith("mtlsearch_"))
            yield f"  {name}: {', '.join(sorted(hooks)) or 'a package'}"
        elif isinstance(value, FunctionType):
            yield f"  {name}{_parameters(value)}"
        elif isinstance(value, type):
            yield f"  {name}{_constructor(value)}"
            yield from (f"    {line}" for line in sorted(_members(value)))
        else:
            yield f"  {name}"


def _constructor(cls: type) -> str:
    """Return the parameters of the constructor; empty if the class does not define one."""
    is_open = "__init__" in vars(cls) and not getattr(cls, "_is_protocol", False)
    return _parameters(cls.__init__, skip=1) if is_open else ""


def _inherited(cls: type) -> dict[str, object]:
    """Return the members of base classes that the public API does not list."""
    listed = {name for package in PUBLIC for name in import_module(package).__all__}
    bases = [base for base in cls.__mro__[1:] if base.__module__.startswith("mtlsearch.")]
    return {
        name: value
        for base in reversed(bases)
        if base.__name__ not in listed
        for name, value in vars(base).items()
    }


def _members(cls: type) -> Iterator[str]:
    """Yield the attributes that a class defines, except for parameters of its constructor."""
    parameters = set(inspect.signature(cls.__init__).parameters)
    members = {**_inherited(cls), **inspect.get_annotations(cls), **vars(cls)}
    for name, value in members.items():
        if name in parameters or name.startswith(("_", "model_", "test_")):
            continue
        bare = value.__func__ if isinstance(value, classmethod) else value
        suffix = " (abstract)" if getattr(bare, "__isabstractmethod__", False) else ""
        is_method = isinstance(bare, FunctionType)
        yield f"{name}{_parameters(bare, skip=1) if is_method else ''}{suffix}"


def _parameters(function: FunctionType, skip: int = 0) -> str:
    """Return such as ``(image, *, where=...)``: names, and which of them have a default."""
    parameters = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=parameter.default if parameter.default is parameter.empty else ...,
        )
        for parameter in list(inspect.signature(function).parameters.values())[skip:]
    ]
    return str(inspect.Signature(parameters)).replace("=Ellipsis", "=...")
