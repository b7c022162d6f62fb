/* test/bench/scram.h - the client's side of SASL PLAIN and SCRAM-SHA-1/-256 (RFC 4616, RFC 5802, RFC 7677)
 *
 * The salted password costs some milliseconds, so it is remembered per account, salt and iteration count, and
 * can be kept in a file from one run to the next: the machine's cores are for the server that is measured. */
#ifndef BENCH_SCRAM_H
#define BENCH_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mech { MECH_AUTO, MECH_PLAIN, MECH_SCRAM1, MECH_SCRAM256 };

#define SCRAM_KEY_MAX 32

struct scram_cache; /* owned by whoever made it */

struct scram_cache *scram_cache_new(void);
void scram_cache_free(struct scram_cache **cache);

/* Reads the file, or writes it if there is something new; one that is not there or of another password is no
 * error, just no help. */
void scram_cache_load(struct scram_cache *cache, const char *path, const char *password);
void scram_cache_save(const struct scram_cache *cache, const char *path, const char *password);

/* One authentication in progress. */
struct scram {
    enum mech mech;
    char nonce[25];
    char first_bare[256]; /* client-first-message-bare */
    uint8_t server_signature[SCRAM_KEY_MAX];
};

/* Writes the initial response, in base64, to out. False if it does not fit. */
bool scram_begin(struct scram *s, enum mech mech, const char *user, const char *password, char *out,
                 size_t out_size);

/* Answers server-first-message (base64) with client-final-message (base64). account: for the cache. */
bool scram_step(struct scram *s, struct scram_cache *cache, unsigned account, const char *password,
                const char *challenge, size_t challenge_len, char *out, size_t out_size);

/* Checks the server's signature in the additional data of success (base64); PLAIN has none. */
bool scram_done(const struct scram *s, const char *data, size_t len);

#endif
