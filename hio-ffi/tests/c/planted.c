// Goal: the sanitizer sees mistakes of a host across the border. Method: `planted MISTAKE` makes one.
#include "common.h"

static volatile uint8_t sink;

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const char *mistake = argv[1];
    hio_loop loop = new_loop();
    hio_server server = listen_at(loop, "127.0.0.1:0", NULL);
    char *address = address_of(loop, server);
    hio_link link = 0;
    OK(loop, hio_connect(loop, now_ns(), address, NULL, &link));
    char data[8] = "borrowed";
    OK(loop, hio_link_tx(loop, link, data, sizeof data, NULL));
    hio_event event;
    do event = wait_event(loop);
    while (event.kind != HIO_EVENT_RECEIVED);
    const uint8_t *rx = NULL;
    size_t len = 0;
    OK(loop, hio_link_rx(loop, event.link, &rx, &len));
    CHECK(len == 8);
    if (strcmp(mistake, "overflow") == 0) {
        // One byte more than there is.
        OK(loop, hio_link_tx(loop, link, data, sizeof data + 1, NULL));
    }
    if (strcmp(mistake, "leak") == 0) {
        address = malloc(100);
        sink = (uint8_t)((uintptr_t)address & 1);
        address = NULL;
    }
    OK(loop, hio_loop_free(loop));
    if (strcmp(mistake, "rx") == 0) sink = rx[0];
    if (strcmp(mistake, "text") == 0) sink = (uint8_t)event.text[0];
    free(address);
    return 0;
}
