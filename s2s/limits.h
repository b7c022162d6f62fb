/* s2s/limits.h - how much a connection, and a remote domain over all its connections, may send
 *
 * A rule is a number and what happens past it: "25000 disconnect", "25000 drop", "25000 pause"; 0: no limit. Rules of a minute
 * count in windows that begin with the first stanza after the last one was over; those of a lifetime never begin anew.
 * Pure: told what time it is. */
#ifndef S2S_LIMITS_H
#define S2S_LIMITS_H

#include "common/base/slice.h"

enum limit_kind { /* rows of the configuration, in this order */
    LIMIT_STANZAS_MINUTE, LIMIT_BYTES_MINUTE,               /* of one connection */
    LIMIT_STANZAS_LIFE, LIMIT_BYTES_LIFE,
    LIMIT_DOMAIN_STANZAS_MINUTE, LIMIT_DOMAIN_BYTES_MINUTE, /* of one domain over all its connections */
    LIMIT_RULES
};
enum limit_action { LIMIT_NONE, LIMIT_PAUSE, LIMIT_DROP, LIMIT_DISCONNECT }; /* the later goes before the earlier */
struct limit_rule {
    uint64_t most; /* 0: none */
    enum limit_action action;
};
extern const char *const limit_options[LIMIT_RULES]; /* their names in the configuration */
const char *limit_action_name(enum limit_action a);
/* "25000 disconnect", "200m drop", "0". RC_SYNTAX. */
MUST_USE enum rc limit_rule_parse(struct slice text, struct limit_rule *out, struct why *why);

struct limit_use { /* zeroed: nothing yet */
    uint64_t window_ms;            /* when this minute began */
    uint64_t stanzas, bytes;       /* in it */
    uint64_t all_stanzas, all_bytes;
};
struct limit_verdict {
    enum limit_action action;
    enum limit_kind kind;  /* of the rule that says so */
    uint32_t wait_ms;      /* PAUSE: until the minute is over */
};
enum limit_of { LIMIT_OF_CONNECTION, LIMIT_OF_DOMAIN };
/* Counts, and says what is to be done: the hardest of what the rules say. Lifetimes end with disconnect or drop. */
struct limit_verdict limit_take(struct limit_use *use, const struct limit_rule rules[LIMIT_RULES], enum limit_of of,
                                uint64_t now_ms, uint32_t stanzas, uint64_t bytes);

/* A remote domain, over its connections. Entries that have been silent for two minutes are forgotten. */
struct map;
struct remote; /* its counts */
struct map *remotes_new(void);
void remotes_free(struct map **m);
struct limit_use *remotes_use(struct map *m, struct slice domain, uint64_t now_ms);
void remotes_sweep(struct map *m, uint64_t now_ms);

#endif
