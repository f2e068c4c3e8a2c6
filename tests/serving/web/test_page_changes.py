"""Changes of the gallery on the page, in a real browser."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.serving.conftest import ENV, PHOTOS, picture
from tests.serving.web.browsing import CALM, CARS, set_value

from car_retrieval.gallery.record import photo_id
from car_retrieval.serving.run_artifacts import open_retriever
from car_retrieval.serving.web.app import create_app
from car_retrieval.serving.web.model_reloader import ModelReloader

OUTCOMES = "[...document.querySelectorAll('#adding .outcomes li')].map(item => item.innerText)"
FACTS = "document.querySelector('#facts').innerText"
LARGE = "document.querySelector('#large').open"


@pytest.fixture
def page(browser: Any, served: Any, own_project: Path) -> Iterator[SimpleNamespace]:
    """Yield an open page of a service with a key."""
    retriever = open_retriever(ENV, own_project)
    reloader = ModelReloader(
        retriever, lambda: retriever.versions, lambda: retriever, interval=3600
    )
    browser.look(1280, 900)
    browser.complaints.clear()
    with served(create_app(reloader, key="sesame")) as service:
        browser.open(f"{service.url}/page/icon.svg")
        browser.run("sessionStorage.setItem('key', 'sesame')")
        browser.open(f"{service.url}/")
        browser.wait("document.querySelectorAll('#make option').length === 3")
        yield SimpleNamespace(browser=browser, retriever=retriever, url=service.url)
        browser.run("sessionStorage.clear()")
        browser.open("about:blank")


def written(folder: Path, numbers: range) -> list[Path]:
    files = [folder / f"{number}.jpg" for number in numbers]
    for number, file in zip(numbers, files, strict=True):
        file.write_bytes(picture(number))
    return files


def choose(page: SimpleNamespace, selector: str, *files: Path) -> None:
    root = page.browser.send("DOM.getDocument")["root"]["nodeId"]
    node = page.browser.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
    page.browser.send("DOM.setFileInputFiles", nodeId=node, files=list(map(str, files)))


def search_large(page: SimpleNamespace, file: Path) -> None:
    """Search with a file, and show the first match large."""
    page.browser.choose("#file", file)
    page.browser.wait(
        f"{CALM} && {CARS}.length > 0 && document.querySelector('.car .open') !== null"
    )
    page.browser.click(".car:nth-child(1) .open")
    page.browser.wait(LARGE)


def shown_id(page: SimpleNamespace) -> str:
    return page.browser.run(f"{FACTS}.match(/[0-9a-f]{{16}}/)[0]")


def test_photos_are_added_with_labels(page: SimpleNamespace, tmp_path: Path) -> None:
    new = written(tmp_path, range(500, 502))
    [known] = written(tmp_path, range(1, 2))
    text = tmp_path / "text.jpg"
    text.write_text("nothing")
    page.browser.click("#open-adding")
    choose(page, "#adding [type=file]", *new, known, text)
    for name, value in {"class": "Audi/A9", "year": "2031"}.items():
        set_value(page, f"#adding [name={name}]", value)
    page.browser.click("#adding .add-field")
    page.browser.write("colour")
    page.browser.press("Tab")
    page.browser.write("red")
    page.browser.click("#adding .send")
    page.browser.wait(f"{OUTCOMES}.length === 4")
    page.browser.wait("document.querySelector('#adding .says').textContent.includes('refused')")
    kinds = [line.split("\n")[1].split(":")[0] for line in page.browser.run(OUTCOMES)]
    assert kinds == ["added", "added", "updated", "refused"]
    assert "not a picture" in page.browser.run(OUTCOMES)[3]
    assert page.browser.run("document.querySelector('#adding .progress').hidden")
    page.browser.wait(f"document.querySelector('#gallery').textContent.includes('{PHOTOS + 2} ')")
    page.browser.click("#adding .close")
    search_large(page, new[0])
    facts = page.browser.run(FACTS).split("\n")
    assert all(value in facts for value in ("Audi", "A9", "2031", "red"))
    assert page.retriever.image(shown_id(page)) == picture(500)
    page.browser.press("Escape")
    page.browser.click("#add-condition")
    page.browser.wait(
        "[...document.querySelectorAll('#conditions .field option')].some(o => o.value==='colour')"
    )


def test_photos_are_dropped_and_adding_them_is_stopped(
    page: SimpleNamespace, tmp_path: Path
) -> None:
    files = written(tmp_path, range(500, 504))
    contents = [list(file.read_bytes()) for file in files]
    page.browser.click("#open-adding")
    page.browser.run(
        "(() => { const data = new DataTransfer();"
        f"for (const bytes of {contents})"
        "  data.items.add(new File([new Uint8Array(bytes)], 'a.jpg', {type: 'image/jpeg'}));"
        "const event = new Event('drop', {cancelable: true, bubbles: true});"
        "Object.defineProperty(event, 'dataTransfer', {value: data});"
        "document.querySelector('#adding').dispatchEvent(event); })()"
    )
    assert page.browser.run("document.querySelector('#adding [type=file]').files.length") == 4
    page.browser.run(
        "(() => { const real = window.fetch; window.fetch = (url, how) => {"
        "  if (how.method === 'POST')"
        "    setTimeout(() => document.querySelector('#adding .send').click());"
        "  return real(url, how); }; })()"
    )
    page.browser.click("#adding .send")
    page.browser.wait("document.querySelector('#adding .says').textContent.includes('not sent')")
    assert page.browser.run(OUTCOMES) == ["a.jpg\nadded"]
    assert len(page.retriever.gallery.snapshot()) == PHOTOS + 1
    assert page.browser.run("document.querySelector('#selection').hidden"), "no search"


def test_the_labels_of_a_match_are_corrected(page: SimpleNamespace, tmp_path: Path) -> None:
    page.retriever.gallery.store.put(*_with_doors(page.retriever, "1.jpg"))
    [file] = written(tmp_path, range(1, 2))
    search_large(page, file)
    assert shown_id(page) == photo_id("1.jpg")
    page.browser.click("#correct")
    assert page.browser.run("document.querySelector('#correction [name=make]').value") == "Audi"
    set_value(page, "#correction [name=class]", "skoda octavia")
    assert page.browser.run("document.querySelector('#correction [name=make]').value") == ""
    set_value(page, "#correction [name=year]", "2030")
    page.browser.click("#correction button:not([type])")
    page.browser.wait(f"{FACTS}.includes('2030')")
    assert page.browser.run("document.activeElement.id") == "correct"
    page.browser.wait(f"{CALM} && {CARS}[0].innerText.includes('Octavia')")
    record = page.retriever.record(photo_id("1.jpg"))
    assert (record.labels.year, record.labels.fields) == (2030, {"doors": 5})


def _with_doors(retriever: Any, path: str) -> tuple[Any, Any, str]:
    record = retriever.record(photo_id(path))
    labels = replace(record.labels, fields={"doors": 5})
    vector = retriever.descriptor(record.id)
    return [replace(record, labels=labels)], vector[None], retriever.gallery.encoder


def test_the_file_of_a_match_is_replaced(page: SimpleNamespace, tmp_path: Path) -> None:
    old, new = (*written(tmp_path, range(1, 2)), *written(tmp_path, range(501, 502)))
    search_large(page, old)
    photo = shown_id(page)
    page.browser.click("#correct")
    choose(page, "#correction [type=file]", new)
    page.browser.click("#correction button:not([type])")
    page.browser.wait("document.querySelector('#correction').hidden")
    assert page.retriever.image(photo) == picture(501)
    page.browser.click("#correct")
    text = tmp_path / "text.jpg"
    text.write_text("nothing")
    choose(page, "#correction [type=file]", text)
    page.browser.click("#correction button:not([type])")
    page.browser.wait(
        "document.querySelector('#correction .says').textContent.includes('not a picture')"
    )
    page.browser.click("#correction .cancel")
    assert page.browser.run("document.querySelector('#facts').checkVisibility()")


def test_a_match_is_removed_after_a_confirmation(page: SimpleNamespace, tmp_path: Path) -> None:
    [file] = written(tmp_path, range(1, 2))
    search_large(page, file)
    page.browser.click("#remove")
    page.browser.wait("document.querySelector('#removal').open")
    page.browser.press("Enter")  # keeps it
    page.browser.wait("!document.querySelector('#removal').open")
    assert page.browser.run(LARGE)
    assert page.retriever.gallery.row_of(photo_id("1.jpg")) is not None
    page.browser.click("#remove")
    page.browser.click("#removal [value=remove]")
    page.browser.wait(f"!{LARGE} && {CALM}")
    page.browser.wait(f"!{CARS}[0].innerText.includes('1.000')")
    assert page.retriever.gallery.row_of(photo_id("1.jpg")) is None
    page.browser.wait(f"document.querySelector('#gallery').textContent.includes('{PHOTOS - 1} ')")


@pytest.mark.parametrize(("width", "touch"), [(1280, False), (390, True)])
def test_the_forms_fit_the_screen(
    page: SimpleNamespace, tmp_path: Path, width: int, touch: bool
) -> None:
    page.browser.look(width, 844, True, touch)
    fits = "(e => e.scrollWidth <= e.clientWidth)(document.querySelector({!r}))"
    page.browser.click("#open-adding")
    page.browser.click("#adding .add-field")
    assert page.browser.run(fits.format("#adding"))
    page.browser.press("Escape")
    page.browser.run("document.querySelector('#filters').open = true")
    page.browser.click("#add-condition")
    [file] = written(tmp_path, range(1, 2))
    search_large(page, file)
    page.browser.click("#correct")
    page.browser.click("#correction .add-field")
    assert page.browser.run(fits.format("#large"))
    page.browser.press("Escape")
    assert page.browser.run("document.documentElement.scrollWidth") <= width


def test_without_a_key_nothing_can_be_changed(browser: Any, served: Any, reloader: Any) -> None:
    browser.look(1280, 900)
    with served(create_app(reloader)) as service:
        browser.open(f"{service.url}/")
        browser.wait("document.querySelectorAll('#make option').length === 3")
        hidden = "[...document.querySelectorAll('[data-writes]')].map(part => part.hidden)"
        assert browser.run(hidden) == [True, True]
        browser.open("about:blank")
