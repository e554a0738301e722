"""A server with some files, shared by the tests of its pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.memory import in_memory
from tests.support import LiveServer
from tests.wire.raw import Peer, put

#: Names that try what a page could get wrong. Each has its own name as the content.
ODD = [
    '<script>alert(1)<',
    '"><img src=x onerror=alert(1)>',
    "it's & it's; &lt;",
    '{{ 7*7 }}{% raw %}',
    'a%2Fb?c#d',
    'two  spaces ',
    ' lead',
    'back\\slash:colon',
    'javascript:alert(1)',
    'invoice\u202efdp.exe',
    'zero\u200bwidth\ufeff',
    'line\u2028separator',
    'zażółć',
    'ż' * 127,
    'x' * 255,
    '...',
    '.hidden',
    '+plus;semi,comma@5',
    '\U0001f4be\U0010ffff\ue000',
]


@pytest.fixture(scope='package')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with odd names below /odd and below /odd/<each>/."""
    with (
        in_memory(tmp_path_factory.mktemp('page')) as folder,
        LiveServer(folder / 'store') as live,
    ):
        with Peer(live.port) as peer:
            for name in ODD:
                for whole in ('odd/' + name, 'below/%s/%s' % (name, name)):
                    assert peer.ask(put(whole, name.encode(), 1_700_000_000)).status == 200
            for number in range(503):
                assert peer.ask(put('many/%04d' % number, b'x', 5)).status == 200
            for number in range(3):
                assert peer.ask(put('deep/%d/er/down' % number, b'x', 5)).status == 200
            page = b'<!DOCTYPE html><script>document.title = "ran"</script>'
            assert peer.ask(put('evil.html', page, 5)).status == 200
            assert peer.ask(put('large', bytes(3_000_000), 5)).status == 200
        yield live


@pytest.fixture
def peer(shared: LiveServer) -> Iterator[Peer]:
    """A connection to the shared server."""
    with Peer(shared.port) as connection:
        yield connection
