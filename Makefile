# The front door. `make run` and `make test` set up a fresh Debian machine by themselves.
BUILD ?= build
PREFIX ?= /usr/local
MESON_FLAGS ?=
JOBS ?= $(shell nproc)
PROGRAM = $(BUILD)/ipfs-accelerate

.DEFAULT_GOAL := build
.PHONY: build deps peers run test unit asan tsan fuzz lint bench soak install clean

deps:
	@tools/install-deps build

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_FLAGS) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

build: $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS) --quiet
	@ln -sf ipfs-accelerate $(BUILD)/ipfs
	@ln -sf libipfsa.so.0 $(BUILD)/libipfsa.so 2>/dev/null || true

# `make run` does the main job on real input; `make run ARGS="add FILE"` runs any command.
run: build
ifdef ARGS
	@$(PROGRAM) $(ARGS)
else
	@tools/demo $(PROGRAM)
endif

peers: deps
	@tools/install-peers

test: build
	@tools/install-deps test
	@tools/install-peers
	@tools/run-tests $(BUILD)

unit: build
	@tools/run-tests $(BUILD) --unit-only

asan:
	@$(MAKE) --no-print-directory build BUILD=build-asan MESON_FLAGS="-Db_sanitize=address,undefined -Db_lundef=false"
	@tools/run-tests build-asan --unit-only --timeout 2400

# A child that is forked by a test with threads starts threads of its own, which the sanitizer does not allow by itself.
tsan:
	@$(MAKE) --no-print-directory build BUILD=build-tsan MESON_FLAGS="-Db_sanitize=thread -Db_lundef=false"
	@TSAN_OPTIONS=die_after_fork=0 tools/run-tests build-tsan --unit-only --timeout 2400

# FUZZ_SECONDS per target; needs clang.
FUZZ_SECONDS ?= 60
fuzz:
	@tools/install-deps fuzz
	@CC=clang CXX=clang++ $(MAKE) --no-print-directory build BUILD=build-fuzz MESON_FLAGS="-Dfuzz=true -Db_lundef=false -Db_sanitize=address,undefined -Dc_args=-fsanitize=fuzzer-no-link"
	@tools/run-fuzz build-fuzz $(FUZZ_SECONDS)

lint: build
	@tools/install-deps lint
	@tools/lint $(BUILD)

# All of it takes about half an hour and 60 GB; `make bench BENCH="file car"` measures some groups and keeps the results of the others.
bench: build
	@tools/install-deps bench test
	@tools/install-peers
	@ninja -C $(BUILD) -j $(JOBS) --quiet bench-tools
	@bench/run $(PROGRAM) $(BENCH)
	@bench/report

# SEED and SOAK_SECONDS choose the campaign.
SOAK_SECONDS ?= 600
soak: build
	@tools/install-deps test
	@tools/run-tests $(BUILD) --soak $(SOAK_SECONDS) --seed $(or $(SEED),0)

# PREFIX says where (default /usr/local), DESTDIR below which folder, as packagers want it.
install: build
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@ninja -C $(BUILD) -j $(JOBS) --quiet
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf build build-asan build-tsan build-fuzz
