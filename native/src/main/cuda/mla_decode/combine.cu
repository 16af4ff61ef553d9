// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Merges the pieces of each sequence that was cut: out = sum over pieces of exp2(lse_i - lse) out_i.
// Launched dependent on the decode kernel, so that its blocks move in as that one's leave.
//
// Its time is that of a few trips to L2, so all that a warp will need is asked for at once, and work
// is spread so that every block is resident. A team of 1 to 16 warps takes a row, or 128 columns
// of one, and each of its warps every so manyth piece. All add in the same order (pieces 0, 16, 32, ...,
// then 1, 17, ...; then these sums in order), so a result does not depend on the size of teams.

#include <cuda_bf16.h>
#include <math_constants.h>

#include "../hopper.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

constexpr int kOrder = 16;          // pieces that far apart are added first
constexpr int kColumns = 128;       // of a warp's float4
constexpr int kResidentWarps = 32;  // of a multiprocessor

struct CombineArgs {
  const float* partial_out;
  const float* partial_lse;
  const int32_t* num_splits;
  __nv_bfloat16* out;
  int64_t out_stride_batch;
  int64_t out_stride_token;
  int64_t out_stride_head;
  float* lse;
  int s_q;
  int h_q;
  int h_kv;
  int group;
  int rows;
};

__device__ __forceinline__ float warp_max(float value) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
  }
  return value;
}

__device__ __forceinline__ float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  }
  return value;
}

// Base-2 log-sum-exp over all pieces of a row, the same in every lane; -infinity where the row sees
// no key.
__device__ __forceinline__ float merged_lse(const float* lse, int64_t stride, int splits, int lane) {
  float top = -CUDART_INF_F;
  for (int i = lane; i < splits; i += 32) {
    top = fmaxf(top, lse[i * stride]);
  }
  top = warp_max(top);
  if (top == -CUDART_INF_F) {
    return top;
  }
  float sum = 0.f;
  for (int i = lane; i < splits; i += 32) {
    sum += exp2f(lse[i * stride] - top);
  }
  return top + log2f(warp_sum(sum));
}

__device__ __forceinline__ float weight_of(float lse, float merged) {
  return merged == -CUDART_INF_F ? 0.f : exp2f(lse - merged);
}

__device__ __forceinline__ void add_weighted(float4& sum, float weight, float4 value) {
  sum.x = __fmaf_rn(weight, value.x, sum.x);
  sum.y = __fmaf_rn(weight, value.y, sum.y);
  sum.z = __fmaf_rn(weight, value.z, sum.z);
  sum.w = __fmaf_rn(weight, value.w, sum.w);
}

__device__ __forceinline__ void add(float4& sum, float4 value) {
  sum.x = __fadd_rn(sum.x, value.x);
  sum.y = __fadd_rn(sum.y, value.y);
  sum.z = __fadd_rn(sum.z, value.z);
  sum.w = __fadd_rn(sum.w, value.w);
}

__device__ __forceinline__ void store(__nv_bfloat16* out, float4 value) {
  const __nv_bfloat162 pair[2] = {__floats2bfloat162_rn(value.x, value.y),
                                  __floats2bfloat162_rn(value.z, value.w)};
  *reinterpret_cast<uint2*>(out) = *reinterpret_cast<const uint2*>(pair);
}

// Where row `row` of head group `head_kv` goes.
struct Target {
  __nv_bfloat16* out;
  float* lse;

  __device__ __forceinline__ Target(const CombineArgs& p, int sequence, int head_kv, int row) {
    const int token = row / p.group;
    const int head = head_kv * p.group + row % p.group;
    out = p.out + sequence * p.out_stride_batch + token * p.out_stride_token +
          head * p.out_stride_head;
    lse = p.lse + (static_cast<int64_t>(sequence) * p.h_q + head) * p.s_q + token;
  }

  __device__ __forceinline__ void write_lse(float merged) const {
    *lse = merged == -CUDART_INF_F ? CUDART_INF_F : merged * 0.69314718055994531f;
  }
};

// The pieces that one warp of a team adds up, in their order: those of class `group`, then of the
// class kGroups further on. A class is every kOrder-th piece.
template <int kGroups>
class PieceWalker {
 public:
  __device__ __forceinline__ PieceWalker(int group, int splits)
      : piece_(group), class_(group), splits_(splits) {}

  __device__ __forceinline__ bool valid() const { return piece_ < splits_; }
  __device__ __forceinline__ int piece() const { return piece_; }

  __device__ __forceinline__ void advance() {
    piece_ += kOrder;
    if (piece_ >= splits_) {
      class_ += kGroups;
      piece_ = class_ < kOrder ? class_ : splits_;
    }
  }

 private:
  int piece_, class_, splits_;
};

// num_splits is older than the decode kernel, so a block that has nothing to merge need not wait for
// that one. The first block waits always: this kernel must not end before it.
__device__ __forceinline__ bool is_first_block() {
  return blockIdx.x == 0 && blockIdx.y == 0;
}

// Warps of a block with teams of kGroups warps: its sums must fit 48 KiB.
template <int kGroups>
constexpr int kWarps = kGroups == 16 ? 16 : kGroups == 2 ? 4 : 8;

// Blocks that a multiprocessor shall hold, which bounds their registers.
template <int kGroups, int kFloat4>
constexpr int kBlocks = kGroups == 16 ? 1 : kFloat4 == 1 ? kResidentWarps / kWarps<kGroups> : 2;

// Grid: (blocks for h_kv * rows * (kLatent / (kColumns * kFloat4)) teams of kGroups warps, batch).
template <int kLatent, int kGroups, int kFloat4>
__global__ void __launch_bounds__(kWarps<kGroups> * 32, kBlocks<kGroups, kFloat4>)
    combine_kernel(const CombineArgs p) {
  constexpr int kTeams = kWarps<kGroups> / kGroups;
  constexpr int kParts = kLatent / (kColumns * kFloat4);  // of a row
  // Pieces asked for at once.
  constexpr int kBatch = kGroups == 16 ? 9 : kFloat4 == 1 ? 8 : 2;
  static_assert(kGroups == 1 || kFloat4 == 1);
  __shared__ float4 class_sums[kGroups > 1 ? kTeams : 1][kOrder][32];

  const int sequence = blockIdx.y;
  const int first = p.num_splits[sequence];
  const int splits = p.num_splits[sequence + 1] - first;
  if (splits == 1 && !is_first_block()) {
    return;
  }
  wait_for_previous_kernel();
  if (splits == 1) {
    return;
  }
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int team = warp / kGroups;
  const int group = warp % kGroups;
  const int index = blockIdx.x * kTeams + team;
  const int slots = p.h_kv * p.rows;
  const int flat = index / kParts;
  const int column = index % kParts * kColumns * kFloat4 + lane * 4;
  const float* lse = p.partial_lse + static_cast<int64_t>(first) * slots + flat;
  const float* value =
      p.partial_out + (static_cast<int64_t>(first) * slots + flat) * kLatent + column;
  const int64_t stride = static_cast<int64_t>(slots) * kLatent;

  PieceWalker<kGroups> asked(group, flat < slots ? splits : 0);
  PieceWalker<kGroups> taken = asked;
  float4 values[kBatch][kFloat4];
  const auto ask = [&] {
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      if (asked.valid()) {
#pragma unroll
        for (int j = 0; j < kFloat4; ++j) {
          values[i][j] = __ldcs(
              reinterpret_cast<const float4*>(value + asked.piece() * stride + j * kColumns));
        }
        asked.advance();
      }
    }
  };

  ask();
  const float merged = flat < slots ? merged_lse(lse, slots, splits, lane) : 0.f;
  float4 total[kFloat4] = {};  // of the classes before this one; a team of one warp only
  float4 sum[kFloat4] = {};    // of this class
  int current = group;
  const auto close_class = [&] {
#pragma unroll
    for (int j = 0; j < kFloat4; ++j) {
      if (kGroups > 1) {
        class_sums[team][current][lane] = sum[j];
      } else if (current == 0) {
        total[j] = sum[j];
      } else {
        add(total[j], sum[j]);
      }
      sum[j] = {};
    }
  };
  while (taken.valid()) {
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      if (taken.valid()) {
        const int piece = taken.piece();
        if (piece < kOrder && piece != current) {
          close_class();
          current = piece;
        }
        const float weight = weight_of(lse[static_cast<int64_t>(piece) * slots], merged);
#pragma unroll
        for (int j = 0; j < kFloat4; ++j) {
          add_weighted(sum[j], weight, values[i][j]);
        }
        taken.advance();
      }
    }
    ask();
  }
  close_class();

  if (kGroups > 1) {
    __syncthreads();
    if (group > 0) {
      return;
    }
    total[0] = class_sums[team][0][lane];
    for (int i = 1; i < min(splits, kOrder); ++i) {
      add(total[0], class_sums[team][i][lane]);
    }
  }
  if (flat < slots) {
    const Target target(p, sequence, flat / p.rows, flat % p.rows);
#pragma unroll
    for (int j = 0; j < kFloat4; ++j) {
      store(target.out + column + j * kColumns, total[j]);
    }
    if (lane == 0 && column == 0) {
      target.write_lse(merged);
    }
  }
}

template <int kLatent, int kGroups, int kFloat4>
cudaError_t launch(const CombineArgs& combine, int batch, cudaStream_t stream) {
  constexpr int kTeams = kWarps<kGroups> / kGroups;
  const int teams = combine.h_kv * combine.rows * (kLatent / (kColumns * kFloat4));
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  config.gridDim = dim3((teams + kTeams - 1) / kTeams, batch);
  config.blockDim = dim3(kWarps<kGroups> * 32);
  return cudaLaunchKernelEx(&config, combine_kernel<kLatent, kGroups, kFloat4>, combine);
}

// Teams as large as pieces allow, as long as all are resident at once; whole rows where there are
// so many that blocks themselves would cost.
template <int kLatent>
cudaError_t launch(const CombineArgs& combine, int batch, int pieces, int multiprocessors,
                   cudaStream_t stream) {
  const int64_t teams =
      static_cast<int64_t>(combine.h_kv) * combine.rows * batch * (kLatent / kColumns);
  const int64_t resident = static_cast<int64_t>(multiprocessors) * kResidentWarps;
  if (pieces >= 16 && teams <= multiprocessors) {
    return launch<kLatent, 16, 1>(combine, batch, stream);
  }
  if (pieces >= 8 && teams * 8 <= resident) {
    return launch<kLatent, 8, 1>(combine, batch, stream);
  }
  if (pieces >= 4 && teams * 4 <= resident) {
    return launch<kLatent, 4, 1>(combine, batch, stream);
  }
  if (pieces >= 2 && teams * 2 <= resident) {
    return launch<kLatent, 2, 1>(combine, batch, stream);
  }
  if (teams <= 2 * resident) {
    return launch<kLatent, 1, 1>(combine, batch, stream);
  }
  return launch<kLatent, 1, kLatent / kColumns>(combine, batch, stream);
}

}  // namespace

cudaError_t launch_decode_combine(const spark_mla_decode_args& args, const DecodeShape& shape) {
  CombineArgs combine;
  combine.partial_out = static_cast<const float*>(args.workspace);
  combine.partial_lse = combine.partial_out + static_cast<int64_t>(shape.max_splits) * args.h_kv *
                                                  shape.rows * args.latent_dim;
  combine.num_splits = args.num_splits;
  combine.out = static_cast<__nv_bfloat16*>(args.out);
  combine.out_stride_batch = args.out_stride_batch;
  combine.out_stride_token = args.out_stride_token;
  combine.out_stride_head = args.out_stride_head;
  combine.lse = args.lse;
  combine.s_q = args.s_q;
  combine.h_q = args.h_q;
  combine.h_kv = args.h_kv;
  combine.group = args.h_q / args.h_kv;
  combine.rows = shape.rows;
  const auto stream = static_cast<cudaStream_t>(args.stream);
  const int pieces = shape.max_splits / args.batch;
  const int multiprocessors = shape.parts * shape.row_tiles * args.h_kv;
  return args.latent_dim == 512
             ? launch<512>(combine, args.batch, pieces, multiprocessors, stream)
             : launch<256>(combine, args.batch, pieces, multiprocessors, stream);
}

}  // namespace spark_mla
