/* Preloaded into a server by a test: fsync and fdatasync fail with EIO while the file named by FAILING_SYNC is there.
   The engine's child processes have no such variable and are left alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failing(void) {
    const char *switch_file = getenv("FAILING_SYNC");
    return switch_file && access(switch_file, F_OK) == 0;
}

int fsync(int fd) {
    if (failing()) { errno = EIO; return -1; }
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    if (failing()) { errno = EIO; return -1; }
    return (int)syscall(SYS_fdatasync, fd);
}
