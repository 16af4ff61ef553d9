// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Copies rows of the paged cache into two contiguous arrays, latents and rope parts, one warp a
// row: the operands of the GEMM that expands latents to keys and values, and of prefill.cu.

#include <cstdint>

#include "../cached_token.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "mla_prefill.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 256;
constexpr int kRows = kThreads / 32;

__global__ void __launch_bounds__(kThreads) gather_kernel(const spark_mla_gather_cache_args a) {
  wait_for_previous_kernel();
  launch_dependents();
  const int row = blockIdx.x * kRows + threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  if (row >= a.cu_k[a.segments]) {
    return;
  }
  // The last segment that starts at or before the row; an empty one never is.
  int segment = 0;
  for (int end = a.segments; end - segment > 1;) {
    const int middle = (segment + end) / 2;
    if (a.cu_k[middle] <= row) {
      segment = middle;
    } else {
      end = middle;
    }
  }
  const int position = a.first_key[segment] + row - a.cu_k[segment];
  const int page =
      a.block_table[segment * a.block_table_stride + position / SPARK_MLA_PAGE_TOKENS];
  const CachedToken source(static_cast<const uint16_t*>(a.cache) + page * a.cache_stride_block +
                           position % SPARK_MLA_PAGE_TOKENS * a.cache_stride_token);
  uint16_t* latent = static_cast<uint16_t*>(a.latents) + row * a.latents_stride;
  uint16_t* rope = static_cast<uint16_t*>(a.rope) + row * a.rope_stride;
  constexpr int kChunk = CachedToken::kChunk;
  for (int i = lane * kChunk; i < a.latent_dim + a.rope_dim; i += 32 * kChunk) {
    const uint4 values = source.load8(i);
    uint16_t* target = i < a.latent_dim ? latent + i : rope + (i - a.latent_dim);
    *reinterpret_cast<uint4*>(target) = values;
  }
}

}  // namespace

cudaError_t launch_gather_cache(const spark_mla_gather_cache_args& args) {
  const LaunchShape shape{dim3((args.total_k + kRows - 1) / kRows), dim3(kThreads)};
  return launch_dependent(gather_kernel, shape, static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
