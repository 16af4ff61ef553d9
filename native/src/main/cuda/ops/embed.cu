// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Token embedding: out[i] = scale * table[token i], bf16 [table_rows, columns] to float32 [rows, columns].
//
// Launch: a thread block of 128 for each row, eight columns a thread and iteration.

#include "ops.h"
#include "../rows.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) embed_kernel(const spark_mla_embed_args p) {
  begin_dependent();
  int token = p.tokens[blockIdx.x];
  if (token < 0) {
    token = ~token < p.previous_rows ? p.previous[~token] : 0;
  }
  if (token < 0 || token >= p.table_rows) {
    token = 0;
  }
  const __nv_bfloat16* from =
      static_cast<const __nv_bfloat16*>(p.table) + static_cast<int64_t>(token) * p.columns;
  float* to = p.out + static_cast<int64_t>(blockIdx.x) * p.columns;
  for (int i = threadIdx.x * 8; i < p.columns; i += kThreads * 8) {
    EightFloats values = load8(from + i);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      values.value[j] *= p.scale;
    }
    store8(to + i, values);
  }
}

}  // namespace

cudaError_t launch_embed(const spark_mla_embed_args& args) {
  return launch_dependent(embed_kernel, LaunchShape{dim3(args.rows), dim3(kThreads)},
                          static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
