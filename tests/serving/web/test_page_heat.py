"""Heat maps on the page, in a browser."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.serving.web.browsing import (
    CALM,
    CARS,
    search,
)


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
