"""Whatever names are there and whatever is asked for: the page is valid, and no text is markup."""

from __future__ import annotations

import contextlib
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filetracker.errors import InvalidName, NameConflict
from filetracker.protocol import check_stored_name
from filetracker.servers.files import FiletrackerServer
from filetracker.servers.storage import Entry, Storage
from filetracker.servers.storage.memory import MemoryBlobStore, MemoryCatalog
from tests.page.html import Html
from tests.trust import by_form
from tests.wire.raw import Answer

#: All elements that pages of files are made of.
KNOWN = {
    *('html head meta title link style body a header nav form label input button p main').split(),
    *('ol li h1 q bdi section table caption thead tbody tr th td abbr span time footer').split(),
}

_ODD = st.sampled_from('<>&"\'/=`{}%# a\u202e\u2028')
_texts = st.text(st.one_of(_ODD, st.characters(exclude_categories=['Cs'])), max_size=30)


@settings(
    max_examples=by_form(60, 5000),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(candidates=st.lists(_texts, max_size=5), text=_texts, after=_texts)
def test_any_text_stays_text(candidates, text, after):
    catalog = MemoryCatalog()
    names = []
    for name in candidates:
        with contextlib.suppress(InvalidName, NameConflict):
            check_stored_name(name)
            catalog.put(name, Entry(5, '1' * 64, 3, 30), lambda old: True)
            names.append(name)
    application = FiletrackerServer(storage=Storage(MemoryBlobStore(), catalog))

    for directory in {''} | {'/' + name.partition('/')[0] for name in names if '/' in name}:
        for query in ({'q': text}, {'q': text, 'after': after}, {'after': after}, {}):
            html = shown(application, directory, query)
            assert {element.tag for element in html.root.iter()} <= KNOWN

        # The last was the whole directory.
        targets = [target for _, target in html.links()]
        for name in names:
            if name.startswith(directory[1:] + '/' if directory else ''):
                child, slash, _ = name[len(directory) :].partition('/')
                kind = 'browse' if slash else 'files'
                assert '/%s%s/%s' % (kind, quote(directory), quote(child)) in targets


def shown(application, directory, query):
    """Returns a page; it is valid."""
    status, headers, body = application.answer(
        {
            'REQUEST_METHOD': 'GET',
            'PATH_INFO': ('/browse' + directory).encode().decode('latin-1'),
            'QUERY_STRING': urlencode(query),
        }
    )
    assert status == '200 OK'
    answer = Answer(200, {key.lower(): value for key, value in headers}, b''.join(body))
    return Html(answer, '/browse' + quote(directory))
