// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the checks of arguments have in common: what a CUDA call's result is among the statuses of
// spark_mla.h, what device this is, what a pointer and a stride must be.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace spark_mla {

// Remembers a failure for spark_mla_last_cuda_error on this thread.
int32_t status_of(cudaError_t error);

// Writes the multiprocessors of the current device, which must be one that kernels are built for; a
// spark_mla_status.
int32_t hopper_multiprocessors(int* multiprocessors);

bool aligned(const void* pointer, uintptr_t bytes);

// Whether 16-byte accesses to `count` items of at least `least` elements of bf16 can use a stride.
bool stride_ok(int64_t stride, int64_t least, int32_t count);

}  // namespace spark_mla
