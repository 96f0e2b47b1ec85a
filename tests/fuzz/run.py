"""Execution of the mutations of one door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.doors import Door
from tests.fuzz.guard import finding

Result = tuple[str, bytes, tuple[str, str] | None, str]


def read_changed(
    door: Door, folder: Path, file: str, content: bytes
) -> tuple[tuple[str, str] | None, str]:
    """Read the inputs of a door with one changed file.

    Returns:
        The finding, and how the reading ends: "read" or "refused".
    """
    valid = (folder / file).read_bytes()
    ends = ["refused"]

    def read() -> None:
        door.read(folder)
        ends[0] = "read"

    (folder / file).write_bytes(content)
    (folder / "changed").write_text(file)
    try:
        door.repair(folder)
        return finding(read), ends[0]
    finally:
        (folder / file).write_bytes(valid)


def run_door(door: Door, folder: Path, examples: int, number: int) -> Iterator[Result]:
    """Yield the result of each mutation."""
    door.write(folder)
    content_by_file = {file: (folder / file).read_bytes() for file in door.files}
    results: list[Result] = []

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def mutate(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(door.files))
        mutation = data.draw(st.sampled_from(door.mutations[file]))
        content = data.draw(mutation(content_by_file[file]))
        failure, end = read_changed(door, folder, file, content)
        results.append((file, content, failure, end))

    mutate()
    yield from results
