# Bulkhead: `make run` builds and starts a server in run/, `make test` runs every test.
#
#   make             the programs, into build/           make asan    the tests with the address and undefined sanitizers
#   make run         a server for localhost in run/      make fuzz    each fuzz target for FUZZ_SECONDS
#   make test        unit and black-box tests            make bench   CPU, memory and latency against the budgets
#   make unit        the unit tests alone                make lint    every check of the sources
#   make install     DESTDIR, PREFIX                     make format  clang-format over all C files
#   make web         the pages of the gateway, into build/web (npm); run, test and install do it, WEB=no leaves them out
#   make survive     kills, cuts, full disks: SURVIVE="--rounds 400 --seed 7", for hours
#
# B is the build folder; CC=clang and B=build-clang give a second one beside the first.
B      ?= build
ifeq ($(origin CC),default)
CC     := gcc
endif
PREFIX ?= /usr/local
PKGS   := libuv libxml-2.0 gnutls sqlite3 libsodium inih libidn2 libmicrohttpd jansson

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wmissing-declarations -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef \
        -Wvla -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion -Werror
OPT  ?= -O2 -g
HARD ?= -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lunistring -lunbound -lwslay -lm -pthread
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -I. $(WARN) $(OPT) $(HARD) -fPIE $(PKG_CFLAGS) $(CFLAGS) $(SAN)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS) $(SAN)

COMMON_SRC  := $(wildcard common/base/*.c common/xmpp/*.c common/net/*.c common/link/*.c common/edge/*.c common/daemon/*.c)
SESSMAN_SRC := $(wildcard sessman/*.c sessman/store/*.c sessman/mod/*.c)
SUPER_SRC   := $(addprefix common/tools/,bulkhead.c super.c proc.c)
CTL_SRC     := $(wildcard common/tools/bulkheadctl.c common/tools/ctl_*.c) common/tools/super.c
DAEMONS     := $(patsubst %/main.c,%,$(wildcard router/main.c c2s/main.c sessman/main.c s2s/main.c httpgw/main.c))
PROGRAMS    := $(B)/bulkhead $(B)/bulkhead-echo $(patsubst %,$(B)/bulkhead-%,$(DAEMONS))
ifneq ($(wildcard common/net/tls.c),)
PROGRAMS    += $(B)/bulkheadctl
endif
# V=1 shows the commands whole.
ifeq ($(V),)
Q  := @
say = $(if $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),,@echo "  $(1) $@")
endif
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
no_main = $(filter-out %/main.o,$(call obj,$(1)))

.SECONDARY:
.PHONY: all clean survive mutant unit unit-programs test test-run asan fuzz bench bench-programs lint format run install
all: $(PROGRAMS) $(B)/libcommon.a

define archive
@rm -f $@; mkdir -p $(@D)
$(Q)$(AR) rcs $@ $^
endef
define link
$(call say,link)
$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
endef

$(B)/libcommon.a: $(call obj,$(COMMON_SRC))
	$(archive)
# Of each daemon all but its main, for unit tests, fuzz targets and bulkheadctl, which writes account rows as sessman does.
$(B)/libsessman.a: $(call no_main,$(SESSMAN_SRC))
	$(archive)
define daemon_lib
$(B)/lib$(1).a: $(call no_main,$(wildcard $(1)/*.c))
	$$(archive)
endef
$(foreach d,router c2s s2s httpgw,$(eval $(call daemon_lib,$(d))))
$(B)/libtools.a: $(call obj,common/tools/super.c common/tools/proc.c)
	$(archive)
PARTS     := $(patsubst %/,%,$(sort $(dir $(wildcard router/*.c c2s/*.c s2s/*.c httpgw/*.c))))
LIBRARIES := $(patsubst %,$(B)/lib%.a,$(PARTS) tools sessman common)

$(patsubst %,$(B)/bulkhead-%,$(DAEMONS)): $(B)/bulkhead-%: $(B)/obj/%/main.o $(B)/lib%.a $(B)/libcommon.a
	$(link)
$(B)/bulkhead: $(call obj,$(SUPER_SRC)) $(B)/libcommon.a
	$(link)
$(B)/bulkhead-echo: $(B)/obj/common/tools/echo.o $(B)/libcommon.a
	$(link)
$(B)/bulkheadctl: $(call obj,$(CTL_SRC)) $(B)/libsessman.a $(B)/libcommon.a
	$(link)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc  )
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# --- pages ---

# What npm brings is named in package-lock.json with its checksum; nothing of it is run.
WEB     ?= yes
NPM_CI  := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
WEB_SRC := $(shell find httpgw/web -name node_modules -prune -o -type f -print)
.PHONY: web web-tests
web: $(if $(filter no,$(WEB)),,$(B)/web.done)
$(B)/web.done: httpgw/web/node_modules/.package-lock.json $(WEB_SRC)
	$(call say,web )
	@mkdir -p $(@D)
	$(Q)httpgw/web/collect $(B)/web
	@touch $@
# What the tests of pages and libraries run under node, and the browser's driver.
web-tests: test/web/node_modules/.package-lock.json
%/node_modules/.package-lock.json: %/package-lock.json
	$(call say,npm )
	$(Q)cd $* && $(NPM_CI)
	@touch $@

# --- tests ---

# One cmocka program per test/unit/test_*.c. It links all objects of the daemons but their mains; one that puts something else in
# the place of some of them has a list of what it takes.
UNIT := $(patsubst test/unit/%.c,$(B)/unit/%,$(wildcard test/unit/test_*.c))
STORE_SRC := $(wildcard sessman/store/*.c)
UNIT_test_unsent := router/unsent.c
UNIT_test_roster := $(STORE_SRC) sessman/roster.c
UNIT_test_deliver := $(filter-out sessman/main.c,$(SESSMAN_SRC))
UNIT_test_push := $(UNIT_test_deliver)
UNIT_test_csi := $(UNIT_test_deliver)
UNIT_test_store := $(STORE_SRC)
UNIT_test_tail := sessman/tail.c
UNIT_test_fast := sessman/fast.c
UNIT_test_journal := $(STORE_SRC) $(addprefix sessman/,journal.c journalid.c cursor.c replay.c transient.c waiting.c tail.c auth_store.c users.c users_now.c)
UNIT_test_users := $(STORE_SRC) $(addprefix sessman/,users.c users_now.c auth_store.c)
UNIT_test_auth := $(UNIT_test_users) $(addprefix sessman/,auth.c auth_rates.c auth_fast.c auth_bearer.c tokens.c apitokens.c)
UNIT_test_tokens := $(UNIT_test_auth)
UNIT_test_commandform := sessman/commandform.c
UNIT_test_scopes := sessman/scopes.c
UNIT_test_apitokens := $(UNIT_test_auth)
UNIT_test_uploads := $(UNIT_test_users) sessman/uploads.c
UNIT_test_auth_script := sessman/auth_script.c
UNIT_test_limits := s2s/limits.c
UNIT_test_custody := s2s/custody.c
UNIT_test_policy := $(addprefix s2s/,policy.c conf.c limits.c)
UNIT_test_pair := $(addprefix s2s/,pair.c policy.c)
.SECONDEXPANSION:
unit_objects = $(if $(UNIT_$(1)),$(call obj,$(UNIT_$(1))) $(B)/libcommon.a,$(LIBRARIES))
$(B)/unit/%: $(B)/obj/test/unit/%.o $$(call unit_objects,$$*)
	@mkdir -p $(@D)
	$(link) -lcmocka
unit-programs: $(UNIT)
unit: unit-programs
	@test/run.py $(B) --unit

test:
	@common/tools/packages build web test
	@$(MAKE) --no-print-directory test-run
test-run: all unit-programs $(B)/loadgen mutant web web-tests
	@test/run.py $(B) $(TESTS)

ASAN := B=build-asan CC=clang HARD= OPT="-O1 -g" SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
asan:
	@common/tools/packages build web test lint
	@ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 $(MAKE) --no-print-directory $(ASAN) test-run

# Each test/fuzz/fuzz_NAME.c with libFuzzer; test/fuzz/corpus/NAME is where it begins.
FUZZ_SECONDS ?= 20
FUZZERS := $(patsubst test/fuzz/%.c,$(B)/fuzz/%,$(wildcard test/fuzz/fuzz_*.c))
.PHONY: fuzz-programs
$(B)/fuzz/%: $(B)/obj/test/fuzz/%.o $(LIBRARIES)
	@mkdir -p $(@D)
	$(link) -fsanitize=fuzzer
fuzz-programs: $(FUZZERS)
fuzz:
	@common/tools/packages build lint
	@$(MAKE) --no-print-directory B=build-fuzz CC=clang HARD= OPT="-O1 -g" \
	    SAN="-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined" fuzz-programs
	@test/fuzz/run build-fuzz $(FUZZ_SECONDS)

# The load generator and the bare relay that it is compared with.
BENCH_SRC := $(filter-out test/bench/relay.c,$(wildcard test/bench/*.c))
$(B)/loadgen: $(call obj,$(BENCH_SRC))
	$(link)
$(B)/relay: $(call obj,test/bench/relay.c)
	$(link)
bench-programs: $(B)/loadgen $(B)/relay
bench:
	@common/tools/packages build test
	@$(MAKE) --no-print-directory all bench-programs
	@test/bench/run.py $(BENCH)

# Daemons killed, sockets cut, a full disk under the noise of a few hundred clients: test/survive/run.py says what its options are.
# The mutant acknowledges before it has committed, which that must notice.
SURVIVE ?= --rounds 400
MUTANT  := $(B)/mutant
survive:
	@common/tools/packages build test
	@$(MAKE) --no-print-directory all
	@test/survive/run.py --build $(B) $(SURVIVE)
$(MUTANT)/edgeacks.o: sessman/edgeacks.c
	@mkdir -p $(@D)
	$(call say,cc  )
	$(Q)$(CC) $(CFLAGS_ALL) -DMUTATE_ACK_BEFORE_COMMIT -MMD -MP -c -o $@ $<
$(MUTANT)/bulkhead-sessman: $(B)/obj/sessman/main.o $(MUTANT)/edgeacks.o $(B)/libsessman.a $(B)/libcommon.a
	$(link)
mutant: $(MUTANT)/bulkhead-sessman all
	@cp $(filter-out %-sessman,$(PROGRAMS)) $(MUTANT)

lint:
	@common/tools/packages build test lint
	@$(MAKE) --no-print-directory -s all
	@test/lint/run

format:
	git ls-files '*.c' | xargs clang-format -i

# --- running and installing ---

run:
	@common/tools/packages build $(if $(filter no,$(WEB)),,web)
	@$(MAKE) --no-print-directory -s all web
	@exec common/tools/run $(B) run

SHARE = $(DESTDIR)$(PREFIX)/share
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
MAN   := $(wildcard common/tools/*.8 $(addsuffix /*.8,$(DAEMONS)))
# What a component in C is written with (common/link/service.h): -I PREFIX/include/bulkhead, -lbulkhead and our libraries.
SERVICE_H := common/link/service.h $(addprefix common/xmpp/,stanza.h jid.h node.h ns.h) \
             $(addprefix common/base/,arena.h slice.h rc.h buf.h)
install: all web
	install -d $(DESTDIR)$(PREFIX)/sbin $(UNITS) $(DESTDIR)$(PREFIX)/lib/sysusers.d $(SHARE)/doc/bulkhead/conf/examples $(SHARE)/man/man5 $(SHARE)/man/man8
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/sbin
	install -m 644 $(wildcard conf/*.conf) $(SHARE)/doc/bulkhead/conf
	install -m 644 $(wildcard conf/examples/*) $(SHARE)/doc/bulkhead/conf/examples
	install -m 644 $(wildcard *.md LICENSE) $(SHARE)/doc/bulkhead
	for u in conf/systemd/*.service conf/systemd/*.target; do \
	    sed 's|@PREFIX@|$(PREFIX)|g' $$u >$(UNITS)/$${u##*/} && chmod 644 $(UNITS)/$${u##*/} || exit 1; done
	install -m 644 conf/systemd/bulkhead.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/bulkhead.conf
	install -m 644 $(MAN) $(SHARE)/man/man8
	$(if $(filter no,$(WEB)),,rm -rf $(SHARE)/bulkhead/web && install -d $(SHARE)/bulkhead && cp -R $(B)/web $(SHARE)/bulkhead/web)
	common/tools/confpage $(SHARE)/man/man5 $(wildcard conf/*.conf)
	for h in $(SERVICE_H); do install -D -m 644 $$h $(DESTDIR)$(PREFIX)/include/bulkhead/$$h || exit 1; done
	install -D -m 644 $(B)/libcommon.a $(DESTDIR)$(PREFIX)/lib/libbulkhead.a

clean:
	rm -rf $(B)

-include $(shell find $(B)/obj $(B)/mutant -name '*.d' 2>/dev/null)
