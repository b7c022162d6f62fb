#include "sessman/archive.h"

#include "sessman/account.h"
#include "sessman/journal.h"

bool archive_wanted(const struct sessman *sm, const struct account *a, struct slice peer,
                    const struct stanza *st)
{
    (void)peer;
    const struct domain *d = sessman_domain(sm, account_domain(a));
    return d && d->archive && journal_qualifies(st) && !node_find(st->node, "no-permanent-store", NS_HINTS);
}
