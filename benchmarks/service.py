"""Latency, throughput and memory of `kedro serve` against bare preparing, forward and search.

    python benchmarks/service.py [--env ENV] [--seconds 10] [--requests 2000] [--adds 10]

The service runs as users start it, in a process of its own. Clients send photos of the gallery,
each the next as soon as it is answered, so that they share the cores with the service. Overhead is
what the median of one client takes beyond preparing, forward and search alone, as a share of the
forward. The processor's time is that of the service, and counts on a busy machine too. At last as
many requests as told are sent by 4 clients, and the memory of the process is read meanwhile.
"""

import argparse
import http.client
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil

from car_retrieval.serving.retriever import Retriever
from car_retrieval.serving.run_artifacts import open_retriever

PHOTOS, CLIENTS, BOUNDARY = 64, (1, 4, 16), "photo"
KEY, TURNS, ADDERS = "benchmark", 3, 8
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "CAR_RETRIEVAL_API_KEY": KEY}
HEADERS = {
    "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    "Authorization": f"Bearer {KEY}",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env")
    parser.add_argument("--seconds", type=float, default=10, help="of each number of clients")
    parser.add_argument("--requests", type=int, default=2_000, help="while memory is watched")
    parser.add_argument("--adds", type=float, default=0, help="photos added a second")
    args = parser.parse_args()
    retriever = open_retriever(args.env)
    snapshot = retriever.gallery.snapshot()
    rows = np.linspace(0, len(snapshot.ids) - 1, PHOTOS).astype(int)
    files = [retriever.image(snapshot.ids[row]) for row in rows]
    parts = bare(retriever, files)
    del retriever
    bodies = [form(data) for data in files]
    with service(args.env) as (address, process):
        load(address, bodies, 4, lambda: False, 50)  # warm
        print(
            f"{'clients':>7}{'p50':>8}{'p95':>8}{'p99':>8} ms{'requests/s':>13}{'CPU ms each':>13}"
        )
        for clients in CLIENTS:
            end = time.monotonic() + args.seconds
            before = processor(process)
            seconds = load(address, bodies, clients, lambda end=end: time.monotonic() > end)
            p50, p95, p99 = 1000 * np.percentile(seconds, (50, 95, 99))
            rate = len(seconds) / args.seconds
            cpu = 1000 * (processor(process) - before) / len(seconds)
            row = f"{clients:7}{p50:8.1f}{p95:8.1f}{p99:8.1f}{rate:16.1f}{cpu:13.1f}"
            print(row, flush=True)
            if clients == 1:
                over = p50 - sum(parts.values())
        print(f"overhead: {over:.1f} ms, {over / parts['forward']:.0%} of the forward")
        watch_memory(address, bodies, process, args.requests)
        if args.adds:
            watch_additions(address, bodies, files, args.adds, args.seconds)


def bare(retriever: Retriever, files: list[bytes]) -> dict[str, float]:
    """Median milliseconds of the parts of a search, one photo at a time."""
    images = [retriever.prepare(data) for data in files]
    descriptors = retriever.describe(np.stack(images))
    start = time.process_time()
    parts = {
        "prepare": median(retriever.prepare, files),
        "forward": median(lambda image: retriever.describe(image[None]), images),
        "search": median(lambda descriptor: retriever.search(descriptor[None], 10), descriptors),
    }
    cpu = 1000 * (time.process_time() - start) / PHOTOS
    batch = np.stack(images[:16])
    together = median(lambda _: retriever.describe(batch), range(4)) / len(batch)
    said = ", ".join(f"{name} {took:.1f}" for name, took in parts.items())
    print(
        f"bare, ms: {said}; CPU {cpu:.1f}; forward of 16 together {together:.1f} each", flush=True
    )
    return parts


def median(work: Callable[[Any], object], items: Iterable[Any]) -> float:
    took = []
    for item in items:
        start = time.perf_counter()
        work(item)
        took.append(time.perf_counter() - start)
    return 1000 * float(np.median(took))


def processor(process: psutil.Process) -> float:
    """Seconds of processor time that a process has taken."""
    times = process.cpu_times()
    return times.user + times.system


def form(data: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photo"; filename="p"\r\n\r\n'
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


@contextmanager
def service(env: str | None) -> Iterator[tuple[str, psutil.Process]]:
    """A service on a free port, and its process."""
    command = [
        sys.executable,
        "-m",
        "kedro",
        "serve",
        "--port=0",
        *([f"--env={env}"] if env else []),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT
    ) as process:
        try:
            assert process.stdout
            found = (re.search(r"http://\S+:\d+", line) for line in process.stdout)
            yield urlsplit(next(filter(None, found))[0]).netloc, psutil.Process(process.pid)
        finally:
            process.terminate()


def load(
    address: str,
    bodies: list[bytes],
    clients: int,
    done: Callable[[], bool],
    most: float = float("inf"),
) -> list[float]:
    """Send photos until done, or so many are sent; seconds that each took."""
    numbers = itertools.count()

    def client(_: int) -> list[float]:
        connection, took = http.client.HTTPConnection(address), []
        while not done() and (number := next(numbers)) < most:
            start = time.perf_counter()
            connection.request("POST", "/search", bodies[number % len(bodies)], HEADERS)
            response = connection.getresponse()
            text = response.read()
            took.append(time.perf_counter() - start)
            if response.status != 200:
                raise SystemExit(f"the service answered {response.status}: {text.decode()[:200]}")
        connection.close()
        return took

    with ThreadPoolExecutor(clients) as pool:
        return [took for part in pool.map(client, range(clients)) for took in part]


def watch_additions(
    address: str, bodies: list[bytes], files: list[bytes], adds: float, seconds: float
) -> None:
    """Latency of 4 clients without additions and with so many a second, in turns."""
    made: list[str] = []
    failed: list[str] = []
    stop = threading.Event()

    numbers = itertools.count()

    def add() -> None:
        connection = http.client.HTTPConnection(address)
        for number in numbers:
            if stop.wait(ADDERS / adds):
                return
            data = files[number % len(files)] + number.to_bytes(8)  # another file, the same photo
            connection.request("POST", "/gallery", form(data), HEADERS)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 201:
                failed.append(f"the service answered {answer.status}: {text.decode()[:200]}")
                return
            made.append(json.loads(text)["id"])

    ratios = []
    for _ in range(TURNS):
        p95 = []
        for with_additions in (False, True):
            stop.clear()
            adders = [threading.Thread(target=add) for _ in range(ADDERS * with_additions)]
            for adder in adders:
                adder.start()
            end = time.monotonic() + seconds
            took = load(address, bodies, 4, lambda end=end: time.monotonic() > end)
            stop.set()
            for adder in adders:
                adder.join()
            if failed:
                raise SystemExit(failed[0])
            p95.append(float(np.percentile(took, 95)))
        ratios.append(p95[1] / p95[0])
        print(f"p95 {1000 * p95[0]:.1f} ms, with additions {1000 * p95[1]:.1f} ms", flush=True)
    rate = len(made) / (TURNS * seconds)
    print(f"{len(made)} added, {rate:.1f} a second; p95 by {np.median(ratios):.2f} larger")
    connection = http.client.HTTPConnection(address)
    for photo in made:
        connection.request("DELETE", f"/gallery/{photo}", headers=HEADERS)
        connection.getresponse().read()


def watch_memory(address: str, bodies: list[bytes], process: psutil.Process, requests: int) -> None:
    """Resident memory after each tenth of the requests."""
    part = max(1, requests // 10)
    print(f"{'requests':>8}{'MB':>8}")
    for sent in range(0, requests + 1, part):
        print(f"{sent:8}{process.memory_info().rss / 1e6:8.0f}", flush=True)
        if sent < requests:
            load(address, bodies, 4, lambda: False, part)


if __name__ == "__main__":
    main()
