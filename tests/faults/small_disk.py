"""A disk that fills up, with a store on it."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from filetracker.errors import FiletrackerError, NotFound, StoreFull, StoreUnusable
from filetracker.servers.storage import FileStorage
from filetracker.servers.storage.intents import Intents
from tests.faults.audit import check_all, read_state
from tests.faults.forks import in_child
from tests.faults.shim import CHANGES, Shim
from tests.faults.stores import NEW, OLD, OTHER, State, fill, opened, put, told

# What the store keeps free, and some more.
_SIZE = 80 << 20
_MORE = 256 << 20
_NEWUSER, _NEWNS = 0x10000000, 0x00020000
_READ_ONLY, _REMOUNT, _RECURSIVE, _PRIVATE = 1, 32, 16384, 1 << 18

#: What a trial returns.
Report = dict[str, Any]


class SmallDisk:
    """A small file system at a folder, seen by this process and its children alone.

    It ends with them. Where none may be mounted, the shim counts what is written instead.
    """

    def __init__(self, folder: str, mount: bool) -> None:
        self._folder = os.fsencode(folder)
        self.is_real = mount and _may_mount() and self._mount(_SIZE, 0)
        self._shim = Shim(folder)
        if not self.is_real:
            self._shim.leave_room(_SIZE)

    def fill(self) -> None:
        """Lets others take all the room that is left."""
        if not self.is_real:
            self._shim.leave_room(0)
            return
        with open(os.path.join(self._folder, b'filler'), 'ab', buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass

    def leave_room(self, size: int) -> None:
        """Lets so many bytes be written, where the shim counts them."""
        self._shim.leave_room(size)

    def refuse_changes(self) -> None:
        """Makes the disk read-only; :meth:`grow` undoes it."""
        if not self.is_real:
            self._shim.refuse_from(CHANGES, 1, errno.EROFS)
        elif not self._mount(_SIZE, _REMOUNT | _READ_ONLY):
            raise OSError('the file system stays writable')

    def grow(self) -> None:
        """Makes much room."""
        if not self.is_real:
            self._shim.stop()
        elif not self._mount(_MORE, _REMOUNT):
            raise OSError('the file system does not grow')

    def _mount(self, size: int, flags: int) -> bool:
        options = b'size=%d' % size
        return not ctypes.CDLL(None).mount(b'tmpfs', self._folder, b'tmpfs', flags, options)


def _may_mount() -> bool:
    libc = ctypes.CDLL(None)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEWNS):
        if libc.unshare(_NEWUSER | _NEWNS):
            return False
        for path, text in (
            ('setgroups', 'deny'),
            ('uid_map', '0 %d 1' % user),
            ('gid_map', '0 %d 1' % group),
        ):
            with open('/proc/self/%s' % path, 'w') as file:
                file.write(text)
    return not libc.mount(b'none', b'/', None, _RECURSIVE | _PRIVATE, None)


def fill_up(folder: str, mount: bool) -> Report:
    """Fills a disk by uploads, then by what others write, then makes room again."""
    return in_child(_fill_up, folder, mount).value


def _fill_up(folder: str, mount: bool) -> Report:
    disk = SmallDisk(folder, mount)
    base_dir = os.path.join(folder, 'store')
    report: Report = {'is_real': disk.is_real, 'answers': {}, 'problems': []}
    state: State = {}

    def phase(name: str, work: Callable[[FileStorage, State, Counter[str]], None]) -> None:
        answers: Counter[str] = Counter()
        work(store, state, answers)
        report['answers'][name] = dict(answers)
        try:
            found, problems = read_state(store)
            if found != state:
                problems.append('holds %s, not %s' % (told(found), told(state)))
        except (FiletrackerError, OSError) as error:
            problems = ['nothing can be read: %r' % error]
        report['problems'] += ['%s: %s' % (name, problem) for problem in problems]

    store = FileStorage(base_dir)
    phase('room', _few)
    phase('crowd', _crowd)
    phase('uploads', _fill_with_uploads)
    disk.fill()
    phase('full', _few)
    disk.grow()
    phase('room again', _few)
    store.close()
    report['problems'] += in_child(_examine, base_dir, state).value
    return report


def die_on_a_full_disk(folder: str, mount: bool) -> Report:
    """Kills a process whose disk is full, opens the store, and kills that too; then makes room."""
    return in_child(_die_on_a_full_disk, folder, mount).value


def _die_on_a_full_disk(folder: str, mount: bool) -> Report:
    disk = SmallDisk(folder, mount)
    base_dir = os.path.join(folder, 'store')
    state: State = {'few/%d' % number: (1, OLD + b'%d' % number) for number in range(300)}
    report: Report = {'is_real': disk.is_real, 'problems': []}
    report['signals'] = [in_child(_fill_and_die, disk, base_dir, state).signal]
    for _ in range(2):
        said, problems = in_child(_read_on_a_full_disk, disk, base_dir, state).value
        report['problems'] += ['full: %s' % problem for problem in problems]
        report['said'] = said
    disk.grow()
    report['problems'] += in_child(_examine, base_dir, state).value
    report['ballast'] = os.path.getsize(os.path.join(base_dir, 'db', 'ballast'))
    return report


def _fill_and_die(disk: SmallDisk, base_dir: str, state: State) -> None:
    store = FileStorage(base_dir)
    for name, (version, plain) in state.items():
        put(store, name, version, plain)
    # As if it died in an operation.
    Intents(os.path.join(base_dir, 'db')).record('few/1', '0' * 64)
    disk.fill()
    os.kill(os.getpid(), signal.SIGKILL)


def _read_on_a_full_disk(disk: SmallDisk, base_dir: str, state: State) -> Any:
    """Ends without closing what it opened."""
    if not disk.is_real:
        # What the ballast gives back, which nobody counts.
        disk.leave_room(16 << 20)
    store = opened(base_dir)
    found, problems = read_state(store)
    if found != state:
        problems.append('holds %s, not %s' % (told(found), told(state)))
    answers: Counter[str] = Counter()
    _answered(answers, 'put', put, store, 'new', 1, NEW)
    return dict(answers), problems


def start_on_a_read_only_disk(folder: str, mount: bool) -> list[str]:
    """Tries to open a store whose disk is read-only, then one that is not any more."""
    return in_child(_start_on_a_read_only_disk, folder, mount).value


def _start_on_a_read_only_disk(folder: str, mount: bool) -> list[str]:
    disk = SmallDisk(folder, mount)
    base_dir = os.path.join(folder, 'store')
    state: State = {'name': (1, OLD)}
    in_child(fill, base_dir, state)
    disk.refuse_changes()
    said = [in_child(_answer_at_start, base_dir).value]
    disk.grow()
    return said + in_child(_examine, base_dir, state).value


def _answer_at_start(base_dir: str) -> str:
    try:
        FileStorage(base_dir)
    except StoreUnusable as error:
        return str(error)
    return 'opened'


def _few(store: FileStorage, state: State, answers: Counter[str]) -> None:
    """Puts, overwrites and deletes a few small files."""
    for number in range(20):
        name = 'few/%d' % number
        version = state.get(name, (0, b''))[0] + 1
        plain = (OLD, NEW, OTHER)[version % 3] + b'%d' % (number % 7)
        if _answered(answers, 'put', put, store, name, version, plain):
            state[name] = version, plain
    for name in sorted(name for name in state if name.startswith('few/'))[::3]:
        if _answered(answers, 'delete', store.delete, name, state[name][0]):
            del state[name]


def _fill_with_uploads(store: FileStorage, state: State, answers: Counter[str]) -> None:
    for number in range(_SIZE >> 20):
        plain = random.Random(number).randbytes(1 << 20)
        if not _answered(answers, 'put', put, store, 'large/%d' % number, 1, plain):
            return
        state['large/%d' % number] = 1, plain


def _crowd(store: FileStorage, state: State, answers: Counter[str]) -> None:
    """Lets many uploads come in at once, more than the reserve holds, while others delete."""
    uploads = []
    for _ in range(16):
        try:
            uploads.append(store.storage.upload(False))
        except StoreFull:
            break
    assert uploads, 'there was no room for a crowd'
    # Less than what makes an upload look at the room again.
    plain = random.Random(0).randbytes(3_900_000)
    for upload in uploads:
        _answered(answers, 'upload', upload.write, plain)
    _few(store, state, answers)
    for upload in uploads:
        upload.close()


def _answered(answers: Counter[str], what: str, function: Callable[..., Any], *args: Any) -> bool:
    """Calls a function that may find the disk full, and counts its answer."""
    try:
        function(*args)
    except (StoreFull, NotFound) as error:
        answers['%s: %s' % (what, type(error).__name__)] += 1
        return False
    except Exception as error:
        answers['%s: %r' % (what, error)] += 1
        return False
    answers['%s: done' % what] += 1
    return True


def _examine(base_dir: str, state: State) -> list[str]:
    store = FileStorage(base_dir)
    problems = ['opened again: %s' % problem for problem in check_all(store, [state])]
    store.close()
    return problems
