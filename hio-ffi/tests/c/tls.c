// Goal: TLS from C: who is who, who is refused and why, taking it up later, a new certificate.
// Method: `tls CERT KEY CA CLIENT_CERT CLIENT_KEY OTHER_CA`, all PEM files; server and client in one
// loop.
#include "common.h"

static char **files;

static hio_tls serve_with(hio_loop loop, int ask, uint32_t flags) {
    hio_tls tls = 0;
    hio_server_tls config = {.size = sizeof config, .flags = flags};
    config.certificate.path = files[0];
    config.key.path = files[1];
    if (ask) config.client_ca.path = files[2];
    OK(loop, hio_tls_server_new(loop, &config, &tls));
    return tls;
}

static hio_tls dial_with(hio_loop loop, const char *ca, int own, const char *name) {
    hio_tls tls = 0;
    hio_client_tls config = {.size = sizeof config, .name = name};
    config.ca.path = ca;
    if (own) {
        config.certificate.path = files[3];
        config.key.path = files[4];
    }
    OK(loop, hio_tls_client_new(loop, &config, &tls));
    return tls;
}

// Dials and waits until the handshake is over on both ends, or either end is closed.
static hio_event shake(hio_loop loop, hio_server server, hio_tls tls, hio_link *near,
                       hio_link *far) {
    char *address = address_of(loop, server);
    hio_client_config config = {.size = sizeof config, .tls = tls};
    OK(loop, hio_connect(loop, now_ns(), address, &config, near));
    free(address);
    hio_event event;
    int secured = 0;
    do {
        event = wait_event(loop);
        if (event.kind == HIO_EVENT_ACCEPTED) *far = event.link;
        secured += event.kind == HIO_EVENT_SECURED;
    } while (secured < 2 && !(event.kind == HIO_EVENT_CLOSED && event.link == *near));
    return event;
}

static void both_known(hio_loop loop) {
    hio_server_config config = {.size = sizeof config, .tls = serve_with(loop, 1, 0)};
    hio_server server = listen_at(loop, "localhost:0", &config);
    hio_tls known = dial_with(loop, files[2], 1, "localhost");
    hio_link near = 0, far = 0;
    CHECK(shake(loop, server, known, &near, &far).kind == HIO_EVENT_SECURED);
    hio_tls_info info = {.size = sizeof info};
    OK(loop, hio_link_tls(loop, far, &info));
    CHECK(info.version == 0x0304 && info.certificate_len > 100 && info.alpn == NULL);
    CHECK(info.server_name_len == 9 && memcmp(info.server_name, "localhost", 9) == 0);
    // Again, with the session: what it takes has come by the time a byte has.
    OK(loop, hio_link_tx(loop, far, "x", 1, NULL));
    hio_event event;
    do event = wait_event(loop);
    while (event.kind != HIO_EVENT_RECEIVED || event.link != near);
    OK(loop, hio_link_close(loop, near));
    do event = wait_event(loop);
    while (event.kind != HIO_EVENT_CLOSED || event.link != near);
    CHECK(event.reason == HIO_REASON_CLOSED || event.reason == HIO_REASON_PEER_CLOSED);
    CHECK(shake(loop, server, known, &near, &far).kind == HIO_EVENT_SECURED);
    OK(loop, hio_link_tls(loop, near, &info));
    CHECK(info.resumed == 1);
    OK(loop, hio_tls_free(loop, known));
    CHECK(hio_tls_free(loop, known) == HIO_ERR_HANDLE);
    // A handle of one side is none of the other.
    hio_link link = 0;
    hio_client_config dial = {.size = sizeof dial, .tls = config.tls};
    CHECK(hio_connect(loop, now_ns(), "127.0.0.1:1", &dial, &link) == HIO_ERR_ARGUMENT);
    OK(loop, hio_server_close(loop, server));
}

static void refused(hio_loop loop) {
    hio_server_config config = {.size = sizeof config, .tls = serve_with(loop, 0, 0)};
    hio_server server = listen_at(loop, "127.0.0.1:0", &config);
    hio_link near = 0, far = 0;
    hio_event event = shake(loop, server, dial_with(loop, files[5], 0, "localhost"), &near, &far);
    CHECK(event.reason == HIO_REASON_TLS && event.detail == HIO_TLS_UNKNOWN_ISSUER);
    event = shake(loop, server, dial_with(loop, files[2], 0, "example.org"), &near, &far);
    CHECK(event.reason == HIO_REASON_TLS && event.detail == HIO_TLS_WRONG_NAME);
    CHECK(strstr(event.text, "another name") != NULL);
    // The server refuses a client without a certificate: the client hears the alert.
    OK(loop, hio_server_set_tls(loop, server, serve_with(loop, 1, HIO_TLS_13_ONLY)));
    hio_link_info info = {.size = sizeof info};
    event = shake(loop, server, dial_with(loop, files[2], 0, "localhost"), &near, &far);
    while (event.kind != HIO_EVENT_CLOSED || event.link != near) event = wait_event(loop);
    CHECK(event.reason == HIO_REASON_TLS && event.detail == HIO_TLS_ALERT + 116);
    OK(loop, hio_link_look(loop, near, &info));
    CHECK(info.reason == HIO_REASON_TLS && info.detail == HIO_TLS_ALERT + 116);
    // One without TLS is told apart, too.
    event = shake(loop, server, 0, &near, &far);
    (void)event;
    OK(loop, hio_server_close(loop, server));
}

// A link that begins plain takes TLS up.
static void later_on(hio_loop loop) {
    hio_server server = listen_at(loop, "127.0.0.1:0", NULL);
    char *address = address_of(loop, server);
    hio_link near = 0, far = 0;
    OK(loop, hio_connect(loop, now_ns(), address, NULL, &near));
    hio_tls there = serve_with(loop, 0, 0), here = dial_with(loop, files[2], 0, "localhost");
    CHECK(hio_link_start_tls(loop, near, there) == HIO_ERR_ARGUMENT);
    hio_event event;
    do event = wait_event(loop);
    while (event.kind != HIO_EVENT_ACCEPTED);
    far = event.link;
    while (!(look(loop, near).flags & HIO_LINK_CONNECTED)) OK(loop, hio_tick(loop, now_ns(), 0));
    // Not with bytes that came before and were not looked at.
    OK(loop, hio_link_tx(loop, near, "plain", 5, NULL));
    do event = wait_event(loop);
    while (event.kind != HIO_EVENT_RECEIVED);
    CHECK(hio_link_start_tls(loop, far, there) == HIO_ERR_STATE);
    CHECK(strstr(hio_last_error(loop), "5 bytes") != NULL);
    OK(loop, hio_link_consume(loop, far, 5));
    hio_tls_info info = {.size = sizeof info};
    CHECK(hio_link_tls(loop, near, &info) == HIO_ERR_STATE);
    OK(loop, hio_link_start_tls(loop, far, there));
    OK(loop, hio_link_start_tls(loop, near, here));
    CHECK(hio_link_start_tls(loop, near, here) == HIO_ERR_STATE);
    OK(loop, hio_link_tx(loop, near, "secret", 6, NULL));
    int secured = 0;
    while (secured < 2 || look(loop, far).received < 6)
        secured += wait_event(loop).kind == HIO_EVENT_SECURED;
    OK(loop, hio_link_tls(loop, near, &info));
    OK(loop, hio_server_close(loop, server));
    free(address);
}

int main(int argc, char **argv) {
    CHECK(argc == 7);
    files = argv + 1;
    hio_loop loop = new_loop();
    both_known(loop);
    hio_event event = {.size = sizeof event};
    while (hio_next_event(loop, &event) == HIO_OK) {}
    OK(loop, hio_loop_free(loop));
    loop = new_loop();
    refused(loop);
    OK(loop, hio_loop_free(loop));
    loop = new_loop();
    later_on(loop);
    OK(loop, hio_loop_free(loop));
    printf("TLS went as it should\n");
    return 0;
}
