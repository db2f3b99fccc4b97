// Goal: whatever a caller gets wrong is a status with a text, and nothing else happens.
// Method: null, stale, made-up and mistaken handles, bad texts, sizes, flags and limits, double
// frees, one after the other; what is right goes on working.
#include "common.h"

static hio_link connect_to(hio_loop loop, const char *to) {
    hio_link link = 0;
    OK(loop, hio_connect(loop, now_ns(), to, NULL, &link));
    return link;
}

static void texts(void) {
    CHECK(strcmp(hio_status_text(HIO_OK), "done") == 0);
    CHECK(strcmp(hio_status_text(12345), "unknown status") == 0);
    CHECK(strcmp(hio_status_text(INT32_MIN), "unknown status") == 0);
    CHECK(strlen(hio_version()) >= 5);
    CHECK(strstr(hio_last_error(0), "no loop") != NULL);
}

static void loops(void) {
    hio_loop loop = 99;
    CHECK(hio_loop_new(0, NULL, NULL) == HIO_ERR_NULL);
    CHECK(hio_loop_new(HIO_FOREVER, NULL, &loop) == HIO_ERR_ARGUMENT);
    hio_loop_config config = {.size = 0};
    CHECK(hio_loop_new(0, &config, &loop) == HIO_ERR_ARGUMENT);
    config.size = sizeof config;
    config.resolver_threads = 1000000;
    CHECK(hio_loop_new(0, &config, &loop) == HIO_ERR_ARGUMENT);
    CHECK(loop == 99);

    loop = new_loop();
    hio_loop other = new_loop();
    CHECK(loop != other);
    OK(loop, hio_loop_free(loop));
    CHECK(hio_loop_free(loop) == HIO_ERR_HANDLE);
    hio_loop again = new_loop();
    CHECK(again != loop);
    CHECK(hio_loop_free(loop) == HIO_ERR_HANDLE);
    CHECK(hio_tick(loop, now_ns(), 0) == HIO_ERR_HANDLE);
    CHECK(hio_interrupt(loop) == HIO_ERR_HANDLE);
    for (uint64_t bit = 0; bit < 64; bit++) {
        hio_loop wrong = other ^ (1ull << bit);
        if (wrong != again) CHECK(hio_flush(wrong, now_ns()) == HIO_ERR_HANDLE);
    }
    OK(other, hio_loop_free(other));
    OK(again, hio_loop_free(again));

    // As many as there can be, and one more.
    hio_loop many[64];
    for (int i = 0; i < 64; i++) many[i] = new_loop();
    for (int i = 0; i < 64; i++) CHECK(hio_loop_free(many[i]) == HIO_OK);
    for (int i = 0; i < 64; i++) CHECK(hio_loop_free(many[i]) == HIO_ERR_HANDLE);
}

static void addresses(hio_loop loop) {
    hio_server server = 99;
    hio_link link = 99;
    static const char *const bad[] = {"",           "nowhere",      "127.0.0.1",   "127.0.0.1:",
                                      ":+5",        "127.0.0.1:-1", "[::1:80",     "h:65536",
                                      "h:99999999", "unix:",        "udp:1.2.3.4:5", "unixgram:/x",
                                      "unix:(unnamed)"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hio_status status = hio_listen(loop, bad[i], NULL, &server);
        if (status != HIO_ERR_ADDRESS) fprintf(stderr, "%s: %d\n", bad[i], (int)status);
        CHECK(status == HIO_ERR_ADDRESS);
        CHECK(hio_connect(loop, now_ns(), bad[i], NULL, &link) == HIO_ERR_ADDRESS);
        CHECK(strlen(hio_last_error(loop)) > 0);
    }
    CHECK(hio_listen(loop, NULL, NULL, &server) == HIO_ERR_NULL);
    CHECK(hio_listen(loop, "127.0.0.1:0", NULL, NULL) == HIO_ERR_NULL);
    CHECK(hio_connect(loop, now_ns(), NULL, NULL, &link) == HIO_ERR_NULL);
    CHECK(hio_connect(loop, now_ns(), "127.0.0.1:1", NULL, NULL) == HIO_ERR_NULL);
    CHECK(hio_connect(loop, HIO_FOREVER, "127.0.0.1:1", NULL, &link) == HIO_ERR_ARGUMENT);
    CHECK(hio_listen(loop, "127.0.0.1:0\xff", NULL, &server) == HIO_ERR_TEXT);

    // Too long: in the interface, and for the system. Exactly as much as goes is read.
    char *text = malloc(HIO_TEXT_MAX + 2);
    CHECK(text != NULL);
    memset(text, 'x', HIO_TEXT_MAX + 1);
    text[HIO_TEXT_MAX + 1] = 0;
    CHECK(hio_listen(loop, text, NULL, &server) == HIO_ERR_ARGUMENT);
    CHECK(strstr(hio_last_error(loop), "4096") != NULL);
    text[HIO_TEXT_MAX] = 0;
    CHECK(hio_listen(loop, text, NULL, &server) == HIO_ERR_ADDRESS);
    memcpy(text, "unix:", 5);
    text[300] = 0;
    CHECK(hio_listen(loop, text, NULL, &server) == HIO_ERR_PATH_TOO_LONG);
    free(text);

    CHECK(hio_listen(loop, "unix:/there/is/no/such/place", NULL, &server) == HIO_ERR_NOT_FOUND);
    CHECK(hio_listen(loop, "192.0.2.1:0", NULL, &server) == HIO_ERR_ADDR_NOT_AVAILABLE);
    CHECK(hio_listen(loop, "no-such-name.invalid:80", NULL, &server) == HIO_ERR_UNRESOLVABLE);
    CHECK(server == 99 && link == 99);

    server = listen_at(loop, "127.0.0.1:0", NULL);
    char *address = address_of(loop, server);
    hio_server second = 0;
    CHECK(hio_listen(loop, address, NULL, &second) == HIO_ERR_ADDR_IN_USE);
    CHECK(second == 0);
    OK(loop, hio_server_close(loop, server));
    free(address);

    CHECK(hio_add_name(loop, NULL, "127.0.0.1") == HIO_ERR_NULL);
    CHECK(hio_add_name(loop, "name", "127.0.0") == HIO_ERR_ADDRESS);
    CHECK(hio_add_name(loop, "name", "") == HIO_ERR_ADDRESS);
    OK(loop, hio_add_name(loop, "my.name", "127.0.0.1, ::1"));
    server = listen_at(loop, "my.name:0", NULL);
    OK(loop, hio_server_close(loop, server));
}

static void configs(hio_loop loop) {
    hio_server server = 99;
    hio_link link = 99;
    hio_server_config listening = {.size = 0};
    CHECK(hio_listen(loop, "127.0.0.1:0", &listening, &server) == HIO_ERR_ARGUMENT);
    CHECK(strstr(hio_last_error(loop), "hio_server_config.size") != NULL);
    listening.size = sizeof listening;
    listening.flags = HIO_RECONNECT;
    CHECK(hio_listen(loop, "127.0.0.1:0", &listening, &server) == HIO_ERR_ARGUMENT);
    listening.flags = 0x80000000u;
    CHECK(hio_listen(loop, "127.0.0.1:0", &listening, &server) == HIO_ERR_ARGUMENT);
    listening.flags = 0;
    listening.tls = 12345;
    CHECK(hio_listen(loop, "127.0.0.1:0", &listening, &server) == HIO_ERR_HANDLE);
    listening.tls = 0;

    hio_limits limits = {.size = sizeof limits - 1};
    listening.limits = &limits;
    CHECK(hio_listen(loop, "127.0.0.1:0", &listening, &server) == HIO_ERR_ARGUMENT);
    limits.size = sizeof limits;
    limits.rx_cap = UINT64_MAX;
    CHECK(hio_listen(loop, "127.0.0.1:0", &listening, &server) == HIO_ERR_LIMITS);
    CHECK(strstr(hio_last_error(loop), "rx_cap") != NULL);
    limits.rx_cap = 0;
    limits.accept_pause_ns = 1;
    CHECK(hio_listen(loop, "127.0.0.1:0", &listening, &server) == HIO_ERR_LIMITS);

    hio_client_config dial = {.size = sizeof dial, .flags = HIO_RECONNECT};
    dial.reconnect_jitter_percent = 101;
    CHECK(hio_connect(loop, now_ns(), "127.0.0.1:1", &dial, &link) == HIO_ERR_LIMITS);
    dial.reconnect_jitter_percent = 0;
    dial.flags = HIO_REUSE_PORT;
    CHECK(hio_connect(loop, now_ns(), "127.0.0.1:1", &dial, &link) == HIO_ERR_ARGUMENT);
    // A structure of a later version, with a field that this one does not know.
    struct later {
        hio_client_config now;
        uint64_t field;
    } later = {.now = {.size = sizeof later}, .field = 1};
    CHECK(hio_connect(loop, now_ns(), "127.0.0.1:1", &later.now, &link) == HIO_ERR_UNSUPPORTED);
    CHECK(server == 99 && link == 99);
    later.field = 0;
    OK(loop, hio_connect(loop, now_ns(), "127.0.0.1:1", &later.now, &link));
    OK(loop, hio_link_abort(loop, link));
    hio_event event = wait_event(loop);
    CHECK(event.kind == HIO_EVENT_CLOSED && event.link == link);

    // Misaligned, and too short, results.
    _Alignas(16) char room[sizeof(hio_event) + 16];
    memset(room, 0, sizeof room);
    CHECK(hio_next_event(loop, NULL) == HIO_ERR_NULL);
    CHECK(hio_next_event(loop, (hio_event *)(void *)room) == HIO_ERR_ARGUMENT);
    event.size = sizeof event - 1;
    CHECK(hio_next_event(loop, &event) == HIO_ERR_ARGUMENT);
    CHECK(hio_due(loop, now_ns(), NULL) == HIO_ERR_NULL);
    CHECK(hio_poll_fd(loop, NULL) == HIO_ERR_NULL);
    CHECK(hio_tick(loop, HIO_FOREVER, 0) == HIO_ERR_ARGUMENT);
}

// Every call that takes a link, with one that is not.
static void no_link(hio_loop loop, hio_link link) {
    const uint8_t *data = NULL;
    size_t len = 0;
    char text[8];
    hio_link_info info = {.size = sizeof info};
    hio_tls_info tls = {.size = sizeof tls};
    CHECK(hio_link_rx(loop, link, &data, &len) == HIO_ERR_HANDLE);
    CHECK(hio_link_consume(loop, link, 0) == HIO_ERR_HANDLE);
    CHECK(hio_link_tx(loop, link, "x", 1, &len) == HIO_ERR_HANDLE);
    CHECK(hio_link_shutdown(loop, link) == HIO_ERR_HANDLE);
    CHECK(hio_link_close(loop, link) == HIO_ERR_HANDLE);
    CHECK(hio_link_abort(loop, link) == HIO_ERR_HANDLE);
    CHECK(hio_link_hold(loop, link, 1) == HIO_ERR_HANDLE);
    CHECK(hio_link_set_tag(loop, link, 1) == HIO_ERR_HANDLE);
    CHECK(hio_link_set_tymeout(loop, link, now_ns(), 1) == HIO_ERR_HANDLE);
    CHECK(hio_link_refresh(loop, link, now_ns()) == HIO_ERR_HANDLE);
    CHECK(hio_link_look(loop, link, &info) == HIO_ERR_HANDLE);
    CHECK(hio_link_peer(loop, link, text, sizeof text, NULL) == HIO_ERR_HANDLE);
    CHECK(hio_link_tls(loop, link, &tls) == HIO_ERR_HANDLE);
    CHECK(data == NULL && len == 0);
}

static void no_server(hio_loop loop, hio_server server) {
    char text[8];
    hio_stats stats = {.size = sizeof stats};
    CHECK(hio_server_address(loop, server, text, sizeof text, NULL) == HIO_ERR_HANDLE);
    CHECK(hio_server_stats(loop, server, &stats) == HIO_ERR_HANDLE);
    CHECK(hio_server_stop_listening(loop, server) == HIO_ERR_HANDLE);
    CHECK(hio_server_drain(loop, server) == HIO_ERR_HANDLE);
    CHECK(hio_server_close(loop, server) == HIO_ERR_HANDLE);
    CHECK(hio_server_set_tls(loop, server, 0) == HIO_ERR_HANDLE);
}

static void handles(hio_loop loop) {
    hio_server server = listen_at(loop, "127.0.0.1:0", NULL);
    char *address = address_of(loop, server);
    hio_link link = connect_to(loop, address);
    hio_loop other = new_loop();
    hio_server elsewhere = listen_at(other, "127.0.0.1:0", NULL);
    hio_link far = connect_to(other, address);

    // Mistaken for one another, of another loop, made up.
    no_link(loop, server);
    no_server(loop, link);
    no_link(loop, 0);
    no_server(loop, 0);
    no_link(loop, UINT64_MAX);
    no_link(loop, loop);
    no_link(loop, far);
    no_server(loop, elsewhere);
    no_link(0, link);
    no_link(loop, link + 1);
    CHECK(hio_tls_free(loop, link) == HIO_ERR_HANDLE);
    CHECK(hio_link_start_tls(loop, link, 5) == HIO_ERR_HANDLE);
    OK(other, hio_loop_free(other));
    no_link(other, far);
    // A new loop in the same place, and the same table, must not know the old one's links.
    other = new_loop();
    listen_at(other, "127.0.0.1:0", NULL);
    connect_to(other, address);
    no_link(other, far);
    no_server(other, elsewhere);
    OK(other, hio_loop_free(other));

    // Pointers and numbers of a link that is good.
    const uint8_t *data = NULL;
    size_t len = 0;
    CHECK(hio_link_rx(loop, link, NULL, &len) == HIO_ERR_NULL);
    CHECK(hio_link_rx(loop, link, &data, NULL) == HIO_ERR_NULL);
    CHECK(hio_link_tx(loop, link, NULL, 1, NULL) == HIO_ERR_NULL);
    CHECK(hio_link_tx(loop, link, "x", SIZE_MAX, NULL) == HIO_ERR_ARGUMENT);
    OK(loop, hio_link_tx(loop, link, NULL, 0, NULL));
    CHECK(hio_link_consume(loop, link, 1) == HIO_ERR_ARGUMENT);
    CHECK(hio_link_consume(loop, link, SIZE_MAX) == HIO_ERR_ARGUMENT);
    CHECK(hio_link_hold(loop, link, 2) == HIO_ERR_ARGUMENT);
    CHECK(hio_link_peer(loop, link, NULL, 5, NULL) == HIO_ERR_NULL);

    // Double closing; a handle is good until its last event was taken and a tick has passed.
    OK(loop, hio_link_close(loop, link));
    OK(loop, hio_link_close(loop, link));
    OK(loop, hio_link_abort(loop, link));
    hio_event event;
    do event = wait_event(loop);
    while (event.link != link || event.kind != HIO_EVENT_CLOSED);
    OK(loop, hio_link_close(loop, link));
    CHECK(hio_link_tx(loop, link, "x", 1, NULL) == HIO_ERR_CLOSED);
    CHECK(hio_link_shutdown(loop, link) == HIO_ERR_CLOSED);
    CHECK(look(loop, link).reason == event.reason);
    CHECK(hio_tick(loop, now_ns(), 0) >= 0);
    no_link(loop, link);

    OK(loop, hio_server_close(loop, server));
    no_server(loop, server);
    CHECK(hio_server_close(loop, server) == HIO_ERR_HANDLE);
    free(address);
}

static void tls(hio_loop loop) {
    hio_tls tls = 99;
    hio_server_tls config = {.size = sizeof config};
    CHECK(hio_tls_server_new(loop, NULL, &tls) == HIO_ERR_NULL);
    CHECK(hio_tls_server_new(loop, &config, NULL) == HIO_ERR_NULL);
    CHECK(hio_tls_server_new(loop, &config, &tls) == HIO_ERR_TLS);
    CHECK(strstr(hio_last_error(loop), "certificate") != NULL);
    config.certificate.path = "/there/is/no/such/file.pem";
    config.key.path = config.certificate.path;
    CHECK(hio_tls_server_new(loop, &config, &tls) == HIO_ERR_TLS);
    CHECK(strstr(hio_last_error(loop), "/there/is/no/such/file.pem") != NULL);
    config.certificate.bytes = "x";
    config.certificate.len = 1;
    CHECK(hio_tls_server_new(loop, &config, &tls) == HIO_ERR_ARGUMENT);
    config.certificate.path = NULL;
    CHECK(hio_tls_server_new(loop, &config, &tls) == HIO_ERR_TLS);
    config.certificate.bytes = NULL;
    CHECK(hio_tls_server_new(loop, &config, &tls) == HIO_ERR_NULL);
    config.alpn = "a,,b";
    config.certificate.len = 0;
    CHECK(hio_tls_server_new(loop, &config, &tls) == HIO_ERR_ARGUMENT);
    config.flags = HIO_TLS_ANY_NAME;
    CHECK(hio_tls_server_new(loop, &config, &tls) == HIO_ERR_ARGUMENT);
    hio_client_tls trust = {.size = sizeof trust};
    CHECK(hio_tls_client_new(loop, &trust, &tls) == HIO_ERR_TLS);
    trust.reserved = 1;
    CHECK(hio_tls_client_new(loop, &trust, &tls) == HIO_ERR_ARGUMENT);
    CHECK(tls == 99);
    CHECK(hio_tls_free(loop, tls) == HIO_ERR_HANDLE);
}

int main(void) {
    texts();
    loops();
    hio_loop loop = new_loop();
    addresses(loop);
    configs(loop);
    handles(loop);
    tls(loop);
    OK(loop, hio_loop_free(loop));
    CHECK(hio_loop_free(loop) == HIO_ERR_HANDLE);
    printf("all misuse was refused\n");
    return 0;
}
