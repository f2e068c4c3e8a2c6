"""What tests of the page have in common."""

from pathlib import Path
from types import SimpleNamespace

from car_retrieval.gallery.record import photo_id

CARS = "[...document.querySelectorAll('.car')]"
SAYS = "document.querySelector('#says').textContent"
BOX = "(b => [b.x, b.y, b.width, b.height])(document.querySelector({!r}).getBoundingClientRect())"
CALM = "document.querySelector('#found').ariaBusy === 'false'"

ID = [photo_id(f"cars/{name}.png") for name in ("red", "green", "blue", "grey")]


def search(page: SimpleNamespace, file: Path) -> None:
    page.browser.choose("#file", file)
    page.browser.wait(f"{CALM} && {CARS}.length > 0 && {SAYS}.includes('most similar')")


def ids(page: SimpleNamespace) -> list[str]:
    """Return the ids of the shown matches."""
    shown = page.browser.run(f"{CARS}.map(car => car.querySelector('.photo').src)")
    return [source.split("/images/")[1].split("?")[0] for source in shown]


def search_from(page: SimpleNamespace, match: int) -> None:
    """Search with a match, by its large view."""
    page.browser.click(f".car:nth-child({match}) .open")
    page.browser.wait("document.querySelector('#large').open")
    page.browser.click("#large [value=from]")


def set_value(page: SimpleNamespace, selector: str, value: str) -> None:
    """Set the value of a control, as a person who leaves it afterwards."""
    page.browser.run(
        f"(() => {{ const control = document.querySelector({selector!r});"
        f"control.value = {value!r};"
        "for (const kind of ['input', 'change'])"
        "  control.dispatchEvent(new Event(kind, {bubbles: true})); })()"
    )
