"""A map of descriptors: photos that a search takes for alike lie beside each other."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from car_retrieval.reporting.style import INK, MUTED, dress, new_figure, printable

COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc3311", "#cc79a7"),
    *("#56b4e9", "#8a6d00", "#332288", "#7fb800", "#8b4513"),
)
OTHER = "#c9d0d6"
MARKERS = {"gallery": "o", "query": "^"}


def draw_sample(labels: pd.Series, shown: pd.Index, count: int, seed: int) -> pd.Series:
    """Draw photos so that the shown classes fill half of the sample, and any others the rest.

    Args:
        labels: Classes by photo.
        shown: Classes to see; of each equally many photos, as far as it has them.
        count: Photos to draw, or all where there are fewer.
        seed: Seed of the draw.
    """
    shuffled = labels.sample(frac=1, random_state=seed)
    of_shown = shuffled[shuffled.isin(shown)]
    of_shown = of_shown.groupby(of_shown).head(count // 2 // max(1, len(shown)))
    others = shuffled[~shuffled.isin(shown)].head(count - len(of_shown))
    return pd.concat([of_shown, others]).sort_index()


def project(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """Lay descriptors out on a plane by t-SNE (van der Maaten and Hinton, 2008; Barnes-Hut).

    It starts from the first two principal components and runs on one thread, so that the same
    seed draws the same map, and neither waits for others on a busy machine.

    Args:
        vectors: float32 [n, D].
        seed: Seed of the optimisation.

    Returns:
        float64 [n, 2]; the descriptors' own first two axes where n or D is below four.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if min(vectors.shape) < 4:
        return np.pad(vectors, ((0, 0), (0, 2)))[:, :2].astype(float)
    with threadpool_limits(1):
        few = PCA(min(50, *vectors.shape), random_state=seed).fit_transform(vectors)
        perplexity = min(30, (len(vectors) - 1) / 3)
        tsne = TSNE(init="pca", perplexity=perplexity, max_iter=500, random_state=seed)
        return tsne.fit_transform(few).astype(float)


def descriptor_map(table: pd.DataFrame, shown: pd.Index) -> Figure:
    """Draw the map.

    Args:
        table: A row a photo: `side` (gallery or query), `Class`, `Name`, `x`, `y`.
        shown: Classes to colour and to name; all others are grey.
    """
    figure = new_figure(5.4, 5.4)
    axes = figure.subplots()
    colours = dict(zip(shown, COLOURS, strict=False))
    for side, marker in MARKERS.items():
        own = table[table["side"] == side]
        other = ~own["Class"].isin(shown)
        named = own[~other]
        colour = [colours[class_] for class_ in named["Class"]]
        axes.scatter(own["x"][other], own["y"][other], s=12, color=OTHER, marker=marker)
        axes.scatter(
            named["x"], named["y"], 26, colour, marker=marker, edgecolors="white", linewidths=0.5
        )
        axes.scatter([], [], s=26, color=MUTED, marker=marker, label=f"{side} photos")
    for class_, colour in colours.items():
        own = table[table["Class"] == class_]
        if len(own):
            x, y, name = own["x"].median(), own["y"].median(), printable(own["Name"].iloc[0], 24)
            box = {"boxstyle": "round,pad=.2", "facecolor": "white", "edgecolor": colour}
            axes.text(x, y, name, size=7.5, color=INK, ha="center", bbox=box, parse_math=False)
    dress(axes, "Descriptors on a plane (t-SNE)", "", "", empty=table.empty)
    axes.set(xticks=[], yticks=[])
    axes.spines["bottom"].set_visible(False)
    return figure
