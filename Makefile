# `make demo` runs the main job and `make test` the tests; each sets up what it needs.

TORCH_VERSION := 2.13.0
LIBTORCH ?= $(CURDIR)/.deps/libtorch
PACKAGES := libnifti-dev zlib1g-dev libdeflate-dev libpng-dev libssl-dev libsqlite3-dev g++ python3 python3-pip

BUILD := swift build -c release --explicit-target-dependency-import-check error
TEST := swift test -c release --disable-testable-imports --explicit-target-dependency-import-check error
BIN := .build/release
DEMO := demo

.PHONY: demo test test-kernels build commands library packages browser checkers format lint lint-tools clean

demo: build
	$(BIN)/sliceseg phantom --output $(DEMO)/scans --references $(DEMO)/references --count 4 --seed 2024 --overwrite
	$(BIN)/segment-brain $(DEMO)/scans $(DEMO)/segmentations --model phantom --reference $(DEMO)/references --overwrite
	@echo
	@echo "Look at $(DEMO)/segmentations: report.html (open it in a browser), NAME_qc.png, volumes.tsv, metrics.tsv."

# One thread an operation: tests run side by side. No testable imports: with them the two commands
# would compile everything anew for each other.
test: build browser checkers
	OMP_NUM_THREADS=1 sh scripts/test-kernels.sh $(TEST)
	@sh scripts/test-emulated.sh $(BIN)
# Last, so that the output ends with the summary of all tests.
	OMP_NUM_THREADS=1 $(TEST)

test-kernels: build
	OMP_NUM_THREADS=1 sh scripts/test-kernels.sh $(TEST)

# The library's objects, fetched and compiled side by side, and meanwhile the commands: neither needs
# the other before it runs.
build: packages
	@$(MAKE) --no-print-directory -j$(shell nproc) commands library

commands:
	$(BUILD) --product segment-brain
	$(BUILD) --product sliceseg

library: .deps/lib/libCTorch.so

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
	@sh scripts/install-checkers.sh $(CURDIR)/.deps/checkers

# LibTorch from the wheel, unpacked once.
$(CURDIR)/.deps/libtorch/version-$(TORCH_VERSION):
	sh scripts/fetch-libtorch.sh $(TORCH_VERSION) $(CURDIR)/.deps/libtorch
	touch $@

ifeq ($(LIBTORCH),$(CURDIR)/.deps/libtorch)
LIBTORCH_READY := $(CURDIR)/.deps/libtorch/version-$(TORCH_VERSION)
endif

CUDA_LIBRARIES := $(if $(wildcard $(LIBTORCH)/lib/libtorch_cuda.so),-ltorch_cuda -lc10_cuda)

# OpenMP must be on: without it LibTorch's inlined parallel loops run on one thread in silence.
# Its runtime is the one that LibTorch brings.
CTORCH := Sources/CTorch/library
CTORCH_OBJECTS := .deps/ctorch
CXX_FLAGS := -std=c++20 -fPIC -fvisibility=hidden -Wall -Werror -I Sources/CTorch/include -I $(CTORCH)
LIBTORCH_FLAGS := -fopenmp -isystem $(LIBTORCH)/include -isystem $(LIBTORCH)/include/torch/csrc/api/include

# A file of kernels is compiled once for each instruction set, which names the table that it defines:
# FILE+TABLE+INSTRUCTIONS. Which of them run is decided in kernels/dispatch.cpp.
KERNELS := kernels/row_kernels+row_kernels+baseline kernels/view_kernels+view_kernels+baseline \
    kernels/direct_convolution+direct_convolution+baseline training/training_kernels+training_kernels+baseline
ifeq ($(shell uname -m),x86_64)
KERNELS += $(foreach set,avx2 avx512,kernels/row_kernels+row_kernels+$(set) \
    kernels/view_kernels+view_kernels+$(set) training/training_kernels+training_kernels+$(set) \
    winograd/gradient+winograd_gradient+$(set)) $(foreach set,avx2 avx512 avx512vnni, \
    winograd/convolution+winograd+$(set) kernels/direct_convolution+direct_convolution+$(set))
endif
KERNEL_FLAGS_avx2 := -march=x86-64-v3
KERNEL_FLAGS_avx512 := -march=x86-64-v4 -mprefer-vector-width=512
KERNEL_FLAGS_avx512vnni := $(KERNEL_FLAGS_avx512) -mavx512vnni

CTORCH_SOURCES := kernels/dispatch $(foreach folder,abi plan training, \
    $(filter-out training/training_kernels,$(patsubst $(CTORCH)/%.cpp,%,$(wildcard $(CTORCH)/$(folder)/*.cpp))))
CTORCH_LINKED := $(foreach object,$(CTORCH_SOURCES) $(KERNELS),$(CTORCH_OBJECTS)/$(subst /,.,$(object)).o)

.deps/lib/libCTorch.so: $(CTORCH_LINKED)
	@mkdir -p .deps/lib
	g++ -shared -fopenmp $^ -o $@.tmp \
	    -L $(LIBTORCH)/lib -Wl,-rpath,$(abspath $(LIBTORCH))/lib \
	    -Wl,--no-as-needed -ltorch -ltorch_cpu -lc10 $(CUDA_LIBRARIES) -Wl,--as-needed
	mv $@.tmp $@

define ctorch_object
$(CTORCH_OBJECTS)/$(subst /,.,$(1)).o: $(CTORCH)/$(1).cpp $(LIBTORCH_READY)
	@mkdir -p $(CTORCH_OBJECTS)
	g++ $(CXX_FLAGS) -O2 $(LIBTORCH_FLAGS) -MMD -MP -c $$< -o $$@
endef
$(foreach source,$(CTORCH_SOURCES),$(eval $(call ctorch_object,$(source))))

# How vectors are passed differs between the instruction sets, but none is passed between them.
define kernel_object
$(CTORCH_OBJECTS)/$(subst /,.,$(1)+$(2)+$(3)).o: $(CTORCH)/$(1).cpp
	@mkdir -p $(CTORCH_OBJECTS)
	g++ $(CXX_FLAGS) -O3 -fopenmp-simd -Wno-psabi $(KERNEL_FLAGS_$(3)) \
	    -D$(shell echo $(2) | tr a-z A-Z)=$(2)_$(3) -MMD -MP -c $$< -o $$@
endef
$(foreach kernel,$(KERNELS),$(eval $(call kernel_object,$(word 1,$(subst +, ,$(kernel))),$(word 2,$(subst +, ,$(kernel))),$(word 3,$(subst +, ,$(kernel))))))

-include $(wildcard $(CTORCH_OBJECTS)/*.d)

CLANG_FORMAT := clang-format
C_FILES = $(shell git ls-files '*.c' '*.cpp' '*.h' ':!Sources/CTorch/library')

format: lint-tools
	swift format --in-place --recursive Sources Tests Snippets Package.swift
	$(CLANG_FORMAT) -i $(C_FILES)

lint-tools:
	@command -v $(CLANG_FORMAT) > /dev/null || sh scripts/install-packages.sh clang-format

# Layout, documentation and links. Documentation is compiled from the modules as they are built.
lint: build lint-tools
	swift format lint --strict --recursive Sources Tests Snippets Package.swift
	$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)
	sh fixtures/checks/check_docs.sh
	python3 fixtures/checks/check_links.py

clean:
	rm -rf .build $(DEMO)
