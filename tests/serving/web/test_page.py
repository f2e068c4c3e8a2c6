"""The page in a real browser."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.serving.web.browsing import (
    BOX,
    CALM,
    CARS,
    ID,
    SAYS,
    ids,
    search,
    search_from,
    set_value,
)

from car_retrieval.serving.web.app import create_app
from car_retrieval.serving.web.middleware import Limits

Browser = Any  # tests.browser needs the extra `browser`


def names(browser: Browser) -> list[str]:
    return browser.run(f"{CARS}.map(car => car.querySelector('.number')?.textContent)")


def test_a_chosen_photo_shows_its_matches(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    assert ids(page)[0] == ID[0]
    first = page.browser.run(f"{CARS}[0].innerText").split("\n")
    assert "Alpha" in first
    assert "2001" in first
    assert names(page.browser)[0].startswith(".99")
    page.browser.wait("document.querySelector('#photo').naturalWidth === 400")
    page.browser.wait(f"{CARS}.every(car => car.querySelector('.photo').naturalWidth === 64)")


def test_no_match_is_shown(
    page: SimpleNamespace, tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    file = tmp_path / "pink.png"
    file.write_bytes(picture((255, 0, 255)))
    page.browser.choose("#file", file)
    page.browser.wait(f"{SAYS}.startsWith('No match')")
    assert ".980" in page.browser.run("document.querySelector('#more').textContent")


def test_a_file_that_is_not_a_photo_is_reported(page: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("not a photo")
    page.browser.choose("#file", file)
    page.browser.wait(f"{SAYS}.includes('not a picture')")
    page.browser.complaints.clear()  # the browser logs the 415


def test_from_match_to_match_and_back(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    first = ids(page)
    search_from(page, 2)
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    assert first[1] not in ids(page)
    assert page.asked[-1].id == first[1]
    page.browser.click("#back")
    page.browser.wait(f"{CARS}.length === 4")
    assert ids(page) == first
    assert page.browser.run("document.querySelector('#back').disabled") is True
    page.browser.run("history.forward()")
    page.browser.wait(f"{CARS}.length === 3")


def test_a_start_without_a_photo(page: SimpleNamespace) -> None:
    assert page.browser.run(f"{CARS}.length") == 4
    page.browser.click(".car:nth-child(3) .from")
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    assert page.asked[-1].id == ID[2]


def test_the_keyboard_is_enough(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    first = ids(page)
    page.browser.run("document.querySelector('.car .open').focus()")
    page.browser.press("Tab")
    page.browser.press("Tab")
    page.browser.press("Enter")
    page.browser.wait("document.querySelector('#large').open")
    page.browser.press("Escape")
    page.browser.wait("!document.querySelector('#large').open")
    page.browser.press("Enter")
    page.browser.wait("document.activeElement.value === 'from'")
    page.browser.press("Enter")
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    assert page.asked[-1].id == first[1]
    assert page.browser.run("document.activeElement.id") == "says"


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


def test_filters_and_number_of_matches(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    page.browser.run(
        "document.querySelector('#make').value = 'Beta';"
        "document.querySelector('#how').dispatchEvent(new Event('change'))"
    )
    page.browser.wait(f"{CARS}.length === 2")
    assert set(ids(page)) == set(ID[2:])
    page.browser.run(
        "document.querySelector('#make').value = '';"
        "document.querySelector('#year_to').value = '2003';"
        "document.querySelector('#k').value = '3';"
        "document.querySelector('#method').value = 'lopq';"
        "document.querySelector('#how').dispatchEvent(new Event('change'))"
    )
    page.browser.wait(f"{CARS}.length === 3")
    assert set(ids(page)) == set(ID[:3])
    assert page.asked[-1].options.method == "lopq"


def test_heat_maps_appear_and_go(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    hidden = "document.querySelector('.car .heat').hidden"
    assert page.browser.run(hidden) is True
    page.browser.hover(".car .frame")
    page.browser.wait(f"!{hidden} && document.querySelector('.car .heat').naturalWidth === 16")
    page.browser.wait("!document.querySelector('#photo-heat').hidden")
    page.browser.mouse("mouseMoved", 1, 1)
    page.browser.wait(f"{hidden} && document.querySelector('#photo-heat').hidden")
    page.browser.run("document.querySelector('.car .why').focus()")
    page.browser.press("Enter")
    page.browser.wait(f"!{hidden}")
    page.browser.press("Enter")
    page.browser.wait(hidden)


def test_the_selected_part_is_not_framed_on_its_heat_map(page: SimpleNamespace, red: Path) -> None:
    visibility = "getComputedStyle(document.querySelector('#crop')).visibility"
    search(page, red)
    page.browser.click("#part")
    page.browser.wait(f"!document.querySelector('#crop').hidden && {CALM}")
    assert page.browser.run(visibility) == "visible"
    page.browser.hover(".car .frame")
    page.browser.wait(f"{visibility} === 'hidden'")
    page.browser.mouse("mouseMoved", 1, 1)
    page.browser.wait(f"{visibility} === 'visible'")


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


def test_a_newer_run_is_reported(page: SimpleNamespace, red: Path, retriever: Any) -> None:
    search(page, red)
    retriever.version = "two"
    search_from(page, 1)
    page.browser.wait("document.querySelector('#gallery').textContent.includes('run two')")
    assert page.asked[-1].id == ID[0]


def test_heat_maps_of_the_old_run_are_not_shown_on_cars_of_the_new(
    page: SimpleNamespace, red: Path, reloader: Any, retriever: Any
) -> None:
    shown = "document.querySelector('.car .heat:not([hidden])')?.src"
    search(page, red)
    page.browser.click(".car .why")
    page.browser.wait("!document.querySelector('#photo-heat').hidden")
    old = page.browser.run(shown)
    reloader.retriever = type(retriever)("two")
    page.browser.run(
        "document.querySelector('#k').value = '3';"
        "document.querySelector('#how').dispatchEvent(new Event('change'))"
    )
    page.browser.wait(f"{CARS}.length === 3")
    page.browser.click(".car .why")
    page.browser.wait("!document.querySelector('#photo-heat').hidden")
    assert page.browser.run(shown) not in (old, None)


def test_going_back_during_a_search_ends_the_wait(
    page: SimpleNamespace, red: Path, retriever: Any
) -> None:
    search(page, red)
    retriever.pause = 0.5
    page.browser.click("#part")
    page.browser.wait(f"!({CALM})")
    page.browser.run("history.back()")
    page.browser.wait(f"document.querySelector('#crop').hidden && {CALM}")
    page.browser.until(lambda: len(page.asked) == 2)
    assert page.browser.run(CALM)


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


def test_a_match_is_shown_large_with_all_that_is_known(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    page.browser.click(".car:nth-child(1) .open")
    page.browser.wait("document.querySelector('#large-photo').naturalWidth === 64")
    facts = page.browser.run("document.querySelector('#facts').innerText").split("\n")
    for part in ("cars/red.png", "Alpha", "2001"):
        assert part in facts
    page.browser.run("navigator.clipboard.writeText = (text) => { window.copied = text; }")
    page.browser.click("#copy")
    link = page.browser.wait("window.copied")
    page.browser.press("Escape")
    page.browser.open(link)
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    assert page.asked[-1].id == ID[0]


def test_classes_are_shown_above_the_matches(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    groups = page.browser.run("[...document.querySelectorAll('#groups li')].map(g => g.innerText)")
    assert len(groups) == 4
    assert all(part in groups[0] for part in ("Alpha", "2001", "1 of 4", ".99"))


def test_reloading_keeps_the_search(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    page.browser.run(
        "document.querySelector('#make').value = 'Alpha';"
        "document.querySelector('#how').dispatchEvent(new Event('change'))"
    )
    page.browser.wait(f"{CARS}.length === 2")
    search_from(page, 1)
    page.browser.wait(f"{CALM} && {CARS}.length === 1")
    page.browser.wait("JSON.parse(sessionStorage.getItem('steps')).steps.length === 2")
    page.browser.send("Page.reload")
    page.browser.wait(f"document.readyState === 'complete' && {CALM} && {CARS}.length === 1")
    assert page.browser.run("document.querySelector('#make').value") == "Alpha"
    page.browser.click("#back")
    page.browser.wait(f"{CALM} && {CARS}.length === 2")
    page.browser.wait("document.querySelector('#photo').naturalWidth === 400")


def test_the_service_may_allow_fewer_matches_than_the_page_requests(
    browser: Browser, reloader: Any, served: Any, red: Path
) -> None:
    with served(create_app(reloader, Limits(k=2))) as service:
        browser.open(f"{service.url}/")
        browser.wait("document.querySelectorAll('#make option').length === 3")
        browser.choose("#file", red)
        browser.wait(f"{CARS}.length === 2 && {SAYS}.includes('most similar')")
        browser.open("about:blank")


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


def test_a_key_with_other_than_ascii_characters_is_not_accepted(
    browser: Browser, reloader: Any, served: Any
) -> None:
    with served(create_app(reloader, key="sesame")) as service:
        browser.open(f"{service.url}/")
        browser.wait("document.querySelector('#lock').open")
        browser.run("document.querySelector('#key').focus()")
        browser.write("sesame…")
        browser.press("Enter")
        browser.run("new Promise(resolve => setTimeout(resolve, 200))")
        assert browser.run("document.querySelector('#lock').open")
        assert browser.run("sessionStorage.getItem('key')") is None
        browser.open("about:blank")


def test_the_page_asks_for_the_key(browser: Browser, reloader: Any, served: Any, red: Path) -> None:
    browser.look(1280, 900)
    with served(create_app(reloader, key="sesame")) as service:
        browser.open(f"{service.url}/")
        for word, options in (("wrong", 1), ("sesame", 3)):
            browser.wait("document.querySelector('#lock').open")
            browser.run("document.querySelector('#key').value = ''")
            browser.run("document.querySelector('#key').focus()")
            browser.write(word)
            browser.press("Enter")
            if options == 1:
                browser.wait("sessionStorage.getItem('key') === 'wrong'")
        browser.wait("document.querySelectorAll('#make option').length === 3")
        browser.choose("#file", red)
        browser.wait(f"{CARS}.length === 4 && {SAYS}.includes('most similar')")
        browser.wait(f"{CARS}.every(car => car.querySelector('.photo').naturalWidth === 64)")
        browser.run("sessionStorage.clear()")
        browser.open("about:blank")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("width", "height", "touch"), [(1280, 900, False), (390, 844, True)])
def test_it_fits_the_screen(
    page: SimpleNamespace, red: Path, width: int, height: int, touch: bool, dark: bool
) -> None:
    page.browser.look(width, height, dark, touch)
    page.browser.wait(f"document.querySelector('#filters').open === {str(not touch).lower()}")
    search(page, red)
    assert page.browser.run("document.documentElement.scrollWidth") <= width
    ground = page.browser.run("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in ground[4:-1].split(",")) / 3
    assert brightness < 60 if dark else brightness > 200


@pytest.mark.skipif("AXE_CORE" not in os.environ, reason="AXE_CORE names no axe.min.js")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("width", "height", "touch"), [(1280, 900, False), (390, 844, True)])
def test_axe_finds_nothing(
    page: SimpleNamespace, red: Path, width: int, height: int, touch: bool, dark: bool
) -> None:
    page.browser.look(width, height, dark, touch)
    page.browser.run(Path(os.environ["AXE_CORE"]).read_text())

    def violations() -> list[str]:
        return page.browser.run("axe.run().then(found => found.violations.map(v => v.help))")

    assert violations() == []
    search(page, red)
    assert violations() == []
    page.browser.run("document.querySelector('#filters').open = true")
    for compared in ("=", "=.."):
        page.browser.click("#add-condition")
        set_value(page, "#conditions li:last-child .compared", compared)
    page.browser.wait("document.querySelector('#conditions .field').options.length > 0")
    assert violations() == []
    page.browser.click("#part")
    page.browser.wait(CALM)
    assert violations() == []
    page.browser.click(".car:nth-child(1) .open")
    page.browser.wait("document.querySelector('#large').open")
    assert violations() == []
    page.browser.run(
        "document.querySelectorAll('[data-writes], #correction').forEach(e => e.hidden = false)"
    )
    page.browser.click("#correction .add-field")
    assert violations() == []
    page.browser.click("#remove")
    assert violations() == []
    page.browser.press("Escape")
    page.browser.click("#large [value=unlike]")
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    assert violations() == []
    page.browser.click("#open-adding")
    page.browser.click("#adding .add-field")
    assert violations() == []
    page.browser.press("Escape")
    page.browser.run("document.querySelector('#lock').showModal()")
    assert violations() == []
