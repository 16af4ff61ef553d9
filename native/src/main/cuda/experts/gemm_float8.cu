// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The grouped GEMMs of experts with FP8 weights, on the kernels of ../float8/gemm.cu.

#include "../float8/float8.h"
#include "experts.h"

namespace spark_mla {

cudaError_t launch_experts_gemm_float8(const spark_mla_experts_args& args, int multiprocessors) {
  const ExpertsWorkspace workspace = experts_workspace(args);
  char* base = static_cast<char*>(args.workspace);
  Float8Experts experts = {};
  experts.experts = args.experts;
  experts.choices = static_cast<int64_t>(args.rows) * args.per_token;
  experts.hidden = args.hidden;
  experts.width = args.width;
  experts.first_row = reinterpret_cast<const int32_t*>(base + workspace.first_row);
  experts.first_tile = reinterpret_cast<const int32_t*>(base + workspace.first_tile);
  experts.tile_tokens = experts_tile_tokens(args);
  experts.stream = static_cast<cudaStream_t>(args.stream);
  const int64_t stride = experts_scales_stride(args);
  const Float8Tokens sorted{base + workspace.sorted, args.hidden,
                            reinterpret_cast<float*>(base + workspace.sorted_scales), stride};
  const Float8Tokens activated{base + workspace.activated, args.width,
                               reinterpret_cast<float*>(base + workspace.activated_scales), stride};
  const cudaError_t error = launch_float8_gate_up(
      experts, sorted, {args.gate_up, args.gate_up_scales, args.scaling}, activated,
      multiprocessors);
  return error == cudaSuccess
             ? launch_float8_down(experts, activated, {args.down, args.down_scales, args.scaling},
                                  sorted.values, multiprocessors)
             : error;
}

}  // namespace spark_mla
