"""Each error has a status, and the one table says which."""

from __future__ import annotations

import errno

import pytest

from filetracker import errors
from filetracker.servers.base import error_answer, status_of

STATUSES = {
    errors.InvalidName('m'): 400,
    errors.BadUpload('m'): 400,
    errors.TooLarge(5): 413,
    errors.NotFound('n'): 404,
    errors.NameConflict('n', 'o'): 409,
    errors.PreconditionFailed('m'): 412,
    errors.StoreFull(): 507,
    errors.QuotaExceeded('a', 5): 507,
    errors.Busy('m'): 503,
    errors.StoreUnusable('m'): 503,
    errors.StoreInUse('d'): 503,
    errors.NotWritable(): 503,
    errors.Damaged('n'): 500,
    errors.FiletrackerError('m'): 500,
    TimeoutError('m'): 408,
    ValueError('m'): 500,
    OSError('m'): 500,
    OSError(errno.EIO, 'm'): 500,
    OSError(errno.EMFILE, 'm'): 503,
}


@pytest.mark.parametrize('error', STATUSES, ids=lambda error: type(error).__name__)
def test_an_error_has_its_status(error: Exception) -> None:
    status, sentence = status_of(error)

    assert status.startswith('%d ' % STATUSES[error])
    if status.startswith(('4', '507')) or isinstance(
        error, (errors.Busy, errors.Damaged, errors.NotWritable)
    ):
        assert sentence == str(error)
    elif status.startswith('503'):
        assert sentence.endswith('; try again')
    else:
        assert sentence == 'internal error'


def test_a_sentence_is_one_line_of_ascii_in_the_header() -> None:
    _, headers, (body,) = error_answer('400 Bad Request', 'ż\r\nX: y\n\udc80')

    assert body == 'ż X: y '.encode() + b'\\udc80\n'
    assert dict(headers)['X-Exception'] == r'\u017c X: y \udc80'
    assert dict(headers)['Content-Length'] == str(len(body))
