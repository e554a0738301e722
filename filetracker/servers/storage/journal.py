"""Whether a file system has a journal, as far as it matters to what is made durable there."""

from __future__ import annotations

import glob
import os

_MAY_LACK_ONE = ('ext2', 'ext3', 'ext4')


def may_lack_journal(folder: str) -> bool:
    """Returns whether ``folder`` is on ext2, or on ext4 without a journal, or that is not known.

    Only a journal makes one thing of a new name and of the file's count of its names. Without one
    the sync of a folder saves the name alone, and a file whose count on the disk is still zero is
    none after a loss of power.
    """
    device = os.stat(folder).st_dev
    number = '%d:%d' % (os.major(device), os.minor(device))
    if _kind(number) not in _MAY_LACK_ONE:
        return False
    name = os.path.basename(os.path.realpath('/sys/dev/block/' + number))
    # The journal of each is a folder there, by its device and inode (jbd2_stats_proc_init).
    return not glob.glob('/proc/fs/jbd2/%s-*' % glob.escape(name))


def _kind(number: str) -> str:
    """Returns the type of the file system on a device, ``''`` where it is not known."""
    try:
        with open('/proc/self/mountinfo', encoding='utf-8', errors='replace') as mounts:
            for mount in mounts:
                # proc(5): behind the dash comes the type.
                before, _, behind = mount.partition(' - ')
                if before.split(' ')[2:3] == [number]:
                    return behind.split(' ')[0]
    except OSError:
        pass
    return ''
