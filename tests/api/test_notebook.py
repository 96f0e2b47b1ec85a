"""The example notebook, executed in a kernel of its own."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


@pytest.mark.slow
def test_notebook_runs_and_shows_results(tmp_path: Path) -> None:
    """Every cell runs; the run, a table, a plan and figures are shown as such."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries of Jupyter about ports and loops
        client.execute()
    shown_by_line = {
        cell.source.splitlines()[-1]: set(output.data)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    }
    assert "text/markdown" in shown_by_line["run"]
    assert "image/svg+xml" in shown_by_line["trial.plan"]
    assert "text/html" in shown_by_line["trial.history().round(3)"]
    assert "image/png" in shown_by_line["run.plot_front()"]
    assert "image/png" in shown_by_line["run.plot_curves()"]
    written = {path.name for path in (tmp_path / "results").iterdir()}
    assert written == {"notebook", "notebook-bundle"}


def test_notebook_uses_the_python_api_only() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    imported = set(re.findall(r"^(?:import|from) (mtlsearch\S*)", code, re.MULTILINE))
    assert imported == {"mtlsearch"}
    assert len(NOTEBOOK.read_bytes()) < 1_000_000
