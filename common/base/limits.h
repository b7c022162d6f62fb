/* common/base/limits.h - what specifications fix: no options */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define JID_PART_MAX 1023        /* bytes, each part: RFC 7622 3.1 */
#define JID_MAX 3071             /* bytes: three parts, '@' and '/' */
#define STANZA_ID_MAX 1024       /* bytes of a stanza's id that we echo; longer is refused */
#define PRIORITY_MIN (-128)      /* RFC 6121 4.7.2.3 */
#define PRIORITY_MAX 127
#define SCRAM_ITERATIONS_LEAST 4096 /* RFC 7677 4 */
#define SCRAM_NONCE_BYTES 18     /* 24 characters of base64 */

#endif
