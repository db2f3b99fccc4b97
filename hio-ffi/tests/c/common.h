// What the C programs share: checks that name what failed, a clock, a loop that is stepped until
// something holds, and bytes that can be told apart.
#ifndef COMMON_H
#define COMMON_H

#define _POSIX_C_SOURCE 200809L

#include "hio.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

// A call that must give a status; says what it gave instead.
#define EXPECT(loop, status, call)                                                                 \
    do {                                                                                           \
        hio_status got_ = (call);                                                                  \
        if (got_ != (status)) {                                                                    \
            fprintf(stderr, "%s:%d: %s: %d (%s), %d was wanted; last error: %s\n", __FILE__,       \
                    __LINE__, #call, (int)got_, hio_status_text(got_), (int)(status),              \
                    hio_last_error(loop));                                                         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define OK(loop, call) EXPECT(loop, HIO_OK, call)

#define SECOND 1000000000ull

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static inline hio_loop new_loop(void) {
    hio_loop loop = 0;
    CHECK(hio_loop_new(now_ns(), NULL, &loop) == HIO_OK);
    return loop;
}

static inline hio_server listen_at(hio_loop loop, const char *at, const hio_server_config *config) {
    hio_server server = 0;
    OK(loop, hio_listen(loop, at, config, &server));
    return server;
}

// The address of a server, in memory of its own.
static inline char *address_of(hio_loop loop, hio_server server) {
    size_t len = 0;
    EXPECT(loop, HIO_ERR_TOO_SMALL, hio_server_address(loop, server, NULL, 0, &len));
    char *text = malloc(len + 1);
    CHECK(text != NULL);
    OK(loop, hio_server_address(loop, server, text, len + 1, NULL));
    CHECK(strlen(text) == len);
    return text;
}

// Takes the next event, stepping the loop and sleeping in it as long as there is none.
static inline hio_event wait_event(hio_loop loop) {
    hio_event event = {.size = sizeof event};
    for (int turn = 0; turn < 2000; turn++) {
        hio_status status = hio_next_event(loop, &event);
        CHECK(status == HIO_OK || status == HIO_NONE);
        CHECK(event.size == sizeof event && event.text != NULL);
        if (status == HIO_OK) return event;
        uint64_t wait = 0;
        OK(loop, hio_due(loop, now_ns(), &wait));
        if (wait > SECOND / 20) wait = SECOND / 20;
        OK(loop, hio_wait(loop, wait));
        CHECK(hio_tick(loop, now_ns(), 0) >= 0);
    }
    fprintf(stderr, "no event came\n");
    exit(1);
}

// The next event must be of a kind.
static inline hio_event expect_event_(hio_loop loop, hio_event_kind kind, int line) {
    hio_event event = wait_event(loop);
    if (event.kind != kind) {
        fprintf(stderr, "line %d: event %d (%s), %d was wanted\n", line, (int)event.kind,
                event.text, (int)kind);
        exit(1);
    }
    return event;
}
#define expect_event(loop, kind) expect_event_(loop, kind, __LINE__)

static inline hio_link_info look(hio_loop loop, hio_link link) {
    hio_link_info info = {.size = sizeof info};
    OK(loop, hio_link_look(loop, link, &info));
    return info;
}

// Byte `at` of stream `stream`.
static inline uint8_t byte_of(uint64_t stream, uint64_t at) {
    uint64_t x = (stream + 1) * 0x9e3779b97f4a7c15ull + at * 0xbf58476d1ce4e5b9ull;
    x ^= x >> 29;
    return (uint8_t)((x * 0x94d049bb133111ebull) >> 56);
}

#endif
