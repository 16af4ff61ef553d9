// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What a CUDA call's result is among the statuses of spark_mla.h.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace spark_mla {

// Remembers a failure for spark_mla_last_cuda_error on this thread.
int32_t status_of(cudaError_t error);

}  // namespace spark_mla
