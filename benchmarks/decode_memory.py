"""Memory that decoding a photo takes at most, by format: bytes a pixel, without the file itself.

    python benchmarks/decode_memory.py [--megapixels 20]

Each picture is decoded at full size by a process of its own, whose peak Linux tells.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from car_retrieval.images.decode import FORMATS, decode

QUICK: dict[str, Any] = {
    "AVIF": {"speed": 10},
    "WEBP": {"method": 0},
    "JPEG": {"progressive": True},
}
TRANSPARENT = ("PNG", "WEBP", "TIFF", "AVIF", "JPEG2000")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=20)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.file:
        print(peak(args.file.read_bytes()))
        return
    width = round((args.megapixels * 1e6) ** 0.5)
    noise = Image.effect_noise((width // 10, width // 10), 40).resize((width, width))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture"
        for form in FORMATS:
            for mode in ("RGB", "RGBA")[: 1 + (form in TRANSPARENT)]:
                picture = noise.convert(mode)
                if mode == "RGBA":
                    picture.putalpha(128)
                picture.save(file, form, **QUICK.get(form, {}))
                command = [sys.executable, __file__, "--file", str(file)]
                found = subprocess.run(command, check=True, capture_output=True, text=True)
                print(f"{form:9} {mode:5}{int(found.stdout) / width**2:6.1f}", flush=True)


def peak(data: bytes) -> int:
    """Bytes that decoding takes at most."""
    first = BytesIO()
    Image.new("RGB", (9, 9)).save(first, "PNG")
    decode(first.getvalue())  # what is loaded only once
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = status("VmRSS")
    decode(data)
    return status("VmHWM") - before


def status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return 1024 * int(found[1])


if __name__ == "__main__":
    main()
