"""Search by photo in a made gallery: `kedro search` from the shell, and its parts once opened.

    python benchmarks/photo_search.py [--count 67732] [--dimension 2048] [--arch resnet50]

The network is untrained, and the gallery's descriptors are drawn (`vectors.py`): what a search
costs does not depend on what is found. Recall is that of other drawn vectors.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from kedro.io import DataCatalog
from PIL import Image

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import MatrixStream
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.build import fill, make_index
from car_retrieval.search.storage import SignedIndex
from car_retrieval.serving.retriever import Filters
from car_retrieval.serving.run_artifacts import RunArtifacts, catalog_config

ROOT = Path(__file__).parents[1]
ENV, VERSION, SIZE = "independent", "2026-01-01", 224
LOPQ = {"pca": 256, "coarse": 8}  # of conf/compcars
QUERIES, K = 64, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=67_732)
    parser.add_argument("--dimension", type=int, default=2_048)
    parser.add_argument("--arch", default="resnet50")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        measure_parts(args.inside)
        return
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        make_project(project, args.count, args.dimension, args.arch)
        for method in ("exact", "lopq"):
            command = ["-m", "kedro", "search", "query.jpg", f"--env={ENV}", f"--method={method}"]
            wall, cpu = min(measured_child(command, project) for _ in range(3))
            print(f"kedro search --method={method}: {wall:.1f} s, {cpu:.1f} s of processor time")
        subprocess.run([sys.executable, __file__, "--inside", folder], check=True)


def make_project(project: Path, count: int, dimension: int, arch: str) -> None:
    """What a run leaves to search with, and a photo to search for."""
    from vectors import GaussianClasses

    shutil.copy(ROOT / "pyproject.toml", project)
    shutil.copytree(ROOT / "conf", project / "conf")
    (project / "src").mkdir()
    (project / "src/car_retrieval").symlink_to(ROOT / "src/car_retrieval")
    photos = project / "data/01_raw/independent/traini"
    photos.mkdir(parents=True)
    rng = np.random.default_rng(7)
    noise = Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8))
    noise.resize((900, 600), Image.Resampling.BICUBIC).save(project / "query.jpg")

    catalog = DataCatalog.from_config({**catalog_config(ENV, project)}, save_version=VERSION)
    drawn, classes = GaussianClasses(dimension).draw(count + QUERIES)
    np.save(project / "queries.npy", drawn[count:])
    drawn, classes = drawn[:count], classes[:count]
    table = pd.DataFrame({"Path": [f"{row}.jpg" for row in range(count)], "Class": classes})
    table = table.assign(Index=range(count), Hash=table["Path"], Year=2000 + classes % 16)
    makes = pd.Series(classes % 163).astype(str)
    table = table.assign(MakeName="Make " + makes, ModelName="Model " + table["Class"].astype(str))
    catalog.save("gallery_photos", table)
    net = DescriptorNet(DescriptorConfig(arch, dimension, SIZE)).eval()
    catalog.save("model", net)
    catalog.save("whitening", Whitening())
    packing = {"size": SIZE, "fill": "gaussian", "crop": "none"}
    encoder = Encoder(net).signature() | {"whitening": None, "packing": packing}
    about = {"encoder": encoder, "photos": digest(table)}
    catalog.save("gallery_descriptors", MatrixStream([drawn], about))
    index = make_index("lopq", LOPQ)
    fill(index, catalog.load("gallery_descriptors"), np.arange(count), seed=7)
    catalog.save("lopq_index", SignedIndex(index, about))
    catalog.save("no_match_threshold", about | {"threshold": 0.5, "reranking": None})


def measured_child(command: list[str], project: Path) -> tuple[float, float]:
    """Seconds that a command takes, and of processor time."""
    began, used = time.perf_counter(), os.times()
    environment = os.environ | {"KEDRO_DISABLE_TELEMETRY": "1"}
    subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    now = os.times()
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    return time.perf_counter() - began, cpu


def measure_parts(project: Path) -> None:
    """Print what each step costs in a process of its own, and the memory at the end."""
    began = time.perf_counter()
    retriever = RunArtifacts(ENV, project).load_retriever()
    print(f"open, libraries imported: {time.perf_counter() - began:.2f} s")
    image = timed("prepare", lambda: retriever.prepare(project / "query.jpg"))
    query = timed("describe", lambda: retriever.describe(image[None]))
    cases = {
        "": Filters(),
        ", of a make": Filters(make="make 7"),
        ", of half the years": Filters(years=(2000, 2007)),
    }
    for method in retriever.methods:
        for name, filters in cases.items():
            timed(f"{method}{name}", lambda m=method, f=filters: retriever.search(query, K, m, f))
    queries = np.load(project / "queries.npy")
    exact, lopq = (retriever.search(queries, K, method) for method in ("exact", "lopq"))
    shared = [
        len({m.id for m in a.matches} & {m.id for m in b.matches}) / K
        for a, b in zip(exact, lopq, strict=True)
    ]
    print(f"recall@{K} of lopq: {np.mean(shared):.3f}")
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(line.split()[1] for line in status if line.startswith("RssAnon"))
    print(f"memory without mapped files: {int(own) / 1e3:,.0f} MB")


def timed(name: str, work):
    """What the work gives; its first and its fastest of five more times are printed."""
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        result = work()
        seconds.append(1_000 * (time.perf_counter() - began))
    print(f"{name}: {seconds[0]:.0f} ms at first, then {min(seconds[1:]):.1f} ms")
    return result


if __name__ == "__main__":
    main()
