// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/spark_mla.cpp) asks of the kernels in this folder. Arguments arrive
// checked.
#pragma once

#include <cuda_runtime_api.h>

#include "spark_mla.h"

namespace spark_mla {

// Plain float32 decode, any shape: reference.cu.
cudaError_t launch_decode_reference(const spark_mla_decode_args& args);

}  // namespace spark_mla
