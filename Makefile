# SPDX-License-Identifier: Apache-2.0
# Thin front of CMake, tests/run and bench/: every target is a few commands.
BUILD ?= build
BUILD_TYPE ?= RelWithDebInfo
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
TEST_DURATION ?= 300

# What a base Debian 12 lacks, by purpose.
PACKAGES = gcc libc6-dev cmake ninja-build pkg-config clang llvm bpftool libbpf-dev libelf-dev \
	libdw-dev libiberty-dev liblzma-dev libncurses-dev libpfm4-dev libunwind-dev zlib1g-dev protobuf-compiler protobuf-c-compiler libprotobuf-c-dev
PACKAGES_TEST = libcriterion-dev libclang-rt-14-dev clang-format-14 mandoc golang-go python3 g++ \
	elfutils debuginfod dwz xz-utils chromium valgrind
PACKAGES_BENCH = linux-perf bpftrace python3 perl sqlite3 nginx-light wrk redis-tools gcc openssl \
	nodejs xz-utils git elfutils openjdk-17-dbg openjdk-17-jre-headless libck-dev liburcu-dev \
	libboost-dev g++ valgrind
PACKAGES_TIDY = clang-tidy
PACKAGES_ARM64 = gcc-aarch64-linux-gnu g++-aarch64-linux-gnu
PACKAGES_VM = e2fsprogs

# The libraries again, for arm64; they are unpacked in a folder, not installed.
SYSROOT_ARM64 = $(filter lib%-dev zlib%-dev,$(PACKAGES)) libcriterion-dev

# $(call install_packages,PACKAGES): those of them that are missing, asking the network only then.
# The package lists are fetched when they are empty or too old to find a file. Services of the
# packages are not started (policy-rc.d, where the administrator has none).
define install_packages
	@if ! command -v apt-get >/dev/null; then \
		echo "make deps knows Debian only; on this system install what these hold: $(1)"; \
		exit 0; \
	fi; \
	have=" $$(dpkg-query -W -f='$${db:Status-Status}=$${Package} ' $(1) 2>/dev/null)"; \
	missing=; \
	for p in $(1); do \
		case "$$have" in *" installed=$$p "*) ;; *) missing="$$missing $$p" ;; esac; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "installing:$$missing"; \
	sudo=; \
	if [ "$$(id -u)" != 0 ]; then \
		sudo=sudo; \
		command -v sudo >/dev/null || { \
			echo "cannot install: not root, and no sudo; as root: apt-get install$$missing" >&2; \
			exit 1; \
		}; \
	fi; \
	install() { \
		policy=/usr/sbin/policy-rc.d; \
		if [ ! -e $$policy ]; then \
			trap "$$sudo rm -f $$policy" EXIT; \
			printf '#!/bin/sh\nexit 101\n' | $$sudo tee $$policy >/dev/null; \
			$$sudo chmod 755 $$policy; \
		fi; \
		$$sudo env DEBIAN_FRONTEND=noninteractive \
			apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 $$missing >/dev/null; \
	}; \
	if apt-get install --simulate -qq $$missing >/dev/null 2>&1 && install; then exit 0; fi; \
	$$sudo apt-get update -qq && install
endef

.PHONY: build arm64 deps deps-test deps-bench demo test test-long test-vm fuzz bench bench-full tidy format install clean

build:
	@mkdir -p $(BUILD)
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=$(BUILD_TYPE) >$(BUILD)/configure.log 2>&1 || \
		{ cat $(BUILD)/configure.log >&2; exit 1; }
	@cmake --build $(BUILD)

# Programs and tests for arm64, from another machine: build/arm64/bin.
arm64: deps
	$(call install_packages,$(PACKAGES_ARM64))
	@cmake/debian sysroot arm64 build/sysroot-arm64 $(SYSROOT_ARM64)
	@mkdir -p build/arm64
	@cmake --preset arm64 >build/arm64/configure.log 2>&1 || \
		{ cat build/arm64/configure.log >&2; exit 1; }
	@cmake --build build/arm64

deps:
	$(call install_packages,$(PACKAGES))

deps-test: deps
	$(call install_packages,$(PACKAGES_TEST))

deps-bench: deps
	$(call install_packages,$(PACKAGES_BENCH))

demo: deps
	@$(MAKE) --no-print-directory build
	@bench/demo.sh $(BUILD)

test: deps-test
	@tests/run

test-long: deps-test
	@TEST_DURATION=$(TEST_DURATION) tests/run long

test-vm: deps-test
	$(call install_packages,$(PACKAGES_VM))
	@tests/run build
	@$(MAKE) --no-print-directory arm64
	@tests/vm/run $(GUESTS)

fuzz: deps-test
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run fuzz

# A few minutes, and all of it; bench/run says what the suites are.
bench bench-full: deps-bench
	@$(MAKE) --no-print-directory build
	-@cmake --build $(BUILD) --target micro
	@bench/run --build $(BUILD) $(if $(filter bench-full,$@),--full)

tidy: deps
	$(call install_packages,$(PACKAGES_TIDY))
	@$(MAKE) --no-print-directory build
	@run-clang-tidy -quiet -p $(BUILD) '/(bpf|proto|profiler|tools|bench)/[^/]*\.c$$' 2>/dev/null

format: deps-test
	@find bpf proto profiler tools bench tests -name '*.[ch]' -exec clang-format-14 -i {} +

install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	@rm -rf $(BUILD)
