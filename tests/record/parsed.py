"""A page as a parser sees it, and what every page must keep to."""

import re
from html.parser import HTMLParser

VOID = {"meta", "rect", "path", "use", "image", "br", "hr"}


class Page(HTMLParser):
    """Checks that tags are closed in order, and keeps what the tests ask about."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.references, self.text = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src"):
                self.references.append(value)
            if name in ("aria-labelledby", "aria-controls", "clip-path"):
                self.references.append("#" + value.removeprefix("url(#").removesuffix(")"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["script"]:
            self.text.append(data)


def checked(text):
    """Check what every page must keep to, and give it parsed."""
    page = Page(text)
    assert page.open == []
    names = [tag for tag, _ in page.tags]
    assert [own for tag, own in page.tags if tag == "script"] == [{}]
    assert not {"link", "iframe", "object", "embed", "base"} & set(names)
    assert len(page.ids) == len(set(page.ids))
    for reference in page.references:
        assert reference.startswith("data:image/png") or reference.removeprefix("#") in page.ids
    assert "@import" not in text
    assert not re.search("https?:", text)
    assert not re.search(r"url\(\s*['\"]?(?!#)", text)
    assert not re.search(r"""(?:src|href|action|xmlns)\S*=\s*['"]?(?:https?:)?//""", text)
    for tag, attributes in page.tags:
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or len(attributes["aria-label"]) > 20
    return page
