// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Merges the pieces of each sequence that was cut: out = sum over pieces of exp2(lse_i - lse) out_i.
// Launched dependent on the decode kernel, so that its blocks move in as that one's leave.
//
// Its time is that of a few trips to L2 and of fetching its own instructions, so it has few of these,
// and work is spread so that every block is resident. A team of 1 to 16 warps takes 256 columns of a
// row, or one warp all of them. Pieces are taken in bundles of four; the bundles form 16 classes, each
// of every 16th bundle, which a team's warps share out. All add in the same order (a bundle's pieces,
// a class's bundles, the classes), so a result does not depend on the size of teams.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <math_constants.h>

#include "../fragments.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "../warp.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

constexpr int kBundle = 4;
constexpr int kClasses = 16;
constexpr int kLaneColumns = 8;  // of one 16-byte load
constexpr int kColumns = 32 * kLaneColumns;

struct CombineArgs {
  Pieces pieces;
  const int32_t* num_splits;
  __nv_bfloat16* out;
  int64_t out_stride_batch;
  int64_t out_stride_token;
  int64_t out_stride_head;
  float* lse;
  int batch;
  int s_q;
  int h_q;
  int h_kv;
  int group;
  int rows;
  int max_splits;
};

// Eight neighbouring columns of a row.
struct Columns {
  float value[kLaneColumns];

  __device__ __forceinline__ void add_weighted(float weight, const uint4& halves) {
    const uint32_t words[4] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      __half2 pair;
      memcpy(&pair, &words[i], sizeof(pair));
      const float2 wide = __half22float2(pair);
      value[2 * i] = __fmaf_rn(weight, wide.x, value[2 * i]);
      value[2 * i + 1] = __fmaf_rn(weight, wide.y, value[2 * i + 1]);
    }
  }

  __device__ __forceinline__ void add(const Columns& other) {
#pragma unroll
    for (int i = 0; i < kLaneColumns; ++i) {
      value[i] = __fadd_rn(value[i], other.value[i]);
    }
  }

  __device__ __forceinline__ void store(__nv_bfloat16* out) const {
    *reinterpret_cast<uint4*>(out) =
        make_uint4(pack_bf16(value[0], value[1]), pack_bf16(value[2], value[3]),
                   pack_bf16(value[4], value[5]), pack_bf16(value[6], value[7]));
  }
};

// The pieces of one row, from a lane's columns on.
struct RowPieces {
  const __half* values;
  int64_t stride;  // from piece to piece
  const PieceNote* notes;
  int splits;

  // Base-2 log-sum-exp over all of them, the same in every lane; -infinity where the row sees no key.
  __device__ __forceinline__ float merged_lse(int lane) const {
    // Few pieces: each quad of lanes for itself.
    const bool few = splits <= kBundle;
    const int step = few ? kBundle : 32;
    float top = -CUDART_INF_F;
    float sum = 0.f;  // of 2^(lse - top) over this lane's
#pragma unroll 1
    for (int base = lane % step; base < splits; base += kBundle * step) {
      float lse[kBundle];
      float next = top;
#pragma unroll
      for (int i = 0; i < kBundle; ++i) {
        lse[i] = base + i * step < splits ? notes[base + i * step].lse : -CUDART_INF_F;
        next = fmaxf(next, lse[i]);
      }
      if (next != -CUDART_INF_F) {
        sum *= exp2_approximate(top - next);
#pragma unroll
        for (int i = 0; i < kBundle; ++i) {
          sum += exp2_approximate(lse[i] - next);
        }
        top = next;
      }
    }
    const float merged = few ? quad_max(top) : warp_max(top);
    if (merged == -CUDART_INF_F) {
      return merged;
    }
    sum *= exp2_approximate(top - merged);
    return merged + log2f(few ? quad_sum(sum) : warp_sum(sum));
  }

  // sum += the pieces from `first` on, a bundle, weighted. `merged` is +infinity until it is known.
  template <int kLoads>
  __device__ __forceinline__ void add_bundle(int first, int lane, float& merged,
                                             Columns (&sum)[kLoads]) const {
    constexpr int kAsked = kBundle / kLoads;  // pieces asked for at once
    const PieceNote note = notes[min(first + lane % kBundle, splits - 1)];
    float weight = 0.f;
#pragma unroll 1
    for (int asked = 0; asked < kBundle && first + asked < splits; asked += kAsked) {
      uint4 halves[kAsked][kLoads];
#pragma unroll
      for (int i = 0; i < kAsked; ++i) {
        const int piece = first + asked + i;
#pragma unroll
        for (int j = 0; j < kLoads; ++j) {
          halves[i][j] = make_uint4(0, 0, 0, 0);
          if (piece < splits) {
            halves[i][j] =
                __ldcs(reinterpret_cast<const uint4*>(values + piece * stride + j * kColumns));
          }
        }
      }
      if (asked == 0) {
        if (merged == CUDART_INF_F) {
          merged = merged_lse(lane);
        }
        if (merged != -CUDART_INF_F) {
          weight = exp2_approximate(note.lse - merged) * note.unit;
        }
      }
#pragma unroll
      for (int i = 0; i < kAsked; ++i) {
        const float weight_i = __shfl_sync(0xffffffffu, weight, asked + i);
#pragma unroll
        for (int j = 0; j < kLoads; ++j) {
          sum[j].add_weighted(weight_i, halves[i][j]);
        }
      }
    }
  }
};

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

// The k-th of the sequences that were cut, or -1 where there are fewer; all lanes of a warp ask
// alike. num_splits is older than the decode kernel: this need not wait for that one.
__device__ __forceinline__ int cut_sequence(const CombineArgs& p, int k, int lane) {
#pragma unroll 4
  for (int base = 0; base < p.batch; base += 32) {
    const int sequence = base + lane;
    const bool cut = sequence < p.batch && p.num_splits[sequence + 1] - p.num_splits[sequence] > 1;
    const unsigned mask = __ballot_sync(0xffffffffu, cut);
    const int count = __popc(mask);
    if (k < count) {
      const bool kth = cut && __popc(mask & ((1u << lane) - 1)) == k;
      return base + __ffs(__ballot_sync(0xffffffffu, kth)) - 1;
    }
    k -= count;
  }
  return -1;
}

template <int kGroups>
constexpr int kWarps = kGroups == 16 ? 16 : 8;  // of a block
constexpr int kResidentWarps = 32;              // of a multiprocessor

// Grid: (blocks for h_kv * rows * (kLatent / (kColumns * kLoads)) teams of kGroups warps, cut
// sequences at a time).
template <int kLatent, int kGroups, int kLoads>
__global__ void __launch_bounds__(kWarps<kGroups> * 32,
                                  kLoads > 1 ? 3 : kResidentWarps / kWarps<kGroups>)
    combine_kernel(const CombineArgs p) {
  constexpr int kTeams = kWarps<kGroups> / kGroups;
  constexpr int kParts = kLatent / (kColumns * kLoads);  // of a row
  static_assert(kGroups == 1 || kLoads == 1);
  __shared__ Columns class_sums[kGroups > 1 ? kTeams : 1][kClasses][32];

  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int team = warp / kGroups;
  const int group = warp % kGroups;
  const int index = blockIdx.x * kTeams + team;
  const int slots = p.h_kv * p.rows;
  const int flat = index / kParts;
  const bool exists = flat < slots;
  const int column = index % kParts * kColumns + lane * kLaneColumns;
  const int64_t stride = static_cast<int64_t>(slots) * kLatent;

#pragma unroll 1
  for (int k = blockIdx.y;; k += gridDim.y) {
    const int sequence = cut_sequence(p, k, lane);
    // A block without work need not wait, but this kernel must not end before the decode kernel.
    if (sequence >= 0 || (blockIdx.x == 0 && blockIdx.y == 0)) {
      wait_for_previous_kernel();
    }
    if (sequence < 0) {
      return;
    }
    const int first = p.num_splits[sequence];
    const int splits = p.num_splits[sequence + 1] - first;
    const RowPieces pieces = {
        p.pieces.values + first * stride + static_cast<int64_t>(flat) * kLatent + column, stride,
        p.pieces.notes + static_cast<int64_t>(flat) * p.max_splits + first, splits};
    const int bundles = exists ? (splits + kBundle - 1) / kBundle : 0;

    float merged = CUDART_INF_F;
    Columns total[kLoads] = {};
#pragma unroll 1
    for (int of = group; of < min(bundles, kClasses); of += kGroups) {
      Columns sum[kLoads] = {};
#pragma unroll 1
      for (int bundle = of; bundle < bundles; bundle += kClasses) {
        pieces.add_bundle(bundle * kBundle, lane, merged, sum);
      }
#pragma unroll
      for (int j = 0; j < kLoads; ++j) {
        if (kGroups > 1) {
          class_sums[team][of][lane] = sum[j];
        } else {
          total[j].add(sum[j]);
        }
      }
    }

    if (kGroups > 1) {
      __syncthreads();
    }
    if (exists) {
      const Target target(p, sequence, flat / p.rows, flat % p.rows);
      if (kGroups == 1) {
#pragma unroll
        for (int j = 0; j < kLoads; ++j) {
          total[j].store(target.out + column + j * kColumns);
        }
      } else if (group < 4) {
        // Four warps of the team, two columns a thread.
        const int pair = group * 32 + lane;
        float2 pair_total = {};
#pragma unroll 4
        for (int of = 0; of < min(bundles, kClasses); ++of) {
          const float2 add = reinterpret_cast<const float2*>(class_sums[team][of])[pair];
          pair_total.x = __fadd_rn(pair_total.x, add.x);
          pair_total.y = __fadd_rn(pair_total.y, add.y);
        }
        *reinterpret_cast<uint32_t*>(target.out + index % kParts * kColumns + pair * 2) =
            pack_bf16(pair_total.x, pair_total.y);
      }
      if (group == 0 && lane == 0 && column == 0) {
        target.write_lse(merged);
      }
    }
    if (kGroups > 1) {
      __syncthreads();
    }
  }
}

template <int kLatent, int kGroups, int kLoads>
cudaError_t launch(const CombineArgs& combine, int cut, int multiprocessors, cudaStream_t stream) {
  constexpr int kTeams = kWarps<kGroups> / kGroups;
  const int teams = combine.h_kv * combine.rows * (kLatent / (kColumns * kLoads));
  const int blocks = (teams + kTeams - 1) / kTeams;
  const int resident = multiprocessors * (kResidentWarps / kWarps<kGroups>);
  const LaunchShape shape{dim3(blocks, min(cut, max(1, resident / blocks))),
                          dim3(kWarps<kGroups> * 32)};
  return launch_dependent(combine_kernel<kLatent, kGroups, kLoads>, shape, stream, combine);
}

// `cut` sequences at most are cut, into about `pieces` each. Teams of as many warps as there are
// bundles, as long as all are resident at once; whole rows where even single warps would not be.
template <int kLatent>
cudaError_t launch(const CombineArgs& combine, int cut, int pieces, int multiprocessors,
                   cudaStream_t stream) {
  const int64_t teams =
      static_cast<int64_t>(combine.h_kv) * combine.rows * cut * (kLatent / kColumns);
  const auto fits = [&](int warps) {
    return teams * warps <= static_cast<int64_t>(multiprocessors) * kResidentWarps;
  };
  if (pieces > 8 * kBundle && fits(16)) {
    return launch<kLatent, 16, 1>(combine, cut, multiprocessors, stream);
  }
  if (pieces > 4 * kBundle && fits(8)) {
    return launch<kLatent, 8, 1>(combine, cut, multiprocessors, stream);
  }
  if (pieces > 2 * kBundle && fits(4)) {
    return launch<kLatent, 4, 1>(combine, cut, multiprocessors, stream);
  }
  return fits(1) ? launch<kLatent, 1, 1>(combine, cut, multiprocessors, stream)
                 : launch<kLatent, 1, kLatent / kColumns>(combine, cut, multiprocessors, stream);
}

}  // namespace

cudaError_t launch_decode_combine(const spark_mla_decode_args& args, const DecodeShape& shape) {
  CombineArgs combine;
  combine.pieces = pieces_of(args, shape);
  combine.max_splits = shape.max_splits;
  combine.num_splits = args.num_splits;
  combine.out = static_cast<__nv_bfloat16*>(args.out);
  combine.out_stride_batch = args.out_stride_batch;
  combine.out_stride_token = args.out_stride_token;
  combine.out_stride_head = args.out_stride_head;
  combine.lse = args.lse;
  combine.batch = args.batch;
  combine.s_q = args.s_q;
  combine.h_q = args.h_q;
  combine.h_kv = args.h_kv;
  combine.group = args.h_q / args.h_kv;
  combine.rows = shape.rows;
  const auto stream = static_cast<cudaStream_t>(args.stream);
  // A part's end cuts one sequence at most.
  const int cut =
      args.fixed_split_tokens > 0 ? args.batch : min(args.batch, max(1, shape.parts - 1));
  const int pieces = shape.max_splits / args.batch;
  const int multiprocessors = shape.parts * shape.row_tiles * args.h_kv;
  return args.latent_dim == 512 ? launch<512>(combine, cut, pieces, multiprocessors, stream)
                                : launch<256>(combine, cut, pieces, multiprocessors, stream);
}

}  // namespace spark_mla
