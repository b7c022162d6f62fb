/* test/bench/scenes.h - the subcommands of the load generator; each runs a whole scene and prints its report
 *
 * They return the exit code: 0, or 1 if a client failed, was dropped, or something did not arrive. */
#ifndef BENCH_SCENES_H
#define BENCH_SCENES_H

#include "gen.h"

int scene_register(const struct options *o); /* scene_account.c: XEP-0077 */
int scene_rosters(const struct options *o);  /* mutual subscriptions within blocks of contacts + 1 accounts */
int scene_login(const struct options *o);    /* all log in, all leave, rounds times; phases online, left */
int scene_storm(const struct options *o);    /* scene_storm.c; phases start, online, lost, back, left */
int scene_chat(const struct options *o);     /* scene_chat.c: closed loop; phases begin, end, left */
int scene_rate(const struct options *o);     /* open loop */
int scene_offline_store(
    const struct options *o); /* scene_offline.c: account n sends to n + 1; phases begin, end, left */
int scene_offline_fetch(const struct options *o);
int scene_remotes(const struct options *o);  /* scene_remotes.c; phases begin, end, left */
int scene_presence(const struct options *o); /* scene_presence.c; phases begin, end, left */

/* Numbered and stamped messages, and what became of them (marks.c). The id is "m<sender>-<number>-<ns>". */
struct mark_end {    /* one receiving end */
    uint32_t seen;   /* highest number */
    uint64_t window; /* bit i: seen - i has arrived */
};
struct mark_sums {
    uint64_t sent, received, duplicate, reordered, stray, errors;
};
struct mark_text { /* a message made ready: head, number, ns, tail */
    char head[192], tail[384];
    size_t head_len, tail_len;
};

void mark_prepare(struct mark_text *t, const struct gen *g, unsigned from, unsigned to);
void mark_send(struct client *c, const struct mark_text *t, uint32_t number, uint64_t ns);

/* Takes a message to an end that listens to account from. True if it is new; then *ns is when it was sent. */
bool mark_take(struct mark_end *end, struct mark_sums *sums, const struct element *e, unsigned from,
               uint64_t *ns);
void mark_report(const struct mark_sums *sums, struct report *r);

#endif
