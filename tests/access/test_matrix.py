"""Role by method by endpoint by place: who gets which status."""

from __future__ import annotations

import itertools

import pytest

from tests.access.rules import bearer
from tests.wire.raw import Answer, Peer, dated, request

WHO = ('nobody', 'unknown', 'expired', 'read', 'append', 'write', 'admin')

#: What is asked, and what each of them gets. The prefix of all but the admin is /in; "new" stands
#: for a name that nothing else uses.
MATRIX = """
                        nobody unknown expired  read append write admin
    GET /files/in/there    401     401     401   200    200   200   200
    GET /files/in/missing  401     401     401   404    404   404   404
    GET /files/in          401     401     401   404    404   404   404
    GET /files/out/there   401     401     401   403    403   403   200
    GET /files/out/missing 401     401     401   403    403   403   404
    GET /files/int         401     401     401   403    403   403   404
    GET /files/top         401     401     401   403    403   403   200
    GET /files/in/../top   401     401     401   400    400   400   400
    GET /files/            401     401     401   403    403   403   400
    HEAD /files/in/there   401     401     401   200    200   200   200
    HEAD /files/in/missing 401     401     401   404    404   404   404
    HEAD /files/out/there  401     401     401   403    403   403   200
    HEAD /files/out/missing 401    401     401   403    403   403   404
    PUT /files/in/new      401     401     401   403    200   200   200
    PUT /files/in/there    401     401     401   403    403   200   200
    PUT /files/in/there/x  401     401     401   403    409   409   409
    PUT /files/out/new     401     401     401   403    403   403   200
    PUT /files/out/there   401     401     401   403    403   403   200
    PUT /files/out/there/x 401     401     401   403    403   403   409
    PUT /files/new         401     401     401   403    403   403   200
    DELETE /files/in/gone  401     401     401   403    403   200   200
    DELETE /files/in/missing 401   401     401   403    403   404   404
    DELETE /files/out/gone 401     401     401   403    403   403   200
    DELETE /files/out/missing 401  401     401   403    403   403   404
    GET /list              401     401     401   200    200   200   200
    GET /list/in           401     401     401   200    200   200   200
    GET /list/in/missing   401     401     401   404    404   404   404
    GET /list/out          401     401     401   403    403   403   200
    GET /list/out/missing  401     401     401   403    403   403   404
    GET /list/i            401     401     401   403    403   403   404
    HEAD /list/in          401     401     401   200    200   200   200
    HEAD /list/out         401     401     401   403    403   403   200
    PUT /list/in           401     401     401   403    405   405   405
    GET /version           200     200     200   200    200   200   200
    HEAD /version          200     200     200   200    200   200   200
    GET /                  401     401     401   200    200   200   200
    GET /browse            401     401     401   200    200   200   200
    HEAD /browse           401     401     401   200    200   200   200
    GET /browse?q=x        401     401     401   200    200   200   200
    GET /browse?q=/out     401     401     401   200    200   200   200
    GET /browse/in         401     401     401   200    200   200   200
    GET /browse/in/missing 401     401     401   404    404   404   404
    GET /browse/in/there   401     401     401   404    404   404   404
    GET /browse/out        401     401     401   403    403   403   200
    GET /browse/out?q=x    401     401     401   403    403   403   200
    GET /browse/out/missing 401    401     401   403    403   403   404
    GET /browse/i          401     401     401   403    403   403   404
    GET /browse/in/../out  401     401     401   400    400   400   400
    PUT /browse/in         401     401     401   403    405   405   405
    POST /                 401     401     401   403    403   403   405
    GET /health            200     200     200   200    200   200   200
    HEAD /health           200     200     200   200    200   200   200
    GET /health/in         400     400     400   400    400   400   400
    PUT /health            405     405     405   405    405   405   405
    GET /ready             200     200     200   200    200   200   200
    HEAD /ready            200     200     200   200    200   200   200
    POST /ready            405     405     405   405    405   405   405
    GET /status            401     401     401   403    403   403   200
    HEAD /status           401     401     401   403    403   403   200
    GET /status/in         401     401     401   403    403   403   400
    PUT /status            401     401     401   403    403   403   405
    DELETE /status         401     401     401   403    403   403   405
    GET /metrics           401     401     401   403    403   403   200
    HEAD /metrics          401     401     401   403    403   403   200
    GET /metrics/in        401     401     401   403    403   403   400
    POST /metrics          401     401     401   403    403   403   405
    GET //metrics/         401     401     401   403    403   403   200
    GET /Metrics           401     401     401   403    403   403   400
    GET /whatever          401     401     401   403    403   403   400
    POST /files/in/there   401     401     401   403    403   403   405
"""

CELLS = [
    (method, target, who, int(status))
    for method, target, *statuses in (row.split() for row in MATRIX.strip().splitlines()[1:])
    for who, status in zip(WHO, statuses, strict=True)
]
_numbers = itertools.count()


def ask(peer: Peer, method: str, target: str, who: str) -> Answer:
    """Asks as somebody does, for names that are there where they should be."""
    name = target.replace('/new', '/new-%d' % next(_numbers))
    if 'gone' in name:
        name = '%s-%d' % (name, next(_numbers))
        assert peer.ask(_request('PUT', name, 'admin')).status == 200
    return peer.ask(_request(method, name, who))


def _request(method: str, target: str, who: str) -> bytes:
    if method in ('PUT', 'DELETE'):
        target = dated(target, 2000)
    body = b'content' if method in ('PUT', 'POST') else b''
    return request(method, target, body, authorization=None if who == 'nobody' else bearer(who))


def test_the_table_is_complete() -> None:
    assert MATRIX.split()[: len(WHO)] == list(WHO)
    assert len(CELLS) == 70 * len(WHO)


@pytest.mark.parametrize(('method', 'target', 'who', 'status'), CELLS)
def test_who_may_do_what(peer: Peer, method: str, target: str, who: str, status: int) -> None:
    answer = ask(peer, method, target, who)

    assert answer.status == status
    assert ('www-authenticate' in answer.headers) == (status == 401)
