// libCTorch: LibTorch behind the table of C functions in CTorch.h.
//
// Operators are called by their schema through LibTorch's dispatcher, so that one function serves
// all of them, with gradients, autocast and every device. No exception leaves this file.

#include "abi/internal.h"
#include "abi/memory.h"
#include "kernels/dispatch.h"
#include "plan/plan_convolutions.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <string>

thread_local std::string last_error_text;
std::atomic<int64_t> live_tensors{0};

namespace {

at::Device device_of(CTorchDeviceType type, int64_t index) {
    if (type == CTORCH_CPU) return at::Device(at::kCPU);
    return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

c10::IValue value_of(const CTorchValue &value) {
    switch (value.kind) {
    case CTORCH_VALUE_NONE: return {};
    case CTORCH_VALUE_TENSOR: return tensor_of(value.tensor);
    case CTORCH_VALUE_INTEGER: return value.integer;
    case CTORCH_VALUE_REAL: return value.real;
    case CTORCH_VALUE_BOOLEAN: return value.integer != 0;
    case CTORCH_VALUE_STRING: return std::string(value.string);
    case CTORCH_VALUE_INTEGERS: {
        const auto *elements = static_cast<const int64_t *>(value.list);
        return std::vector<int64_t>(elements, elements + value.count);
    }
    case CTORCH_VALUE_REALS: {
        const auto *elements = static_cast<const double *>(value.list);
        return std::vector<double>(elements, elements + value.count);
    }
    case CTORCH_VALUE_TENSORS: {
        const auto *elements = static_cast<const CTorchTensor *>(value.list);
        c10::List<at::Tensor> list;
        list.reserve(value.count);
        for (int64_t i = 0; i < value.count; i++) list.push_back(tensor_of(elements[i]));
        return list;
    }
    case CTORCH_VALUE_DEVICE:
        return device_of(static_cast<CTorchDeviceType>(value.integer), value.count);
    }
    TORCH_CHECK(false, "an argument of unknown kind ", static_cast<int>(value.kind));
}

// Takes ownership of what it wrote only when everything fitted, so that nothing leaks on an error.
class Results {
public:
    Results(CTorchValue *values, int32_t capacity) : values(values), capacity(capacity) {}
    ~Results() {
        if (complete) return;
        for (int32_t i = 0; i < count; i++) {
            if (values[i].kind == CTORCH_VALUE_TENSOR) {
                delete &tensor_of(values[i].tensor);
                live_tensors.fetch_sub(1, std::memory_order_relaxed);
            }
        }
    }

    void add(const c10::IValue &result) {
        if (result.isTensorList()) {
            for (const at::Tensor &tensor : result.toTensorVector()) add(tensor);
            return;
        }
        TORCH_CHECK(count < capacity, "more than ", capacity, " results");
        CTorchValue value{};
        if (result.isTensor() && result.toTensor().defined()) {
            value.kind = CTORCH_VALUE_TENSOR;
            value.tensor = handle(result.toTensor());
        } else if (result.isInt()) {
            value.kind = CTORCH_VALUE_INTEGER;
            value.integer = result.toInt();
        } else if (result.isDouble()) {
            value.kind = CTORCH_VALUE_REAL;
            value.real = result.toDouble();
        } else if (result.isBool()) {
            value.kind = CTORCH_VALUE_BOOLEAN;
            value.integer = result.toBool();
        } else {
            TORCH_CHECK(
                result.isNone() || result.isTensor(), "a result of kind ", result.tagKind(),
                " has no form in C");
        }
        values[count++] = value;
    }

    int32_t finish() {
        complete = true;
        return count;
    }

private:
    CTorchValue *values;
    int32_t capacity;
    int32_t count = 0;
    bool complete = false;
};

CTorchStatus call(
    const char *name, const char *overload, const CTorchValue *arguments, int32_t argument_count,
    CTorchValue *results, int32_t capacity, int32_t *result_count) {
    return guarded([&] {
        const auto operation = c10::Dispatcher::singleton().findSchema({name, overload});
        TORCH_CHECK(
            operation.has_value(), "this LibTorch has no operator ", name, " ", overload);
        const auto &parameters = operation->schema().arguments();
        TORCH_CHECK(
            argument_count <= static_cast<int32_t>(parameters.size()), name, " takes ",
            parameters.size(), " arguments, not ", argument_count);
        torch::jit::Stack stack;
        stack.reserve(parameters.size());
        for (int32_t i = 0; i < argument_count; i++) stack.push_back(value_of(arguments[i]));
        for (size_t i = argument_count; i < parameters.size(); i++) {
            TORCH_CHECK(
                parameters[i].default_value().has_value(), name, " needs its argument ",
                parameters[i].name());
            stack.push_back(*parameters[i].default_value());
        }
        operation->callBoxed(stack);
        Results written(results, capacity);
        for (const auto &value : stack) written.add(value);
        *result_count = written.finish();
    });
}

CTorchStatus tensor_make(
    const void *bytes, CTorchElementType type, const int64_t *shape, int32_t rank,
    CTorchDeviceType device, int32_t device_index, CTorchTensor *result) {
    return guarded([&] {
        const auto view = at::from_blob(
            const_cast<void *>(bytes), at::IntArrayRef(shape, rank),
            at::TensorOptions().dtype(static_cast<at::ScalarType>(type)));
        const auto target = device_of(device, device_index);
        *result = handle(target.is_cpu() ? view.clone() : view.to(target));
    });
}

void tensor_release(CTorchTensor tensor) {
    if (tensor == nullptr) return;
    delete &tensor_of(tensor);
    live_tensors.fetch_sub(1, std::memory_order_relaxed);
}

int64_t tensor_live_count() { return live_tensors.load(std::memory_order_relaxed); }

int32_t tensor_rank(CTorchTensor tensor) { return static_cast<int32_t>(tensor_of(tensor).dim()); }

int64_t tensor_size(CTorchTensor tensor, int32_t dimension) {
    const at::Tensor &target = tensor_of(tensor);
    return dimension >= 0 && dimension < target.dim() ? target.sizes()[dimension] : -1;
}

CTorchElementType tensor_type(CTorchTensor tensor) {
    return static_cast<CTorchElementType>(tensor_of(tensor).scalar_type());
}

CTorchDeviceType tensor_device(CTorchTensor tensor, int32_t *index) {
    const at::Device device = tensor_of(tensor).device();
    *index = device.has_index() ? device.index() : 0;
    return device.is_cuda() ? CTORCH_CUDA : CTORCH_CPU;
}

CTorchStatus tensor_data(CTorchTensor tensor, void **data, int64_t *byte_count) {
    return guarded([&] {
        const at::Tensor &target = tensor_of(tensor);
        TORCH_CHECK(target.is_cpu() && target.is_contiguous(), "the tensor is not dense on the CPU");
        *data = target.data_ptr();
        *byte_count = static_cast<int64_t>(target.nbytes());
    });
}

CTorchStatus set_requires_gradient(CTorchTensor tensor, bool required) {
    return guarded([&] { tensor_of(tensor).set_requires_grad(required); });
}

CTorchStatus gradient(CTorchTensor tensor, CTorchTensor *result) {
    return guarded([&] {
        const at::Tensor &value = tensor_of(tensor).grad();
        *result = value.defined() ? handle(value) : nullptr;
    });
}

CTorchStatus clear_gradient(CTorchTensor tensor) {
    return guarded([&] { tensor_of(tensor).mutable_grad().reset(); });
}

CTorchStatus backward(CTorchTensor tensor) {
    return guarded([&] { torch::autograd::backward({tensor_of(tensor)}, {}); });
}

bool set_gradient_mode(bool enabled) {
    const bool before = at::GradMode::is_enabled();
    at::GradMode::set_enabled(enabled);
    return before;
}

bool set_autocast(CTorchDeviceType device, bool enabled, CTorchElementType type) {
    const auto target = device == CTORCH_CUDA ? at::kCUDA : at::kCPU;
    const bool before = at::autocast::is_autocast_enabled(target);
    at::autocast::set_autocast_enabled(target, enabled);
    if (enabled) at::autocast::set_autocast_dtype(target, static_cast<at::ScalarType>(type));
    return before;
}

void clear_autocast_cache() { at::autocast::clear_cache(); }

CTorchStatus set_seed(uint64_t seed) {
    return guarded([&] { at::manual_seed(seed); });
}

CTorchStatus random_state(CTorchDeviceType device, int32_t index, CTorchTensor *result) {
    return guarded([&] {
        at::Generator generator =
            at::globalContext().defaultGenerator(device_of(device, index));
        *result = handle(generator.get_state());
    });
}

CTorchStatus set_random_state(CTorchDeviceType device, int32_t index, CTorchTensor state) {
    return guarded([&] {
        at::Generator generator =
            at::globalContext().defaultGenerator(device_of(device, index));
        generator.set_state(tensor_of(state));
    });
}

CTorchStatus set_thread_count(int32_t count) {
    return guarded([&] { at::set_num_threads(count); });
}

int32_t thread_count() { return at::get_num_threads(); }

CTorchStatus bound_kernels(CPlanKernels most) {
    return guarded([&] { bound_instruction_sets(most); });
}

const char *torch_version() { return TORCH_VERSION; }

const char *cpu_capability() {
    static const std::string capability = at::get_cpu_capability();
    return capability.c_str();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const CTorchAPI *ctorch_api(int32_t version) {
    static const CTorchAPI table = {
        .version = CTORCH_API_VERSION,
        .last_error = [] { return last_error_text.c_str(); },
        .call = call,
        .tensor_make = tensor_make,
        .tensor_release = tensor_release,
        .tensor_live_count = tensor_live_count,
        .tensor_rank = tensor_rank,
        .tensor_size = tensor_size,
        .tensor_type = tensor_type,
        .tensor_device = tensor_device,
        .tensor_data = tensor_data,
        .set_requires_gradient = set_requires_gradient,
        .gradient = gradient,
        .clear_gradient = clear_gradient,
        .backward = backward,
        .set_gradient_mode = set_gradient_mode,
        .set_autocast = set_autocast,
        .clear_autocast_cache = clear_autocast_cache,
        .set_seed = set_seed,
        .random_state = random_state,
        .set_random_state = set_random_state,
        .set_thread_count = set_thread_count,
        .thread_count = thread_count,
        .cuda_device_count = cuda_device_count,
        .free_memory = free_memory,
        .release_memory = release_memory,
        .torch_version = torch_version,
        .cpu_capability = cpu_capability,
        .plan_convolutions = plan_convolutions,
        .bound_kernels = bound_kernels,
    };
    return version == CTORCH_API_VERSION ? &table : nullptr;
}
