/* sessman/directed.h - whom a session has sent directed presence that they would not get by subscription (RFC 6121 4.6.2) */
#ifndef SESSMAN_DIRECTED_H
#define SESSMAN_DIRECTED_H

#include "common/base/slice.h"

struct directed {
    size_t n, cap;
    char **jids;
};
/* Notes that jid got available presence (or unavailable: takes it out). *changed says whether the list is another one now. False: max is
 * reached. *d is made and stays until directed_free. */
bool directed_note(struct directed **d, struct slice jid, bool available, size_t max, bool *changed);
void directed_free(struct directed **d);

#endif
