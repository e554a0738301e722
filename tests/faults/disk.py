"""A model of a disk that loses its power: what may be on it, for what was done and synced.

The model is stricter than any file system in use. The disk consists of cells: a sector of a file,
the length of a file, an entry of a directory. Each holds, independently of all others, any of the
values that it has had since its last sync. A sync of a file or of a directory makes sure of what
was changed before it *started*, in that file, or in the entries of that directory; of nothing
else. A file that is renamed is never under neither name. Without a journal, whether a file has a
name is a cell of the file too: one that had none when it was synced is none, whatever an entry
says.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.faults.recording import Event

#: Picks one of so many values, by its index; the last is the newest.
Choice = Callable[[int], int]


def oldest(values: int) -> int:
    """Of a disk that keeps nothing but what was synced."""
    return 0


def newest(values: int) -> int:
    """Of a disk that loses nothing."""
    return values - 1


def anything(seed: int) -> Choice:
    """Of a disk that keeps what it likes."""
    return random.Random(seed).randrange


class _Value(NamedTuple):
    when: int
    what: Any


_NOTHING = _Value(0, None)
_LENGTH = 'length'
_MODE = 'mode'
_TIME = 'time'
_IS_NAMED = 'is named'


class _Inode:
    """Cells, with the values that they may have."""

    def __init__(self, sector: int = 0, target: bytes = b'') -> None:
        self.sector = sector
        self.target = target
        # The first is sure, the last is what running processes see.
        self._cells: dict[Any, list[_Value]] = {}
        self._unsynced: set[Any] = set()

    def set(self, cell: Any, when: int, what: Any) -> None:
        self._cells.setdefault(cell, [_NOTHING]).append(_Value(when, what))
        self._unsynced.add(cell)

    def now(self, cell: Any) -> Any:
        return self._cells.get(cell, [_NOTHING])[-1].what

    def cells(self) -> list[Any]:
        return list(self._cells)

    def sync(self, started: int) -> None:
        for cell in list(self._unsynced):
            values = self._cells[cell]
            while len(values) > 1 and values[1].when <= started:
                del values[0]
            if len(values) == 1:
                self._unsynced.discard(cell)

    def chosen(self, choice: Choice) -> dict[Any, _Value]:
        return {
            cell: values[choice(len(values)) if len(values) > 1 else 0]
            for cell, values in self._cells.items()
        }

    def write(self, when: int, offset: int, data: bytes) -> None:
        end = offset + len(data)
        for number in range(offset // self.sector, (end - 1) // self.sector + 1):
            start = number * self.sector
            sector = bytearray(self.now(number) or bytes(self.sector))
            first, last = max(offset, start), min(end, start + self.sector)
            sector[first - start : last - start] = data[first - offset : last - offset]
            self.set(number, when, bytes(sector))
        if end > (self.now(_LENGTH) or 0):
            self.set(_LENGTH, when, end)

    def truncate(self, when: int, length: int) -> None:
        if length < (self.now(_LENGTH) or 0):
            for number in self.cells():
                if isinstance(number, int) and (number + 1) * self.sector > length:
                    kept = (self.now(number) or b'')[: max(0, length - number * self.sector)]
                    self.set(number, when, kept.ljust(self.sector, b'\0'))
        self.set(_LENGTH, when, length)


class _Rename(NamedTuple):
    when: int
    inode: _Inode
    old_folder: _Inode
    old: bytes
    new_folder: _Inode
    new: bytes


class Disk:
    """What is below a directory, and what may be left of it."""

    def __init__(self, root: str | os.PathLike[str], has_journal: bool = True) -> None:
        """Takes over what is there, as synced."""
        self._has_journal = has_journal
        self._path = os.fsencode(os.path.realpath(root))
        self._clock = 0
        self._inodes: dict[int, _Inode] = {}
        self._syncs: dict[int, list[int]] = {}
        self._renames: list[_Rename] = []
        self._root = self._load(self._path)

    def apply(self, event: Event) -> None:
        """Does what was recorded."""
        self._clock += 1
        when = self._clock
        if event.kind == 'w':
            self._inodes[event.inode].write(when, event.number, event.third)
        elif event.kind == 'z':
            self._inodes[event.inode].truncate(when, event.number)
        elif event.kind == 's':
            self._syncs.setdefault(event.inode, []).append(when)
        elif event.kind == 'S':
            # Of several at once, the one that started first: that is what all of them have done.
            self._inodes[event.inode].sync(self._syncs[event.inode].pop(0))
        elif event.kind == 'p':
            self._inodes[event.inode].set(_MODE, when, event.number)
        elif event.kind == 't':
            self._inodes[event.inode].set(_TIME, when, event.number)
        elif event.kind in 'cnmy':
            self._create(when, event)
        elif event.kind == 'l':
            inode = self._inodes[event.inode]
            self._enter(when, event.first, inode)
            self._name(when, inode, True)
        elif event.kind == 'u':
            self._enter(when, event.first, None)
        elif event.kind == 'r':
            self._rename(when, event)
        else:
            assert event.kind == '!', event.kind

    def materialize(self, root: str, choice: Choice) -> None:
        """Makes a directory of what may be left."""
        chosen: dict[_Inode, dict[Any, _Value]] = {}

        def choose(inode: _Inode) -> None:
            if inode not in chosen:
                chosen[inode] = inode.chosen(choice)
                for value in chosen[inode].values():
                    if isinstance(value.what, _Inode):
                        choose(value.what)

        choose(self._root)
        for rename in reversed(self._renames):
            old = chosen.get(rename.old_folder, {})
            new = chosen.get(rename.new_folder, {}).get(rename.new, _NOTHING)
            if rename.old in old and old[rename.old].when == rename.when > new.when:
                old[rename.old] = _Value(rename.when, rename.inode)
                choose(rename.inode)
        _Writer(chosen).write(self._root, os.fsencode(root))

    def _load(self, path: bytes) -> _Inode:
        status = os.lstat(path)
        if os.path.islink(path):
            inode = _Inode(target=os.readlink(path))
            inode.set(_TIME, 0, int(status.st_mtime))
        elif os.path.isdir(path):
            inode = _Inode()
            for name in os.listdir(path):
                inode.set(name, 0, self._load(os.path.join(path, name)))
        else:
            inode = _Inode(_sector_of(path))
            with open(path, 'rb') as file:
                inode.write(0, 0, file.read())
            inode.set(_MODE, 0, status.st_mode & 0o7777)
        inode.sync(0)
        self._inodes[status.st_ino] = inode
        return inode

    def _create(self, when: int, event: Event) -> None:
        if event.kind == 'm':
            inode = _Inode()
        elif event.kind == 'y':
            inode = _Inode(target=event.second)
        else:
            inode = _Inode(_sector_of(event.first))
            inode.set(_LENGTH, when, 0)
            inode.set(_MODE, when, event.number)
        self._inodes[event.inode] = inode
        if event.first:
            self._enter(when, event.first, inode)
        else:
            self._name(when, inode, False)

    def _name(self, when: int, inode: _Inode, is_named: bool) -> None:
        if not self._has_journal:
            inode.set(_IS_NAMED, when, is_named)

    def _enter(self, when: int, path: bytes, inode: _Inode | None) -> None:
        folder, name = self._find(path)
        folder.set(name, when, inode)

    def _rename(self, when: int, event: Event) -> None:
        old_folder, old = self._find(event.first)
        new_folder, new = self._find(event.second)
        inode = old_folder.now(old)
        new_folder.set(new, when, inode)
        old_folder.set(old, when, None)
        self._renames.append(_Rename(when, inode, old_folder, old, new_folder, new))

    def _find(self, path: bytes) -> tuple[_Inode, bytes]:
        folder, name = os.path.split(os.path.relpath(path, self._path))
        inode = self._root
        for component in folder.split(b'/') if folder else []:
            inode = inode.now(component)
        return inode, name


class _Writer:
    def __init__(self, chosen: dict[_Inode, dict[Any, _Value]]) -> None:
        self._chosen = chosen
        self._written: dict[_Inode, bytes] = {}

    def write(self, inode: _Inode, path: bytes) -> None:
        cells = {cell: value.what for cell, value in self._chosen[inode].items()}
        if inode.target:
            os.symlink(inode.target, path)
            if _TIME in cells:
                os.utime(path, (cells[_TIME] or 0,) * 2, follow_symlinks=False)
        elif inode.sector:
            self._write_file(inode, path, cells)
        elif inode not in self._written:
            # Of a directory that was renamed, one is enough.
            self._written[inode] = path
            os.mkdir(path)
            for name, child in cells.items():
                if child is not None:
                    self.write(child, os.path.join(path, name))

    def _write_file(self, inode: _Inode, path: bytes, cells: dict[Any, Any]) -> None:
        if inode in self._written:
            os.link(self._written[inode], path)
            return
        if cells.pop(_IS_NAMED, None) is False:
            return
        self._written[inode] = path
        length = cells.pop(_LENGTH, None) or 0
        mode = cells.pop(_MODE, None) or 0o600
        with open(path, 'wb') as file:
            for number, sector in cells.items():
                if sector and number * inode.sector < length:
                    file.seek(number * inode.sector)
                    file.write(sector)
            file.truncate(length)
        os.chmod(path, mode)


def _sector_of(path: bytes) -> int:
    """Returns how much of a file is written at once or not at all.

    Berkeley DB, like other databases whose log holds no images of pages, relies on that for its
    pages. The kernel writes such pages at once, and so do disks with sectors of 4 KB.
    """
    name = os.path.basename(path)
    return 4096 if name.startswith(b'__db.') or name in (b'names', b'metadata') else 512
