/* s2s/link.h - the link to the routers: our domains, stanzas from and to the session managers and the components */
#ifndef S2S_LINK_H
#define S2S_LINK_H

#include "s2s/s2s.h"
#include "common/xmpp/stanza.h"

void link_open(struct s2s *d, const struct rlink_conf *conf);
void link_close(struct s2s *d); /* tells what there is to tell; nothing comes after */
void link_fini(struct s2s *d);
enum ours { OURS_NOT, OURS_SESSMAN, OURS_COMPONENT };
enum ours link_ours(const struct s2s *d, struct slice domain); /* prepared */
struct slice link_domain(const struct s2s *d, size_t *at); /* iterate those of session managers; *at = 0 first; empty: no more */
bool link_knows_domains(const struct s2s *d); /* some session manager or component has been heard of */

struct link_sent { /* which frame it was; seq 0: outside a channel */
    struct rnode *node;
    uint64_t seq;
};
/* A canonical stanza for one of ours. RC_NOTFOUND: nobody has the domain. RC_LIMIT: no room; nothing was sent. */
MUST_USE enum rc link_send(struct s2s *d, const struct jid *to, struct slice bytes, struct link_sent *out);
bool link_full(const struct s2s *d, const struct link_sent *sent); /* the channel that it was sent in has no more room */
/* An error of ours in answer to a stanza of ours: the stanza as it came from the session manager. */
void link_bounce(struct s2s *d, struct slice stanza, enum stanza_cond cond, const char *text);
void link_finished(struct s2s *d, uint64_t node, uint64_t mark); /* has left or was answered: the session manager is told */
size_t link_held(const struct s2s *d);

#endif
