// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Rotary embedding: the table of angles, and the turning of 64 elements of every head, a warp a head.

#include "ops.h"
#include "rows.cuh"

namespace spark_mla {
namespace {

constexpr int kWarps = 8;

__global__ void rope_table_kernel(const spark_mla_rope_table_args p) {
  begin_dependent();
  const int64_t position = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (position < p.positions) {
    double sine;
    double cosine;
    sincos(position * p.inverse_frequencies[threadIdx.x], &sine, &cosine);
    p.out[position * 64 + threadIdx.x] = static_cast<float>(cosine * p.factor);
    p.out[position * 64 + 32 + threadIdx.x] = static_cast<float>(sine * p.factor);
  }
}

__global__ void __launch_bounds__(kWarps * 32) rotate_kernel(const spark_mla_rotate_args p) {
  begin_dependent();
  const int64_t task = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  const int64_t row = task / p.heads;
  if (row >= p.rows) {
    return;
  }
  const int head = static_cast<int>(task % p.heads);
  const int lane = threadIdx.x % 32;
  const __nv_bfloat16* in =
      static_cast<const __nv_bfloat16*>(p.in) + row * p.in_stride + head * p.in_head;
  __nv_bfloat16* out = static_cast<__nv_bfloat16*>(p.out) + row * p.out_stride + head * p.out_head;
  const Pair pair(lane, p.interleaved != 0);
  const Turn turn(p.angles, p.position[row], p.positions, lane);
  const float2 turned = turn(__bfloat162float(in[pair.first]), __bfloat162float(in[pair.second]));
  out[pair.first] = __float2bfloat16_rn(turned.x);
  out[pair.second] = __float2bfloat16_rn(turned.y);
}

}  // namespace

cudaError_t launch_rope_table(const spark_mla_rope_table_args& args) {
  return launch_dependent(rope_table_kernel, (args.positions + 7) / 8, dim3(32, 8), args.stream,
                          args);
}

cudaError_t launch_rotate(const spark_mla_rotate_args& args) {
  const int64_t tasks = static_cast<int64_t>(args.rows) * args.heads;
  return launch_dependent(rotate_kernel, static_cast<unsigned>((tasks + kWarps - 1) / kWarps),
                          kWarps * 32, args.stream, args);
}

}  // namespace spark_mla
