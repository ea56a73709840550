# `make demo` runs the main job and `make test` the tests; each sets up what it needs.

TORCH_VERSION := 2.13.0
LIBTORCH ?= $(CURDIR)/.deps/libtorch
PACKAGES := libnifti-dev zlib1g-dev libdeflate-dev libpng-dev libssl-dev libsqlite3-dev g++
PLAN_LIBRARY := .deps/lib/libSliceSegPlan.so
TORCH_LIBRARY := .deps/lib/libCTorch.so

BUILD := swift build -c release --explicit-target-dependency-import-check error
TEST := swift test -c release --disable-testable-imports --explicit-target-dependency-import-check error
BIN := .build/release
DEMO := demo
# Where archives, wheels and the documentation's site go.
DIST := dist
VERSION = $(shell sh scripts/software-version.sh)
ARCHIVE = $(DIST)/sliceseg-$(VERSION)-linux-$(shell uname -m).tar.gz

.PHONY: demo test test-kernels build commands setup library torch packages browser checkers format \
    lint lint-tools clean programs dist test-dist wheel test-wheel docs

demo: build
	$(BIN)/sliceseg phantom --output $(DEMO)/scans --references $(DEMO)/references --count 4 --seed 2024 --overwrite
	$(BIN)/segment-brain $(DEMO)/scans $(DEMO)/segmentations --model phantom --reference $(DEMO)/references --overwrite
	@echo
	@echo "Look at $(DEMO)/segmentations: report.html (open it in a browser), NAME_qc.png, volumes.tsv, metrics.tsv."

# One thread an operation: tests run side by side. No testable imports: with them the two commands
# would compile everything anew for each other.
test: build torch browser checkers
	OMP_NUM_THREADS=1 sh scripts/test-kernels.sh $(TEST)
	@sh scripts/test-emulated.sh $(BIN)
# Last, so that the output ends with the summary of all tests.
	OMP_NUM_THREADS=1 $(TEST)

test-kernels: build torch
	OMP_NUM_THREADS=1 sh scripts/test-kernels.sh $(TEST)

# The library's objects are compiled side by side, and meanwhile the commands: neither needs the other
# before it runs.
build: packages
	@$(MAKE) --no-print-directory -j$(shell nproc) commands library

commands:
	$(BUILD) --product segment-brain
	$(BUILD) --product sliceseg
	@sh scripts/record-build.sh $(BIN)/sliceseg-build.txt

# What segments: no LibTorch.
library: $(PLAN_LIBRARY)

setup: packages
	@$(MAKE) --no-print-directory -j$(shell nproc) library

# What trains, and runs on GPUs.
torch: packages
	@sh scripts/install-packages.sh python3 python3-pip
	@$(MAKE) --no-print-directory -j$(shell nproc) $(TORCH_LIBRARY)

packages:
	@sh scripts/install-packages.sh $(PACKAGES)

# For the tests of pages, which are skipped where this fails; under CI=true they fail then.
browser:
	@sh scripts/install-packages.sh chromium python3-websocket || \
	    echo "Pages are not tested in a browser: Chromium or python3-websocket is missing."

# For the tests of exported networks and of workflows for clusters, as for those of pages.
checkers:
	@sh scripts/install-packages.sh python3-venv dcm2niix || \
	    echo "A real DICOM series is not tested: dcm2niix is missing."
# A cluster on this machine runs as root alone; elsewhere nobody wants its daemons.
	@[ "$$(id -u)" != 0 ] || sh scripts/install-packages.sh munge slurmctld slurmd slurm-client || \
	    echo "Array jobs of Slurm are not tested: Slurm is missing."
	@sh scripts/install-checkers.sh $(CURDIR)/.deps/checkers

# LibTorch from the wheel, unpacked once.
$(CURDIR)/.deps/libtorch/version-$(TORCH_VERSION):
	sh scripts/fetch-libtorch.sh $(TORCH_VERSION) $(CURDIR)/.deps/libtorch
	touch $@

ifeq ($(LIBTORCH),$(CURDIR)/.deps/libtorch)
LIBTORCH_READY := $(CURDIR)/.deps/libtorch/version-$(TORCH_VERSION)
endif

CUDA_LIBRARIES := $(if $(wildcard $(LIBTORCH)/lib/libtorch_cuda.so),-ltorch_cuda -lc10_cuda)

# Each library's own folder of objects.
CPLAN := Sources/CPlan/library
CTORCH := Sources/CTorch/library
CPLAN_OBJECTS := .deps/cplan
CTORCH_OBJECTS := .deps/ctorch
# Such as -fsanitize=address, with folders of their own for CPLAN_OBJECTS and PLAN_LIBRARY.
SANITIZERS :=
CXX_FLAGS := -std=c++20 -fPIC -fvisibility=hidden -Wall -Werror -I Sources/CPlan/include -I $(CPLAN) \
    $(SANITIZERS)
# OpenMP must be on: without it LibTorch's inlined parallel loops run on one thread in silence.
# Its runtime is the one that LibTorch brings.
LIBTORCH_FLAGS := -I Sources/CTorch/include -I $(CTORCH) -fopenmp -isystem $(LIBTORCH)/include \
    -isystem $(LIBTORCH)/include/torch/csrc/api/include

# A file of kernels is compiled once for each instruction set, which names the table that it defines:
# FILE+TABLE+INSTRUCTIONS. Which of them run is decided in kernels/dispatch.cpp and training/dispatch.cpp.
kernels_for = $(foreach set,$(1),$(foreach kernel,$(2),$(kernel)+$(set)))
ROWS := kernels/row_kernels+row_kernels kernels/view_kernels+view_kernels \
    kernels/float_convolution+float_convolution
INTEGERS := kernels/direct_convolution+direct_convolution
TRAINING := training/training_kernels+training_kernels
CPLAN_KERNELS := $(call kernels_for,baseline,$(ROWS) $(INTEGERS))
CTORCH_KERNELS := $(call kernels_for,baseline,$(TRAINING))
ifeq ($(shell uname -m),x86_64)
CPLAN_KERNELS += $(call kernels_for,avx2 avx512,$(ROWS)) \
    $(call kernels_for,avx2 avx512 avx512vnni,$(INTEGERS) winograd/convolution+winograd)
CTORCH_KERNELS += $(call kernels_for,avx2 avx512,$(TRAINING) training/gradient+winograd_gradient)
endif
KERNEL_FLAGS_avx2 := -march=x86-64-v3
KERNEL_FLAGS_avx512 := -march=x86-64-v4 -mprefer-vector-width=512
# The same bits on every processor, whether or not it multiplies and adds at once.
FLAGS_OF_direct_convolution := -ffp-contract=off
KERNEL_FLAGS_avx512vnni := $(KERNEL_FLAGS_avx512) -mavx512vnni

sources_of = $(foreach folder,$(2),$(patsubst $(1)/%.cpp,%,$(wildcard $(1)/$(folder)/*.cpp)))
CPLAN_SOURCES := kernels/dispatch $(call sources_of,$(CPLAN),abi plan)
CTORCH_SOURCES := $(filter-out training/training_kernels training/gradient, \
    $(call sources_of,$(CTORCH),abi plan training))
object_of = $(foreach source,$(2),$(1)/$(subst /,.,$(source)).o)
CPLAN_LINKED := $(call object_of,$(CPLAN_OBJECTS),$(CPLAN_SOURCES) $(CPLAN_KERNELS))
# Training has copies of the kernels of its own.
CTORCH_LINKED := $(call object_of,$(CTORCH_OBJECTS),$(CTORCH_SOURCES) $(CTORCH_KERNELS)) \
    $(call object_of,$(CPLAN_OBJECTS),kernels/dispatch $(CPLAN_KERNELS))

$(PLAN_LIBRARY): $(CPLAN_LINKED)
	@mkdir -p .deps/lib
	g++ -shared -pthread $^ -o $@.tmp
	mv $@.tmp $@

$(TORCH_LIBRARY): $(CTORCH_LINKED) | $(PLAN_LIBRARY)
	@mkdir -p .deps/lib
	g++ -shared -fopenmp $(CTORCH_LINKED) -o $@.tmp \
	    -L $(LIBTORCH)/lib -Wl,-rpath,$(abspath $(LIBTORCH))/lib \
	    -Wl,--no-as-needed -ltorch -ltorch_cpu -lc10 $(CUDA_LIBRARIES) -Wl,--as-needed
	mv $@.tmp $@

# Of a library's folder of sources and of objects, flags, what must be there first, and a source.
define plain_object
$(call object_of,$(2),$(5)): $(1)/$(5).cpp $(4)
	@mkdir -p $(2)
	g++ $(CXX_FLAGS) -O2 $(3) -MMD -MP -c $$< -o $$@
endef
$(foreach source,$(CPLAN_SOURCES),$(eval $(call plain_object,$(CPLAN),$(CPLAN_OBJECTS),,,$(source))))
$(foreach source,$(CTORCH_SOURCES),$(eval \
    $(call plain_object,$(CTORCH),$(CTORCH_OBJECTS),$(LIBTORCH_FLAGS),$(LIBTORCH_READY),$(source))))

# How vectors are passed differs between the instruction sets, but none is passed between them.
define kernel_object
$(call object_of,$(2),$(3)+$(4)+$(5)): $(1)/$(3).cpp
	@mkdir -p $(2)
	g++ $(CXX_FLAGS) -I $(1) -O3 -fopenmp-simd -Wno-psabi $(KERNEL_FLAGS_$(5)) $(FLAGS_OF_$(4)) \
	    -D$(shell echo $(4) | tr a-z A-Z)=$(4)_$(5) -MMD -MP -c $$< -o $$@
endef
parts = $(subst +, ,$(1))
$(foreach kernel,$(CPLAN_KERNELS),$(eval $(call kernel_object,$(CPLAN),$(CPLAN_OBJECTS),$(word \
    1,$(call parts,$(kernel))),$(word 2,$(call parts,$(kernel))),$(word 3,$(call parts,$(kernel))))))
$(foreach kernel,$(CTORCH_KERNELS),$(eval $(call kernel_object,$(CTORCH),$(CTORCH_OBJECTS),$(word \
    1,$(call parts,$(kernel))),$(word 2,$(call parts,$(kernel))),$(word 3,$(call parts,$(kernel))))))

-include $(wildcard $(CPLAN_OBJECTS)/*.d $(CTORCH_OBJECTS)/*.d)

# One archive and one wheel for those who have no compiler. The tests make environments of their own: bare
# Debians (root, about 300 MB each), and a virtual environment with packages from PyPI.
programs: build
	$(BUILD) --product SliceSegC

dist: programs
	@sh scripts/make-dist.sh $(BIN) $(DIST)

test-dist: dist
	@sh scripts/test-dist.sh $(ARCHIVE) $(BIN)

wheel: programs
	@sh scripts/make-wheel.sh $(BIN) $(DIST)

test-wheel: wheel
	@sh scripts/test-wheel.sh $(DIST)/sliceseg-$(VERSION)-py3-none-*.whl

# Static pages of all modules, commands and files.
docs: programs
	@sh scripts/make-docs.sh $(BIN) $(DIST)/docs

CLANG_FORMAT := clang-format
C_FILES = $(shell git ls-files '*.c' '*.cpp' '*.h' ':!Sources/CPlan/library' ':!Sources/CTorch/library')

format: lint-tools
	swift format --in-place --recursive Sources Tests Snippets Package.swift
	$(CLANG_FORMAT) -i $(C_FILES)

lint-tools:
	@command -v $(CLANG_FORMAT) > /dev/null || sh scripts/install-packages.sh clang-format

# Layout, documentation, links, and circles of files. Documentation is compiled from the modules as they are built.
lint: programs lint-tools
	swift format lint --strict --recursive Sources Tests Snippets Package.swift
	$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)
	sh fixtures/checks/check_docs.sh
	python3 fixtures/checks/check_links.py
	python3 fixtures/checks/check_cycles.py

clean:
	rm -rf .build $(DEMO) $(DIST)
