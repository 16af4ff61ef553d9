"""Runs the notebooks and writes their outputs into them: `bin/notebooks --execute`."""

import pathlib

import nbformat
from nbclient import NotebookClient

HERE = pathlib.Path(__file__).resolve().parent


def notebooks():
    return sorted(HERE.glob("*.ipynb"))


def execute(path):
    """The notebook with the outputs of a run in its folder, as Jupyter runs it.

    Left out are the times of cells, and stderr, where the JVM says how it was started. The
    repository's place on this machine becomes /spark-mla.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(HERE)}},
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if output.output_type == "stream":
                    output.text = output.text.replace(str(HERE.parent), "/spark-mla")
    return notebook


if __name__ == "__main__":
    for each in notebooks():
        print(f"running {each.name}")
        nbformat.write(execute(each), each)
