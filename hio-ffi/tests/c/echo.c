// Goal: an echo server and its clients, stepped from C, carry every byte: plain, TLS, Unix.
// Method: `echo ADDRESS CONNS BYTES BUDGET [CERT KEY CA]`: server and clients in two loops of one
// program; each client sends BYTES that are told apart from all others, checks what comes back, ends
// its side, and must see an orderly end. With CERT the files are given by path and by content.
#include "common.h"

typedef struct client {
    hio_link link;
    uint64_t sent, received;
    int shut, closed;
} client;

static uint64_t conns, bytes, budget, served, echoed;

// What was received goes back; what the queue does not take stays received.
static void echo(hio_loop loop, hio_link link) {
    const uint8_t *data = NULL;
    size_t len = 0, taken = 0;
    OK(loop, hio_link_rx(loop, link, &data, &len));
    hio_status status = hio_link_tx(loop, link, data, len, &taken);
    if (status == HIO_ERR_CLOSED) return;
    CHECK(status == (taken == len ? HIO_OK : HIO_FULL));
    OK(loop, hio_link_consume(loop, link, taken));
    echoed += taken;
}

static void serve(hio_loop loop) {
    hio_event event = {.size = sizeof event};
    while (hio_next_event(loop, &event) == HIO_OK) {
        CHECK(event.tag == 7 && event.server != 0);
        switch (event.kind) {
        case HIO_EVENT_ACCEPTED:
            served++;
            break;
        case HIO_EVENT_RECEIVED:
        case HIO_EVENT_DRAINED:
            echo(loop, event.link);
            break;
        case HIO_EVENT_CLOSED:
            if (event.reason != HIO_REASON_PEER_CLOSED && event.reason != HIO_REASON_CLOSED) {
                fprintf(stderr, "server: link ended: %s\n", event.text);
                exit(1);
            }
            break;
        case HIO_EVENT_SECURED:
        case HIO_EVENT_CUTOFF:
            break;
        default:
            fprintf(stderr, "server: event %d: %s\n", (int)event.kind, event.text);
            exit(1);
        }
    }
}

static void feed(hio_loop loop, client *c, uint64_t number) {
    uint8_t piece[1500];
    while (c->sent < bytes) {
        size_t len = 0, taken = 0;
        while (len < sizeof piece && c->sent + len < bytes) {
            piece[len] = byte_of(number, c->sent + len);
            len++;
        }
        hio_status status = hio_link_tx(loop, c->link, piece, len, &taken);
        CHECK(status == HIO_OK || status == HIO_FULL);
        c->sent += taken;
        if (status == HIO_FULL) return;
    }
    if (!c->shut) {
        c->shut = 1;
        OK(loop, hio_link_shutdown(loop, c->link));
        EXPECT(loop, HIO_ERR_SHUT, hio_link_tx(loop, c->link, "x", 1, NULL));
    }
}

static void verify(hio_loop loop, client *c, uint64_t number) {
    const uint8_t *data = NULL;
    size_t len = 0;
    OK(loop, hio_link_rx(loop, c->link, &data, &len));
    for (size_t i = 0; i < len; i++) CHECK(data[i] == byte_of(number, c->received + i));
    c->received += len;
    CHECK(c->received <= bytes);
    OK(loop, hio_link_consume(loop, c->link, len));
}

static uint64_t closed;

static void attend(hio_loop loop, client *clients) {
    hio_event event = {.size = sizeof event};
    while (hio_next_event(loop, &event) == HIO_OK) {
        CHECK(event.tag < conns && event.server == 0);
        client *c = &clients[event.tag];
        CHECK(c->link == event.link);
        switch (event.kind) {
        case HIO_EVENT_DRAINED:
            feed(loop, c, event.tag);
            break;
        case HIO_EVENT_RECEIVED:
            verify(loop, c, event.tag);
            break;
        case HIO_EVENT_CLOSED:
            if (event.reason != HIO_REASON_PEER_CLOSED && event.reason != HIO_REASON_CLOSED) {
                fprintf(stderr, "client: link ended: %s\n", event.text);
                exit(1);
            }
            verify(loop, c, event.tag);
            CHECK(!c->closed && c->received == bytes);
            CHECK(look(loop, c->link).flags & HIO_LINK_CLOSED);
            c->closed = 1;
            closed++;
            break;
        case HIO_EVENT_CONNECTED:
        case HIO_EVENT_SECURED:
        case HIO_EVENT_CUTOFF:
            break;
        default:
            fprintf(stderr, "client: event %d: %s\n", (int)event.kind, event.text);
            exit(1);
        }
    }
}

static char *content(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    char *all = malloc(65536);
    CHECK(all != NULL);
    *len = fread(all, 1, 65536, file);
    CHECK(*len > 0 && *len < 65536);
    fclose(file);
    return all;
}

static hio_tls server_tls(hio_loop loop, char **files) {
    hio_tls tls = 0;
    hio_server_tls config = {.size = sizeof config, .alpn = "echo"};
    config.certificate.path = files[0];
    config.key.path = files[1];
    OK(loop, hio_tls_server_new(loop, &config, &tls));
    return tls;
}

static hio_tls client_tls(hio_loop loop, char **files) {
    hio_tls tls = 0;
    hio_client_tls config = {.size = sizeof config, .name = "localhost", .alpn = "other,echo"};
    char *ca = content(files[2], &config.ca.len);
    config.ca.bytes = ca;
    OK(loop, hio_tls_client_new(loop, &config, &tls));
    free(ca);
    return tls;
}

static void check_tls(hio_loop loop, hio_link link) {
    hio_tls_info info = {.size = sizeof info};
    OK(loop, hio_link_tls(loop, link, &info));
    CHECK(info.version == 0x0304 && info.certificate_len > 100 && info.certificate[0] == 0x30);
    CHECK(info.alpn_len == 4 && memcmp(info.alpn, "echo", 4) == 0);
    CHECK(look(loop, link).flags & HIO_LINK_SECURE);
}

int main(int argc, char **argv) {
    CHECK(argc == 5 || argc == 8);
    CHECK(hio_abi() == HIO_ABI);
    conns = strtoull(argv[2], NULL, 10);
    bytes = strtoull(argv[3], NULL, 10);
    budget = strtoull(argv[4], NULL, 10);
    int secure = argc == 8;
    hio_loop serving = new_loop(), dialling = new_loop();

    // Small caps, so that queues fill and drain.
    hio_limits limits = {.size = sizeof limits, .tx_cap = 20000, .rx_cap = 10000};
    hio_server_config listening = {.size = sizeof listening, .limits = &limits, .tag = 7};
    if (secure) listening.tls = server_tls(serving, argv + 5);
    hio_server server = listen_at(serving, argv[1], &listening);
    if (secure) OK(serving, hio_tls_free(serving, listening.tls));
    char *address = address_of(serving, server);

    client *clients = calloc(conns, sizeof *clients);
    CHECK(clients != NULL);
    hio_client_config dial = {.size = sizeof dial, .limits = &limits};
    if (secure) dial.tls = client_tls(dialling, argv + 5);
    for (uint64_t i = 0; i < conns; i++) {
        dial.tag = i;
        OK(dialling, hio_connect(dialling, now_ns(), address, &dial, &clients[i].link));
        feed(dialling, &clients[i], i);
    }

    int checked = 0;
    uint64_t more = 0;
    for (uint64_t turn = 0; closed < conns; turn++) {
        CHECK(turn < 1000000);
        uint64_t a = 0, b = 0, now = now_ns();
        OK(serving, hio_due(serving, now, &a));
        OK(dialling, hio_due(dialling, now, &b));
        if (a > 0 && b > 0) {
            uint64_t wait = a < b ? a : b;
            OK(dialling, hio_wait(dialling, wait < SECOND / 1000 ? wait : SECOND / 1000));
        }
        hio_status status = hio_tick(serving, now_ns(), budget);
        CHECK(status == HIO_OK || status == HIO_MORE);
        more += status == HIO_MORE;
        serve(serving);
        OK(serving, hio_flush(serving, now_ns()));
        OK(dialling, hio_tick(dialling, now_ns(), 0));
        attend(dialling, clients);
        if (secure && !checked && clients[0].received > 0 && !clients[0].closed) {
            check_tls(dialling, clients[0].link);
            checked = 1;
        }
    }
    CHECK((more > 0) == (budget > 0));
    CHECK(served == conns && echoed == conns * bytes);
    CHECK(!secure || checked || bytes < 30000);

    // The server's last events, and nobody is left.
    hio_stats stats = {.size = sizeof stats};
    for (int turn = 0; turn < 5000; turn++) {
        OK(serving, hio_wait(serving, SECOND / 1000));
        CHECK(hio_tick(serving, now_ns(), budget) >= 0);
        serve(serving);
        OK(serving, hio_server_stats(serving, server, &stats));
        if (stats.links == 0) break;
    }
    CHECK(stats.links == 0 && stats.opened == conns && stats.closed == conns);
    CHECK(stats.received == conns * bytes && stats.sent == conns * bytes && stats.unsent == 0);
    // All handles of links are spent.
    OK(dialling, hio_tick(dialling, now_ns(), 0));
    for (uint64_t i = 0; i < conns; i++) {
        hio_link_info info = {.size = sizeof info};
        EXPECT(dialling, HIO_ERR_HANDLE, hio_link_look(dialling, clients[i].link, &info));
    }
    free(clients);
    free(address);
    OK(serving, hio_loop_free(serving));
    OK(dialling, hio_loop_free(dialling));
    printf("%llu connections, %llu bytes each way, %llu ticks cut by the budget\n",
           (unsigned long long)conns, (unsigned long long)(conns * bytes),
           (unsigned long long)more);
    return 0;
}
