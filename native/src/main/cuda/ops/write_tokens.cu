// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The ids of a step's tokens to the paged cache: int32 [rows] to int32 [blocks, page].
//
// Launch: a thread for each row.

#include "ops.h"
#include "../rows.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) write_tokens_kernel(const spark_mla_write_tokens_args p) {
  begin_dependent();
  const int row = blockIdx.x * kThreads + threadIdx.x;
  if (row >= p.rows) {
    return;
  }
  const int slot = p.slot[row];
  if (slot < 0 || slot / SPARK_MLA_PAGE_TOKENS >= p.blocks) {
    return;
  }
  int token = p.tokens[row];
  if (token < 0) {
    token = ~token < p.previous_rows ? p.previous[~token] : -1;
  }
  p.tokens_cache[slot] = token;
}

}  // namespace

cudaError_t launch_write_tokens(const spark_mla_write_tokens_args& args) {
  return launch_dependent(write_tokens_kernel,
                          LaunchShape{dim3((args.rows + kThreads - 1) / kThreads), dim3(kThreads)},
                          static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
