"""Parts of a photo on the page, in a browser."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from tests.serving.web.browsing import (
    BOX,
    CALM,
    ID,
    SAYS,
    ids,
    search,
)


def test_a_part_is_chosen_by_dragging(page: SimpleNamespace, tmp_path: Path) -> None:
    halves = Image.new("RGB", (400, 200), (220, 30, 30))
    halves.paste((30, 60, 210), (200, 0, 400, 200))
    file = tmp_path / "halves.png"
    halves.save(file)
    page.browser.choose("#file", file)
    page.browser.wait("document.querySelector('#photo').naturalWidth === 400")
    page.browser.wait(f"{CALM}")
    x, y, width, height = page.browser.run(BOX.format("#photo"))
    page.browser.drag((x + 0.55 * width, y + 0.1 * height), (x + 0.95 * width, y + 0.9 * height))
    page.browser.wait(f"{CALM} && {SAYS}.includes('most similar')")
    assert ids(page)[0] == ID[2]
    crop = page.asked[-1]
    assert crop.image.mean((1, 2)) == pytest.approx([30, 60, 210])
    frame = page.browser.run(BOX.format("#crop"))
    expected = [x + 0.55 * width, y + 0.1 * height, 0.4 * width, 0.8 * height]
    assert frame == pytest.approx(expected, abs=4)
    page.browser.click("#part")  # the whole again
    page.browser.wait(f"{CALM} && document.querySelector('#crop').hidden")
    page.browser.until(lambda: page.asked[-1].image.mean((1, 2))[0] == pytest.approx(125))


def test_the_car_is_proposed_and_its_corners_are_dragged(
    page: SimpleNamespace, retriever: Any, tmp_path: Path
) -> None:
    retriever.proposal = (201, 21, 360, 180)
    halves = Image.new("RGB", (400, 200), (220, 30, 30))
    halves.paste((30, 60, 210), (200, 0, 400, 200))
    file = tmp_path / "halves.png"
    halves.save(file)
    search(page, file)
    assert ids(page)[0] == ID[2]
    x, y, width, height = page.browser.run(BOX.format("#photo"))

    def framed() -> Any:
        left, top, right, bottom = page.browser.run(
            "(b => [b.left, b.top, b.right, b.bottom])"
            "(document.querySelector('#crop').getBoundingClientRect())"
        )
        shares = (
            (left - x) / width,
            (top - y) / height,
            (right - x) / width,
            (bottom - y) / height,
        )
        return pytest.approx(shares, abs=0.02)

    assert framed() == (0.5, 0.1, 0.9, 0.9)
    assert "marked" in page.browser.run("document.querySelector('#hint').textContent")
    page.browser.drag((x + 0.5 * width, y + 0.9 * height), (x + 0.1 * width, y + 0.7 * height))
    page.browser.wait(CALM)
    assert framed() == (0.1, 0.1, 0.9, 0.7)
    assert page.asked[-1].crop == pytest.approx((41, 21, 360, 140), abs=3)
    page.browser.click("#back")
    page.browser.until(lambda: framed() == (0.5, 0.1, 0.9, 0.9))
    page.browser.click("#part")
    page.browser.wait(f"{CALM} && document.querySelector('#crop').hidden")
    assert page.asked[-1].crop is None
    page.browser.run("history.back()")
    page.browser.until(lambda: framed() == (0.5, 0.1, 0.9, 0.9))


def test_a_part_is_chosen_by_keys(page: SimpleNamespace, tmp_path: Path) -> None:
    halves = Image.new("RGB", (400, 200), (220, 30, 30))
    halves.paste((30, 60, 210), (200, 0, 400, 200))
    file = tmp_path / "halves.png"
    halves.save(file)
    page.browser.choose("#file", file)
    page.browser.wait(f"document.querySelector('#photo').naturalWidth === 400 && {CALM}")
    page.browser.click("#part")
    assert page.browser.run("document.activeElement.id") == "crop"
    for _ in range(25):
        page.browser.press("ArrowLeft", shift=True)
    page.browser.until(lambda: page.asked[-1].image.mean((1, 2)) == pytest.approx([220, 30, 30]))
    page.browser.press("Escape")
    page.browser.wait(f"document.querySelector('#crop').hidden && {CALM}")


def test_escape_discards_the_preceding_arrow_key(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    page.browser.click("#part")
    page.browser.wait(CALM)
    before = page.browser.run("history.length")
    page.browser.press("ArrowLeft")
    page.browser.press("Escape")
    page.browser.run("new Promise(resolve => setTimeout(resolve, 600))")  # longer than the pause
    page.browser.wait(CALM)
    assert page.browser.run("history.length") == before + 1
    assert len(page.asked) == 3
    assert page.browser.run("document.querySelector('#crop').hidden")
