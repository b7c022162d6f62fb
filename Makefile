# Bulkhead: `make run` builds and starts a server in run/, `make test` runs every test.
# B is the build folder; CC=clang and B=build-clang give a second one beside the first.
B      ?= build
ifeq ($(origin CC),default)
CC     := gcc
endif
PREFIX ?= /usr/local
PKGS   := libuv libxml-2.0 gnutls sqlite3 libsodium inih libidn2

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wmissing-declarations -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef \
        -Wvla -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion -Werror
OPT  ?= -O2 -g
HARD ?= -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lunistring -pthread
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -I. $(WARN) $(OPT) $(HARD) -fPIE $(PKG_CFLAGS) $(CFLAGS) $(SAN)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS) $(SAN)

COMMON_SRC  := $(wildcard common/base/*.c common/xmpp/*.c common/net/*.c common/link/*.c common/edge/*.c common/daemon/*.c)
ROUTER_SRC  := $(wildcard router/*.c)
C2S_SRC     := $(wildcard c2s/*.c)
SESSMAN_SRC := $(wildcard sessman/*.c sessman/store/*.c sessman/mod/*.c)
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
no_main = $(filter-out %/main.o,$(call obj,$(1)))

PROGRAMS :=
ifneq ($(wildcard router/main.c),)
PROGRAMS += $(B)/bulkhead-router
endif
ifneq ($(wildcard c2s/main.c),)
PROGRAMS += $(B)/bulkhead-c2s
endif
ifneq ($(wildcard sessman/main.c),)
PROGRAMS += $(B)/bulkhead-sessman
endif
ifneq ($(wildcard common/tools/bulkhead.c),)
PROGRAMS += $(B)/bulkhead
endif
ifneq ($(wildcard common/net/tls.c),)
PROGRAMS += $(B)/bulkheadctl
endif
SUPER_SRC := $(addprefix common/tools/,bulkhead.c super.c proc.c)
CTL_SRC   := $(wildcard common/tools/bulkheadctl.c common/tools/ctl_*.c)

.PHONY: all clean unit
all: $(PROGRAMS) $(B)/libcommon.a

$(B)/libcommon.a: $(call obj,$(COMMON_SRC))
	@rm -f $@; mkdir -p $(@D)
	$(AR) rcs $@ $^

$(B)/bulkhead-router: $(call obj,$(ROUTER_SRC)) $(B)/libcommon.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
$(B)/bulkhead-c2s: $(call obj,$(C2S_SRC)) $(B)/libcommon.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
$(B)/bulkhead-sessman: $(call obj,$(SESSMAN_SRC)) $(B)/libcommon.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(B)/bulkhead: $(call obj,$(SUPER_SRC)) $(B)/libcommon.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
$(B)/bulkheadctl: $(call obj,$(CTL_SRC)) $(B)/libsessman.a $(B)/libcommon.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
# The account rows are written by the session manager's own code, by `bulkheadctl init` too.
$(B)/libsessman.a: $(call no_main,$(SESSMAN_SRC))
	@rm -f $@; mkdir -p $(@D)
	$(AR) rcs $@ $^

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# One cmocka program per test/unit/test_*.c; those of sessman link its objects too.
UNIT := $(patsubst test/unit/%.c,$(B)/unit/%,$(wildcard test/unit/test_*.c))
STORE_SRC := $(wildcard sessman/store/*.c)
UNIT_test_roster := $(STORE_SRC) sessman/roster.c
UNIT_test_store := $(STORE_SRC)
UNIT_test_users := $(STORE_SRC) $(addprefix sessman/,users.c users_now.c auth_store.c)
UNIT_test_auth := $(UNIT_test_users) sessman/auth.c
UNIT_test_auth_script := sessman/auth_script.c
.SECONDEXPANSION:
$(B)/unit/%: $(B)/obj/test/unit/%.o $$(call obj,$$(UNIT_$$*)) $(B)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) -lcmocka

unit: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done

clean:
	rm -rf $(B)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
