/* What the clients in C share: clocks, and how they say what they saw. */
#ifndef BENCH_H
#define BENCH_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double peak_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* One operation again and again: `get` gives 0, or why not. */
static inline int bench_get(int (*get)(void), int count) {
    double *times = malloc(sizeof(double) * (size_t)count), cpu;
    int i;
    for (i = 0; i < count / 10 + 1; i++)
        if (get()) return 1;
    cpu = cpu_us();
    for (i = 0; i < count; i++) {
        double before = now_us();
        if (get()) return 1;
        times[i] = now_us() - before;
    }
    cpu = (cpu_us() - cpu) / count;
    qsort(times, (size_t)count, sizeof(double), by_size);
    printf("{\"us\":%.3f,\"p99_us\":%.3f,\"cpu_us\":%.3f}\n", times[count / 2], times[count - 1 - count / 100], cpu);
    free(times);
    return 0;
}

static inline int bench_history(int (*get)(void)) {
    double before = now_us();
    if (get()) return 1;
    printf("{\"ms\":%.3f,\"rss_mb\":%.1f}\n", (now_us() - before) / 1e3, peak_mb());
    return 0;
}

static inline void bench_events(double began, long got, long lost) {
    double took = now_us() - began;
    printf("{\"per_s\":%.0f,\"got\":%ld,\"lost\":%ld,\"rss_mb\":%.1f}\n", (double)got / took * 1e6, got, lost, peak_mb());
}
#endif
