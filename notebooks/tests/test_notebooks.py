"""The notebooks run as shipped, and what is shipped was made by a run."""

import os
import pathlib
import sys

import nbformat
import pytest

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from execute import execute, notebooks  # noqa: E402: only importable now

NAMES = [path.name for path in notebooks()]


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(notebook):
    """What kind of output each cell has."""
    return [
        {output.output_type: sorted(output.get("data", {})) for output in cell.outputs}
        for cell in code(notebook)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_runs(name, monkeypatch):
    search = [str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, search)))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")

    again = execute(HERE / name)

    assert kinds(again) == kinds(nbformat.read(HERE / name, as_version=4))


@pytest.mark.parametrize("name", NAMES)
def test_is_shipped_with_the_outputs_of_one_run(name):
    shipped = nbformat.read(HERE / name, as_version=4)

    nbformat.validate(shipped)
    cells = code(shipped)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert str(ROOT) not in nbformat.writes(shipped)
