// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Dense GEMMs of few bf16 rows, c[m, n] = a[m, k] b^T (+ c) for each of some heads, on tensor cores.
//
// Rows of b, the weights, are wgmma's A operand and rows of a, the tokens, its B operand, so that few tokens
// cost little more than reading the weights. k is added up sixteen by sixteen in its order, as the library's
// algorithms for more rows do it (cpp/cublas_lt.cpp): a row's bits do not depend on which of them computes it.
//
// Launch: a thread block of 160 threads for each 64 weight rows of a head. One warpgroup computes, one thread
// loads: weights before the kernel before has ended, tokens afterwards. A decode step has many such GEMMs, one
// after another, so what a thread block can do while others still work counts as much as its speed. Where thread
// blocks are few, a GEMM takes as long as one multiprocessor loads, and that loads faster by fewer, larger copies.

#include <cuda.h>
#include <cuda_bf16.h>

#include "../fragments.cuh"
#include "../grouped_gemm.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "../tensor_map.h"
#include "../wgmma.cuh"
#include "gemm.h"

namespace spark_mla {
namespace {

constexpr int kWarpgroup = 128;
constexpr int kThreads = kWarpgroup + 32;
constexpr int kWeightRows = 64;  // wgmma's M
constexpr int kBoxColumns = 64;  // one 128-byte swizzle row of bf16
constexpr int kRowBytes = kBoxColumns * 2;
constexpr int kWeightBoxBytes = kWeightRows * kRowBytes;
constexpr int kBoxes = 2;  // of a stage of the pipeline
constexpr int kStored = 1;  // named barrier

// How a kernel is built: tokens, and whether b lies as [k, n]. Such weights have short rows (of one head), and
// many thread blocks share a multiprocessor.
template <int kTokens_, bool kTransposed_>
struct Configuration {
  static constexpr int kTokens = kTokens_;
  static constexpr bool kTransposed = kTransposed_;
  static constexpr int kStages = kTransposed ? 2 : kTokens == 16 ? 8 : 7;
  static constexpr int kTokenBoxBytes = kTokens * kRowBytes;
};

template <class C>
struct alignas(1024) SharedStorage {
  uint8_t weights[C::kStages][kBoxes][kWeightBoxBytes];
  uint8_t tokens[C::kStages][kBoxes][C::kTokenBoxBytes];
  uint8_t stored[C::kTokenBoxBytes];  // results as bf16, 64 of each token
  uint64_t full[C::kStages];
  uint64_t empty[C::kStages];
};

struct GemmArgs {
  CUtensorMap weights;  // [heads, k / 64, n, 64], or [heads, 1, k, n] where b is transposed
  CUtensorMap tokens;   // [heads, k / 64, m, 64]
  void* out;            // [m, heads, n]
  int64_t out_stride;
  int64_t out_head;
  int m;
  int n;
  int column_boxes;
  int out_type;
  int add;
};

// ---- Loading ------------------------------------------------------------------------------------

template <class C>
class Loader {
 public:
  __device__ __forceinline__ Loader(const GemmArgs& p, SharedStorage<C>& shared)
      : p_(p), shared_(shared) {}

  __device__ __forceinline__ void run() const {
    Stage<C::kStages> early;
    int boxes = 0;
    for (; boxes < p_.column_boxes && early.parity == 0; boxes += kBoxes) {
      weights(boxes, early);
      early.advance();
    }
    wait_for_previous_kernel();
    Stage<C::kStages> stage;
    int box = 0;
    for (; box < boxes; box += kBoxes) {
      tokens(box, stage);
      stage.advance();
    }
    for (; box < p_.column_boxes; box += kBoxes) {
      weights(box, stage);
      tokens(box, stage);
      stage.advance();
    }
  }

 private:
  // Waits for the stage, announces what comes into it, asks for the weights. Boxes past the last are zeros.
  __device__ __forceinline__ void weights(int box, const Stage<C::kStages>& stage) const {
    mbarrier_wait(shared_address(&shared_.empty[stage.index]), stage.parity ^ 1);
    const uint32_t full = shared_address(&shared_.full[stage.index]);
    mbarrier_arrive_expect(full, kBoxes * (kWeightBoxBytes + C::kTokenBoxBytes));
    const uint32_t to = shared_address(shared_.weights[stage.index]);
    const int row = blockIdx.x * kWeightRows;
    if (C::kTransposed) {
      tma_load_4d(to, &p_.weights, full, row, box * kBoxColumns, 0, blockIdx.z, kEvictFirst);
    } else {
      tma_load_4d(to, &p_.weights, full, 0, row, box, blockIdx.z, kEvictFirst);
    }
  }

  __device__ __forceinline__ void tokens(int box, const Stage<C::kStages>& stage) const {
    tma_load_4d(shared_address(shared_.tokens[stage.index]), &p_.tokens,
                shared_address(&shared_.full[stage.index]), 0, 0, box, blockIdx.z, kEvictNormal);
  }

  const GemmArgs& p_;
  SharedStorage<C>& shared_;
};

// ---- Computing ----------------------------------------------------------------------------------

// Sums of a thread: of every eight tokens, two tokens of weight row lane / 4 of its warp's sixteen and the same
// two of the row 8 below.
template <class C>
using Sums = float[C::kTokens / 2];

// Enqueues a box's product.
template <class C>
__device__ __forceinline__ void multiply_box(SharedStorage<C>& shared, int stage, int i, bool first,
                                             Sums<C>& sums) {
  const uint64_t weights = wgmma_descriptor(shared_address(shared.weights[stage][i]), 0);
  const uint64_t tokens = wgmma_descriptor(shared_address(shared.tokens[stage][i]), 0);
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const int accumulate = first && k == 0 ? 0 : 1;
    if constexpr (C::kTransposed) {
      wgmma_ss_ta(sums, weights + (k * 16 * kRowBytes >> 4), tokens + 2 * k, accumulate);
    } else {
      wgmma_ss(sums, weights + 2 * k, tokens + 2 * k, accumulate);
    }
  }
}

template <class C>
__device__ __forceinline__ void multiply(const GemmArgs& p, SharedStorage<C>& shared, Sums<C>& sums) {
  Stage<C::kStages> stage;
  int box = 0;
  for (; box + kBoxes <= p.column_boxes; box += kBoxes) {
    mbarrier_wait(shared_address(&shared.full[stage.index]), stage.parity);
    pin(sums);
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < kBoxes; ++i) {
      multiply_box<C>(shared, stage.index, i, box + i == 0, sums);
    }
    wgmma_commit();
    pin(sums);
    wgmma_wait<1>();
    if (box > 0) {
      release<1>(shared.empty[stage.previous()]);
    }
    stage.advance();
  }
  if (box < p.column_boxes) {  // half a stage
    mbarrier_wait(shared_address(&shared.full[stage.index]), stage.parity);
    pin(sums);
    wgmma_fence();
    multiply_box<C>(shared, stage.index, 0, box == 0, sums);
    wgmma_commit();
    pin(sums);
  }
  wgmma_wait<0>();
  pin(sums);
}

// Where a thread's i-th sum goes as float32; null where nowhere.
__device__ __forceinline__ float* float32_result(const GemmArgs& p, int i) {
  const int lane = threadIdx.x % 32;
  const int token = i / 4 * 8 + lane % 4 * 2 + i % 2;
  const int column = blockIdx.x * kWeightRows + threadIdx.x / 32 * 16 + lane / 4 + i % 4 / 2 * 8;
  return token < p.m && column < p.n ? static_cast<float*>(p.out) + token * p.out_stride +
                                           blockIdx.z * p.out_head + column
                                     : nullptr;
}

template <class C>
__device__ __forceinline__ void write_bf16(const GemmArgs& p, SharedStorage<C>& shared,
                                           const Sums<C>& sums) {
  constexpr int kChunks = kRowBytes / 16;
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const uint32_t base = shared_address(shared.stored);
#pragma unroll
  for (int token = 0; token < C::kTokens; token += 16) {
    const float* s = &sums[token / 2];
    const int mine = token + (lane & 7) + (lane & 16) / 2;
    stmatrix_x4_transposed(base + stored_byte<kRowBytes>(mine, 2 * warp + (lane >> 3 & 1)),
                           pack_bf16(s[0], s[1]), pack_bf16(s[2], s[3]), pack_bf16(s[4], s[5]),
                           pack_bf16(s[6], s[7]));
  }
  named_barrier_sync(kStored, kWarpgroup);
  for (int i = threadIdx.x; i < p.m * kChunks; i += kWarpgroup) {
    const int token = i / kChunks;
    const int column = blockIdx.x * kWeightRows + i % kChunks * 8;
    if (column < p.n) {
      *reinterpret_cast<uint4*>(static_cast<__nv_bfloat16*>(p.out) + token * p.out_stride +
                                blockIdx.z * p.out_head + column) =
          *reinterpret_cast<const uint4*>(shared.stored + stored_byte<kRowBytes>(token, i % kChunks));
    }
  }
}

template <class C>
__device__ __forceinline__ void compute(const GemmArgs& p, SharedStorage<C>& shared) {
  wait_for_previous_kernel();  // it may read or write out
  float before[C::kTokens / 2];
#pragma unroll
  for (int i = 0; i < C::kTokens / 2; ++i) {
    const float* from = p.add != 0 ? float32_result(p, i) : nullptr;
    before[i] = from != nullptr ? *from : 0.f;
  }
  Sums<C> sums;
  multiply<C>(p, shared, sums);
  if (p.out_type == SPARK_MLA_BFLOAT16) {
    write_bf16<C>(p, shared, sums);
    return;
  }
#pragma unroll
  for (int i = 0; i < C::kTokens / 2; ++i) {
    float* to = float32_result(p, i);
    if (to != nullptr) {
      *to = p.add != 0 ? before[i] + sums[i] : sums[i];
    }
  }
}

template <class C>
__global__ void __launch_bounds__(kThreads, 1) few_rows_kernel(const __grid_constant__ GemmArgs p) {
  extern __shared__ uint8_t dynamic_shared[];
  auto& shared = *reinterpret_cast<SharedStorage<C>*>(
      (reinterpret_cast<uintptr_t>(dynamic_shared) + 1023) & ~static_cast<uintptr_t>(1023));
  if (threadIdx.x == 0) {
    prefetch_tensor_map(&p.weights);
    prefetch_tensor_map(&p.tokens);
    for (int stage = 0; stage < C::kStages; ++stage) {
      mbarrier_init(shared_address(&shared.full[stage]), 1);
      mbarrier_init(shared_address(&shared.empty[stage]), kWarpgroup / 32);
    }
    fence_mbarrier_init();
  }
  launch_dependents();
  __syncthreads();
  if (threadIdx.x < kWarpgroup) {
    compute<C>(p, shared);
  } else if (threadIdx.x == kWarpgroup) {
    Loader<C>(p, shared).run();
  }
}

// ---- Host ---------------------------------------------------------------------------------------

template <class C>
cudaError_t launch(const spark_mla_gemm_few_rows_args& args, GemmArgs& p,
                   const TensorMapEncoder& encoder) {
  const int64_t boxes = args.k / kBoxColumns;
  cudaError_t error =
      encode_map<4>(encoder, &p.tokens, args.a, {kBoxColumns, args.m, boxes, args.heads},
                    {args.a_stride, kBoxColumns, args.a_head}, {kBoxColumns, C::kTokens, kBoxes, 1});
  if (error == cudaSuccess) {
    error = C::kTransposed
                ? encode_map<4>(encoder, &p.weights, args.b, {args.n, args.k, 1, args.heads},
                                {args.b_stride, 0, args.b_head},
                                {kWeightRows, kBoxes * kBoxColumns, 1, 1})
                : encode_map<4>(encoder, &p.weights, args.b, {kBoxColumns, args.n, boxes, args.heads},
                                {args.b_stride, kBoxColumns, args.b_head},
                                {kBoxColumns, kWeightRows, kBoxes, 1});
  }
  if (error != cudaSuccess) {
    return error;
  }
  constexpr size_t kShared = sizeof(SharedStorage<C>) + 1024;
  static_assert(kShared <= 227 * 1024);
  const LaunchShape shape{dim3((args.n + kWeightRows - 1) / kWeightRows, 1, args.heads),
                          dim3(kThreads), kShared};
  return launch_dependent(few_rows_kernel<C>, shape, static_cast<cudaStream_t>(args.stream), p);
}

template <int kTokens>
cudaError_t launch(const spark_mla_gemm_few_rows_args& args, GemmArgs& p,
                   const TensorMapEncoder& encoder) {
  return args.b_transposed != 0 ? launch<Configuration<kTokens, true>>(args, p, encoder)
                                : launch<Configuration<kTokens, false>>(args, p, encoder);
}

}  // namespace

cudaError_t launch_gemm_few_rows(const spark_mla_gemm_few_rows_args& args) {
  TensorMapEncoder encoder;
  const cudaError_t error = find_encoder(&encoder);
  if (error != cudaSuccess) {
    return error;
  }
  GemmArgs p = {};
  p.out = args.c;
  p.out_stride = args.c_stride;
  p.out_head = args.c_head;
  p.m = args.m;
  p.n = args.n;
  p.column_boxes = args.k / kBoxColumns;
  p.out_type = args.c_type;
  p.add = args.add;
  static_assert(SPARK_MLA_FEW_ROWS == 32);
  return args.m <= 16 ? launch<16>(args, p, encoder) : launch<32>(args, p, encoder);
}

}  // namespace spark_mla
