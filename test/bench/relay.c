/* test/bench/relay.c - a bare TCP relay: what a message costs with nothing of a server around it
 *
 * usage: relay PORT   (on 127.0.0.1; ends when stdin closes)
 * A connection sends "PAIR n\n"; when two have given the same n, both get "OK\n", and from then on every
 * chunk that one sends is written to the other. One thread, one read and one write per chunk, no batching:
 * the least that any process between two clients must do. A receiver that cannot keep up ends its pair. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX      10000
#define CHUNK          65536
#define LINE_MAX_BYTES 16

struct end {
    int fd;
    bool dead;
    struct end *mate, *next_dead;
    char line[LINE_MAX_BYTES];
    size_t line_len;
};

struct relay {
    int epoll, listener;
    struct end *waiting[PAIRS_MAX]; /* by pair number */
    struct end *dead;               /* freed after the turn: their events may still be in hand */
    char chunk[CHUNK];
};

static void end_close(struct relay *r, struct end *e)
{
    if (!e || e->dead)
        return;
    e->dead = true;
    close(e->fd);
    for (unsigned i = 0; !e->mate && i < PAIRS_MAX; i++)
        if (r->waiting[i] == e)
            r->waiting[i] = NULL;
    e->next_dead = r->dead;
    r->dead = e;
    end_close(r, e->mate);
}

static void on_connection(struct relay *r)
{
    int fd, on = 1;
    while ((fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct end *e = calloc(1, sizeof(*e));
        if (!e)
            abort();
        e->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct epoll_event ev = { .events = EPOLLIN, .data = { .ptr = e } };
        epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev);
    }
}

/* Before the pair is made: reads the line byte by byte, so that nothing after it is lost. */
static void on_line(struct relay *r, struct end *e)
{
    unsigned n;
    char c;
    ssize_t got;
    while ((got = recv(e->fd, &c, 1, 0)) == 1) {
        if (c != '\n' && e->line_len < LINE_MAX_BYTES - 1) {
            e->line[e->line_len++] = c;
            continue;
        }
        if (sscanf(e->line, "PAIR %u", &n) != 1 || n >= PAIRS_MAX) {
            end_close(r, e);
            return;
        }
        e->mate = r->waiting[n];
        r->waiting[n] = e->mate ? NULL : e;
        if (e->mate) {
            e->mate->mate = e;
            if (send(e->fd, "OK\n", 3, MSG_NOSIGNAL) != 3 || send(e->mate->fd, "OK\n", 3, MSG_NOSIGNAL) != 3)
                end_close(r, e);
        }
        return;
    }
    if (got == 0 || errno != EAGAIN)
        end_close(r, e);
}

static void on_chunk(struct relay *r, struct end *e)
{
    ssize_t n = recv(e->fd, r->chunk, sizeof(r->chunk), 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || send(e->mate->fd, r->chunk, (size_t)n, MSG_NOSIGNAL) != n)
        end_close(r, e);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0) {
        perror("relay");
        return -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct relay relay = { .dead = NULL }, *r = &relay;
    struct epoll_event events[256], ev = { .events = EPOLLIN, .data = { .ptr = NULL } };
    if (argc != 2) {
        fprintf(stderr, "usage: relay PORT\n");
        return 2;
    }
    r->listener = listen_on((uint16_t)atoi(argv[1]));
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->listener < 0 || r->epoll < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &ev) < 0)
        return 1;
    ev.data.ptr = r;
    epoll_ctl(r->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
    puts("READY");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(r->epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct end *e = events[i].data.ptr;
            if (!e)
                on_connection(r);
            else if (events[i].data.ptr == r)
                return 0;
            else if (!e->dead && e->mate)
                on_chunk(r, e);
            else if (!e->dead)
                on_line(r, e);
        }
        for (struct end *e; (e = r->dead) != NULL;) {
            r->dead = e->next_dead;
            free(e);
        }
    }
}
