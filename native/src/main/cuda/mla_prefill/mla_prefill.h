// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/spark_mla.cpp) asks of the kernels in this folder. Arguments arrive
// checked.
#pragma once

#include <cuda_runtime_api.h>

#include "spark_mla.h"

namespace spark_mla {

// True where the tensor core kernel is built for the sizes of a key and a value.
bool prefill_dimensions_supported(int nope_dim, int rope_dim, int value_dim);

// Attention to expanded keys: prefill.cu.
cudaError_t launch_prefill(const spark_mla_prefill_args& args, int multiprocessors);

// Plain float32 attention, any dimensions: reference.cu.
cudaError_t launch_prefill_reference(const spark_mla_prefill_args& args);

// Rows of the paged cache, laid one after another: gather.cu.
cudaError_t launch_gather_cache(const spark_mla_gather_cache_args& args);

}  // namespace spark_mla
