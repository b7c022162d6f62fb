/* common/tools/echo.c - bulkhead-echo: sends back what it is sent; the example of a component in C
 * (common/link/service.h)
 *
 *     bulkhead-echo NAME SECRET_FILE [ADDRESS]
 *
 * NAME and the secret are those of a [component NAME] section in router.conf; ADDRESS is tcp:127.0.0.1:5347
 * where none is given. Run it twice, and the two share the work. */
#include "common/link/service.h"
#include <stdio.h>

/* A message goes back as it came, whatever it carries. */
static void on_message(struct service *s, struct arena *a, const struct stanza *st)
{
    if (stanza_is_error(st))
        return;
    struct node *answer = service_answer(a, st);
    for (const struct node *child = node_child(st->node); child; child = node_sibling(child))
        node_append(answer, node_copy(a, child));
    service_send(s, answer);
}

/* Who asks to see it may, and it is always there (RFC 6121 3.1, 4.3). */
static void on_presence(struct service *s, struct arena *a, const struct stanza *st)
{
    struct node *answer = service_answer(a, st);
    if (st->type == PRESENCE_SUBSCRIBE)
        node_set(a, answer, "type", SLICE("subscribed"));
    else if (st->type == PRESENCE_PROBE)
        node_unset(answer, "type");
    else
        return;
    service_send(s, answer);
}

static const struct service_handler handlers[] = {
    { SERVICE_MESSAGE, NULL, NULL, on_message },
    { SERVICE_PRESENCE, NULL, NULL, on_presence },
    { 0, NULL, NULL, NULL },
};

static const struct service_def echo = {
    .title = "Echo",
    .category = "component",
    .type = "generic",
    .handlers = handlers,
};

static bool read_secret(const char *path, char *out, int size)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(out, size, f);
    if (f)
        fclose(f);
    if (ok)
        out[strcspn(out, "\r\n")] = '\0';
    return ok;
}

static int usage(FILE *to)
{
    fprintf(to, "usage: bulkhead-echo NAME SECRET_FILE [ADDRESS]\n"
                "Sends back what it is sent, as the component NAME of the router at ADDRESS (tcp:HOST:PORT, "
                "unix:PATH,\n"
                "tls:HOST:PORT; default tcp:127.0.0.1:5347), with the secret in SECRET_FILE. See "
                "bulkhead-echo(8).\n");
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    char secret[256];
    struct why why = { "" };
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (argc < 3 || argc > 4)
        return usage(stderr);
    if (!read_secret(argv[2], secret, sizeof secret)) {
        fprintf(stderr, "bulkhead-echo: %s: cannot be read\n", argv[2]);
        return 2;
    }
    struct service_conf conf = {
        .name = argv[1],
        .secret = secret,
        .address = argc == 4 ? argv[3] : "tcp:127.0.0.1:5347",
        .log_levels = "info",
    };
    if (service_run(&echo, &conf, &why) != RC_OK) {
        fprintf(stderr, "bulkhead-echo: %s\n", why.text);
        return 1;
    }
    return 0;
}
