// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/experts.cpp) calls of the kernels in this folder, and what these kernels
// share. Arguments arrive checked.
#pragma once

#include <cuda_runtime_api.h>

#include "spark_mla_experts.h"

namespace spark_mla {

constexpr int kMaxExperts = 512;
constexpr int kMaxPerToken = 32;
constexpr int kMaxGroups = 32;
constexpr int kSortChunk = 2048;  // choices that one thread block sorts

// A choice is one (token, expert) pair. Sorted by expert, the choices are the rows of the grouped
// GEMMs. Offsets into the workspace, in bytes.
struct ExpertsWorkspace {
  size_t chunk_counts;  // int32 [chunks, experts]: choices of each expert in each chunk
  size_t first_row;     // int32 [experts + 1]: where each expert's rows begin
  size_t first_tile;    // int32 [experts + 1]: the same in tiles of tokens
  size_t sorted_row;    // int32 [rows, per_token]: the sorted row of each choice, -1 if it has none
  size_t sorted;        // bf16 [choices, hidden]: the tokens in that order; later the results
  size_t activated;     // bf16 [choices, width]
  // With FP8 weights the tokens in sorted and activated are e4m3, and these are their scales, float32
  // [blocks of 128 columns, choices rounded up to a multiple of 4].
  size_t sorted_scales;
  size_t activated_scales;
  size_t bytes;
};

ExpertsWorkspace experts_workspace(const spark_mla_experts_args& args);

// Logits -> ids and weights: route.cu.
cudaError_t launch_route(const spark_mla_route_args& args);

// The stride of scales in the workspace.
int64_t experts_scales_stride(const spark_mla_experts_args& args);

// ids -> first_row, first_tile, sorted_row; x -> sorted, quantized where weights are FP8: sort.cu.
cudaError_t launch_experts_sort(const spark_mla_experts_args& args);

// Tokens of a tile of the GEMMs, chosen by the mean number of choices of an expert.
int experts_tile_tokens(const spark_mla_experts_args& args);

// sorted -> activated -> sorted: gemm.cu for bf16 weights, gemm_float8.cu for FP8 ones.
cudaError_t launch_experts_gemm(const spark_mla_experts_args& args, int multiprocessors);
cudaError_t launch_experts_gemm_float8(const spark_mla_experts_args& args, int multiprocessors);

// Adds the weighted results to out: combine.cu.
cudaError_t launch_experts_combine(const spark_mla_experts_args& args);

// Both GEMMs and the sum over sorted tokens.
inline cudaError_t launch_experts_add(const spark_mla_experts_args& args, int multiprocessors) {
  const cudaError_t error = args.scaling == 0 ? launch_experts_gemm(args, multiprocessors)
                                              : launch_experts_gemm_float8(args, multiprocessors);
  return error == cudaSuccess ? launch_experts_combine(args) : error;
}

// Plain float32 experts: reference.cu. A row, its activations and its sum must fit shared memory.
bool experts_reference_supported(const spark_mla_experts_args& args);
cudaError_t launch_experts_reference(const spark_mla_experts_args& args);

}  // namespace spark_mla
