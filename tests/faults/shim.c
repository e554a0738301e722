/* Stands between a process and its disk: records, refuses, or kills at chosen system calls.
 *
 * Loaded with LD_PRELOAD, so that it sees the calls of Python and of Berkeley DB alike. Whatever
 * happens outside of one directory passes untouched, and so does everything before faults_watch().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITES = 1, NAMES = 2, SYNCS = 4, REMOVALS = 8, READS = 16 };

/* In front of each record; see recording.py. */
struct header {
    uint64_t inode;
    int64_t number;
    uint32_t kind, first, second, third;
};

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int journal = -1;
static int kinds, error, sticky, deadly, filling;
static long chosen, seen;
static long long room = -1;
static unsigned sync_time;

static __thread char one[PATH_MAX], two[PATH_MAX];

#define REAL(type, name, ...)                                                  \
    static type (*real)(__VA_ARGS__);                                          \
    if (!real)                                                                 \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* The root of what is watched. */
void faults_watch(const char *path)
{
    strncpy(root, path, sizeof root - 1);
    root_length = strlen(root);
}

/* Appends a record of each change to an open file from now on; -1 stops it. */
void faults_record(int descriptor) { journal = descriptor; }

static void choose(int which, long nth)
{
    kinds = which, chosen = nth, seen = 0;
    error = sticky = deadly = filling = 0;
}

/* Counts calls of these kinds from now on. The chosen one, counted from 1, fails with `number`;
 * with `and_later` all later ones fail too. 0 chooses none. */
void faults_refuse(int which, long nth, int number, int and_later)
{
    pthread_mutex_lock(&order);
    choose(which, nth);
    error = number, sticky = and_later;
    pthread_mutex_unlock(&order);
}

/* Counts likewise, and kills the process at the chosen call. */
void faults_kill(int which, long nth)
{
    pthread_mutex_lock(&order);
    choose(which, nth);
    deadly = 1;
    pthread_mutex_unlock(&order);
}

/* Counts likewise; from the chosen call on the disk is full. */
void faults_fill(int which, long nth)
{
    pthread_mutex_lock(&order);
    choose(which, nth);
    filling = 1;
    pthread_mutex_unlock(&order);
}

long faults_seen(void) { return seen; }

/* Lets files grow by so many bytes and no more; -1 lets all. With 0 there is no room for names. */
void faults_room(long long bytes)
{
    pthread_mutex_lock(&order);
    room = bytes;
    pthread_mutex_unlock(&order);
}

/* Lets each sync take so many microseconds more. */
void faults_slow(unsigned microseconds) { sync_time = microseconds; }

static int inside(const char *path)
{
    return root_length && !strncmp(path, root, root_length) &&
           (path[root_length] == '/' || path[root_length] == 0);
}

static void join(int folder, const char *path, char *whole)
{
    char from[64];
    ssize_t length = 0;

    if (path[0] != '/') {
        if (folder == AT_FDCWD)
            strcpy(from, "/proc/self/cwd");
        else
            snprintf(from, sizeof from, "/proc/self/fd/%d", folder);
        length = readlink(from, whole, PATH_MAX - 1);
        if (length < 0)
            length = 0;
        whole[length++] = '/';
    }
    snprintf(whole + length, PATH_MAX - length, "%s", path);
    length = strlen(whole);
    while (length > 1 && whole[length - 1] == '/')
        whole[--length] = 0;
}

static int watched(int descriptor)
{
    char link[64];
    ssize_t length;

    if (!root_length)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, one, PATH_MAX - 1);
    one[length < 0 ? 0 : length] = 0;
    return inside(one);
}

/* Called with the order held. Whether the call may go on; if not, errno says why. */
static int pass(int kind)
{
    if (kind & kinds) {
        seen++;
        if (chosen && (seen == chosen || (seen > chosen && sticky))) {
            if (deadly)
                syscall(SYS_kill, getpid(), SIGKILL);
            if (!filling) {
                errno = error;
                return 0;
            }
            room = 0;
        }
    }
    if (!room && kind == NAMES) {
        errno = ENOSPC;
        return 0;
    }
    return 1;
}

static void note(int kind, uint64_t inode, int64_t number, const char *first, const char *second,
                 const void *third, size_t third_length)
{
    struct header header = {inode, number, kind, strlen(first), strlen(second), third_length};
    struct iovec parts[] = {{&header, sizeof header},
                            {(void *)first, header.first},
                            {(void *)second, header.second},
                            {(void *)third, third_length}};
    int kept = errno;

    if (journal >= 0)
        syscall(SYS_writev, journal, parts, 4);
    errno = kept;
}

void faults_mark(const char *text)
{
    pthread_mutex_lock(&order);
    note('!', 0, 0, text, "", "", 0);
    pthread_mutex_unlock(&order);
}

static uint64_t inode_of(const char *path)
{
    struct stat status;
    return lstat(path, &status) ? 0 : status.st_ino;
}

static uint64_t inode_behind(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) ? 0 : status.st_ino;
}

static int open_in(int folder, const char *path, int flags, mode_t mode)
{
    REAL(int, openat, int, const char *, int, ...);
    int unnamed = (flags & O_TMPFILE) == O_TMPFILE;
    int changes = unnamed || (flags & (O_CREAT | O_TRUNC));
    int result = -1, there;

    join(folder, path, one);
    if (!inside(one))
        return real(folder, path, flags, mode);
    pthread_mutex_lock(&order);
    if (pass(changes ? NAMES : READS)) {
        there = !changes || unnamed || inode_of(one);
        result = real(folder, path, flags, mode);
        if (result >= 0 && unnamed)
            note('n', inode_behind(result), mode, "", "", "", 0);
        else if (result >= 0 && !there)
            note('c', inode_behind(result), mode, one, "", "", 0);
        else if (result >= 0 && (flags & O_TRUNC))
            note('z', inode_behind(result), 0, "", "", "", 0);
    }
    pthread_mutex_unlock(&order);
    return result;
}

#define MODE(flags, mode)                                                      \
    mode_t mode = 0;                                                           \
    if (flags & (O_CREAT | O_TMPFILE)) {                                       \
        va_list rest;                                                          \
        va_start(rest, flags);                                                 \
        mode = va_arg(rest, int);                                              \
        va_end(rest);                                                          \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_in(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int openat(int folder, const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_in(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) __attribute__((alias("openat")));

/* How much of a write there is room for; -1 and errno if none. */
static ssize_t fitting(int descriptor, off_t offset, size_t length)
{
    struct stat status;
    long long more;

    if (room < 0 || fstat(descriptor, &status))
        return length;
    more = offset + (long long)length - status.st_blocks * 512LL;
    if (more <= 0)
        return length;
    if (more > (long long)length)
        more = length;
    if (more <= room) {
        room -= more;
        return length;
    }
    length -= more - room;
    room = 0;
    if (length)
        return length;
    errno = ENOSPC;
    return -1;
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
    REAL(ssize_t, write, int, const void *, size_t);
    ssize_t result = -1;

    if (!watched(descriptor))
        return real(descriptor, bytes, length);
    pthread_mutex_lock(&order);
    if (pass(WRITES) &&
        (result = fitting(descriptor, lseek(descriptor, 0, SEEK_CUR), length)) >= 0) {
        result = real(descriptor, bytes, result);
        if (result > 0)
            note('w', inode_behind(descriptor), lseek(descriptor, 0, SEEK_CUR) - result, "", "",
                 bytes, result);
    }
    pthread_mutex_unlock(&order);
    return result;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    ssize_t result = -1;

    if (!watched(descriptor))
        return real(descriptor, bytes, length, offset);
    pthread_mutex_lock(&order);
    if (pass(WRITES) && (result = fitting(descriptor, offset, length)) >= 0) {
        result = real(descriptor, bytes, result, offset);
        if (result > 0)
            note('w', inode_behind(descriptor), offset, "", "", bytes, result);
    }
    pthread_mutex_unlock(&order);
    return result;
}
ssize_t pwrite64(int, const void *, size_t, off_t) __attribute__((alias("pwrite")));

int ftruncate(int descriptor, off_t length)
{
    REAL(int, ftruncate, int, off_t);
    int result = -1;

    if (!watched(descriptor))
        return real(descriptor, length);
    pthread_mutex_lock(&order);
    if (pass(WRITES) && !(result = real(descriptor, length)))
        note('z', inode_behind(descriptor), length, "", "", "", 0);
    pthread_mutex_unlock(&order);
    return result;
}
int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));

/* Unlike the others it returns what is wrong. */
int posix_fallocate(int descriptor, off_t offset, off_t length)
{
    REAL(int, posix_fallocate, int, off_t, off_t);
    int result;
    struct stat status;

    if (!watched(descriptor))
        return real(descriptor, offset, length);
    pthread_mutex_lock(&order);
    if (!pass(WRITES))
        result = errno;
    else if (fitting(descriptor, offset, length) < length)
        result = ENOSPC;
    else if (!(result = real(descriptor, offset, length)) && !fstat(descriptor, &status))
        note('z', status.st_ino, status.st_size, "", "", "", 0);
    pthread_mutex_unlock(&order);
    return result;
}
int posix_fallocate64(int, off_t, off_t) __attribute__((alias("posix_fallocate")));

ssize_t read(int descriptor, void *bytes, size_t length)
{
    REAL(ssize_t, read, int, void *, size_t);
    int passed;

    if (!(kinds & READS) || !watched(descriptor))
        return real(descriptor, bytes, length);
    pthread_mutex_lock(&order);
    passed = pass(READS);
    pthread_mutex_unlock(&order);
    return passed ? real(descriptor, bytes, length) : -1;
}

ssize_t pread(int descriptor, void *bytes, size_t length, off_t offset)
{
    REAL(ssize_t, pread, int, void *, size_t, off_t);
    int passed;

    if (!(kinds & READS) || !watched(descriptor))
        return real(descriptor, bytes, length, offset);
    pthread_mutex_lock(&order);
    passed = pass(READS);
    pthread_mutex_unlock(&order);
    return passed ? real(descriptor, bytes, length, offset) : -1;
}
ssize_t pread64(int, void *, size_t, off_t) __attribute__((alias("pread")));

/* Not in the order: others go on meanwhile, and only what was written before the start is sure. */
static int sync_with(int (*real)(int), int descriptor)
{
    int result = -1, passed;
    uint64_t inode = inode_behind(descriptor);

    pthread_mutex_lock(&order);
    if ((passed = pass(SYNCS)))
        note('s', inode, 0, "", "", "", 0);
    pthread_mutex_unlock(&order);
    if (!passed)
        return -1;
    usleep(sync_time);
    result = real(descriptor);
    pthread_mutex_lock(&order);
    if (!result)
        note('S', inode, 0, "", "", "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

int fsync(int descriptor)
{
    REAL(int, fsync, int);
    return watched(descriptor) ? sync_with(real, descriptor) : real(descriptor);
}

int fdatasync(int descriptor)
{
    REAL(int, fdatasync, int);
    return watched(descriptor) ? sync_with(real, descriptor) : real(descriptor);
}

int fchmod(int descriptor, mode_t mode)
{
    REAL(int, fchmod, int, mode_t);
    int result = -1;

    if (!watched(descriptor))
        return real(descriptor, mode);
    pthread_mutex_lock(&order);
    if (pass(NAMES) && !(result = real(descriptor, mode)))
        note('p', inode_behind(descriptor), mode, "", "", "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

int linkat(int old_folder, const char *old, int new_folder, const char *new, int flags)
{
    REAL(int, linkat, int, const char *, int, const char *, int);
    int result = -1;

    join(new_folder, new, one);
    if (!inside(one))
        return real(old_folder, old, new_folder, new, flags);
    pthread_mutex_lock(&order);
    if (pass(NAMES) && !(result = real(old_folder, old, new_folder, new, flags)))
        note('l', inode_of(one), 0, one, "", "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int symlinkat(const char *target, int folder, const char *path)
{
    REAL(int, symlinkat, const char *, int, const char *);
    int result = -1;

    join(folder, path, one);
    if (!inside(one))
        return real(target, folder, path);
    pthread_mutex_lock(&order);
    if (pass(NAMES) && !(result = real(target, folder, path)))
        note('y', inode_of(one), 0, one, target, "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

int renameat(int old_folder, const char *old, int new_folder, const char *new)
{
    REAL(int, renameat, int, const char *, int, const char *);
    int result = -1;

    join(old_folder, old, one);
    join(new_folder, new, two);
    if (!inside(one) && !inside(two))
        return real(old_folder, old, new_folder, new);
    pthread_mutex_lock(&order);
    if (pass(NAMES) && !(result = real(old_folder, old, new_folder, new)))
        note('r', 0, 0, one, two, "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

int unlinkat(int folder, const char *path, int flags)
{
    REAL(int, unlinkat, int, const char *, int);
    int result = -1;

    join(folder, path, one);
    if (!inside(one))
        return real(folder, path, flags);
    pthread_mutex_lock(&order);
    if (pass(REMOVALS) && !(result = real(folder, path, flags)))
        note('u', 0, 0, one, "", "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *path, mode_t mode)
{
    REAL(int, mkdirat, int, const char *, mode_t);
    int result = -1;

    join(folder, path, one);
    if (!inside(one))
        return real(folder, path, mode);
    pthread_mutex_lock(&order);
    if (pass(NAMES) && !(result = real(folder, path, mode)))
        note('m', inode_of(one), mode, one, "", "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
    REAL(int, utimensat, int, const char *, const struct timespec *, int);
    int result = -1;

    join(folder, path, one);
    if (!inside(one))
        return real(folder, path, times, flags);
    pthread_mutex_lock(&order);
    if (pass(NAMES) && !(result = real(folder, path, times, flags)))
        note('t', inode_of(one), times[1].tv_sec, "", "", "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

int statvfs(const char *path, struct statvfs *status)
{
    REAL(int, statvfs, const char *, struct statvfs *);
    int result = real(path, status);

    if (!result && room >= 0 && inside(path))
        status->f_bavail = status->f_bfree = room / status->f_frsize;
    return result;
}
int statvfs64(const char *path, struct statvfs64 *status)
    __attribute__((alias("statvfs")));
