# SPDX-License-Identifier: GPL-2.0-or-later
# asyncscope-bpf: `make`, `make test`, `make check`, `make bench`, `make install PREFIX=/usr`.
# Variables: V=1 shows commands, CC=clang, BUILD=dir, STATIC=1 makes one file without libraries.

STATIC ?=
BUILD ?= $(if $(STATIC),build/static,build)
# one name for one folder, or the dependencies written under one name do not hold under the other
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
PREFIX ?= /usr/local
DESTDIR ?=
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
VERSION := $(shell sed -n 's/^\#\# \([0-9][^ ]*\).*/\1/p' CHANGELOG.md | head -n 1)
ARCH := x86

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

CFLAGS ?= -O2 -g
BASE_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-DASYNCSCOPE_VERSION='"$(VERSION)"' -Iuser -Ibpf -I$(BUILD)/gen
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2
LDLIBS := -lbpf -lelf -liberty -lzstd -lz -lm -lpthread
LDFLAGS += $(if $(STATIC),-static,)
BPF_CFLAGS := -std=gnu11 -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
	-Wno-unused-parameter -Ivmlinux/$(ARCH) -Ibpf -idirafter /usr/include/x86_64-linux-gnu

PROGRAM := $(BUILD)/asyncscope-bpf
SRC := $(wildcard user/*/*.c) user/main.c
OBJ := $(SRC:%.c=$(BUILD)/%.o)
BPF_SRC := $(wildcard bpf/*.bpf.c)
BPF_OBJ := $(BPF_SRC:%.bpf.c=$(BUILD)/%.bpf.o)
SKEL := $(BUILD)/gen/asyncscope.skel.h
TEMPLATES := $(wildcard report-templates/*)

# What needs neither root nor a live process: everything but live/, cmd/ and main, and of cmd/ the
# budget. Unit tests and fuzzers link it, built with sanitizers.
OFFLINE_SRC := $(wildcard $(addsuffix /*.c,$(addprefix user/,base event target runtime model \
	snapshot analyze export report))) user/cmd/budget.c user/cmd/budget_account.c
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_OBJ := $(OFFLINE_SRC:%.c=$(BUILD)/san/%.o)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT := $(UNIT_SRC:%.c=$(BUILD)/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ := $(FUZZ_SRC:%.c=$(BUILD)/%)
PROGRAM_SRC := $(wildcard tests/programs/*.c)
PROGRAMS := $(PROGRAM_SRC:%.c=$(BUILD)/%)
BPF_TEST_SRC := $(wildcard tests/bpf/test_*.c)
BPF_TEST := $(BPF_TEST_SRC:%.c=$(BUILD)/%)

.PHONY: all test test-full check format bench soak fuzz install clean programs unit bpf-tests demo-service
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAM)

$(PROGRAM): $(OBJ)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c | $(SKEL)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CFLAGS) $(HARDEN) $(BASE_CFLAGS) -MMD -MP -c -o $@ $<

# The page's files are part of the object (.incbin), so make must know them.
$(BUILD)/user/report/templates.o $(BUILD)/san/user/report/templates.o: $(TEMPLATES)

# The BPF side: each file apart, linked into one object, one skeleton.
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$<)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/asyncscope.bpf.o: $(BPF_OBJ)
	$(call say,BPFLINK,$@)$(BPFTOOL) gen object $@ $^

$(SKEL): $(BUILD)/asyncscope.bpf.o
	$(call say,SKEL,$@)mkdir -p $(@D) && $(BPFTOOL) gen skeleton $< name asyncscope >$@

# Tests
$(BUILD)/san/%.o: %.c
	$(call say,CC-SAN,$<)mkdir -p $(@D) && $(CC) -O1 -g $(SAN) $(BASE_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libsan.a: $(SAN_OBJ)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/san/tests/unit/%.o $(BUILD)/libsan.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(SAN) -o $@ $^ -lelf -liberty -lzstd -lz -lm -lpthread

FUZZ_SAN := -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(OFFLINE_SRC)
	$(call say,FUZZ,$@)mkdir -p $(@D) && $(CLANG) $(FUZZ_SAN) $(BASE_CFLAGS) -o $@ $^ \
		-lelf -liberty -lzstd -lz -lm -lpthread

$(BUILD)/tests/programs/%: tests/programs/%.c $(wildcard tests/programs/*.h)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -O2 -g -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE \
		$(if $(STATIC),-DHEAP_STATIC) $(LDFLAGS) -o $@ $< -lpthread

include tests/programs/Makefile.inc
include tests/bpf/Makefile.inc

# The demo service is the only program here that needs libuv.
$(BUILD)/demo-service: tools/demo-service.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -O2 -g -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE \
		-MMD -MP -o $@ $< -luv -lpthread

# What places cost, of the product's own objects.
BENCH_WITH := $(filter $(BUILD)/user/base/%.o $(BUILD)/user/target/%.o,$(OBJ))
$(BUILD)/bench-place: tools/bench-place.c tests/unit/own_function.h $(BENCH_WITH)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CFLAGS) $(BASE_CFLAGS) $(LDFLAGS) -o $@ \
		$(filter-out %.h,$^) $(LDLIBS)

# The probes that a recording would place, with programs that do nothing.
PROBES_WITH := $(filter-out $(BUILD)/user/main.o,$(OBJ))
$(BUILD)/bench-probes: tools/bench-probes.c $(PROBES_WITH)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CFLAGS) $(BASE_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

programs: $(PROGRAMS)
unit: $(UNIT)
bpf-tests: $(BPF_TEST)
demo-service: $(BUILD)/demo-service

# `make test` is the inner command: everything in tests/, some minutes. tools/test installs what it
# needs first. test-full repeats and runs all variants; soak and fuzz run long.
test: all programs unit bpf-tests demo-service
	$(Q)BUILD=$(abspath $(BUILD)) tests/run
test-full: all programs unit bpf-tests demo-service
	$(Q)BUILD=$(abspath $(BUILD)) FULL=1 tests/run
check: $(BUILD)/asyncscope.bpf.o
	$(Q)BUILD=$(abspath $(BUILD)) tools/check
format:
	$(Q)git ls-files '*.c' '*.h' | grep -v '^vmlinux/.*/vmlinux.h' | xargs clang-format -i
bench: all programs $(BUILD)/bench-place $(BUILD)/bench-probes
	$(Q)BUILD=$(abspath $(BUILD)) tools/bench
soak: all programs
	$(Q)BUILD=$(abspath $(BUILD)) tools/soak
fuzz: $(FUZZ)
	$(Q)BUILD=$(abspath $(BUILD)) tools/fuzz

install: all
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/asyncscope-bpf
	install -D -m 644 asyncscope-bpf.8 $(DESTDIR)$(PREFIX)/share/man/man8/asyncscope-bpf.8

clean:
	rm -rf build

-include $(OBJ:.o=.d) $(BPF_OBJ:.o=.d) $(SAN_OBJ:.o=.d)
-include $(UNIT_SRC:%.c=$(BUILD)/san/%.d) $(BUILD)/demo-service.d
