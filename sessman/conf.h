/* sessman/conf.h - the option table of sessman.conf; what each option does is in conf/sessman.conf */
#ifndef SESSMAN_CONF_H
#define SESSMAN_CONF_H

#include "sessman/sessman.h"

extern const struct conf_table sessman_conf_table;

#endif
