"""From a clean drawing to a photo: light, blur, noise and JPEG."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def glow(image: Image.Image, lamps: list[tuple[int, int]], radius: int) -> Image.Image:
    """Add the halo of burning headlamps at pixel positions."""
    mask = Image.new("L", (image.width // 2 + 1, image.height // 2 + 1))
    draw, r = ImageDraw.Draw(mask), max(1, radius // 2)
    for x, y in lamps:
        draw.ellipse([x // 2 - r, y // 2 - r, x // 2 + r, y // 2 + r], fill=200)
    halo = mask.filter(ImageFilter.GaussianBlur(r)).resize(image.size)
    result = image.copy()
    result.paste((255, 246, 214), mask=halo)
    return result


def expose(image: Image.Image, rng: np.random.Generator, night: bool) -> Image.Image:
    """Apply the photo's light and camera: gain, tint, fall-off, blur and sensor noise."""
    blur = float(rng.uniform(0.4, 0.8) if night else rng.uniform(0.0, 0.45)) * image.width / 192
    if blur > 0.25:
        image = image.filter(ImageFilter.GaussianBlur(round(blur, 2)))
    gain = float(rng.uniform(0.35, 0.8) if night else rng.uniform(0.72, 1.18))
    tint = 1 + rng.uniform(-0.06, 0.06, 3) + (np.array([-0.04, 0.0, 0.08]) if night else 0.0)
    x = np.linspace(-1, 1, image.width, dtype=np.float32)
    y = np.linspace(-1, 1, image.height, dtype=np.float32)[:, None]
    slope = rng.uniform(-0.16, 0.16, 2)
    fall = 1 + slope[0] * x + slope[1] * y - float(rng.uniform(0, 0.22)) * (x**2 + y**2) / 2
    pixels = np.asarray(image, dtype=np.float32)
    pixels = pixels * (gain * fall)[..., None].astype(np.float32) * tint.astype(np.float32)
    sigma = float(rng.uniform(2.5, 6.0) if night else rng.uniform(0.5, 3.5))
    grain = rng.standard_normal((image.height, image.width), dtype=np.float32)
    colour = rng.standard_normal((image.height, image.width, 3), dtype=np.float32)
    pixels = pixels + sigma * (0.8 * grain[..., None] + 0.4 * colour)
    return Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))


def jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode with every choice spelt out, so that the bytes depend on nothing else."""
    stream = BytesIO()
    image.save(stream, "JPEG", quality=quality, subsampling=2, optimize=True, progressive=False)
    return stream.getvalue()
