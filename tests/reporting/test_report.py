import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image, UnidentifiedImageError

from car_retrieval.reporting.report import Section, html_report

SUMMARY = pd.DataFrame(
    {
        "split": ["test", "valid"],
        "search": ["exact", "lopq"],
        "queries": [13333, 12],
        "mAP@20": [0.4256, np.nan],
        "macro_mAP@20": [0.5, 0.25],
        "legacy_mAP@20": [0.9999, 0.8],
    }
)


class Page(HTMLParser):
    """Every element with its attributes, and the words of each element."""

    def __init__(self, document):
        super().__init__()
        self.elements, self.words, self.path = [], [], []
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.path.append(tag)

    def handle_data(self, data):
        self.words.append((self.path[-1] if self.path else "", data.strip()))

    def text(self, tag):
        return [word for name, word in self.words if name == tag and word]


def png(pixels):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()


CHART = png(np.full((80, 120, 3), 255, np.uint8))
PHOTOS = png(np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8))


def test_headline_and_table_say_what_the_summary_says():
    page = Page(html_report("Cars", SUMMARY, []))
    assert page.text("dt") == ["mAP@20", "macro mAP@20"]  # legacy is no headline
    assert page.text("dd") == ["0.426", "0.500"]
    assert "test · exact" in page.text("p")
    assert page.text("b") == ["13,333"]
    metrics = ["queries", *page.text("dt"), "legacy mAP@20"]
    assert page.text("th") == ["test exact", "valid lopq", *metrics]
    assert page.text("td")[::2] == ["13,333", "0.426", "0.500", "1.000"]
    assert page.text("td")[1::2] == ["12", "—", "0.250", "0.800"]


def test_each_metric_says_what_it_means():
    summary = pd.DataFrame(
        {"split": ["test"], "queries": [3]}
        | {name: [0.5] for name in ("mAP@20", "R@1", "MAP@R", "RP", "mAP", "macro_mAP@20")}
        | {name: [0.5] for name in ("legacy_mAP@20", "AUC", "EER")}
    )
    page = Page(html_report("Cars", summary, []))
    assert len(page.text("small")) == len(page.text("td")) == 10
    assert "among the first 20" in page.text("small")[1]


def test_photos_and_facts_are_folded():
    section = Section(
        "One", figures=[("a", CHART)], photos=[("b", PHOTOS)], facts={"c": {"d": "e"}}
    )
    page = Page(html_report("Cars", SUMMARY, [section]))
    assert [tag for tag, _ in page.elements if tag == "details"] == ["details"] * 2
    assert all("open" not in attributes for tag, attributes in page.elements if tag == "details")
    assert page.text("summary") == ["Photos: b", "c"]


def test_pictures_are_inside_photos_as_jpeg_charts_as_png():
    figures = [("chart", CHART), ("photos", PHOTOS)]
    page = Page(html_report("Cars", SUMMARY, [Section("Pictures", figures=figures)]))
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert [image["alt"] for image in images] == page.text("figcaption")
    for image, kind in zip(images, ["PNG", "JPEG"], strict=True):
        picture = Image.open(BytesIO(b64decode(image["src"].partition("base64,")[2])))
        assert picture.format == kind
        assert image["src"].startswith(f"data:image/{kind.lower()};")
        assert picture.size == (int(image["width"]), int(image["height"]))
    with pytest.raises(UnidentifiedImageError):
        html_report("Cars", SUMMARY, [Section("Pictures", figures=[("no picture", b"GIF89a")])])


def test_nothing_is_loaded_from_anywhere():
    sections = [Section("One", "Text", [("chart", CHART)]), Section("Two", table=SUMMARY)]
    document = html_report("Cars", SUMMARY, sections)
    elements = Page(document).elements
    assert not {tag for tag, _ in elements} & {"script", "link", "iframe", "object", "video"}
    for _, attributes in elements:
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"https?://|url\(|@import", document)
    assert "default-src 'none'" in document


def test_names_are_escaped_everywhere():
    evil = '"><script>alert(1)</script>'
    sections = [
        Section(evil, evil, [(evil, CHART)], pd.DataFrame({evil: [evil]})),
        Section("second"),
    ]
    document = html_report(evil, pd.DataFrame({evil: [evil], "mAP@20": [0.5]}), sections)
    assert "<script" not in document
    page = Page(document)
    assert page.text("h1") == page.text("title") == [evil]
    assert page.text("td").count(evil) == 1
    assert page.text("th").count(evil) == 2
    (image,) = (attributes for tag, attributes in page.elements if tag == "img")
    assert image["alt"] == evil


def test_facts_stand_beside_their_names():
    facts = {
        "Training": {"training.lr": "0.1", "training.loss": "<b>"},
        "Machine": {"threads": "2"},
    }
    page = Page(html_report("Cars", pd.DataFrame(), [Section("Made with", facts=facts)]))
    assert page.text("h3") == ["Training", "Machine"]
    assert page.text("dt") == ["training.lr", "training.loss", "threads"]
    assert page.text("dd") == ["0.1", "<b>", "2"]


def test_paragraphs_links_and_empty_reports():
    sections = [Section("One", "First.\n\nSecond."), Section("Two")]
    page = Page(html_report("Cars", SUMMARY, sections))
    assert [text for text in page.text("p") if text in ("First.", "Second.")] != []
    targets = {attributes.get("id") for _, attributes in page.elements}
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert len(links) == 3
    assert {link.removeprefix("#") for link in links} <= targets
    empty = Page(html_report("Cars", pd.DataFrame(), []))
    assert empty.text("h1") == ["Cars"]
    assert not empty.text("dd")
