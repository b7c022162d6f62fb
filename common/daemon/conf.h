/* common/daemon/conf.h - option tables: read (inih), check, print, compare for reload
 *
 * One struct per daemon holds the values, one table fills it, one commented file in conf/ shows it; a test compares
 * table and file. Unknown sections and options are errors (a typo is never silent). Strings are owned by the struct and freed by
 * conf_clear. */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include "common/base/slice.h"

enum option_type {
    OPTION_T_BOOL,   /* bool: yes/no/true/false/on/off */
    OPTION_T_UINT,   /* uint32_t with optional k (1000) or m */
    OPTION_T_BYTES,  /* size_t: 256k, 2m, 1g */
    OPTION_T_TIME,   /* uint32_t milliseconds: 100ms, 30s, 5m, 12h, 7d; only 0 goes without a unit */
    OPTION_T_STRING, /* char *, NULL when empty */
    OPTION_T_ENUM,   /* int: index into the '|'-separated words of `values` */
    OPTION_T_LIST,   /* struct conf_list: the option may come several times, or comma-separated */
};
enum option_reload { RELOAD, RESTART };
struct conf_list {
    char **items;
    size_t n;
};
struct option {
    const char *section, *name;
    enum option_type type;
    size_t offset;              /* into the daemon's struct */
    const char *def, *min, *max; /* as they would stand in the file; min/max NULL where none */
    const char *values;         /* OPTION_T_ENUM: "required|optional" */
    enum option_reload reload;
};
#define OPTION_BOOL(sec, nam, str, field, def, rel) \
    { (sec), (nam), OPTION_T_BOOL, offsetof(str, field), (def), NULL, NULL, NULL, (rel) }
#define OPTION_UINT(sec, nam, str, field, def, min, max, rel) \
    { (sec), (nam), OPTION_T_UINT, offsetof(str, field), (def), (min), (max), NULL, (rel) }
#define OPTION_BYTES(sec, nam, str, field, def, min, max, rel) \
    { (sec), (nam), OPTION_T_BYTES, offsetof(str, field), (def), (min), (max), NULL, (rel) }
#define OPTION_TIME(sec, nam, str, field, def, min, max, rel) \
    { (sec), (nam), OPTION_T_TIME, offsetof(str, field), (def), (min), (max), NULL, (rel) }
#define OPTION_STRING(sec, nam, str, field, def, rel) \
    { (sec), (nam), OPTION_T_STRING, offsetof(str, field), (def), NULL, NULL, NULL, (rel) }
#define OPTION_ENUM(sec, nam, str, field, def, words, rel) \
    { (sec), (nam), OPTION_T_ENUM, offsetof(str, field), (def), NULL, NULL, (words), (rel) }
#define OPTION_LIST(sec, nam, str, field, def, rel) \
    { (sec), (nam), OPTION_T_LIST, offsetof(str, field), (def), NULL, NULL, NULL, (rel) }

/* Sections that repeat with a name, such as [component echo.example.net]: each line goes to the callback. */
struct conf_named {
    const char *kind;     /* "component" */
    const char *const *names; /* its options, NULL-terminated */
    /* RC_OK, or an error with why. Values arrive in file order; begin is called for each section header. */
    enum rc (*begin)(void *conf, const char *name, struct why *why);
    enum rc (*set)(void *conf, const char *name, const char *option, const char *value, struct why *why);
};
struct conf_table {
    const struct option *options;
    size_t n;
    const struct conf_named *named; /* NULL, or terminated by kind NULL */
    size_t size;                    /* of the struct */
    void (*clear)(void *conf);      /* frees what `named` has read; NULL: nothing */
    /* After a line has set o: may refuse what the types cannot tell; why is told with file and line. NULL: nothing. */
    enum rc (*check)(const struct option *o, const void *conf, struct why *why);
};
/* Sets all defaults, then reads path (NULL, or a missing file with must_exist false: defaults only). On an error conf is cleared
 * and why has file, line, option. conf points to a zeroed struct of table->size bytes. */
MUST_USE enum rc conf_read(const struct conf_table *table, const char *path, bool must_exist, void *conf, struct why *why);
MUST_USE enum rc conf_read_text(const struct conf_table *table, struct slice text, void *conf, struct why *why); /* fuzz */
void conf_clear(const struct conf_table *table, void *conf); /* frees strings and lists, and what table->clear knows of */
/* Calls differ(ctx, option) for each option whose value differs between the two. */
void conf_compare(const struct conf_table *table, const void *a, const void *b,
                  void (*differ)(void *ctx, const struct option *o), void *ctx);
void conf_copy(const struct option *o, const void *from, void *to); /* one option's value */
struct net_list;
/* The networks of a list option, as one (base/rate.h); NULL for an empty list. */
MUST_USE enum rc conf_networks(const struct conf_list *list, struct net_list **out, struct why *why);
/* One option's value, as it would stand in the file. */
void conf_value(const struct option *o, const void *conf, char *out, size_t size);
void conf_print(const struct conf_table *table, const void *conf, struct slice file_name); /* --dump-config, stdout */

#endif
