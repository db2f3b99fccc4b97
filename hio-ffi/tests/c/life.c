// Goal: the lives of links and servers as a host sees them: half-closed, held, idle, dialled again,
// cut off, drained, closed with bytes unread; events that nobody takes; sleep and its interruption.
// Method: one story after the other, mostly with server and client in one loop; tymeouts are reached
// by handing in later moments, without waiting.
#include "common.h"

#include <poll.h>
#include <pthread.h>

static uint64_t later; // added to the clock of a story that leaps ahead

static uint64_t host_clock(void) { return now_ns() + later; }

static hio_event next_of_(hio_loop loop, hio_link link, hio_event_kind kind, int line) {
    hio_event event = {.size = sizeof event};
    for (int turn = 0; turn < 3000; turn++) {
        hio_status status = hio_next_event(loop, &event);
        if (status == HIO_NONE) {
            OK(loop, hio_wait(loop, SECOND / 1000));
            CHECK(hio_tick(loop, host_clock(), 0) >= 0);
        } else if (event.kind == kind && (link == 0 || event.link == link)) {
            return event;
        }
    }
    fprintf(stderr, "line %d: no event %d\n", line, (int)kind);
    exit(1);
}
#define next_of(loop, link, kind) next_of_(loop, link, kind, __LINE__)

// A server and a link to it, both ends standing.
typedef struct pair {
    hio_loop loop;
    hio_server server;
    hio_link near, far;
    char *address;
} pair;

static pair new_pair(uint32_t flags, const hio_limits *limits) {
    pair p = {.loop = new_loop()};
    hio_server_config config = {.size = sizeof config, .flags = flags, .limits = limits};
    p.server = listen_at(p.loop, "localhost:0", &config);
    p.address = address_of(p.loop, p.server);
    hio_client_config dial = {.size = sizeof dial, .flags = flags, .limits = limits, .tag = 1};
    OK(p.loop, hio_connect(p.loop, host_clock(), p.address, &dial, &p.near));
    p.far = next_of(p.loop, 0, HIO_EVENT_ACCEPTED).link;
    for (int turn = 0; !(look(p.loop, p.near).flags & HIO_LINK_CONNECTED); turn++) {
        CHECK(turn < 1000);
        OK(p.loop, hio_wait(p.loop, SECOND / 1000));
        OK(p.loop, hio_tick(p.loop, host_clock(), 0));
    }
    return p;
}

static void free_pair(pair p) {
    OK(p.loop, hio_loop_free(p.loop));
    free(p.address);
}

static void send_text(hio_loop loop, hio_link link, const char *text) {
    size_t taken = 0;
    OK(loop, hio_link_tx(loop, link, text, strlen(text), &taken));
    CHECK(taken == strlen(text));
}

static void expect_rx(hio_loop loop, hio_link link, const char *text) {
    const uint8_t *data = NULL;
    size_t len = 0;
    OK(loop, hio_link_rx(loop, link, &data, &len));
    CHECK(len == strlen(text) && memcmp(data, text, len) == 0);
}

// A peer that has sent its last byte still gets an answer that takes its time.
static void half_close(void) {
    pair p = new_pair(HIO_HOLD, NULL);
    send_text(p.loop, p.near, "question");
    OK(p.loop, hio_link_shutdown(p.loop, p.near));
    next_of(p.loop, p.far, HIO_EVENT_CUTOFF);
    expect_rx(p.loop, p.far, "question");
    OK(p.loop, hio_link_consume(p.loop, p.far, 8));
    for (int turn = 0; turn < 20; turn++) OK(p.loop, hio_tick(p.loop, host_clock(), 0));
    CHECK(look(p.loop, p.far).flags == (HIO_LINK_CONNECTED | HIO_LINK_CUTOFF));
    send_text(p.loop, p.far, "answer");
    OK(p.loop, hio_link_hold(p.loop, p.far, 0));
    CHECK(next_of(p.loop, p.far, HIO_EVENT_CLOSED).reason == HIO_REASON_PEER_CLOSED);
    for (int turn = 0; look(p.loop, p.near).received < 6; turn++) {
        CHECK(turn < 1000);
        OK(p.loop, hio_tick(p.loop, host_clock(), 0));
    }
    expect_rx(p.loop, p.near, "answer");
    // Only in parts, also of a link that is over.
    OK(p.loop, hio_link_hold(p.loop, p.near, 0));
    OK(p.loop, hio_link_consume(p.loop, p.near, 2));
    OK(p.loop, hio_link_close(p.loop, p.near));
    next_of(p.loop, p.near, HIO_EVENT_CLOSED);
    expect_rx(p.loop, p.near, "swer");
    OK(p.loop, hio_link_consume(p.loop, p.near, 2));
    expect_rx(p.loop, p.near, "er");
    CHECK(hio_link_consume(p.loop, p.near, 3) == HIO_ERR_ARGUMENT);
    free_pair(p);
}

// Tymeouts follow the time that is handed in, and nothing else.
static void handed_time(void) {
    hio_limits limits = {.size = sizeof limits, .tymeout_ns = 3600 * SECOND};
    pair p = new_pair(0, &limits);
    uint64_t wait = 0, now = host_clock();
    OK(p.loop, hio_tick(p.loop, now, 0));
    hio_event event = {.size = sizeof event};
    while (hio_next_event(p.loop, &event) == HIO_OK) {}
    OK(p.loop, hio_tick(p.loop, now, 0));
    OK(p.loop, hio_due(p.loop, now, &wait));
    CHECK(wait > 3500 * SECOND && wait <= 3600 * SECOND);
    CHECK(look(p.loop, p.far).tymeout_ns == 3600 * SECOND);
    OK(p.loop, hio_link_set_tymeout(p.loop, p.far, now, 10 * SECOND));
    OK(p.loop, hio_tick(p.loop, now, 0));
    OK(p.loop, hio_due(p.loop, now, &wait));
    CHECK(wait == 10 * SECOND);
    OK(p.loop, hio_tick(p.loop, now + 10 * SECOND - 1, 0));
    CHECK(hio_next_event(p.loop, &event) == HIO_NONE);
    // A moment that has passed is no step back.
    OK(p.loop, hio_link_refresh(p.loop, p.far, now + 9 * SECOND));
    OK(p.loop, hio_due(p.loop, now, &wait));
    OK(p.loop, hio_tick(p.loop, now + 20 * SECOND, 0));
    later = 20 * SECOND;
    event = next_of(p.loop, p.far, HIO_EVENT_CLOSED);
    CHECK(event.reason == HIO_REASON_IDLE_TIMED_OUT && strstr(event.text, "idle") != NULL);
    later = 0;
    free_pair(p);
}

// Nobody listens; then somebody does. Bytes queued meanwhile arrive, once.
static void dialled_again(void) {
    hio_loop loop = new_loop();
    hio_server server = listen_at(loop, "127.0.0.1:0", NULL);
    char *address = address_of(loop, server);
    OK(loop, hio_server_close(loop, server));
    hio_client_config config = {.size = sizeof config, .flags = HIO_RECONNECT, .tag = 5};
    config.reconnect_first_ns = SECOND / 100;
    config.reconnect_max_ns = SECOND / 50;
    config.reconnect_jitter_percent = HIO_NO_JITTER;
    hio_link link = 0;
    OK(loop, hio_connect(loop, now_ns(), address, &config, &link));
    send_text(loop, link, "late");
    for (uint32_t n = 1; n <= 3; n++) {
        hio_event event = expect_event(loop, HIO_EVENT_RETRYING);
        CHECK(event.link == link && event.tag == 5 && event.attempts == n);
        CHECK(event.reason == HIO_REASON_CONNECT_FAILED && event.detail == HIO_ERR_REFUSED);
        CHECK(event.wait_ns == (n == 1 ? SECOND / 100 : SECOND / 50));
    }
    server = listen_at(loop, address, NULL);
    OK(loop, hio_link_set_tag(loop, link, 6));
    hio_event event = next_of(loop, 0, HIO_EVENT_RECEIVED);
    expect_rx(loop, event.link, "late");
    OK(loop, hio_link_consume(loop, event.link, 4));
    // Lost: what was queued is dropped and told, and the link stands again.
    char *peer = address_of(loop, server);
    OK(loop, hio_link_abort(loop, event.link));
    event = next_of(loop, link, HIO_EVENT_RETRYING);
    CHECK(event.reason == HIO_REASON_RESET && event.tag == 6);
    event = next_of(loop, link, HIO_EVENT_CONNECTED);
    CHECK(strcmp(event.text, peer) == 0);
    char text[64];
    OK(loop, hio_link_peer(loop, link, text, sizeof text, NULL));
    CHECK(strcmp(text, peer) == 0);
    OK(loop, hio_link_close(loop, link));
    CHECK(next_of(loop, link, HIO_EVENT_CLOSED).reason == HIO_REASON_CLOSED);
    OK(loop, hio_loop_free(loop));
    free(address);
    free(peer);
}

// Without a policy a failure is the end; the handle lives until that was seen.
static void nobody_there(void) {
    hio_loop loop = new_loop();
    hio_server server = listen_at(loop, "127.0.0.1:0", NULL);
    char *address = address_of(loop, server);
    OK(loop, hio_server_close(loop, server));
    hio_link link = 0;
    OK(loop, hio_connect(loop, now_ns(), address, NULL, &link));
    send_text(loop, link, "to nobody");
    hio_event event = next_of(loop, link, HIO_EVENT_DROPPED);
    CHECK(event.unsent == 9 && event.unread == 0);
    event = expect_event(loop, HIO_EVENT_CLOSED);
    CHECK(event.link == link && event.detail == HIO_ERR_REFUSED);
    CHECK(strcmp(event.text, "cannot connect: connection refused") == 0);
    OK(loop, hio_connect(loop, now_ns(), "no-such-name.invalid:80", NULL, &link));
    CHECK(expect_event(loop, HIO_EVENT_CLOSED).detail == HIO_ERR_UNRESOLVABLE);
    OK(loop, hio_loop_free(loop));
    free(address);
}

// What was received before an end can be read after it; the server's end is told to each link.
static void closed_with_bytes_unread(void) {
    pair p = new_pair(0, NULL);
    send_text(p.loop, p.near, "unread");
    next_of(p.loop, p.far, HIO_EVENT_RECEIVED);
    OK(p.loop, hio_server_close(p.loop, p.server));
    expect_rx(p.loop, p.far, "unread");
    hio_event event = next_of(p.loop, p.far, HIO_EVENT_CLOSED);
    CHECK(event.reason == HIO_REASON_OWNER_CLOSED && event.server == p.server);
    expect_rx(p.loop, p.far, "unread");
    OK(p.loop, hio_link_consume(p.loop, p.far, 6));
    CHECK(hio_tick(p.loop, host_clock(), 0) >= 0);
    hio_link_info info = {.size = sizeof info};
    CHECK(hio_link_look(p.loop, p.far, &info) == HIO_ERR_HANDLE);
    free_pair(p);
}

static void drained(void) {
    pair p = new_pair(0, NULL);
    send_text(p.loop, p.far, "last words");
    OK(p.loop, hio_server_drain(p.loop, p.server));
    OK(p.loop, hio_server_drain(p.loop, p.server));
    CHECK(hio_link_tx(p.loop, p.far, "x", 1, NULL) == HIO_ERR_CLOSED);
    next_of(p.loop, p.near, HIO_EVENT_CUTOFF);
    expect_rx(p.loop, p.near, "last words");
    OK(p.loop, hio_link_consume(p.loop, p.near, 10));
    hio_event event = next_of(p.loop, 0, HIO_EVENT_SERVER_CLOSED);
    CHECK(event.server == p.server && event.link == 0);
    hio_link late = 0;
    OK(p.loop, hio_connect(p.loop, host_clock(), p.address, NULL, &late));
    CHECK(next_of(p.loop, late, HIO_EVENT_CLOSED).detail == HIO_ERR_REFUSED);
    CHECK(hio_server_close(p.loop, p.server) == HIO_ERR_HANDLE);
    // One without links is done at once.
    hio_server empty = listen_at(p.loop, "127.0.0.1:0", NULL);
    OK(p.loop, hio_server_drain(p.loop, empty));
    CHECK(next_of(p.loop, 0, HIO_EVENT_SERVER_CLOSED).server == empty);
    free_pair(p);
}

// A queue that is full takes a part, says how much, and tells of room.
static void full(void) {
    hio_limits limits = {.size = sizeof limits, .tx_cap = 1000, .rx_cap = 500};
    pair p = new_pair(0, &limits);
    char piece[1500];
    memset(piece, 'y', sizeof piece);
    size_t taken = 0, sent = 0, received = 0;
    EXPECT(p.loop, HIO_FULL, hio_link_tx(p.loop, p.near, piece, sizeof piece, &taken));
    CHECK(taken == 1000 && look(p.loop, p.near).pending == 1000);
    CHECK(look(p.loop, p.near).room == 0);
    EXPECT(p.loop, HIO_FULL, hio_link_tx(p.loop, p.near, piece, 1, &taken));
    CHECK(taken == 0);
    sent = 1000;
    // It was full, so it tells of room, although the socket takes it all at once.
    next_of(p.loop, p.near, HIO_EVENT_DRAINED);
    while (received < sent) {
        next_of(p.loop, p.far, HIO_EVENT_RECEIVED);
        size_t there = (size_t)look(p.loop, p.far).received;
        CHECK(there <= 500);
        OK(p.loop, hio_link_consume(p.loop, p.far, there));
        received += there;
    }
    free_pair(p);
}

// Events that nobody takes stop the service, and none is lost.
static void events_wait(void) {
    hio_loop_config config = {.size = sizeof config, .events_max = 4};
    hio_loop loop = 0;
    CHECK(hio_loop_new(now_ns(), &config, &loop) == HIO_OK);
    hio_limits limits = {.size = sizeof limits, .accepts_per_tick = 1};
    hio_server_config listening = {.size = sizeof listening, .limits = &limits};
    hio_server server = listen_at(loop, "127.0.0.1:0", &listening);
    char *address = address_of(loop, server);
    hio_loop clients = new_loop();
    for (int i = 0; i < 20; i++) {
        hio_link link = 0;
        OK(clients, hio_connect(clients, now_ns(), address, NULL, &link));
    }
    hio_status status = HIO_OK;
    for (int turn = 0; turn < 5000 && status != HIO_EVENTS; turn++) {
        CHECK(hio_tick(clients, now_ns(), 0) >= 0);
        status = hio_tick(loop, now_ns(), 0);
    }
    CHECK(status == HIO_EVENTS);
    uint64_t wait = 1;
    OK(loop, hio_due(loop, now_ns(), &wait));
    CHECK(wait == 0);
    hio_event event = {.size = sizeof event};
    int accepted = 0;
    for (int turn = 0; turn < 5000 && accepted < 20; turn++) {
        int took = 0;
        for (; hio_next_event(loop, &event) == HIO_OK; took++)
            accepted += event.kind == HIO_EVENT_ACCEPTED;
        CHECK(took <= 4);
        CHECK(hio_tick(loop, now_ns(), 0) >= 0);
    }
    CHECK(accepted == 20);
    OK(clients, hio_loop_free(clients));
    OK(loop, hio_loop_free(loop));
    free(address);
}

static void *interrupt_it(void *loop) {
    struct timespec pause = {0, 50000000};
    for (int i = 0; i < 200; i++) {
        nanosleep(&pause, NULL);
        if (hio_interrupt(*(hio_loop *)loop) != HIO_OK) break;
    }
    return NULL;
}

static void *others(void *loop) {
    struct timespec pause = {0, 100000000};
    nanosleep(&pause, NULL);
    hio_status *status = malloc(sizeof *status);
    CHECK(status != NULL);
    *status = hio_tick(*(hio_loop *)loop, 0, 0);
    CHECK(strstr(hio_last_error(*(hio_loop *)loop), "another thread") != NULL);
    CHECK(hio_interrupt(*(hio_loop *)loop) == HIO_OK);
    return status;
}

// A sleep without end is ended from another thread, which may not enter the loop meanwhile.
static void sleep_and_threads(void) {
    hio_loop loop = new_loop();
    pthread_t thread;
    void *status = NULL;
    CHECK(pthread_create(&thread, NULL, others, &loop) == 0);
    OK(loop, hio_wait(loop, HIO_FOREVER));
    CHECK(pthread_join(thread, &status) == 0);
    CHECK(*(hio_status *)status == HIO_ERR_BUSY);
    free(status);

    // A foreign loop: the descriptor says when to tick. The loop moves to another thread, and back.
    int fd = -1;
    OK(loop, hio_poll_fd(loop, &fd));
    hio_server server = listen_at(loop, "127.0.0.1:0", NULL);
    char *address = address_of(loop, server);
    hio_loop clients = new_loop();
    hio_link link = 0;
    OK(clients, hio_connect(clients, now_ns(), address, NULL, &link));
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    CHECK(poll(&watched, 1, 5000) == 1);
    OK(loop, hio_tick(loop, now_ns(), 0));
    CHECK(expect_event(loop, HIO_EVENT_ACCEPTED).server == server);
    CHECK(pthread_create(&thread, NULL, interrupt_it, &loop) == 0);
    OK(loop, hio_wait(loop, HIO_FOREVER));
    OK(loop, hio_loop_free(loop));
    CHECK(pthread_join(thread, NULL) == 0);
    OK(clients, hio_loop_free(clients));
    free(address);
}

int main(void) {
    half_close();
    handed_time();
    dialled_again();
    nobody_there();
    closed_with_bytes_unread();
    drained();
    full();
    events_wait();
    sleep_and_threads();
    printf("all lives went as they should\n");
    return 0;
}
