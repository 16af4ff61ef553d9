// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/float8.cpp) and the experts call of the kernels in this folder. Arguments
// arrive checked; rows and counts are at least 1.
#pragma once

#include <cuda_runtime_api.h>

#include "spark_mla_float8.h"

namespace spark_mla {

constexpr int kScaleRows = 128;  // of a matrix of weights that share a scale

// Blocks of 128 rows or columns.
__host__ __device__ constexpr int float8_blocks(int size) { return (size + 127) / 128; }

// From the scales of one row of blocks of weights to those of the next.
__host__ __device__ constexpr int float8_scales_stride(int columns) {
  return (float8_blocks(columns) + 3) / 4 * 4;
}

constexpr bool float8_scaling_ok(int32_t scaling) {
  return scaling == SPARK_MLA_FLOAT8_BLOCK || scaling == SPARK_MLA_FLOAT8_CHANNEL;
}

cudaError_t launch_float8_quantize(const spark_mla_float8_quantize_args& args);
cudaError_t launch_float8_dequantize(const spark_mla_float8_dequantize_args& args);
cudaError_t launch_float8_gemm(const spark_mla_float8_gemm_args& args, int multiprocessors);

// Quantized rows [rows, columns] and their scales [ceil(columns / 128), rows].
struct Float8Tokens {
  void* values;
  int64_t stride;
  float* scales;
  int64_t scales_stride;
};

// Experts' matrices of e4m3, without gaps, and their scales.
struct Float8ExpertWeights {
  const void* values;
  const float* scales;
  int32_t scaling;  // spark_mla_float8_scaling
};

// Sorted tokens of experts: first_row and first_tile [experts + 1] on the device, as experts/sort.cu
// leaves them for tiles of tile_tokens, which float8_tile_tokens says for a mean number of tokens.
struct Float8Experts {
  int experts;
  int64_t choices;
  int hidden;
  int width;
  const int32_t* first_row;
  const int32_t* first_tile;
  int tile_tokens;
  cudaStream_t stream;
};

int float8_tile_tokens(int64_t mean_tokens);

// activated [choices, width] = silu(gate_e tokens) * (up_e tokens), quantized.
cudaError_t launch_float8_gate_up(const Float8Experts& experts, const Float8Tokens& tokens,
                                  const Float8ExpertWeights& gate_up, const Float8Tokens& activated,
                                  int multiprocessors);

// results bf16 [choices, hidden] = down_e activated; launched right after launch_float8_gate_up.
cudaError_t launch_float8_down(const Float8Experts& experts, const Float8Tokens& activated,
                               const Float8ExpertWeights& down, void* results,
                               int multiprocessors);

}  // namespace spark_mla
