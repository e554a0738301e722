"""What may know what in the package: each rule takes its modules and yields breaches, in words.

``tests/test_architecture.py`` holds the package against the rules, and the rules against samples.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LONGEST = 300

#: Modules that may be longer, each with its reason.
LONGER: dict[str, str] = {}

LEAVES = ('errors', 'utils', 'protocol', 'durable', 'engines', 'gz')

#: What only some modules may import. The name of a package stands for all in it.
HOMES = {
    'argparse': ('client.shell', 'scripts', 'servers.settings'),
    'berkeleydb': ('servers.storage.bdb',),
    'bsddb3': ('servers.storage.bdb',),
    'gevent': ('servers',),
    'gevent.pywsgi': (),
    'gevent.server': ('servers.http',),
    'gevent.ssl': ('servers.tls',),
    'greenlet': ('servers.storage.together',),
    'gzip': ('gz',),
    'http': ('client', 'servers'),
    'jinja2': ('servers.page.rendering',),
    'markupsafe': ('servers.page.rendering',),
    'prometheus_client': ('servers.metrics',),
    'requests': ('client',),
    'ssl': ('client.causes', 'client.migration.connection', 'servers.tls'),
    'tomlkit': ('servers.access_file', 'servers.rules', 'servers.settings'),
    'shtab': ('client.shell.completion',),
    'tqdm': ('client.shell.bars', 'scripts'),
    'urllib3': ('client',),
    'zlib': ('engines', 'gz'),
}

_STATUS_LINE = re.compile(r'[1-5]\d\d [A-Z][A-Za-z ]+\Z')


@dataclass
class Module:
    """A module, by its name below the package (``servers.run``; the package itself is '')."""

    name: str
    tree: ast.Module
    lines: int
    imports: set[str]

    def strings(self) -> Iterator[str]:
        """Yields the string constants that are not statements of their own, as docstrings are."""
        said = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if id(node) not in said:
                    yield node.value


def read_package(root: Path) -> list[Module]:
    """Reads every module of the package in the folder ``root``."""
    paths = sorted(root.rglob('*.py'))
    names = {path: _name(path.relative_to(root)) for path in paths}
    return [_read(path, root.name, names) for path in paths]


def _name(path: Path) -> str:
    return '.'.join(part for part in path.with_suffix('').parts if part != '__init__')


def _read(path: Path, package: str, names: dict[Path, str]) -> Module:
    text = path.read_text('utf-8')
    tree = ast.parse(text)
    full = '.'.join(filter(None, (package, names[path])))
    home = full if path.name == '__init__.py' else full.rpartition('.')[0]
    known = {'.'.join(filter(None, (package, name))) for name in names.values()}
    return Module(names[path], tree, len(text.splitlines()), set(_imports(tree, home, known)))


def _imports(tree: ast.Module, home: str, known: set[str]) -> Iterator[str]:
    """Yields what is imported anywhere, also late; ``home`` is the package of the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = home.split('.')[: len(home.split('.')) - node.level + 1] if node.level else []
            source = '.'.join([*base, *filter(None, [node.module])])
            for alias in node.names:
                name = '%s.%s' % (source, alias.name)
                # 'from gevent import server' names a module too, which nobody here can tell.
                yield name if name in known or not source.startswith('filetracker') else source
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith('import_module'):
            yield from (part.value for part in node.args if isinstance(part, ast.Constant))


def _within(name: str, homes: tuple[str, ...]) -> bool:
    return any(name == home or name.startswith(home + '.') for home in homes)


def _own(module: Module) -> Iterator[str]:
    """Yields what a module imports of the project, below the package."""
    for name in sorted(module.imports):
        if _within(name, ('filetracker',)):
            yield name[len('filetracker.') :]


def ends_never_meet(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for end, other in (('client', 'servers'), ('servers', 'client')):
            for name in _own(module):
                if _within(module.name, (end,)) and _within(name, (other,)):
                    yield '%s imports %s' % (module.name, name)


def leaves_import_leaves_alone(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        allowed = () if module.name == 'errors' else LEAVES
        for name in _own(module):
            if module.name in LEAVES and name not in allowed:
                yield '%s imports %s' % (module.name, name or 'the package')


def storage_knows_nothing_above_it(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if not _within(module.name, ('servers.storage',)):
            continue
        for name in _own(module):
            if not _within(name, ('servers.storage', *LEAVES)):
                yield '%s imports %s' % (module.name, name)
        for name in module.imports:
            if _within(name, ('gevent', 'http', 'requests', 'wsgiref')):
                yield '%s imports %s' % (module.name, name)


def each_has_its_home(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for name in sorted(module.imports):
            for thing, homes in HOMES.items():
                if _within(name, (thing,)) and not _within(module.name, homes):
                    yield '%s imports %s' % (module.name, name)


def one_module_talks_to_servers(modules: list[Module]) -> Iterator[str]:
    libraries = ('requests', 'urllib3')
    users = [m.name for m in modules if any(_within(name, libraries) for name in m.imports)]
    if len(users) > 1:
        yield 'requests is imported by %s' % ', '.join(users)


def storage_alone_knows_its_paths(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for text in module.strings():
            parts = text.split('/')
            if not _within(module.name, ('servers.storage',)) and {'blobs', 'links'} & {*parts}:
                yield '%s says %r' % (module.name, text)


def http_words_stay_outside_storage(modules: list[Module]) -> Iterator[str]:
    homes = ('protocol', 'servers')
    for module in modules:
        inside = _within(module.name, ('servers.storage',)) or not _within(module.name, homes)
        for text in module.strings():
            if inside and _STATUS_LINE.match(text):
                yield '%s says %r' % (module.name, text)


def few_know_variables_of_the_environment(modules: list[Module]) -> Iterator[str]:
    # An application that is embedded in another server has no settings.
    homes = ('client', 'scripts', 'servers.files', 'servers.settings')
    for module in modules:
        for text in module.strings():
            if re.fullmatch('FILETRACKER_[A-Z_]+', text) and not _within(module.name, homes):
                yield '%s says %r' % (module.name, text)


def only_commands_print(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        homes = ('client.exits', 'client.shell', 'scripts', 'servers.daemon', 'servers.run')
        if _within(module.name, homes):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'print':
                yield '%s prints, in line %d' % (module.name, node.lineno)


def modules_are_short(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.lines > LONGEST and module.name not in LONGER:
            yield '%s has %d lines' % (module.name, module.lines)


RULES = (
    ends_never_meet,
    leaves_import_leaves_alone,
    storage_knows_nothing_above_it,
    each_has_its_home,
    one_module_talks_to_servers,
    storage_alone_knows_its_paths,
    http_words_stay_outside_storage,
    few_know_variables_of_the_environment,
    only_commands_print,
    modules_are_short,
)
