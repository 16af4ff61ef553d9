// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// RMS norm: out = in / sqrt(mean(in^2) + epsilon) * gain, bf16 or float32 [rows, columns] to bf16 or e4m3
// [rows, columns] or both, summed in float32.
//
// Launch: a thread block of 256 for each row, which keeps it in registers between the sum and the
// scaling.

#include "../rms_norm.cuh"
#include "ops.h"

namespace spark_mla {
namespace {

template <typename In>
__global__ void __launch_bounds__(kNormThreads) rms_norm_kernel(const spark_mla_rms_norm_args p) {
  launch_dependents();
  // Of the first chunk alone: all of them would take registers that keep more rows under way.
  EightFloats first_gain = {};
  if (norm_column(0) < p.columns) {
    first_gain = load8(p.gain + norm_column(0));
  }
  wait_for_previous_kernel();
  const In* from = static_cast<const In*>(p.in) + blockIdx.x * p.in_stride;
  EightFloats chunks[kNormChunks];
  float squares = 0.f;
#pragma unroll
  for (int c = 0; c < kNormChunks; ++c) {
    if (norm_column(c) < p.columns) {
      chunks[c] = load8(from + norm_column(c));
      add_squares(chunks[c], squares);
    }
  }
  write_normed(chunks, squares, first_gain, p.gain, p.epsilon, p.columns, gemm_rows(p));
}

}  // namespace

cudaError_t launch_rms_norm(const spark_mla_rms_norm_args& args) {
  return launch_dependent(
      args.in_type == SPARK_MLA_FLOAT32 ? rms_norm_kernel<float> : rms_norm_kernel<__nv_bfloat16>,
      LaunchShape{dim3(args.rows), dim3(kNormThreads)}, static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
