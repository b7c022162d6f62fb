/* test/unit/test_negotiate.c - the whole negotiation over a real socket, the session manager played here
 *
 * A transcript is a table of steps: what the client sends, what it must see in answer, what the session
 * manager must be told. Waiting is for these, never for time. */
#include "c2s/tcp.h"
#include "common/base/mem.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

struct step {
    const char *sends; /* NULL: nothing */
    const char
        *sees; /* must come after it was sent; "" : the end of the connection; NULL: nothing is waited for */
    const char *told; /* must have been sent to the session manager by then; NULL: whatever */
};

struct reply {
    struct reply *next;
    uint64_t session;
    char xml[512];
};
struct rlink { /* the played link and session manager */
    const struct rlink_ops *ops;
    void *owner;
    struct loop *loop;
    struct rnode node;
    bool away;
    uint64_t seq;
    uint64_t sent, acked; /* frames: of those sent to it */
    struct buf told;
    struct reply *replies, **last;
    struct turn turn;
    struct turn *on_told; /* the test looks again */
};
struct bench {
    struct daemon_run run;
    struct c2s_conf conf;
    struct c2s *d;
    struct rlink *link;
    struct listener *listener;
    struct conn *peer;
    struct buf seen;
    struct timer patience;
    struct turn look;
    const struct step *step;
    size_t left;
    bool failed, ended;
};

/* --- the session manager --- */

static void answer(struct rlink *rl, uint64_t session, const char *xml)
{
    struct reply *r = mem_new(sizeof *r);
    r->session = session;
    assert_true(strlen(xml) < sizeof r->xml);
    memcpy(r->xml, xml, strlen(xml));
    *rl->last = r;
    rl->last = &r->next;
    loop_at_turn_end(rl->loop, &rl->turn);
}

static void say(struct rlink *rl, uint64_t session, const char *xml)
{
    struct frame f = { .session = session, .seq = ++rl->seq, .payload = slice_cstr(xml) };
    f.kind = strstr(xml, NS_CONTROL) ? FRAME_CONTROL : FRAME_STANZA;
    rl->ops->on_frame(rl->owner, &rl->node, &f);
}

/* "+N": it has committed so many of the frames; else an element. */
static void say_or_ack(struct rlink *rl, const struct reply *r)
{
    if (r->xml[0] != '+') {
        say(rl, r->session, r->xml);
        return;
    }
    rl->acked = strtoull(r->xml + 1, NULL, 10);
    rl->ops->on_acked(rl->owner, &rl->node);
}

static void on_turn(struct turn *t)
{
    struct rlink *rl = CONTAINER(t, struct rlink, turn);
    struct reply *r = rl->replies;
    rl->replies = NULL;
    rl->last = &rl->replies;
    while (r) {
        struct reply *next = r->next;
        say_or_ack(rl, r);
        mem_free(r);
        r = next;
    }
}

/* What it says to what it is told: the first line that stands in it. */
static const struct {
    const char *told, *says;
} manners[] = {
    { "<authenticate xmlns='" NS_CONTROL "'><authenticate xmlns='" NS_SASL2
      "' mechanism='PLAIN'><initial-response>AGEAZ29vZA=="
      "</initial-response><bind xmlns='" NS_BIND2 "'>",
      "<authenticated xmlns='" NS_CONTROL
      "' user='a@im.example' jid='a@im.example/t/1'><bound><x xmlns='urn:x'/></bound></authenticated>" },
    { "mechanism='PLAIN'><initial-response>c20=",
      "<authenticated xmlns='" NS_CONTROL
      "' user='a@im.example' jid='a@im.example/t/1' in='0' out='0'><bound>"
      "<enabled xmlns='" NS_SM "' id='ID'/></bound></authenticated>" },
    { "mechanism='PLAIN'><initial-response>cmVzdW1l",
      "<authenticated xmlns='" NS_CONTROL
      "' user='a@im.example' jid='a@im.example/old' resumed='1' in='7' out='9'>"
      "<data>dj0x</data><token xmlns='" NS_FAST "'/><resumed xmlns='" NS_SM
      "' h='7' previd='mine'/></authenticated>" },
    { "mechanism='PLAIN'><initial-response>AGEAZ29vZA==",
      "<authenticated xmlns='" NS_CONTROL "' user='a@im.example'/>" },
    { "mechanism='PLAIN'><initial-response>d3Jvbmc=",
      "<success xmlns='" NS_CONTROL "' user='a@im.example'/>" },
    { "mechanism='PLAIN'>AGEAZ29vZA==", "<success xmlns='" NS_CONTROL "' user='a@im.example'/>" },
    { "mechanism='PLAIN'", "<failure xmlns='" NS_CONTROL "' cond='not-authorized'/>" },
    { "mechanism='SCRAM", "<challenge xmlns='" NS_CONTROL "'>cj1hYg==</challenge>" },
    { "<response xmlns='" NS_CONTROL "'>Yz1hYg==",
      "<authenticated xmlns='" NS_CONTROL "' user='a@im.example'><data>dj0x</data></authenticated>" },
    { "<response", "<success xmlns='" NS_CONTROL "' user='a@im.example'>dj0x</success>" },
    { "<abort", "<failure xmlns='" NS_CONTROL "' cond='aborted'/>" },
    { "<bind xmlns='" NS_CONTROL "' resource='taken'",
      "<bind-refused xmlns='" NS_CONTROL "' cond='conflict'/>" },
    { "<bind xmlns='" NS_CONTROL "'", "<bound xmlns='" NS_CONTROL "' jid='a@im.example/r'/>" },
    { "jabber:iq:register", "<iq type='result' id='reg' from='im.example'/>" },
    { "<sm-enable", "<sm-enabled xmlns='" NS_CONTROL "' id='ID' max='300'/>" },
    { "previd='mine'",
      "<resumed xmlns='" NS_CONTROL "' previd='mine' jid='a@im.example/old' in='7' out='9'/>" },
    { "previd='high'", "<resume-failed xmlns='" NS_CONTROL "' cond='item-not-found' h='11' sent='9'/>" },
    { "<resume xmlns='" NS_CONTROL "'",
      "<resume-failed xmlns='" NS_CONTROL "' cond='item-not-found' h='3'/>" },
    { "<message to='commit@im.example'", "+1000" },
    { "<message to='news@im.example'", "<message from='news@im.example'/>" },
    { "<message to='close@im.example'", "<close xmlns='" NS_CONTROL "' cond='conflict'>replaced</close>" },
};

void rlink_send(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session,
                const struct slice *pieces, size_t n)
{
    size_t from = rl->told.len;
    (void)to, (void)kind;
    rl->sent++;
    for (size_t i = 0; i < n; i++)
        buf_slice(&rl->told, pieces[i]);
    buf_byte(&rl->told, '\0');
    rl->told.len--;
    if (rl->on_told)
        loop_at_turn_end(rl->loop, rl->on_told);
    for (size_t i = 0; i < sizeof manners / sizeof manners[0]; i++) {
        if (strstr(rl->told.p + from, manners[i].told)) {
            answer(rl, session, manners[i].says);
            return;
        }
    }
}

void rlink_send_marked(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session,
                       uint64_t mark, const struct slice *pieces, size_t n)
{
    if (mark)
        buf_fmt(&rl->told, "%llu:", (unsigned long long)mark);
    rlink_send(rl, to, kind, session, pieces, n);
}

void rlink_tell(struct rlink *rl, struct rnode *to, struct slice element)
{
    (void)rl, (void)to, (void)element;
}

uint64_t rlink_sent(const struct rlink *rl, const struct rnode *node)
{
    (void)node;
    return rl->sent;
}

uint64_t rlink_taken(const struct rnode *node)
{
    (void)node;
    return 0;
}

uint64_t rlink_acked(const struct rlink *rl, const struct rnode *node)
{
    (void)node;
    return rl->acked;
}

struct rlink *rlink_new(struct loop *loop, struct log *log, const struct rlink_conf *conf,
                        const struct rlink_ops *ops, void *owner)
{
    struct rlink *rl = mem_new(sizeof *rl);
    (void)log, (void)conf;
    rl->ops = ops;
    rl->owner = owner;
    rl->loop = loop;
    rl->node = (struct rnode){ .id = 100, .role = ROLE_SESSMAN, .reachable = true };
    rl->last = &rl->replies;
    rl->turn.fn = on_turn;
    return rl;
}

void rlink_close(struct rlink *rl)
{
    rl->on_told = NULL;
}

void rlink_free(struct rlink **rl)
{
    while ((*rl)->replies) {
        struct reply *next = (*rl)->replies->next;
        mem_free((*rl)->replies);
        (*rl)->replies = next;
    }
    buf_fini(&(*rl)->told);
    mem_free(*rl);
    *rl = NULL;
}

struct rnode *rlink_pick(const struct rlink *rl, struct slice domain, struct slice key)
{
    (void)domain, (void)key;
    return rl->away ? NULL : &((struct rlink *)(uintptr_t)rl)->node;
}

struct rnode *rlink_next_node(const struct rlink *rl, size_t *at)
{
    return (*at)++ ? NULL : &((struct rlink *)(uintptr_t)rl)->node;
}

bool rlink_full(const struct rlink *rl, const struct rnode *to)
{
    (void)rl, (void)to;
    return false;
}

void rlink_done(struct rlink *rl, struct rnode *from, uint64_t seq)
{
    (void)rl, (void)from, (void)seq;
}

struct rlink_queues rlink_queues(const struct rlink *rl)
{
    (void)rl;
    return (struct rlink_queues){ 0, 0 };
}

void rlink_status(const struct rlink *rl, struct buf *json)
{
    (void)rl;
    BUF_LIT(json, "[]");
}

/* --- the client --- */

static bool holds(const struct buf *b, const char *what)
{
    return b->len && memmem(b->p, b->len, what, strlen(what));
}

static void end_all(struct bench *b)
{
    timer_stop(&b->patience);
    b->link->on_told = NULL;
    if (b->peer)
        conn_close(b->peer, CONN_BY_OWNER);
    if (b->listener)
        listen_close(&b->listener);
    if (!b->d->clients.stopping)
        c2s_stop(b->d);
    loop_stop(b->run.loop);
}

static void send_step(struct bench *b)
{
    if (b->step->sends)
        conn_write(b->peer, slice_cstr(b->step->sends));
}

/* Goes on as far as what has come allows. */
static void go_on(struct bench *b)
{
    while (b->left && !b->failed) {
        const char *sees = b->step->sees;
        if (sees && !(*sees ? holds(&b->seen, sees) : b->ended))
            return;
        if (b->step->told && !holds(&b->link->told, b->step->told))
            return;
        b->step++;
        buf_reset(&b->seen);
        buf_reset(&b->link->told);
        if (--b->left)
            send_step(b);
    }
    end_all(b);
}

static void on_look(struct turn *t)
{
    go_on(CONTAINER(t, struct bench, look));
}

static void on_patience(struct timer *t)
{
    struct bench *b = CONTAINER(t, struct bench, patience);
    b->failed = true;
    end_all(b);
}

static void on_peer_input(void *owner, struct slice bytes)
{
    struct bench *b = owner;
    buf_slice(&b->seen, bytes);
    go_on(b);
}

static void on_peer_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct bench *b = owner;
    (void)cause, (void)why;
    b->peer = NULL;
    b->ended = true;
    if (b->left)
        go_on(b);
}

static void on_peer_connected(void *owner)
{
    send_step(owner);
}

static const struct conn_ops peer_ops = { .on_connected = on_peer_connected,
                                          .on_input = on_peer_input,
                                          .on_closed = on_peer_closed };
static const struct conn_conf peer_conf = { .ops = &peer_ops };

static void on_accept(void *ctx, struct conn *c)
{
    struct bench *b = ctx;
    tcp_accept(b->d, c, false);
}

/* --- running a transcript --- */

static int setup(void **state)
{
    struct bench *b = mem_new(sizeof *b);
    b->run.loop = loop_new();
    b->run.metrics = metrics_new(c2s_metrics, M_CLIENTS_COUNT);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    c2s_free(&b->d);
    conf_clear(&c2s_conf_table, &b->conf);
    loop_free(&b->run.loop);
    metrics_free(&b->run.metrics);
    buf_fini(&b->seen);
    mem_free(b);
    return 0;
}

#define TEST_SERVER "[tls]\npolicy = optional\n"
#define REAL_SERVER "[tls]\npolicy = required\n"
#define DOMAINS                                                                                              \
    "<domains xmlns='" NS_CONTROL "'>"                                                                       \
    "<domain name='im.example' registration='1' mechanisms='SCRAM-SHA-1 PLAIN HT-SHA-256' "                  \
    "binds='urn:xmpp:csi:0 urn:xmpp:sm:3'/>"                                                                 \
    "<domain name='shut.example' mechanisms='SCRAM-SHA-1 PLAIN'/></domains>"

static void play(struct bench *b, const char *conf, bool away, const struct step *steps, size_t n)
{
    struct why why = { "" };
    if (conf_read_text(&c2s_conf_table, slice_cstr(conf), &b->conf, &why) != RC_OK)
        fail_msg("%s", why.text);
    b->run.conf = &b->conf;
    b->d = c2s_new(&b->run);
    b->run.ctx = b->d;
    clients_edge(&b->d->clients, NULL);
    b->link = edge_rlink(b->d->clients.edge);
    say(b->link, 0, DOMAINS);
    b->link->away = away;
    b->look.fn = on_look;
    b->link->on_told = &b->look;
    struct listen_conf listen = { .address = "127.0.0.1", .on_accept = on_accept, .ctx = b };
    if (listen_open(b->run.loop, &listen, &b->d->conn_conf, &b->listener, &why) != RC_OK)
        fail_msg("%s", why.text);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(listen_port(b->listener)) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    b->step = steps;
    b->left = n;
    b->peer = conn_dial_tcp(b->run.loop, (const struct sockaddr *)&to, &peer_conf, b);
    loop_timer(b->run.loop, &b->patience, PATIENCE_MS, on_patience);
    loop_run(b->run.loop);
    if (b->failed)
        fail_msg("step %zu: after \"%s\" there was no \"%s\", or \"%s\" was not told\nseen: " SLICE_FMT
                 "\ntold: " SLICE_FMT,
                 (size_t)(b->step - steps), b->step->sends, b->step->sees, b->step->told,
                 SLICE_ARG(buf_get(&b->seen)), SLICE_ARG(buf_get(&b->link->told)));
}

#define PLAY(state, conf, steps) play((state), (conf), false, (steps), sizeof(steps) / sizeof(steps)[0])
#define HEADER_TO(to)                                                                                        \
    "<stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM "' to='" to "' version='1.0'>"
#define HEADER           HEADER_TO("im.example")
#define AUTH(mech, text) "<auth xmlns='" NS_SASL "' mechanism='" mech "'>" text "</auth>"
#define GOOD             AUTH("PLAIN", "AGEAZ29vZA==")
#define BAD              AUTH("PLAIN", "AGEAYmFk")
#define BIND(id, resource)                                                                                   \
    "<iq type='set' id='" id "'><bind xmlns='" NS_BIND "'><resource>" resource "</resource></bind></iq>"
#define LOGIN                                                                                                \
    { HEADER, "</stream:features>", NULL }, { GOOD, "<success", NULL }, { HEADER, "<bind", NULL },           \
    {                                                                                                        \
        BIND("b", "r"), "<jid>a@im.example/r</jid>", "resource='r'"                                          \
    }

/* --- tests --- */

static void a_login_from_start_to_end(void **state)
{
    static const struct step steps[] = {
        { HEADER, "<mechanism>PLAIN</mechanism>", NULL },
        { GOOD, "<success", "ip='127.0.0.1' trusted='1' mechanisms='SCRAM-SHA-1 PLAIN'" },
        { HEADER, "<bind", NULL },
        { BIND("b", "r"), "<iq type='result' id='b'>", NULL },
        { "<message to='B@im.example' from='a@im.example'/>", NULL, "<message to='b@im.example'/>" },
        { "<iq type='set' id='s'><session xmlns='" NS_SESSION "'/></iq>", "type='result'", NULL },
        { BIND("again", "x"), "<not-allowed", NULL },
        { "</stream:stream>", "</stream:stream>", "<gone xmlns='" NS_CONTROL "'/>" },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void the_session_manager_may_end_a_session(void **state)
{
    static const struct step steps[] = {
        LOGIN,
        { "<message to='close@im.example'/>", "</stream:error></stream:stream>", "<gone" },
    };
    struct bench *b = *state;
    PLAY(b, TEST_SERVER, steps);
    assert_int_equal(b->d->clients.n_bound, 0);
}

static void steps_of_scram_are_relayed(void **state) /* RFC 6120 6.4.2, 6.4.3 */
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { AUTH("SCRAM-SHA-1", "biwsbj1hLHI9eA=="), "<challenge xmlns='" NS_SASL "'>cj1hYg==</challenge>",
          NULL },
        { "<response xmlns='" NS_SASL "'>Yz1iaXdz</response>", "<success xmlns='" NS_SASL "'>dj0x</success>",
          NULL },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void an_attempt_may_be_aborted(void **state) /* RFC 6120 6.4.4, 6.5.1 */
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { AUTH("SCRAM-SHA-1", "biwsbj1hLHI9eA=="), "<challenge", NULL },
        { "<abort xmlns='" NS_SASL "'/>", "<aborted/>", "<abort" },
        { AUTH("SCRAM-SHA-1", ""), "<challenge xmlns='" NS_SASL "'/>",
          NULL }, /* no initial response: nobody is asked */
        { "<abort xmlns='" NS_SASL "'/>", "<aborted/>", NULL },
        { AUTH("SCRAM-SHA-1", "biwsbj1hLHI9eA==") "<abort xmlns='" NS_SASL "'/>", "<aborted/>", "<abort" },
        { GOOD, "<success", NULL },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void sasl_that_is_wrong_in_itself(void **state) /* RFC 6120 6.5 */
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { AUTH("PLAIN", "not base64"), "<incorrect-encoding/>", NULL },
        { AUTH("X-NONE", "="), "<invalid-mechanism/>", NULL },
        { AUTH("PLAIN", "<x/>"), "<malformed-request/>", NULL },
        { AUTH("SCRAM-SHA-1", "biwsbj1hLHI9eA=="), "<challenge", NULL },
        { "<response xmlns='" NS_SASL "'>*</response>", "<incorrect-encoding/>", "<abort" },
        { BAD, "<not-authorized/>", NULL },
        { BAD, "<not-authorized/>", NULL },
        { BAD, "<not-authorized/>", NULL },
        { BAD, "<not-authorized/>", NULL },
        { BAD, "<not-authorized/>", NULL },
        { BAD, "<not-authorized/></failure><stream:error><policy-violation", NULL }, /* the tenth attempt */
        { NULL, "", NULL },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void without_a_session_manager_logins_wait(void **state)
{
    static const struct step steps[] = {
        { HEADER, "<mechanism>PLAIN</mechanism>", NULL },
        { GOOD, "<temporary-auth-failure/>", NULL },
    };
    play(*state, TEST_SERVER, true, steps, 2);
}

static void tls_is_required(void **state) /* RFC 6120 5.3.1, 6.5.4 */
{
    static const struct step steps[] = {
        { HEADER, "<stream:features><limits", NULL }, /* no certificate, no STARTTLS, and no mechanisms */
        { GOOD, "<encryption-required/>", NULL },
        { "<starttls xmlns='" NS_TLS "'/>", "<failure xmlns='" NS_TLS "'/></stream:stream>", NULL },
    };
    PLAY(*state, REAL_SERVER, steps);
}

#define AUTH2(mech, inner) "<authenticate xmlns='" NS_SASL2 "' mechanism='" mech "'>" inner "</authenticate>"
#define INITIAL(text)      "<initial-response>" text "</initial-response>"
#define GOOD2              AUTH2("PLAIN", INITIAL("AGEAZ29vZA=="))
#define BIND2              AUTH2("PLAIN", INITIAL("AGEAZ29vZA==") "<bind xmlns='" NS_BIND2 "'><tag>t</tag></bind>")

static void sasl2_goes_on_in_the_same_stream(void **state) /* XEP-0388 2.6.1 */
{
    static const struct step steps[] = {
        { HEADER,
          "<authentication xmlns='" NS_SASL2
          "'><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism>",
          NULL },
        { AUTH2("SCRAM-SHA-1", INITIAL("biwsbj1hLHI9eA==")),
          "<challenge xmlns='" NS_SASL2 "'>cj1hYg==</challenge>", "<authenticate xmlns='" NS_CONTROL "'>" },
        { "<response xmlns='" NS_SASL2 "'>Yz1hYg==</response>",
          "<success xmlns='" NS_SASL2
          "'><additional-data>dj0x</additional-data><authorization-identifier>a@im.example"
          "</authorization-identifier></success><stream:features><bind xmlns='" NS_BIND "'/>",
          NULL },
        { BIND("b", "r"), "<jid>a@im.example/r</jid>", "resource='r'" },
        { "<message to='b@im.example'/>", NULL, "<message to='b@im.example'/>" },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void sasl2_may_bind_at_once(void **state) /* XEP-0386 3.2 */
{
    static const struct step steps[] = {
        { HEADER,
          "<bind xmlns='" NS_BIND2
          "'><inline><feature var='urn:xmpp:csi:0'/><feature var='urn:xmpp:sm:3'/></inline></bind></inline>",
          NULL },
        { BIND2,
          "<authorization-identifier>a@im.example/t/1</authorization-identifier><bound xmlns='" NS_BIND2
          "'><x xmlns='urn:x'/></bound></success><stream:features><limits",
          NULL },
        { "<message to='b@im.example'/>", NULL, "<message to='b@im.example'/>" },
        { GOOD2, "<unsupported-stanza-type", "<gone" }, /* XEP-0388 5.6 */
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void sasl2_may_enable_stream_management(void **state) /* XEP-0198 9.1 */
{
    static const struct step steps[] = {
        { HEADER, "<sm xmlns='" NS_SM "'/><bind xmlns='" NS_BIND2 "'>", NULL },
        { AUTH2("PLAIN", INITIAL("c20=") "<bind xmlns='" NS_BIND2 "'><enable xmlns='" NS_SM "'/></bind>"),
          "<bound xmlns='" NS_BIND2 "'><enabled xmlns='" NS_SM
          "' id='ID'/></bound></success><stream:features><limits",
          "<enable xmlns='" NS_SM "'/></bind></authenticate></authenticate>" },
        { "<message to='b@im.example'/>", NULL, "1:<message to='b@im.example'/>" },
        { "<message to='b@im.example'/>", NULL, "2:<message to='b@im.example'/>" },
        { "<enable xmlns='" NS_SM "'/>", "<policy-violation", NULL }, /* once */
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void sasl2_may_resume(void **state) /* XEP-0198 9.2: and the counts go on */
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { AUTH2("PLAIN", INITIAL("cmVzdW1l") "<resume xmlns='" NS_SM "' previd='mine' h='9'/>"),
          "<success xmlns='" NS_SASL2 "'><additional-data>dj0x</additional-data><authorization-identifier>"
          "a@im.example/old</authorization-identifier><token xmlns='" NS_FAST "'/>"
          "<resumed xmlns='" NS_SM "' h='7' previd='mine'/></success>",
          NULL },
        { "<message to='b@im.example'/>", NULL, "8:<message to='b@im.example'/>" },
        { "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", NULL, "9:<iq" },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void a_request_may_wait_for_its_initial_response(void **state) /* RFC 4422 5 */
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { AUTH2("PLAIN", "<bind xmlns='" NS_BIND2 "'/>"), "<challenge xmlns='" NS_SASL2 "'/>", NULL },
        { "<abort xmlns='" NS_SASL2 "'/>",
          "<failure xmlns='" NS_SASL2 "'><aborted xmlns='" NS_SASL "'/></failure>", NULL },
        { AUTH2("PLAIN", "<bind xmlns='" NS_BIND2 "'/>"), "<challenge", NULL },
        { "<response xmlns='" NS_SASL2 "'>=</response>", "<incorrect-encoding", NULL },
        { AUTH2("PLAIN", "<x xmlns='urn:x'/>"), "<challenge", NULL },
        { "<response xmlns='" NS_SASL2 "'>AGEAZ29vZA==</response>", "<not-authorized xmlns='" NS_SASL "'/>",
          "<x "
          "xmlns='urn:x'/><initial-response>AGEAZ29vZA==</initial-response></authenticate></authenticate>" },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void sasl2_that_is_wrong_in_itself(void **state)
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { AUTH2("PLAIN", INITIAL("=")),
          "<failure xmlns='" NS_SASL2 "'><incorrect-encoding xmlns='" NS_SASL "'/></failure>", NULL },
        { AUTH2("PLAIN", INITIAL("QQ==") INITIAL("QQ==")), "<malformed-request xmlns='" NS_SASL "'/>", NULL },
        { AUTH2("X-NONE", INITIAL("QQ==")), "<invalid-mechanism", NULL },
        { AUTH2("HT-SHA-256-NONE", INITIAL("QQ==") "<fast xmlns='" NS_FAST "'/>"), "<invalid-mechanism",
          NULL }, /* no TLS: not offered */
        { AUTH2("PLAIN", INITIAL("QQ==") "<fast xmlns='" NS_FAST "'/>"), "<malformed-request", NULL },
        { "<authenticate xmlns='" NS_SASL2 "'/>", "<malformed-request", NULL },
        { AUTH2("PLAIN", "<user-agent id='me'/>"), "<malformed-request", NULL },
        { GOOD, "<success xmlns='" NS_SASL "'", NULL }, /* SASL is there as before */
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void who_knows_other_features_is_sent_back(void **state) /* XEP-0509 2.2 */
{
#define STALE                                                                                                \
    AUTH2("PLAIN", INITIAL("AGEAZ29vZA==") "<config-version xmlns='" NS_IAP "' scheme='opaque' value='x'/>")
#define SENT_BACK                                                                                            \
    "<failure xmlns='" NS_SASL2 "'><aborted xmlns='" NS_SASL "'/><config-version-mismatch xmlns='" NS_IAP    \
    "'/></failure>"
    static const struct step steps[] = {
        { HEADER STALE, SENT_BACK, NULL }, /* with the header, in one piece */
        { STALE, SENT_BACK, NULL },
        { STALE, SENT_BACK, NULL },
        { STALE, SENT_BACK, NULL },
        { BAD, "<not-authorized/>", NULL }, /* counted apart */
        { STALE, SENT_BACK, NULL },
        { STALE, SENT_BACK, NULL },
        { STALE, SENT_BACK, NULL },
        { STALE, SENT_BACK, NULL },
        { STALE, SENT_BACK, NULL },
        { STALE, SENT_BACK "<stream:error><policy-violation", NULL },
        { NULL, "", NULL },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void a_login_may_come_with_the_header(void **state) /* XEP-0509 */
{
    static const struct step steps[] = {
        { HEADER BIND2, "</success><stream:features><limits", NULL },
        { "<message to='b@im.example'/>", NULL, "<message to='b@im.example'/>" },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void sasl2_may_be_switched_off(void **state)
{
    static const struct step steps[] = {
        { HEADER, "</mechanisms><register", NULL },
        { GOOD2, "<unsupported-stanza-type", NULL },
    };
    PLAY(*state, TEST_SERVER "[sasl]\nsasl2 = no\n", steps);
}

static void registration_before_login(void **state) /* XEP-0077 3.1 */
{
#define REGISTER "<iq type='get' id='reg'><query xmlns='jabber:iq:register'/></iq>"
    static const struct step open[] = {
        { HEADER, "<register xmlns='" NS_REGISTER_FEATURE "'/>", NULL },
        { REGISTER, "<iq type='result' id='reg' from='im.example'/>", "<query xmlns='jabber:iq:register'/>" },
        { GOOD, "<success", NULL },
    };
    PLAY(*state, TEST_SERVER, open);
}

static void registration_where_it_is_closed(void **state)
{
    static const struct step shut[] = {
        { HEADER_TO("shut.example"), "</stream:features>", NULL },
        { REGISTER, "<not-allowed", NULL },
    };
    PLAY(*state, TEST_SERVER, shut);
}

static void a_refused_resource_may_be_followed_by_another(void **state) /* RFC 6120 7.7.2 */
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { GOOD, "<success", NULL },
        { HEADER, "<bind", NULL },
        { BIND("1", "taken"), "<conflict", NULL },
        { BIND("2", "&#x7f;"), "<bad-request", NULL },
        { "<iq type='get' id='3'><bind xmlns='" NS_BIND "'/></iq>", "<bad-request", NULL },
        { BIND("4", ""), "<jid>a@im.example/r</jid>", NULL },
    };
    PLAY(*state, TEST_SERVER, steps);
}

#define SM(element)     "<" element " xmlns='" NS_SM "'"
#define SM_FAILED(cond) SM("failed") "><" cond " xmlns='" NS_STANZA_ERROR "'/></failed>"

static void stream_management_has_its_place(void **state) /* XEP-0198 3, 5 */
{
    static const struct step steps[] = {
        { HEADER SM("enable") "/>", "</stream:features>" SM_FAILED("unexpected-request"), NULL },
        { SM("resume") " previd='mine' h='0'/>", SM_FAILED("unexpected-request"), NULL },
        { GOOD, "<success", NULL },
        { HEADER SM("enable") "/>", SM_FAILED("unexpected-request"), NULL },
        { SM("resume") " h='0'/>", SM_FAILED("bad-request"), NULL },
        { SM("resume") " previd='junk' h='-1'/>", SM_FAILED("bad-request"), NULL },
        { SM("resume") " previd='junk' h='0'/>", SM("failed") " h='3'><item-not-found",
          "previd='junk' h='0'" },
        { BIND("b", "r"), "<iq type='result' id='b'>", NULL },
        { SM("r") "/>", SM_FAILED("unexpected-request"), NULL },
        { SM("a") " h='0'/>", SM_FAILED("unexpected-request"), NULL },
        { SM("resume") " previd='mine' h='0'/>", SM_FAILED("unexpected-request"), NULL },
        { SM("enable") " resume='maybe'/>", SM_FAILED("bad-request"), NULL },
        { SM("enable") " max='0'/>", SM_FAILED("bad-request"), NULL },
        { SM("enable") " resume='true' max='99999999999999999999999'/>",
          SM("enabled") " id='ID' resume='true' max='300' location='c2s.example:5222'/>",
          "resume='1' max='4294967295'" },
        { SM("enable") "/>", SM_FAILED("unexpected-request") "<stream:error><policy-violation", "<gone" },
    };
    PLAY(*state, TEST_SERVER "[cluster]\nlocation = c2s.example:5222\n", steps);
}

static void stanzas_are_counted_both_ways(void **state) /* XEP-0198 4; DESIGN 2 */
{
    static const struct step steps[] = {
        LOGIN,
        { SM("enable") "/>" SM("r") "/>", SM("enabled"), NULL },
        { "<message to='b@im.example'/><iq type='get' id='none'/>", NULL,
          "1:<message to='b@im.example'/>2:<echo xmlns='" NS_CONTROL "'><iq" },
        { SM("r") "/><message to='commit@im.example'/>", SM("a") " h='2'/>", "3:<message" },
        { SM("r") "/>" SM("r") "/>", SM("a") " h='3'/>", NULL },
        { "<message to='news@im.example'/>", "<message from='news@im.example'/>" SM("r") "/>", NULL },
        { SM("a") " h=''/>" SM("a") " h='1'/>", SM_FAILED("bad-request"),
          "<acked xmlns='" NS_CONTROL "' h='1'/>" },
        { SM("a") " h='2'/>",
          "<stream:error><undefined-condition xmlns='" NS_STREAM_ERROR "'/><text xmlns='" NS_STREAM_ERROR
          "' xml:lang='en'>more was acknowledged than was sent</text>" SM(
              "handled-count-too-high") " h='2' send-count='1'/></stream:error></stream:stream>",
          "<gone xmlns='" NS_CONTROL "'/>" },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void a_session_is_taken_over(void **state) /* XEP-0198 5 */
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { GOOD, "<success", NULL },
        { HEADER, "<bind", NULL },
        { SM("resume") " previd='mine' h='9'/>", SM("resumed") " h='7' previd='mine'/>", "h='9'" },
        { SM("r") "/>", SM("a") " h='7'/>", NULL },
        { "<message to='news@im.example'/>", SM("r") "/>", "8:<message" },
        { SM("a") " h='10'/>", NULL, "<acked xmlns='" NS_CONTROL "' h='10'/>" },
        { SM("enable") "/>", "</stream:stream>", NULL },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void a_resumption_that_claims_too_much(void **state) /* XEP-0198 6 */
{
    static const struct step steps[] = {
        { HEADER, "</stream:features>", NULL },
        { GOOD, "<success", NULL },
        { HEADER, "<bind", NULL },
        { SM("resume") " previd='high' h='11'/>", "h='11' send-count='9'/></stream:error>", NULL },
    };
    PLAY(*state, TEST_SERVER, steps);
}

static void check_ends(struct bench *b, const struct step *before, size_t n, const char *sends,
                       const char *sees)
{
    struct step steps[8];
    memcpy(steps, before, n * sizeof *steps);
    steps[n] = (struct step){ sends, sees, NULL };
    steps[n + 1] = (struct step){ NULL, "", NULL };
    play(b, TEST_SERVER, false, steps, n + 2);
}

static void what_ends_the_stream(void **state) /* RFC 6120 4.9.3 */
{
    static const struct step open[] = { { HEADER, "</stream:features>", NULL } };
    static const struct step authed[] = { { HEADER, "</stream:features>", NULL },
                                          { GOOD, "<success", NULL } };
    static const struct step ready[] = { { HEADER, "</stream:features>", NULL },
                                         { GOOD, "<success", NULL },
                                         { HEADER, "<bind", NULL } };
    static const struct step bound[] = { LOGIN };
    static const struct {
        const struct step *before;
        size_t n;
        const char *sends, *sees;
    } rows[] = {
        { open, 0, HEADER_TO("elsewhere.example"), "<host-unknown" },
        { open, 0, HEADER_TO("a@im.example"), "<host-unknown" },
        { open, 0, "<stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM "' version='1.0'>",
          "<improper-addressing" },
        { open, 0, "<stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM "' to='im.example'>",
          "<unsupported-version" },
        { open, 0,
          "<stream:stream xmlns='jabber:server' xmlns:stream='" NS_STREAM "' to='im.example' version='1.0'>",
          "<invalid-namespace" },
        { open, 0, "GET / HTTP/1.1\r\n\r\n", "not-well-formed" },
        { open, 1, "<message/>", "<not-authorized" },
        { open, 1, "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "<not-authorized" },
        { open, 1, "<message xmlns='jabber:server'/>", "<invalid-namespace" },
        { open, 1, "<response xmlns='" NS_SASL "'/>", "<unsupported-stanza-type" },
        { open, 1, "<!-- x -->", "<restricted-xml" },
        { open, 1, "<stream:error><reset xmlns='" NS_STREAM_ERROR "'/></stream:error>", "</stream:stream>" },
        { open, 0,
          "<stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM
          "' to='im.example' from='a@b.example' version='1.0'>",
          "<invalid-from" },
        { open, 1, "<response xmlns='" NS_SASL2 "'/>", "<unsupported-stanza-type" },
        { open, 1, AUTH2("SCRAM-SHA-1", INITIAL("QQ==")) "<message/>", "<not-authorized" }, /* XEP-0388 2.4 */
        { open, 1, GOOD2 GOOD2, "<unsupported-stanza-type" },
        { open, 1, AUTH2("PLAIN", "") "<response xmlns='" NS_SASL "'/>", "<policy-violation" },
        { open, 1, AUTH("PLAIN", "") "<response xmlns='" NS_SASL2 "'/>", "<policy-violation" },
        { open, 1, AUTH2("PLAIN", INITIAL("d3Jvbmc=")),
          "<internal-server-error" }, /* who answers otherwise than asked */
        { authed, 2, HEADER_TO("shut.example"), "<not-authorized" },
        { ready, 3, "<presence/>", "<not-authorized" },
        { ready, 3, GOOD, "<unsupported-stanza-type" },
        { bound, 4, "<message from='b@im.example'/>", "<invalid-from" },
        { bound, 4, "<message xmlns='jabber:server'/>", "<invalid-namespace" },
        { bound, 4, "<starttls xmlns='" NS_TLS "'/>", "<unsupported-stanza-type" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setup(state);
        check_ends(*state, rows[i].before, rows[i].n, rows[i].sends, rows[i].sees);
        teardown(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_login_from_start_to_end, setup, teardown),
        cmocka_unit_test_setup_teardown(the_session_manager_may_end_a_session, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_of_scram_are_relayed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_attempt_may_be_aborted, setup, teardown),
        cmocka_unit_test_setup_teardown(sasl_that_is_wrong_in_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_session_manager_logins_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(tls_is_required, setup, teardown),
        cmocka_unit_test_setup_teardown(sasl2_goes_on_in_the_same_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(sasl2_may_bind_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(sasl2_may_enable_stream_management, setup, teardown),
        cmocka_unit_test_setup_teardown(sasl2_may_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_may_wait_for_its_initial_response, setup, teardown),
        cmocka_unit_test_setup_teardown(sasl2_that_is_wrong_in_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(who_knows_other_features_is_sent_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_login_may_come_with_the_header, setup, teardown),
        cmocka_unit_test_setup_teardown(sasl2_may_be_switched_off, setup, teardown),
        cmocka_unit_test_setup_teardown(registration_before_login, setup, teardown),
        cmocka_unit_test_setup_teardown(registration_where_it_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_resource_may_be_followed_by_another, setup, teardown),
        cmocka_unit_test_setup_teardown(stream_management_has_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(stanzas_are_counted_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_is_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resumption_that_claims_too_much, setup, teardown),
        cmocka_unit_test(what_ends_the_stream),
    };
    return cmocka_run_group_tests_name("negotiate", tests, NULL, NULL);
}
