"""Promises of PROTOCOL.md: pages for people."""

from __future__ import annotations

import re

import pytest

from tests.support import LiveServer
from tests.wire.raw import Answer, Peer, put, request


@pytest.fixture
def peer(server: LiveServer):
    with Peer(server.port) as connection:
        for name in ('d/one', 'd/s/Two', 'd/s/<b>', 'e/two'):
            assert connection.ask(put(name)).status == 200
        yield connection


def page(peer: Peer, target: str, accept: str | None = 'text/html') -> Answer:
    return peer.ask(request('GET', target, accept=accept))


def files(answer: Answer) -> list[bytes]:
    """Returns the files that a page leads to."""
    return re.findall(rb'href="[./]*/files/([^"]*)"', answer.body)


def test_promise_75_the_root_is_html_for_those_who_prefer_it(peer):
    html = 'text/html; charset=utf-8'
    browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

    assert page(peer, '/', browser).headers['content-type'] == html
    for accept in (None, '*/*', 'text/plain', 'text/plain, text/html;q=0.5'):
        assert page(peer, '/', accept).line
        assert page(peer, '/browse', accept).headers['content-type'] == html


def test_promise_76_directories_and_searches_show_what_lists_have(peer):
    assert files(page(peer, '/browse/d')) == [b'd/one']
    assert b'href="../browse/d/s"' in page(peer, '/browse/d').body
    assert files(page(peer, '/browse/d?after=one')) == []
    assert files(page(peer, '/browse?q=two')) == [b'd/s/Two', b'e/two']
    assert files(page(peer, '/browse?q=two&after=d/s/Two')) == [b'e/two']
    assert files(page(peer, '/browse/d?q=TWO')) == [b'd/s/Two']
    assert files(page(peer, '/browse?q=/d/s/')) == [b'd/s/%3Cb%3E', b'd/s/Two']
    for directory in ('absent', 'd/one', 'd/../e'):
        listed = page(peer, '/list/' + directory)
        for query in ('', '?q=two', '?after=a'):
            shown = page(peer, '/browse/' + directory + query)
            assert (shown.status, shown.line) == (listed.status, listed.line)


@pytest.mark.parametrize('target', ['/', '/browse', '/browse/d/s', '/browse?q=%3Cb%3E'])
def test_promise_77_pages_run_nothing(peer, target):
    answer = page(peer, target)

    assert answer.headers['content-security-policy'].startswith("default-src 'none'; ")
    assert 'unsafe' not in answer.headers['content-security-policy']
    assert answer.headers['cache-control'] == 'no-store'
    assert b'<script' not in answer.body and b'<b>' not in answer.body
