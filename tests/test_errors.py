"""The tree of errors: what it says of itself is what it is."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from filetracker import errors

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, BaseException)
}

#: One of each, with what it knows.
EXAMPLES = [
    (errors.FiletrackerError('a sentence'), {}),
    (errors.InvalidName('a sentence'), {}),
    (errors.NotFound('a/b'), {'name': 'a/b'}),
    (errors.NameConflict('a/b', 'a'), {'name': 'a/b', 'other': 'a'}),
    (errors.PreconditionFailed('a sentence'), {}),
    (errors.BadUpload('a sentence'), {}),
    (errors.TooLarge(5), {'limit': 5}),
    (errors.StoreFull(), {}),
    (errors.QuotaExceeded('a/b', 5), {'prefix': 'a/b', 'limit': 5}),
    (errors.LocalFileError('/a/b', 'permission denied'), {'path': '/a/b'}),
    (errors.StoreUnusable('a sentence'), {}),
    (errors.StoreInUse('/a/b'), {}),
    (errors.NotWritable(), {}),
    (errors.Damaged('a/b'), {'name': 'a/b'}),
    (errors.Busy('a sentence'), {}),
    (errors.ConnectionFailed('http://a/', 'a sentence'), {'url': 'http://a/'}),
    (errors.BadAnswer('http://a/', 'a sentence'), {'url': 'http://a/'}),
    (errors.AnswerCutOff('http://a/', 'a sentence'), {'url': 'http://a/'}),
    (errors.ServerError('http://a/', 404, 'HTTP/404'), {'url': 'http://a/', 'status': 404}),
]
of_each = pytest.mark.parametrize(
    ('error', 'facts'), EXAMPLES, ids=[type(error).__name__ for error, _ in EXAMPLES]
)


def drawn_tree():
    """Reads the docstring: name to (parent in the tree, other bases)."""
    tree, above = {}, []
    for line in errors.__doc__.splitlines():
        found = re.match(r'    ( *)([A-Z]\w+)(?: +\(([\w, ]+)\))?(?:  |$)', line)
        if found:
            indent, name, bases = found.groups()
            depth = len(indent) // 2
            tree[name] = above[depth - 1] if depth else None, bases.split(', ') if bases else []
            above[depth:] = [name]
    return tree


def test_the_drawn_tree_is_the_tree():
    assert drawn_tree() == {
        name: (
            None if name == 'FiletrackerError' else kind.__bases__[0].__name__,
            [base.__name__ for base in kind.__bases__[1:]],
        )
        for name, kind in CLASSES.items()
    }


def test_every_error_has_its_example():
    assert {type(error) for error, _ in EXAMPLES} == set(CLASSES.values())


@of_each
def test_an_error_says_one_line_and_knows_its_facts(error, facts):
    assert str(error)
    assert '\n' not in str(error)
    assert str(error)[0] not in '\'"('
    for name, value in facts.items():
        assert getattr(error, name) == value


@of_each
def test_an_error_can_be_sent_to_another_process(error, facts):
    received = pickle.loads(pickle.dumps(error))

    assert type(received) is type(error)
    assert str(received) == str(error)
    for name, value in facts.items():
        assert getattr(received, name) == value


@of_each
def test_every_error_is_caught_as_one_of_filetracker(error, facts):
    with pytest.raises(errors.FiletrackerError):
        raise error


@pytest.mark.parametrize(
    ('error', 'bases'),
    [
        (errors.InvalidName('x'), [ValueError]),
        (errors.NotFound('x'), [FileNotFoundError, OSError, KeyError]),
        (errors.BadUpload('x'), [ValueError]),
        (errors.StoreFull(), [OSError]),
        (errors.StoreInUse('x'), [errors.StoreUnusable]),
        (errors.ConnectionFailed('x', 'y'), [ConnectionError, OSError]),
    ],
)
def test_an_error_is_caught_as_the_built_in_that_was_raised_before(error, bases):
    for base in bases:
        with pytest.raises(base):
            raise error


def test_sentences_name_what_they_are_about():
    assert str(errors.NotFound('a/b')) == 'no such file: a/b'
    assert str(errors.NotFound('a/b', 'another sentence')) == 'another sentence'
    assert 'a/b' in str(errors.NameConflict('a/b', 'a'))
    assert 'a/b' in str(errors.Damaged('a/b'))
    assert '/store' in str(errors.StoreInUse('/store'))
