"""`kedro tune`: find the fastest LOPQ setting that reaches a recall."""

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.session import KedroSession
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.tune import Setting, fastest, pareto_front, tune

PARAMETERS = ("splits", "coarse", "subquantisers", "bits", "codebooks", "pca", "quota")
BROKEN = {  # column titles on two lines, so that thirteen columns fit a terminal
    "subquantisers": "subquan-\ntisers",
    "codebooks": "code-\nbooks",
    "queries/s": "queries\n/s",
    "bytes/vector": "bytes/\nvector",
}


@click.command("tune", cls=PlainErrorCommand)
@click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="Target recall of exact search's neighbours.",
)
@click.option(
    "--bytes", "code_bytes", type=int, default=32, show_default=True, help="Maximum bytes per code."
)
@click.option("--k", type=int, default=20, show_default=True, help="Number of neighbours.")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@env_option
def command(recall: float, code_bytes: int, k: int, seed: int, env: str | None) -> None:
    """Find the fastest LOPQ setting for an environment's latest descriptors.

    Query photos search the gallery exactly and compressed; the fastest parameters that reach the
    recall are printed as YAML.
    """
    catalog = KedroSession.create(env=env).load_context().catalog
    for name in ("gallery_descriptors", "query_descriptors"):
        if not catalog.exists(name):
            chosen = f" --env={env}" if env else ""
            raise ValueError(
                f"no dataset {name} to tune with: run `kedro run --pipelines=encoding{chosen}` "
                f"first, or `kedro run{chosen}` without a trained network"
            )
    gallery, queries = catalog.load("gallery_descriptors"), catalog.load("query_descriptors")
    if gallery.attributes.get("encoder") != queries.attributes.get("encoder"):
        raise ValueError(
            "gallery_descriptors and query_descriptors are from different encoders: run the "
            "pipeline encoding again"
        )
    print_tuning(tune(gallery, queries, k, recall, code_bytes, seed), k, recall)


def print_tuning(settings: list[Setting], k: int, recall: float) -> None:
    """Print the Pareto front of recall and speed, and the parameters of the best LOPQ setting.

    Args:
        settings: result of `tune`, with exact search.
        k: number of neighbours.
        recall: target recall.
    """
    exact = next(setting for setting in settings if setting.params is None)
    compressed = [setting for setting in settings if setting.params is not None]
    best = fastest(compressed, recall)
    console = Console(width=None if Console().is_terminal else 120)
    console.print(_table([exact, *pareto_front(compressed)], best, k))
    if best.recall < recall:
        console.print(
            f"No setting reaches a recall of {recall:g}; this one has the highest. Allow more "
            "--bytes, or search exactly.",
            soft_wrap=True,
        )
    elif best.queries_per_second < exact.queries_per_second:
        console.print(
            "Exact search is faster here; this setting only saves memory.", soft_wrap=True
        )
    console.print(snippet(best), soft_wrap=True, markup=False, highlight=False)


def snippet(setting: Setting) -> str:
    """Format a setting as YAML for a parameter file."""
    values = {"kind": "lopq"} | _values(_lopq(setting)) | {"rerank": setting.rerank}
    inside = ", ".join(f"{name}: {'null' if v is None else v}" for name, v in values.items())
    return f"evaluation:\n  searchers:\n    lopq: {{{inside}}}"


def _table(settings: list[Setting], best: Setting, k: int) -> Table:
    table = Table(
        title=f"LOPQ settings; * the best for the target, recall@{k}",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=0,
    )
    for name in ("", *PARAMETERS, "rerank", "recall", "queries/s", "bytes/vector", "fit s"):
        table.add_column(BROKEN.get(name, name), justify="right", overflow="fold")
    for setting in settings:
        values = _values(setting.params) if setting.params else {}
        cells = [_cell(value) for value in values.values()] if values else ["–"] * len(PARAMETERS)
        table.add_row(
            "exact" if not values else "*" if setting is best else "",
            *cells,
            f"{setting.rerank:,}" if values else "–",
            f"{setting.recall:.4f}",
            f"{setting.queries_per_second:,.0f}",
            f"{setting.bytes_per_vector:,.0f}",
            f"{setting.fit_seconds:.1f}",
        )
    return table


def _values(params: LopqParams) -> dict[str, int | str | None]:
    return {name: getattr(params, name) for name in PARAMETERS}


def _lopq(setting: Setting) -> LopqParams:
    if setting.params is None:
        raise ValueError("exact search has no LOPQ parameters")
    return setting.params


def _cell(value: int | str | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:,}"
