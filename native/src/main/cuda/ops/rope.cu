// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Rotary position embedding. rope_table_kernel: cosines and sines, computed in float64, to float32
// [positions, 2 * pairs]. rotate_kernel: bf16 [rows, heads, 2 * pairs], each row rotated by the angles
// of its position.
//
// Launch: rope_table_kernel has a thread for each position and pair, in thread blocks of (pairs,
// kTableThreads / pairs). rotate_kernel has a thread for each row, head and pair, in thread blocks of
// 256: a warp covers one head of 32 pairs or two of 16.

#include "ops.h"
#include "rotation.cuh"
#include "../rows.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 256;
constexpr int kTableThreads = 256;
static_assert(kMaxRopePairs <= kTableThreads);

__global__ void __launch_bounds__(kTableThreads) rope_table_kernel(
    const spark_mla_rope_table_args p) {
  begin_dependent();
  const int64_t position = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (position < p.positions) {
    double sine;
    double cosine;
    sincos(position * p.inverse_frequencies[threadIdx.x], &sine, &cosine);
    float* out = p.out + position * (2 * p.pairs) + threadIdx.x;
    out[0] = static_cast<float>(cosine * p.factor);
    out[p.pairs] = static_cast<float>(sine * p.factor);
  }
}

template <int kPairs>
__global__ void __launch_bounds__(kThreads) rotate_kernel(const spark_mla_rotate_args p) {
  launch_dependents();
  const RotatedHeads heads{static_cast<const __nv_bfloat16*>(p.in), p.in_stride, p.in_head,
                           static_cast<__nv_bfloat16*>(p.out), p.out_stride, p.out_head,
                           p.rows, p.heads};
  rotate_heads<kPairs>(heads, static_cast<int64_t>(blockIdx.x) * (kThreads / kPairs), p.angles,
                       p.position, p.positions, p.interleaved != 0);
}

template <int kPairs>
cudaError_t launch(const spark_mla_rotate_args& args) {
  constexpr int kHeads = kThreads / kPairs;
  const int64_t tasks = static_cast<int64_t>(args.rows) * args.heads;
  const LaunchShape shape{dim3(static_cast<unsigned>((tasks + kHeads - 1) / kHeads)),
                          dim3(kThreads)};
  return launch_dependent(rotate_kernel<kPairs>, shape, static_cast<cudaStream_t>(args.stream),
                          args);
}

// The rope sizes that kernels are built for.
struct Built {
  int rope;
  cudaError_t (*launch)(const spark_mla_rotate_args&);
};

constexpr Built kBuilt[] = {{64, launch<32>}, {32, launch<16>}};

const Built* find(int rope) {
  for (const Built& built : kBuilt) {
    if (built.rope == rope) {
      return &built;
    }
  }
  return nullptr;
}

}  // namespace

bool rope_supported(int rope) { return find(rope) != nullptr; }

cudaError_t launch_rope_table(const spark_mla_rope_table_args& args) {
  const int rows = kTableThreads / args.pairs;
  const int64_t blocks = (static_cast<int64_t>(args.positions) + rows - 1) / rows;
  const LaunchShape shape{dim3(static_cast<unsigned>(blocks)), dim3(args.pairs, rows)};
  return launch_dependent(rope_table_kernel, shape, static_cast<cudaStream_t>(args.stream), args);
}

cudaError_t launch_rotate(const spark_mla_rotate_args& args) {
  return find(args.rope_dim)->launch(args);
}

}  // namespace spark_mla
