"""The page in a real browser."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.serving.web.browsing import (
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


def test_a_newer_run_is_reported(page: SimpleNamespace, red: Path, retriever: Any) -> None:
    search(page, red)
    retriever.version = "two"
    search_from(page, 1)
    page.browser.wait("document.querySelector('#gallery').textContent.includes('run two')")
    assert page.asked[-1].id == ID[0]


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
