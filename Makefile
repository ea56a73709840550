# `make demo` runs the main job and `make test` the tests; each sets up what it needs.

TORCH_VERSION := 2.13.0
LIBTORCH ?= $(CURDIR)/.deps/libtorch
PACKAGES := libnifti-dev zlib1g-dev libdeflate-dev libpng-dev libssl-dev g++ python3 python3-pip

BUILD := swift build -c release --explicit-target-dependency-import-check error
BIN := .build/release
DEMO := demo

.PHONY: demo test build setup packages browser format lint clean

demo: build
	$(BIN)/sliceseg phantom --output $(DEMO)/scans --references $(DEMO)/references --count 4 --seed 2024 --overwrite
	$(BIN)/segment-brain $(DEMO)/scans $(DEMO)/segmentations --model phantom --reference $(DEMO)/references --overwrite
	@echo
	@echo "Look at $(DEMO)/segmentations: report.html (open it in a browser), NAME_qc.png, volumes.tsv, metrics.tsv."

# One thread an operation: tests run side by side. No testable imports: with them the two commands
# would compile everything anew for each other.
test: build browser
	OMP_NUM_THREADS=1 swift test -c release --disable-testable-imports \
	    --explicit-target-dependency-import-check error

build: setup
	$(BUILD)

setup: packages .deps/lib/libCTorch.so

packages:
	@sh Sources/CTorch/library/install-packages.sh $(PACKAGES)

# For the tests of pages, which are skipped where this fails; under CI=true they fail then.
browser:
	@sh Sources/CTorch/library/install-packages.sh chromium python3-websocket || \
	    echo "Pages are not tested in a browser: Chromium or python3-websocket is missing."

# LibTorch from the wheel, unpacked once.
$(CURDIR)/.deps/libtorch/version-$(TORCH_VERSION):
	sh Sources/CTorch/library/fetch-libtorch.sh $(TORCH_VERSION) $(CURDIR)/.deps/libtorch
	touch $@

ifeq ($(LIBTORCH),$(CURDIR)/.deps/libtorch)
LIBTORCH_READY := $(CURDIR)/.deps/libtorch/version-$(TORCH_VERSION)
endif

CUDA_LIBRARIES := $(if $(wildcard $(LIBTORCH)/lib/libtorch_cuda.so),-ltorch_cuda -lc10_cuda)

# OpenMP must be on: without it LibTorch's inlined parallel loops run on one thread in silence.
# Its runtime is the one that LibTorch brings.
CTORCH := Sources/CTorch/library
CTORCH_OBJECTS := .deps/ctorch
CXX_FLAGS := -std=c++20 -fPIC -fvisibility=hidden -Wall -Werror -I Sources/CTorch/include
# The plans' own loops are compiled for each instruction set and chosen at run time.
KERNELS := plan_kernels_baseline direct_convolution_baseline
ifeq ($(shell uname -m),x86_64)
KERNELS += plan_kernels_avx2 plan_kernels_avx512 winograd_avx2 winograd_avx512 \
    winograd_avx512vnni winograd_gradient_avx2 winograd_gradient_avx512 \
    direct_convolution_avx2 direct_convolution_avx512 direct_convolution_avx512vnni
endif
KERNEL_FLAGS_avx2 := -march=x86-64-v3
KERNEL_FLAGS_avx512 := -march=x86-64-v4 -mprefer-vector-width=512
KERNEL_FLAGS_avx512vnni := $(KERNEL_FLAGS_avx512) -mavx512vnni

.deps/lib/libCTorch.so: $(CTORCH_OBJECTS)/ctorch.o $(CTORCH_OBJECTS)/plan.o $(CTORCH_OBJECTS)/plan_layout.o \
    $(CTORCH_OBJECTS)/packed_convolution.o $(CTORCH_OBJECTS)/instruction_sets.o \
    $(CTORCH_OBJECTS)/votes.o $(CTORCH_OBJECTS)/output_pool.o $(CTORCH_OBJECTS)/training.o \
    $(CTORCH_OBJECTS)/learning_convolution.o $(KERNELS:%=$(CTORCH_OBJECTS)/%.o)
	@mkdir -p .deps/lib
	g++ -shared -fopenmp $^ -o $@.tmp \
	    -L $(LIBTORCH)/lib -Wl,-rpath,$(abspath $(LIBTORCH))/lib \
	    -Wl,--no-as-needed -ltorch -ltorch_cpu -lc10 $(CUDA_LIBRARIES) -Wl,--as-needed
	mv $@.tmp $@

$(CTORCH_OBJECTS)/%.o: $(CTORCH)/%.cpp $(wildcard $(CTORCH)/*.h) Sources/CTorch/include/CTorch.h \
    $(LIBTORCH_READY)
	@mkdir -p $(CTORCH_OBJECTS)
	g++ $(CXX_FLAGS) -O2 -fopenmp -isystem $(LIBTORCH)/include \
	    -isystem $(LIBTORCH)/include/torch/csrc/api/include -c $< -o $@

# How vectors are passed differs between the instruction sets, but none is passed between them.
$(CTORCH_OBJECTS)/plan_kernels_%.o: $(CTORCH)/plan_kernels.cpp $(CTORCH)/plan_kernels.h
	@mkdir -p $(CTORCH_OBJECTS)
	g++ $(CXX_FLAGS) -O3 -fopenmp-simd -Wno-psabi $(KERNEL_FLAGS_$*) -DPLAN_KERNELS=plan_kernels_$* \
	    -c $< -o $@

$(CTORCH_OBJECTS)/direct_convolution_%.o: $(CTORCH)/direct_convolution.cpp $(CTORCH)/direct_convolution.h \
    $(CTORCH)/simd.h
	@mkdir -p $(CTORCH_OBJECTS)
	g++ $(CXX_FLAGS) -O3 -Wno-psabi $(KERNEL_FLAGS_$*) -DDIRECT_CONVOLUTION=direct_convolution_$* \
	    -c $< -o $@

$(CTORCH_OBJECTS)/winograd_gradient_%.o: $(CTORCH)/winograd_gradient.cpp $(wildcard $(CTORCH)/winograd*.h) $(CTORCH)/simd.h
	@mkdir -p $(CTORCH_OBJECTS)
	g++ $(CXX_FLAGS) -O3 -Wno-psabi $(KERNEL_FLAGS_$*) -DWINOGRAD_GRADIENT=winograd_gradient_$* \
	    -c $< -o $@

$(CTORCH_OBJECTS)/winograd_%.o: $(CTORCH)/winograd.cpp $(wildcard $(CTORCH)/winograd*.h) $(CTORCH)/simd.h
	@mkdir -p $(CTORCH_OBJECTS)
	g++ $(CXX_FLAGS) -O3 -Wno-psabi $(KERNEL_FLAGS_$*) -DWINOGRAD_KERNELS=winograd_$* \
	    -c $< -o $@

format:
	swift format --in-place --recursive Sources Tests Package.swift

lint:
	swift format lint --strict --recursive Sources Tests Package.swift

clean:
	rm -rf .build $(DEMO)
