"""Does a threshold for "no match" hold for cars of classes that were never seen?

    kedro run --params=data_processing.validate_by=class,data_processing.valid_ratio=2
    python benchmarks/open_set.py [--env independent]

Half of the validation classes, which do not train, calibrate the threshold as a run does: each of
their photos searches the training photos and the half's others, without its class. Then the photos
of the other half, of which neither training nor threshold know anything, search the same gallery:
all of them should be answered "no match". Mean and standard deviation over random halves.
"""

import argparse

import numpy as np
import pandas as pd
from run_results import catalog_of, load_results

from car_retrieval.data import protocols
from car_retrieval.data.splits import TRAIN
from car_retrieval.metrics.open_set import OpenSet, no_match_threshold, open_set, open_set_rates
from car_retrieval.search.exact import search_exact

RATES, HALVES = (0.02, 0.05, 0.1, 0.2), 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default=None)
    env = parser.parse_args().env
    database, split = load_results(catalog_of(env), ("gallery_descriptors", "split"))
    unseen, searched = protocols.valid_protocol(split)
    if unseen is not searched:
        raise SystemExit("Error: whole classes must validate: data_processing.validate_by=class")
    trained = protocols.labels_of(split[split["split"] == TRAIN])
    descriptors = database[:]

    def searches(queries: pd.Series, gallery: pd.Series) -> OpenSet:
        ids, rows = queries.index.to_numpy(), gallery.index.to_numpy()
        own, blocks = np.where(np.isin(ids, rows), ids, -1), [(rows, descriptors[rows])]
        hits = search_exact(ids, descriptors[ids], blocks, len(rows) - 1, exclude=own)
        return open_set(hits, queries, gallery, self_in_gallery=True)

    classes, found = unseen.unique(), []
    for seed in range(HALVES):
        half = np.random.default_rng(seed).permutation(classes)[: len(classes) // 2]
        calibrating, strange = unseen[unseen.isin(half)], unseen[~unseen.isin(half)]
        gallery = pd.concat([trained, calibrating]).sort_index()
        known, unknown = searches(calibrating, gallery), searches(strange, gallery)
        thresholds = [no_match_threshold(known.non_mated, rate) for rate in RATES]
        rates = [(open_set_rates(unknown, t), open_set_rates(known, t)) for t in thresholds]
        found.append([(other["FPIR_unknown"], own["TPIR"]) for other, own in rates])
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    print(f"{len(unseen)} photos of {len(classes)} classes, halves of {len(classes) // 2}")
    print(f"{'allowed':>8}{'FPIR, other half':>20}{'TPIR, first half':>20}")
    for rate, values, deviations in zip(RATES, mean, spread, strict=True):
        cells = (f"{v:.3f} ± {d:.3f}" for v, d in zip(values, deviations, strict=True))
        print(f"{rate:8.2f}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
