"""HTML as a strict parser reads it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

import html5lib

from tests.wire.raw import Answer


class Html:
    """A document; it fails the test where it is no valid HTML."""

    def __init__(self, answer: Answer, target: str = '/') -> None:
        assert answer.headers['content-type'] == 'text/html; charset=utf-8'
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        self.root: Element = parser.parse(io.BytesIO(answer.body), transport_encoding='utf-8')
        self.text = ''.join(self.root.itertext())
        self._target = target

    def all(self, name: str, kind: str | None = None) -> list[Element]:
        """Returns all elements of that name, perhaps only those of one class."""
        # Those of pictures have a namespace.
        found = (one for one in self.root.iter() if one.tag.rpartition('}')[2] == name)
        return [one for one in found if kind is None or kind in one.get('class', '').split()]

    def links(self) -> Iterator[tuple[str, str]]:
        """Yields what is written on each link, and its target on the server."""
        for link in self.all('a'):
            yield ''.join(link.itertext()), urljoin('http://x' + self._target, link.get('href'))[8:]

    def names(self) -> list[str]:
        """Returns what the table of files has."""
        cells = [cell for cell in self.all('td', 'name') if cell.find('a') is not None]
        return [''.join(cell.itertext()) for cell in cells]

    def target_of(self, text: str) -> str:
        """Returns the target of the one link with that text."""
        (target,) = {target for said, target in self.links() if said == text}
        return target
