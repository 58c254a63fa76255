"""Notebooks: tables of handles, and the shipped notebook run as a user would run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bloompy import Bloom, table
from bloompy.display import table_html

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


class Links(Bloom):
    link = table("src, dst -> cost: int")


def test_a_handle_shows_its_rows_with_their_columns() -> None:
    program = Links()
    program.link.insert(("a", "b", 1))
    program.tick()
    html = program.link._repr_html_()
    assert "<th>src</th><th>dst</th><th>cost: int</th>" in html
    assert "<td>&#x27;a&#x27;</td><td>&#x27;b&#x27;</td><td>1</td>" in html


def test_a_program_shows_what_holds() -> None:
    program = Links()
    assert program._repr_html_() == ""
    program.link.insert(("a", "b", 1))
    program.tick()
    assert program._repr_html_() == program.link._repr_html_()


def test_values_cannot_bring_html_of_their_own() -> None:
    html = table_html("<i>", ["<b>"], [("<script>alert(1)</script>",)], 1)
    assert "<script>" not in html
    assert "<i>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


def test_long_tables_and_values_are_cut_and_say_so() -> None:
    html = table_html("many", ["n"], [("x" * 1000,)] * 30, 30)
    assert html.count("<tr>") == 1 + 20 + 1
    assert "… 30 rows" in html
    assert "x" * 201 not in html


def test_a_declaration_shows_its_columns() -> None:
    assert "<th>cost: int</th>" in Links.__dict__["link"]._repr_html_()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebook_runs_and_shows_what_it_says(path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    shipped = [text_of(cell) for cell in notebook.cells if cell.cell_type == "code"]
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(path.parents[1])}}).execute()
    assert [text_of(cell) for cell in notebook.cells if cell.cell_type == "code"] == shipped


def text_of(cell: object) -> list[str]:
    """What a cell shows as text: results, prints and the last line of errors."""
    shown = []
    for output in cell["outputs"]:  # type: ignore[index]
        if output["output_type"] == "stream":
            shown.append(output["text"])
        elif output["output_type"] == "error":
            shown.append(f"{output['ename']}: {output['evalue'].partition(' (')[0]}")  # without the cell's temporary file name
        else:
            shown.append(output["data"].get("text/plain", ""))
    return shown


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS
