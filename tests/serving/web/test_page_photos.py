"""Photos given to the page, in a browser."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.serving.web.browsing import (
    CALM,
    CARS,
    ID,
    SAYS,
    ids,
    search,
    search_from,
)

from car_retrieval.serving.web.app import create_app

Browser = Any  # tests.browser needs the extra `browser`


def test_a_file_that_is_not_a_photo_is_reported(page: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("not a photo")
    page.browser.choose("#file", file)
    page.browser.wait(f"{SAYS}.includes('not a picture')")
    page.browser.complaints.clear()  # the browser logs the 415


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_photos_are_pasted_and_dropped(page: SimpleNamespace, red: Path, kind: str) -> None:
    field = "clipboardData" if kind == "paste" else "dataTransfer"
    page.browser.run(
        "(() => { const data = new DataTransfer();"
        f"const bytes = new Uint8Array({list(red.read_bytes())});"
        "data.items.add(new File([bytes], 'red.png', {type: 'image/png'}));"
        f"const event = new Event('{kind}', {{cancelable: true}});"
        f"Object.defineProperty(event, '{field}', {{value: data}}); dispatchEvent(event); }})()"
    )
    page.browser.wait(f"{CARS}.length === 4 && {SAYS}.includes('most similar')")
    assert ids(page)[0] == ID[0]


@pytest.mark.parametrize("form", ["TIFF", "HEIF"])
def test_a_photo_that_the_browser_cannot_draw_is_converted(
    page: SimpleNamespace, tmp_path: Path, picture: Callable[..., bytes], form: str
) -> None:
    file = tmp_path / "red.heic"
    file.write_bytes(picture((210, 40, 40), size=(400, 300), form=form))
    search(page, file)
    assert ids(page)[0] == ID[0]
    page.browser.wait("document.querySelector('#photo').naturalWidth === 400")
    page.browser.click("#part")
    page.browser.wait(f"{CALM} && !document.querySelector('#crop').hidden")
    assert page.asked[-1].crop is not None


def test_a_large_photo_is_shrunk_upright_before_it_is_sent(
    page: SimpleNamespace, tmp_path: Path, retriever: Any
) -> None:
    halves = Image.new("RGB", (4_000, 3_000), (220, 30, 30))
    halves.paste((30, 60, 210), (2_000, 0, 4_000, 3_000))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise: red above blue
    file = tmp_path / "phone.jpg"
    halves.save(file, exif=exif)
    sent: list[Image.Image] = []
    prepare = retriever.prepare
    retriever.prepare = lambda data, crop=None: (
        sent.append(Image.open(BytesIO(data))),
        prepare(data, crop),
    )[1]
    page.browser.choose("#file", file)
    page.browser.wait(f"{CALM} && {CARS}.length === 4 && {SAYS}.startsWith('No match')")
    assert sent[0].size == (1_536, 2_048)
    assert sent[0].getexif().get(0x0112, 1) == 1
    red, blue = (np.asarray(sent[0])[row, 700] for row in (300, 1_700))
    assert red[0] > 200 > 60 > red[2]
    assert blue[2] > 190 > 60 > blue[0]
    page.browser.wait("document.querySelector('#photo').naturalHeight === 2048")


def test_several_photos_and_photos_to_avoid(
    page: SimpleNamespace, red: Path, tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    search(page, red)
    green = tmp_path / "green.png"
    green.write_bytes(picture("green"))
    page.browser.choose("#add", green)
    page.browser.wait(f"{CALM} && !document.querySelector('#photos').hidden")
    assert (len(page.asked[-1].also), page.asked[-1].unlike) == (1, [])
    assert page.browser.run("document.querySelector('#part').hidden")
    page.browser.click(".car:nth-child(1) .open")
    page.browser.click("#large [value=unlike]")
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    assert [one.id for one in page.asked[-1].unlike] not in ([], ids(page))
    page.browser.hover(".car .frame")
    page.browser.wait("!document.querySelector('#photo-heat').hidden")
    page.browser.click("#unlike button")
    page.browser.wait(f"{CALM} && document.querySelector('#unlike').hidden")
    page.browser.click("#photos button")
    page.browser.wait(f"{CALM} && !document.querySelector('#part').hidden")
    page.browser.until(lambda: not page.asked[-1].also)


def test_a_slow_picture_does_not_replace_the_current_photo(
    browser: Browser, reloader: Any, served: Any, red: Path
) -> None:
    """With a key, the page fetches the gallery pictures, which may arrive in any order."""
    width = "document.querySelector('#photo').naturalWidth"
    with served(create_app(reloader, key="sesame")) as service:
        browser.open(f"{service.url}/page/icon.svg")
        browser.run("sessionStorage.setItem('key', 'sesame')")
        browser.open(f"{service.url}/")
        browser.choose("#file", red)
        browser.wait(f"{CALM} && {CARS}.length === 4 && {width} === 400")
        browser.run(
            "window.late = []; const real = window.fetch; window.fetch = async (url, how) => {"
            "const answer = await real(url, how);"
            "if (/images[^?]*$/.test(url)) await new Promise(go => window.late.push(go));"
            "return answer; }"
        )
        search_from(SimpleNamespace(browser=browser), 2)
        browser.wait(f"{CALM} && {CARS}.length === 3 && window.late.length === 1")
        browser.run("history.back()")
        browser.wait(f"{CARS}.length === 4 && {width} === 400")
        browser.run("window.late[0](), new Promise(resolve => setTimeout(resolve, 300))")
        assert browser.run(width) == 400
        browser.run("sessionStorage.clear()")
        browser.open("about:blank")
