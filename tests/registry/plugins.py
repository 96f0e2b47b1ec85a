"""Source code of plugins that tests write to folders."""

from __future__ import annotations

from pathlib import Path

SPACE = """
from mtlsearch.plugin import Candidate, SearchSpace, SharingPlan, hookimpl

class Space(SearchSpace):
    name = "{name}"
    summary = "a space of the tests"

    def propose(self, choices, units, tasks):
        return Candidate(SharingPlan.hard(tasks, len(units)))

@hookimpl
def mtlsearch_search_spaces():
    return [Space]
"""

DATASET = """
from mtlsearch.plugin import DatasetSource, Form, LabelSpec, Sample, Settings, hookimpl
from pydantic import Field
from PIL import Image

class Options(Settings):
    count: int = Field(4, ge=1, description="images of each split")

class Source(DatasetSource[Options]):
    name = "{name}"
    summary = "gray squares"
    generated = {generated}
    Settings = Options

    def __init__(self, settings, *, root, seed):
        self.settings, self.root, self.seed = settings, root, seed

    @property
    def labels(self):
        return {{
            "shade": LabelSpec(Form.CATEGORY, classes=("dark", "light")),
            "edges": LabelSpec(Form.MASK, classes=("inside", "edge")),
        }}

    def size(self, split):
        return self.settings.count

    def read(self, split, index):
        return Sample(Image.new("RGB", (8, 8)), {{"shade": index % 2}})

    def locate(self, split, index):
        return f"{{split}} {{index}}"

@hookimpl
def mtlsearch_datasets():
    return [Source]
"""

TASK = """
from mtlsearch.plugin import Form, Metric, OutputSpec, Settings, Task, hookimpl
from pydantic import Field

class Options(Settings):
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing")

class Kind(Task[Options]):
    kind = "{name}"
    summary = "learns one class per image"
    accepts = (Form.CATEGORY,)
    Settings = Options

    metrics = (Metric("hits", higher_is_better=True, primary=True),)
    output = OutputSpec(Form.CATEGORY, ("dark", "light"))
    def build_head(self, features):
        from torch import nn

        class Head(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(features.levels[-1].channels, 2)

            def forward(self, levels):
                return {{"logits": self.linear(levels[-1].mean((2, 3)))}}

        return Head()
    def loss(self, outputs, targets): ...
    def meter(self): ...
    def predict(self, outputs):
        return {{"scores": outputs["logits"].softmax(1)}}

@hookimpl
def mtlsearch_tasks():
    return [Kind]
"""

BROKEN = {
    "no_import": ("import a_module_nobody_has\n", "No module named 'a_module_nobody_has'"),
    "no_syntax": ("def broken(:\n", "SyntaxError"),
    "leaves": ("raise SystemExit('good bye')\n", "SystemExit: good bye"),
    "misspelled": (
        SPACE.format(name="misspelled").replace(
            "def mtlsearch_search_spaces", "def mtlsearch_search_space"
        ),
        "did you mean 'mtlsearch_search_spaces'?",
    ),
    "without_prefix": (
        SPACE.format(name="p").replace("def mtlsearch_search_spaces", "def search_spaces"),
        "the hook 'search_spaces' does not exist; did you mean 'mtlsearch_search_spaces'?",
    ),
    "unmarked": (
        SPACE.format(name="unmarked").replace("@hookimpl", ""),
        "lacks the decorator @hookimpl",
    ),
    "no_hook": ("x = 1\n", "implements no hook"),
    "arguments": (
        SPACE.format(name="arguments").replace("_spaces():", "_spaces(config):"),
        "config",
    ),
    "hook_fails": (
        SPACE.format(name="fails").replace("return [Space]", "return [Space][1]"),
        "IndexError: list index out of range",
    ),
    "no_list": (SPACE.format(name="no").replace("[Space]", "Space"), "must return a list"),
    "instance": (
        SPACE.format(name="no").replace("[Space]", "['me']"),
        "'me', which is not a subclass of SearchSpace",
    ),
    "wrong_type": (
        SPACE.format(name="no").replace("[Space]", "[dict]"),
        "which is not a subclass of SearchSpace",
    ),
    "other_hook": (
        SPACE.format(name="no").replace("_search_spaces()", "_tasks()"),
        "which is not a subclass of Task",
    ),
    "abstract": (
        SPACE.format(name="no").replace("def propose", "def suppose"),
        "Space of mtlsearch_search_spaces does not implement propose",
    ),
    "nameless": (SPACE.format(name="no").replace('name = "no"', ""), "has no 'name'"),
    "summaryless": (SPACE.format(name="no").replace("summary =", "sumary ="), "has no 'summary'"),
    "formless": (
        TASK.format(name="no").replace("(Form.CATEGORY,)", "'category'"),
        "has no 'accepts'",
    ),
    "settingless": (
        SPACE.format(name="no").replace("summary", "Settings = dict\n    summary"),
        "Settings is not a subclass of mtlsearch.plugin.Settings",
    ),
    "twice": (
        SPACE.format(name="twin").replace("[Space]", "[Space, Space]"),
        "returns the search space 'twin' twice",
    ),
}
"""Plugins with one error each, and its message."""


def write(folder: Path, sources: dict[str, str]) -> Path:
    """Write plugins to a folder, given their source by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return folder


def good(folder: Path) -> Path:
    """Write a working task kind, source and space to a folder."""
    return write(
        folder,
        {
            "a_task": TASK.format(name="shades"),
            "a_source": DATASET.format(name="squares", generated=True),
            "a_space": SPACE.format(name="flat"),
        },
    )
