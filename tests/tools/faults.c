/* Faults of a file system and a clock, put between a process and its C library (LD_PRELOAD).
 *
 * FAULT_UNDER  prefix of the paths that count; other files are left alone
 * FAULT_WHO    main, worker or all: whose operations count
 * FAULT_MAIN   number of the main process; those that a fork server forks are workers
 * FAULT_COUNT  file that grows by a byte with each operation that counts
 * FAULT_OPS    operations that count, of: create write rename remove read open
 * FAULT_MATCH  pattern (fnmatch) of the paths that count
 * FAULT_KILL   number of the operation in the middle of which the process is killed
 * FAULT_ERROR  errno:first:last - operations with these numbers fail
 * FAULT_LATE   seconds for which a new entry is missing in listings of the folders under
 *              FAULT_UNDER; "forever" for what is made after the process began
 * FAULT_FLOCK  errno of every flock, or "nfs": a lock needs a file open for what it protects
 * FAULT_CLOCK  readings of the wall clock between two jumps of days, forwards and back
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static pid_t loaded;
static struct timespec began;

__attribute__((constructor)) static void begin(void) {
  loaded = getpid();
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &began);
}

static int counts_here(void) {
  const char *who = getenv("FAULT_WHO"), *first = getenv("FAULT_MAIN");
  int is_main = first && atoi(first) == getpid();
  if (!who || !strcmp(who, "all")) return 1;
  return !strcmp(who, "main") ? is_main : !is_main && getpid() != loaded;
}

static int under(const char *path) {
  const char *prefix = getenv("FAULT_UNDER");
  return prefix && path && !strncmp(path, prefix, strlen(prefix));
}

/* What befalls an operation: 0 nothing, -1 killed in the middle, else the errno it fails with. */
static int fate(const char *op, const char *path) {
  const char *ops = getenv("FAULT_OPS"), *match = getenv("FAULT_MATCH");
  const char *count = getenv("FAULT_COUNT");
  if (!count || !ops || !under(path) || !strstr(ops, op) || !counts_here()) return 0;
  if (match && fnmatch(match, path, 0)) return 0;
  int saved = errno;
  int fd = syscall(SYS_openat, AT_FDCWD, count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return 0;
  syscall(SYS_write, fd, ".", 1);
  long number = syscall(SYS_lseek, fd, 0, SEEK_END);
  syscall(SYS_close, fd);
  errno = saved;
  const char *kill_at = getenv("FAULT_KILL"), *error = getenv("FAULT_ERROR");
  if (kill_at && number == atol(kill_at)) return -1;
  if (error) {
    int code;
    long first, last;
    if (sscanf(error, "%d:%ld:%ld", &code, &first, &last) == 3 && number >= first && number <= last)
      return code;
  }
  return 0;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define SUFFER(op, path) \
  do { \
    int what = fate(op, path); \
    if (what < 0) die(); \
    if (what > 0) { errno = what; return -1; } \
  } while (0)

static const char *absolute(int folder, const char *path, char *room) {
  if (!path || path[0] == '/') return path;
  char link[64];
  if (folder == AT_FDCWD) {
    if (!getcwd(room, PATH_MAX)) return path;
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, room, PATH_MAX - 1);
    if (n < 0) return path;
    room[n] = 0;
  }
  size_t length = strlen(room);
  snprintf(room + length, PATH_MAX - length, "/%s", path);
  return room;
}

static const char *path_of(int fd, char *room) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, room, PATH_MAX - 1);
  if (n < 0) return NULL;
  room[n] = 0;
  return room;
}

#define OPEN(name, call, folder) \
  { \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
      va_list rest; \
      va_start(rest, flags); \
      mode = va_arg(rest, mode_t); \
      va_end(rest); \
    } \
    char room[PATH_MAX]; \
    const char *whole = absolute(folder, path, room); \
    if (flags & O_CREAT) SUFFER("create", whole); \
    else SUFFER("open", whole); \
    return call; \
  }

int open(const char *path, int flags, ...) {
  REAL(int, "open", const char *, int, mode_t);
  OPEN("open", real(path, flags, mode), AT_FDCWD)
}
int open64(const char *path, int flags, ...) {
  REAL(int, "open64", const char *, int, mode_t);
  OPEN("open64", real(path, flags, mode), AT_FDCWD)
}
int openat(int folder, const char *path, int flags, ...) {
  REAL(int, "openat", int, const char *, int, mode_t);
  OPEN("openat", real(folder, path, flags, mode), folder)
}
int openat64(int folder, const char *path, int flags, ...) {
  REAL(int, "openat64", int, const char *, int, mode_t);
  OPEN("openat64", real(folder, path, flags, mode), folder)
}

ssize_t write(int fd, const void *buffer, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  char room[PATH_MAX];
  int what = fate("write", path_of(fd, room));
  if (what < 0) {  /* half of it is written */
    real(fd, buffer, size / 2);
    die();
  }
  if (what > 0) {
    errno = what;
    return -1;
  }
  return real(fd, buffer, size);
}

ssize_t read(int fd, void *buffer, size_t size) {
  REAL(ssize_t, "read", int, void *, size_t);
  char room[PATH_MAX];
  SUFFER("read", path_of(fd, room));
  return real(fd, buffer, size);
}

#define PREAD(name) \
  ssize_t name(int fd, void *buffer, size_t size, off64_t offset) { \
    REAL(ssize_t, #name, int, void *, size_t, off64_t); \
    char room[PATH_MAX]; \
    SUFFER("read", path_of(fd, room)); \
    return real(fd, buffer, size, offset); \
  }
PREAD(pread)
PREAD(pread64)

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  char room[PATH_MAX];
  SUFFER("rename", absolute(AT_FDCWD, to, room));
  return real(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
  REAL(int, "renameat", int, const char *, int, const char *);
  char room[PATH_MAX];
  SUFFER("rename", absolute(b, to, room));
  return real(a, from, b, to);
}
int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  char room[PATH_MAX];
  SUFFER("remove", absolute(AT_FDCWD, path, room));
  return real(path);
}
int unlinkat(int folder, const char *path, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  char room[PATH_MAX];
  SUFFER("remove", absolute(folder, path, room));
  return real(folder, path, flags);
}
int rmdir(const char *path) {
  REAL(int, "rmdir", const char *);
  char room[PATH_MAX];
  SUFFER("remove", absolute(AT_FDCWD, path, room));
  return real(path);
}
int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  char room[PATH_MAX];
  SUFFER("create", absolute(AT_FDCWD, path, room));
  return real(path, mode);
}

int flock(int fd, int operation) {
  REAL(int, "flock", int, int);
  const char *how = getenv("FAULT_FLOCK");
  char room[PATH_MAX];
  if (how && under(path_of(fd, room))) {
    if (strcmp(how, "nfs")) {
      errno = atoi(how);
      return -1;
    }
    int access = fcntl(fd, F_GETFL) & O_ACCMODE, wanted = operation & ~LOCK_NB;
    if ((wanted == LOCK_SH && access == O_WRONLY) || (wanted == LOCK_EX && access == O_RDONLY)) {
      errno = EBADF;
      return -1;
    }
  }
  return real(fd, operation);
}

static int hidden(DIR *folder, const char *name) {
  const char *late = getenv("FAULT_LATE");
  char room[PATH_MAX];
  if (!late || name[0] == '.' || !counts_here()) return 0;
  if (!under(path_of(dirfd(folder), room))) return 0;
  struct stat status;
  struct timespec now;
  if (fstatat(dirfd(folder), name, &status, AT_SYMLINK_NOFOLLOW)) return 0;
  if (!strcmp(late, "forever"))
    return status.st_ctim.tv_sec > began.tv_sec ||
           (status.st_ctim.tv_sec == began.tv_sec && status.st_ctim.tv_nsec > began.tv_nsec);
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  double age = now.tv_sec - status.st_ctim.tv_sec + 1e-9 * (now.tv_nsec - status.st_ctim.tv_nsec);
  return age < atof(late);
}

struct dirent *readdir(DIR *folder) {
  REAL(struct dirent *, "readdir", DIR *);
  struct dirent *entry;
  while ((entry = real(folder)) && hidden(folder, entry->d_name));
  return entry;
}
struct dirent64 *readdir64(DIR *folder) {
  REAL(struct dirent64 *, "readdir64", DIR *);
  struct dirent64 *entry;
  while ((entry = real(folder)) && hidden(folder, entry->d_name));
  return entry;
}

/* 3 days forwards, 5 back, 40 years forwards, back again. */
static time_t jump(void) {
  static const time_t days[] = {0, 3, -2, 14610};
  static long readings;
  const char *between = getenv("FAULT_CLOCK");
  if (!between) return 0;
  return days[(__sync_fetch_and_add(&readings, 1) / atol(between)) % 4] * 86400;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(int, "clock_gettime", clockid_t, struct timespec *);
  int code = real(clock, now);
  if (!code && clock == CLOCK_REALTIME) now->tv_sec += jump();
  return code;
}
int gettimeofday(struct timeval *now, void *zone) {
  REAL(int, "gettimeofday", struct timeval *, void *);
  int code = real(now, zone);
  if (!code) now->tv_sec += jump();
  return code;
}
time_t time(time_t *where) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (where) *where = now.tv_sec;
  return now.tv_sec;
}
