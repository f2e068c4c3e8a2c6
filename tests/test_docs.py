"""What the documents say exists: links, commands, nodes, parameters, paths."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from omegaconf import OmegaConf

from car_retrieval.cli import cli
from car_retrieval.params import GROUPS
from car_retrieval.params.__main__ import parameters_page
from car_retrieval.pipeline_registry import register_pipelines
from car_retrieval.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PIPELINES = register_pipelines()
NODES = {node.name for pipeline in PIPELINES.values() for node in pipeline.nodes}
DATASETS = {name for pipeline in PIPELINES.values() for name in pipeline.datasets()}


def fenced(language: str) -> Iterator[str]:
    for document in DOCUMENTS:
        yield from re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.S | re.M)


def inline() -> Iterator[str]:
    for document in DOCUMENTS:
        text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.S | re.M)
        yield from re.findall(r"`([^`]+)`", text)


def commands() -> list[list[str]]:
    """The words of every command line, without variables before it and comments after it."""
    lines = [line for block in fenced("bash") for line in block.splitlines()]
    lines += [code for code in inline() if re.match(r"([A-Z_]+=\S+ )*(kedro|python) ", code)]
    found = []
    for part in (part for line in lines for part in line.split("&&")):
        words = shlex.split(part, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            del words[0]
        if words:
            found.append(words)
    return found


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def base_parameters() -> dict[str, Any]:
    files = (ROOT / "conf" / "base").glob("parameters_*.yml")
    return {
        name: value for file in files for name, value in yaml.safe_load(file.read_text()).items()
    }


def check_parameters(changes: dict[str, Any]) -> None:
    """Validate changes of the base's parameters as Kedro merges them."""
    merged = OmegaConf.to_container(OmegaConf.merge(base_parameters(), changes))
    for group in changes:
        GROUPS[group].model_validate(merged[group])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_kedro_commands_are_right() -> None:
    known = [words[1:] for words in commands() if words[0] == "kedro"]
    assert len(known) > 10
    for name, *arguments in known:
        if command := cli.get_command(click.Context(cli), name):
            if arguments:  # else the command by its name; what is needed with it stands elsewhere
                check_run(command, name, arguments)
        elif name == "registry":
            assert arguments[0] == "describe"
            assert arguments[1] in PIPELINES
        else:
            assert [name, *arguments] in (["viz"], ["jupyter", "lab"], ["ipython"], ["package"]), (
                name
            )


def check_run(command: click.Command, name: str, arguments: list[str]) -> None:
    try:
        given = command.make_context(name, list(arguments)).params
    except click.ClickException as error:
        pytest.fail(f"kedro {name} {arguments}: {error.format_message()}")
    assert not given.get("env") or (ROOT / "conf" / given["env"]).is_dir()
    if name == "run":
        assert set(given["pipelines"] or ["__default__"]) <= set(PIPELINES)
        for option in ("from_nodes", "to_nodes", "node_names"):
            assert set(given[option] or []) <= NODES, arguments
        for option in ("from_inputs", "to_outputs", "load_versions"):
            assert set(given[option] or []) <= DATASETS, arguments
        check_parameters(given["params"] or {})


def texts_of_the_source() -> list[str]:
    """All strings of the source, with … for what an f-string fills in."""
    found = []
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(
                        str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values
                    )
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_messages_in_troubleshooting_are_said_by_the_source() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    messages = re.findall(r"^\| `([^`]+)` \|", text, re.M)
    assert len(messages) > 20
    said = texts_of_the_source()
    for message in messages:
        parts = [part for part in re.split("…", message) if part.strip()]
        pattern = re.compile(".*".join(map(re.escape, parts)), re.S)
        assert any(pattern.search(text) for text in said), message


def test_the_list_of_parameters_is_up_to_date() -> None:
    page = parameters_page(ROOT / "conf" / "base")
    assert (ROOT / "docs" / "parameters.md").read_text() == page, (
        "run: python -m car_retrieval.params > docs/parameters.md"
    )
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \| (.*?) \|$", page, re.M)
    assert {name for name, *_ in rows} >= {
        name for model in GROUPS.values() for name in model.model_fields
    }
    assert not [row for row in rows if not all(row)]


def test_python_scripts_exist() -> None:
    for words in commands():
        if words[0] == "python" and words[1] != "-m":
            assert (ROOT / words[1]).exists(), words


def test_parameter_files_in_the_documents_are_right() -> None:
    blocks = [yaml.safe_load(block) for block in fenced("yaml")]
    assert blocks
    for block in blocks:
        for group, values in block.items():
            whole = {**base_parameters()[group], **values}  # written into the base itself
            GROUPS[group].model_validate(whole)


def test_parameters_named_in_the_text_exist() -> None:
    names = re.findall(
        rf"(?<!/)\b({'|'.join(GROUPS)})\.([a-z_]+)\b",
        "\n".join(file.read_text() for file in DOCUMENTS),
    )
    assert len(names) > 20
    for group, name in names:
        known = name in GROUPS[group].model_fields
        assert known or any(f"{node}.".startswith(f"{group}.{name}.") for node in NODES), name


def test_every_parameter_file_is_valid() -> None:
    for file in (ROOT / "conf").glob("*/parameters*.yml"):
        check_parameters(yaml.safe_load(file.read_text()) or {})


def test_the_table_of_files_agrees_with_the_catalog() -> None:
    loader = OmegaConfigLoader(
        str(ROOT / "conf"),
        base_env="base",
        default_run_env="base",
        custom_resolvers=CONFIG_LOADER_ARGS["custom_resolvers"],
    )
    catalog = DataCatalog.from_config(loader["catalog"])
    document = (ROOT / "docs" / "coming_from_the_reference.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| `(\w+)`[^|]* \| `(data/[^`]+)`", document, re.M)
    assert len(rows) > 10
    for name, path in rows:
        described = catalog.get(name)._describe()
        assert str(described["filepath"]).endswith(path.replace("<c>", "sample")), name
