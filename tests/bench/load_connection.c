#include "load_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define READ_BYTES 4096

void connection_open(struct connection *connection, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("load: cannot connect to port %d: %s", port, strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0)
        die("load: fcntl: %s", strerror(errno));
}

void connection_close(struct connection *connection)
{
    close(connection->fd);
    buf_free(&connection->out);
    buf_free(&connection->answer);
}

void connection_reset(struct connection *connection)
{
    buf_reset(&connection->out);
    buf_reset(&connection->answer);
    connection->sent = 0;
}

void connection_send(struct connection *connection)
{
    while (connection->sent < connection->out.len) {
        ssize_t sent = write(connection->fd, connection->out.data + connection->sent,
                             connection->out.len - connection->sent);

        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0)
            die("load: write: %s", strerror(errno));
        connection->sent += (size_t)sent;
    }
}

/* The length of the whole answer, or 0 while its head is not there. */
static size_t answer_length(struct connection *connection)
{
    const struct buf *answer = &connection->answer;
    const char *end = memmem(answer->data, answer->len, "\r\n\r\n", 4);
    const char *length;
    size_t head;

    if (end == NULL)
        return 0;
    head = (size_t)(end - answer->data) + 4;
    connection->status = atoi(answer->data + sizeof("HTTP/1.1"));
    length = strcasestr(answer->data, "\r\nContent-Length:");
    if (length == NULL || length > end)
        return head;
    return head + strtoul(length + sizeof("\r\nContent-Length:") - 1, NULL, 10);
}

bool connection_receive(struct connection *connection)
{
    struct buf *answer = &connection->answer;
    size_t whole;
    ssize_t got;

    buf_reserve(answer, READ_BYTES);
    got = read(connection->fd, answer->data + answer->len, READ_BYTES);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0)
        die("load: the server closed a connection");
    answer->len += (size_t)got;
    answer->data[answer->len] = '\0';
    whole = answer_length(connection);
    return whole > 0 && answer->len >= whole;
}
