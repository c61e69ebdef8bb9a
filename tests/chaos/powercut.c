/* What a disk holds for certain: at each sync of a watched file its content so far is kept aside.

   Loaded before libc (LD_PRELOAD). Writes to files whose path begins with `watched` are noted; a
   sync copies what was written since the last one to a file of the same name in `kept`. The real
   sync is left out: the copy stands for it, and the harness kills processes, not machines. A
   process can be made to die before or after its nth write or sync. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { FILES = 32, WRITE = 0, SYNC = 1 };

static char watched[PATH_MAX], kept[PATH_MAX];
static size_t watched_length;
static struct { char name[NAME_MAX + 1]; off_t low, high; } files[FILES];
static long counts[2], death_at;
static int death_kind = -1, death_is_after;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int);

__attribute__((constructor)) static void find_real(void)
{
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

void chaos_arm(const char *watched_prefix, const char *kept_folder, int kind, long nth, int is_after)
{
    snprintf(watched, sizeof watched, "%s", watched_prefix);
    snprintf(kept, sizeof kept, "%s", kept_folder);
    watched_length = strlen(watched);
    death_kind = kind, death_at = nth, death_is_after = is_after;
}

long chaos_count(int kind) { return counts[kind]; }

/* Return the number of a watched file's entry, -1 for any other file. */
static int entry_of(int fd)
{
    char link[64], path[PATH_MAX];
    if (!watched_length)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= (ssize_t)watched_length || strncmp(path, watched, watched_length))
        return -1;
    path[length] = 0;
    const char *name = path + watched_length;
    if (strchr(name, '/') || !strstr(name, ".sqlite") || strstr(name, "-writer"))
        return -1;
    for (int i = 0; i < FILES; i++) {
        if (!files[i].name[0]) {
            snprintf(files[i].name, sizeof files[i].name, "%s", name);
            files[i].low = files[i].high = 0;
        }
        if (!strcmp(files[i].name, name))
            return i;
    }
    return -1;
}

static void pass(int kind, int is_after)
{
    if (!is_after)
        counts[kind]++;
    if (kind == death_kind && counts[kind] == death_at && is_after == death_is_after)
        kill(getpid(), SIGKILL);
}

static void note(int i, off_t from, ssize_t length)
{
    if (length <= 0)
        return;
    if (files[i].low == files[i].high)
        files[i].low = from, files[i].high = from + length;
    if (from < files[i].low)
        files[i].low = from;
    if (from + length > files[i].high)
        files[i].high = from + length;
}

static void keep(int fd, int i)
{
    char path[PATH_MAX * 2], buffer[65536];
    struct stat facts;
    snprintf(path, sizeof path, "%s/%s", kept, files[i].name);
    int copy = open(path, O_WRONLY | O_CREAT, 0600);
    if (copy < 0 || fstat(fd, &facts))
        _exit(99);
    for (off_t at = files[i].low; at < files[i].high;) {
        size_t want = sizeof buffer;
        if ((off_t)want > files[i].high - at)
            want = files[i].high - at;
        ssize_t got = pread(fd, buffer, want, at);
        if (got <= 0)
            break;
        if (real_pwrite(copy, buffer, got, at) != got)
            _exit(99);
        at += got;
    }
    if (ftruncate(copy, facts.st_size))
        _exit(99);
    close(copy);
    files[i].low = files[i].high = 0;
}

ssize_t write(int fd, const void *data, size_t length)
{
    int i = entry_of(fd);
    if (i < 0)
        return real_write(fd, data, length);
    pass(WRITE, 0);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real_write(fd, data, length);
    note(i, at, done);
    pass(WRITE, 1);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at)
{
    int i = entry_of(fd);
    if (i < 0)
        return real_pwrite(fd, data, length, at);
    pass(WRITE, 0);
    ssize_t done = real_pwrite(fd, data, length, at);
    note(i, at, done);
    pass(WRITE, 1);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
    return pwrite64(fd, data, length, at);
}

static int synced(int fd, int (*real)(int))
{
    int i = entry_of(fd);
    if (i < 0)
        return watched_length ? 0 : real(fd);
    pass(SYNC, 0);
    keep(fd, i);
    pass(SYNC, 1);
    return 0;
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }
