// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/ops.cpp) calls of the kernels in this folder. Arguments arrive checked; rows are
// at least 1.
#pragma once

#include <cuda_runtime_api.h>

#include "spark_mla_ops.h"

namespace spark_mla {

cudaError_t launch_gemm_few_rows(const spark_mla_gemm_few_rows_args& args);

}  // namespace spark_mla
