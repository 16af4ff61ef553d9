// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What every function of the C interface shares: checks of its arguments, and statuses for the results
// of CUDA calls.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <initializer_list>

#include "spark_mla.h"

namespace spark_mla {

// The spark_mla_status for a CUDA call's result. Remembers a failure for spark_mla_last_cuda_error on
// this thread.
int32_t status_of(cudaError_t error);

// Writes the multiprocessors of the current device, which must be one that kernels are built for; a
// spark_mla_status.
int32_t hopper_multiprocessors(int* multiprocessors);

// Whether an argument struct is there and is the one that this library was built with.
template <typename Args>
bool known(const Args* args) {
  return args != nullptr && args->struct_size == sizeof(Args);
}

// Whether a pointer is there and is a multiple of `bytes`.
bool aligned(const void* pointer, uintptr_t bytes);

inline bool aligned(std::initializer_list<const void*> pointers, uintptr_t bytes) {
  for (const void* pointer : pointers) {
    if (!aligned(pointer, bytes)) {
      return false;
    }
  }
  return true;
}

// The same for a pointer that may be null.
inline bool null_or_aligned(const void* pointer, uintptr_t bytes) {
  return pointer == nullptr || aligned(pointer, bytes);
}

// Whether kernels that load vectors of `multiple` elements can step by a stride through `count` rows of
// `least` elements.
bool stride_ok(int64_t stride, int64_t least, int32_t count, int32_t multiple = 8);

}  // namespace spark_mla
