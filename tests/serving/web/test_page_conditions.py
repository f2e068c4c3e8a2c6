"""Conditions on the page, in a real browser."""

from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

from tests.serving.web.browsing import CALM, CARS, ID, SAYS, ids, search, search_from, set_value

ROWS = "document.querySelectorAll('#conditions li')"


def add(page: SimpleNamespace, field: str, compared: str, value: str = "", **limits: str) -> None:
    page.browser.click("#add-condition")
    row = "#conditions li:last-child"
    page.browser.wait(f"document.querySelectorAll('{row} .field option').length > 3")
    set_value(page, f"{row} .field", field)
    set_value(page, f"{row} .compared", compared)
    for name, text in {"value": value, **limits}.items():
        if text:
            set_value(page, f"{row} .{name}", text)


def shown(page: SimpleNamespace) -> list[list[str]]:
    """Return the values of the visible controls of each condition."""
    return page.browser.run(
        f"[...{ROWS}].map(row => [...row.querySelectorAll('select, input')]"
        ".filter(control => control.checkVisibility()).map(control => control.value))"
    )


def test_conditions_select_the_matches(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    add(page, "make", "=", "alpha, gamma")
    page.browser.wait(f"{CALM} && {CARS}.length === 2")
    assert set(ids(page)) == set(ID[:2])
    set_value(page, "#conditions .compared", "!=")
    page.browser.until(lambda: set(ids(page)) == set(ID[2:]))
    add(page, "year", "=..", low="2004")
    page.browser.wait(f"{CALM} && {CARS}.length === 1")
    assert ids(page) == [ID[3]]
    set_value(page, "#conditions li:last-child .compared", "!=..")
    page.browser.until(lambda: ids(page) == [ID[2]])
    page.browser.click("#conditions li:first-child .remove")
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    assert page.browser.run("document.activeElement.className") == "remove"
    page.browser.press("Enter")
    page.browser.wait(f"{CALM} && {CARS}.length === 4")
    assert page.browser.run("document.activeElement.id") == "add-condition"


def test_a_condition_without_a_value_does_not_search(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    count = len(page.asked)
    add(page, "make", "!=")
    add(page, "year", "=..")
    page.browser.run("new Promise(resolve => setTimeout(resolve, 200))")
    assert len(page.asked) == count


def test_fields_and_values_are_offered(page: SimpleNamespace) -> None:
    row = "document.querySelector('#conditions li')"
    add(page, "make", "=")
    values = f"[...{row}.querySelectorAll('datalist option')].map(option => option.value)"
    fields = f"[...{row}.querySelectorAll('.field option')].map(option => option.value)"
    assert page.browser.run(fields) == ["class", "make", "year", "path", "id"]
    assert sorted(page.browser.run(values)) == ["Alpha", "Beta"]
    set_value(page, "#conditions .value", "Beta,")
    assert sorted(page.browser.run(values)) == ["Beta,Alpha", "Beta,Beta"]
    set_value(page, "#conditions .field", "year")
    assert page.browser.run(f"{row}.querySelector('.low').placeholder") == "2001"
    assert shown(page) == [["year", "=", ""]]


def test_the_keyboard_is_enough(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    page.browser.run("document.querySelector('#add-condition').focus()")
    page.browser.press("Enter")
    page.browser.wait("document.activeElement.className === 'field'")
    page.browser.wait("document.activeElement.options.length > 3")
    page.browser.run("document.activeElement.value = 'make'")
    for _ in range(3):
        page.browser.press("Tab")
    page.browser.write("Beta")
    page.browser.press("Enter")
    page.browser.wait(f"{CALM} && {CARS}.length === 2")


def test_reloading_and_going_back_restore_conditions(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    add(page, "year", "=..", low="2001", high="2003")
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    search_from(page, 1)
    page.browser.wait(f"{CALM} && {CARS}.length === 2")
    add(page, "make", "!=", "Beta")
    page.browser.wait(f"{CALM} && {CARS}.length === 1")
    page.browser.wait("sessionStorage.getItem('steps').includes('make!=Beta')")
    page.browser.send("Page.reload")
    page.browser.wait(f"document.readyState === 'complete' && {CALM} && {CARS}.length === 1")
    expected = [["year", "=..", "2001", "2003"], ["make", "!=", "Beta"]]
    page.browser.until(lambda: shown(page) == expected)
    page.browser.click("#back")
    page.browser.wait(f"{CALM} && {CARS}.length === 3")
    assert shown(page) == expected[:1]


def test_a_copied_link_has_the_conditions(page: SimpleNamespace, red: Path) -> None:
    search(page, red)
    set_value(page, "#make", "Alpha")
    add(page, "year", "=..", high="2002")
    add(page, "path", "!=", "cars/blue.png,a&b")
    page.browser.wait(f"{CALM} && {CARS}.length === 2")
    page.browser.click(".car:nth-child(1) .open")
    page.browser.run("navigator.clipboard.writeText = (text) => { window.copied = text; }")
    page.browser.click("#copy")
    link = page.browser.wait("window.copied")
    asked = parse_qs(urlsplit(link).query)
    expected = {
        "id": [ID[0]],
        "make": ["Alpha"],
        "where": ["year=..2002", "path!=cars/blue.png,a&b"],
    }
    assert asked == expected
    page.browser.press("Escape")
    page.browser.run("sessionStorage.clear()")
    page.browser.open("about:blank")
    page.browser.open(link)
    page.browser.wait(f"{CALM} && {CARS}.length === 1")
    assert ids(page) == [ID[1]]
    page.browser.until(
        lambda: shown(page) == [["year", "=..", "", "2002"], ["path", "!=", "cars/blue.png,a&b"]]
    )
    assert page.browser.run("document.querySelector('#make').value") == "Alpha"
    page.browser.click("#conditions li:first-child .remove")
    page.browser.wait("!location.search.includes('year')")


def test_a_wrong_condition_of_a_link_is_reported(page: SimpleNamespace) -> None:
    page.browser.open("about:blank")
    page.browser.open(f"{page.url}/?id={ID[0]}&where=colour%3Dred")
    page.browser.wait(f"{SAYS}.includes(\"field 'colour'\")")
    assert shown(page) == [["colour", "=", "red"]]
    page.browser.complaints.clear()  # the browser logs the 422
