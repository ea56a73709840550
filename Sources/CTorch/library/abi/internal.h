// What the parts of libCTorch share: handles, and the barrier that no exception passes.

#ifndef INTERNAL_H
#define INTERNAL_H

#include "CTorch.h"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <exception>
#include <new>
#include <string>

extern thread_local std::string last_error_text;
// Tensors handed out and not yet released.
extern std::atomic<int64_t> live_tensors;

// Runs `body` and turns whatever it throws into a status and a text.
template <typename Body>
CTorchStatus guarded(Body &&body) noexcept {
    try {
        body();
        return CTORCH_OK;
    } catch (const c10::OutOfMemoryError &error) {
        last_error_text = error.what_without_backtrace();
        return CTORCH_ERROR_MEMORY;
    } catch (const c10::Error &error) {
        last_error_text = error.what_without_backtrace();
        const bool memory = last_error_text.find("not enough memory") != std::string::npos ||
            last_error_text.find("can't allocate memory") != std::string::npos;
        return memory ? CTORCH_ERROR_MEMORY : CTORCH_ERROR_ARGUMENT;
    } catch (const std::bad_alloc &) {
        last_error_text = "the machine's memory is used up";
        return CTORCH_ERROR_MEMORY;
    } catch (const std::exception &error) {
        last_error_text = error.what();
        return CTORCH_ERROR_OTHER;
    } catch (...) {
        last_error_text = "an exception of unknown type";
        return CTORCH_ERROR_OTHER;
    }
}

inline CTorchTensor handle(at::Tensor tensor) {
    auto *owned = new at::Tensor(std::move(tensor));
    live_tensors.fetch_add(1, std::memory_order_relaxed);
    return reinterpret_cast<CTorchTensor>(owned);
}

inline at::Tensor &tensor_of(CTorchTensor handle) { return *reinterpret_cast<at::Tensor *>(handle); }

#endif
