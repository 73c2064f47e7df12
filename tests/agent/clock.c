/* Preloaded into a process, gives it other clocks.
 *
 * CLOCK_SPEED: how many times faster the monotonic clock goes; what waits for it waits less.
 * CLOCK_JUMP: seconds that the wall clock jumps by, half a second after the start.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
static int (*real_poll)(struct pollfd *, nfds_t, int);
static double speed = 1, jump = 0, start;

static double seconds(const struct timespec *t) { return t->tv_sec + t->tv_nsec / 1e9; }

static void set(struct timespec *t, double value) {
    t->tv_sec = (time_t)value;
    t->tv_nsec = (long)((value - (double)t->tv_sec) * 1e9);
}

__attribute__((constructor)) static void begin(void) {
    struct timespec now;
    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_nanosleep = dlsym(RTLD_NEXT, "clock_nanosleep");
    real_poll = dlsym(RTLD_NEXT, "poll");
    if (getenv("CLOCK_SPEED")) speed = atof(getenv("CLOCK_SPEED"));
    if (getenv("CLOCK_JUMP")) jump = atof(getenv("CLOCK_JUMP"));
    real_gettime(CLOCK_MONOTONIC, &now);
    start = seconds(&now);
}

int clock_gettime(clockid_t id, struct timespec *t) {
    struct timespec now;
    int failed;
    if (!real_gettime) begin();
    failed = real_gettime(id, t);
    real_gettime(CLOCK_MONOTONIC, &now);
    if (id == CLOCK_MONOTONIC) set(t, start + (seconds(t) - start) * speed);
    if (id == CLOCK_REALTIME && seconds(&now) > start + 0.5) t->tv_sec += (time_t)jump;
    return failed;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *t, struct timespec *left) {
    struct timespec until = *t;
    if (id == CLOCK_MONOTONIC && flags == TIMER_ABSTIME)
        set(&until, start + (seconds(t) - start) / speed);
    return real_nanosleep(id, flags, &until, left);
}

int poll(struct pollfd *fds, nfds_t count, int timeout) {
    return real_poll(fds, count, timeout > 0 ? (int)(timeout / speed) + 1 : timeout);
}
