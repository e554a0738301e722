"""The endpoints for people: ``/``, and directories and searches at ``/browse``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import filetracker
from filetracker.errors import NotFound
from filetracker.servers.base import Answer, Environ, Refusal, Routes
from filetracker.servers.figures import Figures
from filetracker.servers.page import looking, savings
from filetracker.servers.page.history import History
from filetracker.servers.page.plots import FRAME, plots
from filetracker.servers.page.rows import browse_url, crumbs, root_of, rows
from filetracker.servers.page.wanting import Wanted, prefers_html, wanted
from filetracker.servers.storage import Storage
from filetracker.servers.terms import terms_of

_WELCOME = b'This is a filetracker server. See /list for the files it has.\n'

#: How many files and directories are on one page, and how many of them at ``/``.
MOST = 500
FEW = 20
_MOST_BUSY = 50

Values = dict[str, Any]

_NOTHING = Wanted('', '')


class Pages:
    """Answers with pages; ``run`` calls what blocks, ``compute`` what takes long but does not.

    What concerns the server as a whole is for those alone who look after it.
    """

    def __init__(
        self,
        storage: Storage,
        run: Callable[..., Any],
        figures: Figures,
        compute: Callable[..., Any],
    ) -> None:
        self._storage = storage
        self._run = run
        self._compute = compute
        self._figures = figures
        #: The figures of the last hour, as far as somebody takes samples.
        self.history = History(figures, self._stored_size)
        #: What answers, as :meth:`~filetracker.servers.base.Server.routes` says it.
        self.routes: Routes = {'': {'GET': self.overview}, 'browse': {'GET': self.browse}}

    def overview(self, environ: Environ, rest: str) -> Answer:
        """Answers ``/``: with a page to those who prefer HTML, to others in one line."""
        if not prefers_html(environ):
            headers = [
                ('Content-Type', 'text/plain; charset=utf-8'),
                ('Content-Length', str(len(_WELCOME))),
                ('Vary', 'Accept'),
            ]
            return Answer('200 OK', headers, [_WELCOME])
        terms = terms_of(environ)
        values = self._common(environ, '')
        values.update(self._level('', terms.roots(''), '', FEW, values['root']))
        if terms.oversees:
            values.update(self._oversight())
        else:
            values.update(savings=None, plots=None, busy=None)
        return self._render('overview.html', values)

    def browse(self, environ: Environ, directory: str) -> Answer:
        """Answers ``/browse``: with what is in a directory, or what a search below it found.

        Raises :class:`~filetracker.errors.NotFound`, :class:`~filetracker.errors.InvalidName`.
        """
        asked = wanted(environ)
        roots = terms_of(environ).roots
        if directory and not self._children(directory, roots(directory), '', 1):
            raise NotFound(directory, 'no such directory: %s' % directory)
        values = self._common(environ, directory, asked)
        if asked.text:
            values.update(self._search(directory, roots, asked, values['root']))
        else:
            root = values['root']
            values.update(self._level(directory, roots(directory), asked.after, MOST, root))
            values.update(looked=0, cut=False)
        return self._render('browse.html', values)

    def _common(self, environ: Environ, directory: str, asked: Wanted = _NOTHING) -> Values:
        root = root_of(environ)
        return {
            'root': root,
            'user': environ.get('REMOTE_USER', ''),
            'directory': directory,
            'crumbs': crumbs(root, directory),
            'here': browse_url(root, directory),
            'wanted': asked.text,
            'first': browse_url(root, directory, q=asked.text) if asked.after else '',
            'now': time.time(),
        }

    def _children(
        self, directory: str, roots: list[str], after: str, limit: int
    ) -> list[looking.Child]:
        tree = self._storage.tree
        return looking.children(self._run, tree, directory, roots, after, limit)

    def _level(self, directory: str, roots: list[str], after: str, limit: int, root: str) -> Values:
        children = self._children(directory, roots, after, limit + 1)
        above = directory + '/' if directory else ''
        more = len(children) > limit
        shown = children[:limit]
        return {
            'rows': rows(root, above, shown),
            'next': browse_url(root, directory, after=shown[-1][0]) if more else '',
        }

    def _search(
        self, directory: str, roots: Callable[[str], list[str]], asked: Wanted, root: str
    ) -> Values:
        # A text that begins with a slash is the beginning of a whole name.
        below = '' if asked.text.startswith('/') else directory
        found = looking.find(
            self._run, self._storage.tree, below, roots(below), asked.text, asked.after, MOST
        )
        after = found.after or ''
        return {
            'rows': rows(root, '', found.files),
            'next': browse_url(root, directory, q=asked.text, after=after) if after else '',
            'looked': found.looked,
            'cut': found.cut,
        }

    def _oversight(self) -> Values:
        # Who looks at this page is not busy.
        busy = [one for one in self._figures.busy() if one.target.partition('?')[0].strip('/')]
        history = self.history
        return {
            'savings': savings.savings(self._storage.begin_census()),
            'plots': self._compute(plots, list(history.spans()), history.clock(), time.time()),
            'frame': FRAME,
            'busy': busy[:_MOST_BUSY],
            'in_flight': len(busy),
            'version': filetracker.__version__,
            'uptime': self._figures.uptime,
        }

    def _stored_size(self) -> int | None:
        totals = self._storage.activity.census.get()
        return totals.stored_size if totals.counted else None

    def _render(self, template: str, values: Values) -> Answer:
        answer: Answer = self._compute(_rendered, template, values)
        return answer


def _rendered(template: str, values: Values) -> Answer:
    try:
        from filetracker.servers.page.rendering import page
    except ImportError:
        sentence = "pages need jinja2: pip install 'filetracker[server]'"
        raise Refusal('501 Not Implemented', sentence) from None
    return page(template, values)
