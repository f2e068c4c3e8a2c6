"""The notebooks run top to bottom on the results of a run, and are kept clean."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[1]
TOP_K = ROOT / "notebooks" / "top_k.ipynb"
CHECKS = """
assert len(matches) == k == 10
assert matches["Similarity"].is_monotonic_decreasing
assert matches["Similarity"].between(-1.001, 1.001).all()
assert matches["Right"].equals(matches["Class"] == query["Class"])
if collection == "gallery":
    assert index not in matches.index
assert answer.matches[0].similarity >= answer.matches[1].similarity
paths = matches["Path"].tolist()
assert [match.path for match in answer.matches][:2] == (
    paths[:2] if collection == "queries" else [query["Path"], paths[0]]
)
"""


Execute = Callable[[nbformat.NotebookNode], None]
FORGET = "%reset -f\nget_ipython().extension_manager.loaded.discard('kedro.ipython')"


@pytest.fixture(scope="module")
def execute(finished_run: Path) -> Iterator[Execute]:
    """Execute notebooks in one process, whose imports take six seconds, without its variables."""
    resources = {"metadata": {"path": str(finished_run)}}
    client = NotebookClient(new_notebook(), kernel_name="python3", timeout=120, resources=resources)

    def execute(notebook: nbformat.NotebookNode) -> None:
        client.nb = new_notebook(cells=[new_code_cell(FORGET), *notebook.cells])
        client.execute(cleanup_kc=False)

    with client.setup_kernel(env=os.environ | {"KEDRO_DISABLE_TELEMETRY": "1"}):
        yield execute


def test_top_k_runs_for_either_collection(execute: Execute) -> None:
    notebook, other = (nbformat.read(TOP_K, as_version=4) for _ in range(2))
    for cell in other.cells:
        cell.source = cell.source.replace('collection = "queries"', 'collection = "gallery"')
    cells = [notebook.cells, other.cells]
    for collection, own in zip(("queries", "gallery"), cells, strict=True):
        own.append(new_code_cell(f'{CHECKS}assert collection == "{collection}"'))
    notebook.cells = cells[0] + cells[1]
    execute(notebook)
    for own in cells:
        outputs = [output for cell in own for output in cell.get("outputs", [])]
        data = [output.data for output in outputs if "data" in output]
        assert sum("image/png" in item for item in data) == 2
        assert any("<table" in item.get("text/html", "") for item in data)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("explore_data", "assert len(split) == len(gallery) and known.sum() == 292"),
        (
            "compare_runs",
            "assert (before == after) == (len(runs) == 1) and won + lost <= len(ap) == 292",
        ),
        ("tune_lopq", "assert best.recall >= recall and best in settings"),
    ],
)
def test_the_others_run(execute: Execute, name: str, check: str) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    notebook.cells.append(new_code_cell(check))
    execute(notebook)


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        ("labels = ", "; labels[1] = labels[1][1:]", "the two runs searched different photos"),
        ("listed = ", ".shift(-1)", "gallery_photos lists other photos"),
    ],
)
def test_runs_of_other_photos_are_not_compared(
    execute: Execute, line: str, change: str, message: str
) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "compare_runs.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(f"^{line}.*", rf"\g<0>{change}", cell.source, flags=re.MULTILINE)
    with pytest.raises(CellExecutionError) as caught:
        execute(notebook)
    assert caught.value.evalue.startswith(message)


def test_a_notebook_is_kept_with_small_outputs_and_no_paths_of_a_machine() -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert notebook.metadata.kernelspec.name == "python3"
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
        outputs = [output for cell in code for output in cell.outputs]
        assert all(output.output_type in ("execute_result", "display_data") for output in outputs)
        pictures = [output.data["image/png"] for output in outputs if "image/png" in output.data]
        assert pictures
        assert all(len(picture) < 4 / 3 * 300_000 for picture in pictures)
        shown = "".join(str(output.data.get("text/html", "")) for output in outputs)
        assert "file://" not in shown
        assert "site-packages" not in shown
