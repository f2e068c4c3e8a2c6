"""How fast, and how well, does a photo become a square? Ways side by side in one run.

Draws made-up JPEGs of the size and weight of CompCars photos (900 x 600 px, about 120 KB) and
measures the way from the bytes of a file to uint8 [224, 224, 3]. Rounds are interleaved and
medians shown, so that a busy machine disturbs all ways alike. OpenCV is measured when installed.

    python benchmarks/images.py --images 64 --rounds 7
"""

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from time import perf_counter

import numpy as np
from PIL import Image

from car_retrieval.images.decode import decode
from car_retrieval.images.inspect import inspect
from car_retrieval.images.letterbox import Fill, Rectangle, content_rectangle, letterbox

Way = Callable[[bytes, int], np.ndarray]


def draw_jpeg(seed: int, width: int, height: int, kilobytes: int) -> bytes:
    """A picture with about the spectrum of a photo, at the best quality within `kilobytes`."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    noise = rng.normal(size=(2, 3, *frequency.shape))
    planes = np.fft.irfft2((noise[0] + 1j * noise[1]) / frequency**1.2, s=(height, width))
    planes /= planes.std(axis=(1, 2), keepdims=True)
    mix = np.array([[1, 0.3, 0], [1, 0, 0], [1, 0, 0.3]])
    pixels = np.einsum("cp,phw->hwc", mix, planes) * 50 + 128
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    for quality in range(95, 5, -3):
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= kilobytes * 1024:
            break
    return buffer.getvalue()


def place(content: np.ndarray, rectangle: Rectangle, size: int) -> np.ndarray:
    square = np.zeros((size, size, 3), np.uint8)
    top, left, height, width = rectangle
    square[top : top + height, left : left + width] = content
    return square


def opencv_linear(data: bytes, size: int) -> np.ndarray:
    import cv2

    pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2RGB)
    rectangle = content_rectangle(*pixels.shape[:2], size)
    shape = (rectangle.width, rectangle.height)
    return place(cv2.resize(pixels, shape, interpolation=cv2.INTER_LINEAR), rectangle, size)


def pillow(data: bytes, size: int, draft: bool, kernel: Image.Resampling) -> np.ndarray:
    image = Image.open(BytesIO(data))
    rectangle = content_rectangle(image.height, image.width, size)
    if draft:
        image.draft("RGB", (2 * rectangle.width, 2 * rectangle.height))
    content = image.resize((rectangle.width, rectangle.height), kernel)
    return place(np.asarray(content), rectangle, size)


def ours(data: bytes, size: int, fill: Fill) -> np.ndarray:
    return letterbox(decode(data, 2 * size).pixels, size, fill)[0]


def inspected(data: bytes, size: int) -> np.ndarray:
    inspect(data)
    return np.empty(0)


def fully_decoded(data: bytes, size: int) -> np.ndarray:
    decode(data)
    return np.empty(0)


def images_per_second(way: Way, files: list[bytes], size: int, threads: int) -> float:
    with ThreadPoolExecutor(threads) as pool:
        started = perf_counter()
        for _ in pool.map(partial(way, size=size), files):
            pass
        return len(files) / (perf_counter() - started)


def psnr(square: np.ndarray, exact: np.ndarray, rectangle: Rectangle) -> float:
    top, left, height, width = rectangle
    content = np.s_[top : top + height, left : left + width]
    error = square[content].astype(float) - exact[content]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--width", type=int, default=900)
    parser.add_argument("--height", type=int, default=600)
    parser.add_argument("--kilobytes", type=int, default=120)
    parser.add_argument("--size", type=int, default=224)
    arguments = parser.parse_args()
    size = arguments.size

    lanczos = partial(pillow, draft=False, kernel=Image.Resampling.LANCZOS)
    ways: dict[str, Way] = {
        "OpenCV full + linear (reference)": opencv_linear,
        "Pillow full + Lanczos (best picture)": lanczos,
        "Pillow draft >= 2x + bicubic": partial(
            pillow, draft=True, kernel=Image.Resampling.BICUBIC
        ),
        "ours, black": partial(ours, fill="black"),
        "ours, gaussian": partial(ours, fill="gaussian"),
        "decode() at full size": fully_decoded,
        "inspect()": inspected,
    }
    if find_spec("cv2"):
        import cv2

        cv2.setNumThreads(1)
    else:
        del ways["OpenCV full + linear (reference)"]

    drawn = [
        draw_jpeg(seed, arguments.width, arguments.height, arguments.kilobytes) for seed in range(8)
    ]
    files = [drawn[i % len(drawn)] for i in range(arguments.images)]
    rates: dict[tuple[str, int], list[float]] = {(way, n): [] for way in ways for n in (1, 2)}
    for _ in range(arguments.rounds):
        for name, threads in rates:
            rates[name, threads].append(images_per_second(ways[name], files, size, threads))

    rectangle = content_rectangle(arguments.height, arguments.width, size)
    print(
        f"{arguments.width} x {arguments.height} JPEGs of {len(drawn[0]) / 1024:.0f} KB -> "
        f"uint8 [{size}, {size}, 3]; {os.cpu_count()} cores; images/s, median of "
        f"{arguments.rounds} rounds of {len(files)}; x = relative to the first row"
    )
    print(f"{'':38}{'1 thread':>9}{'x':>6}{'2 threads':>11}{'x':>6}{'2 : 1':>7}{'PSNR dB':>9}")
    first = next(iter(ways))
    for name, way in ways.items():
        one, two = (np.median(rates[name, threads]) for threads in (1, 2))
        base_one, base_two = (np.median(rates[first, threads]) for threads in (1, 2))
        squares = [way(data, size) for data in drawn]
        quality = ""
        if squares[0].size and way is not lanczos:
            pairs = zip(squares, drawn, strict=True)
            decibels = [psnr(square, lanczos(data, size), rectangle) for square, data in pairs]
            quality = f"{np.mean(decibels):.1f}"
        print(
            f"{name:38}{one:9.0f}{one / base_one:6.2f}{two:11.0f}{two / base_two:6.2f}"
            f"{two / one:7.2f}{quality:>9}"
        )


if __name__ == "__main__":
    main()
