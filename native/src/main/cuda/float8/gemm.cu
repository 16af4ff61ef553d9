// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// GEMMs of e4m3 tokens [rows, columns] and e4m3 weights on tensor cores, for few rows: dense ones, and the
// grouped ones of experts. Also chooses a dense GEMM's tile, and for many rows hands over to
// gemm_many_rows.cu.
//
// Weights are wgmma's A operand, tokens its B operand, so that few tokens cost few cycles. Sums of 128
// columns of e4m3 values come from four wgmmas; times their scales they are added to sums in registers,
// in the order of the columns in every configuration: a row's bits do not depend on its tile.
//
// Launch: 384 threads on every multiprocessor. One warpgroup loads, two compute, each kSubtiles times 64
// of the weight rows by all tokens of a tile, or all weight rows by half of the tokens: so few tokens
// are spread over more multiprocessors. A stage of the pipeline is 128 columns. kActivated has rows of gate
// and up alternate by eights in shared memory, so that a thread holds both halves of an activation, and the
// 128 activations of a thread block are those that share a scale.

#include <cuda_bf16.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "../fragments.cuh"
#include "../wgmma.cuh"
#include "gemm.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 384;
constexpr int kWarpgroup = 128;
constexpr int kConsumers = 256;
constexpr int kSubtileRows = 64;  // wgmma's M
constexpr int kRowBytes = kFloat8RowBytes;
constexpr int kActivatedBytes = kScaleColumns + 16;  // of a stored token, without bank conflicts
// Named barriers; consumer i has kSideStored + i.
constexpr int kSideStored = 1;
constexpr int kLargestReady = 3;
constexpr int kActivatedStored = 4;

// What the two consumers of a thread block divide.
enum class Divided { kWeightRows, kTokens };

// How a kernel is built: tokens of a tile, 64-row subtiles of a consumer, stages of the pipeline, what
// consumers divide.
template <int kTokens_, int kSubtiles_, int kStages_, Divided kDivided = Divided::kWeightRows>
struct Configuration {
  static constexpr int kTokens = kTokens_;
  static constexpr int kBoxTokens = 16;  // of one TMA copy
  static constexpr int kSubtiles = kSubtiles_;
  static constexpr int kStages = kStages_;
  static constexpr bool kTokensDivided = kDivided == Divided::kTokens;
  static constexpr int kSideTokens = kTokensDivided ? kTokens / 2 : kTokens;  // of a consumer
  static constexpr int kWeightRows = (kTokensDivided ? 1 : 2) * kSubtiles * kSubtileRows;
  static constexpr int kScaledRows = kSubtiles * kSubtileRows;  // that share a scale: a consumer's
  static constexpr int kConsumerWarps = 8;
};

// A name says tokens and weight rows.
using Tile32x64 = Configuration<32, 1, 15, Divided::kTokens>;
using Tile64x64 = Configuration<64, 1, 11, Divided::kTokens>;
using Tile16x128 = Configuration<16, 1, 11>;
using Tile16x256 = Configuration<16, 2, 6>;
using Tile64x128 = Configuration<64, 1, 8>;
using Tile64x256 = Configuration<64, 2, 5>;

template <class C>
struct alignas(1024) SharedStorage {
  uint8_t weights[C::kStages][C::kWeightRows * kRowBytes];
  uint8_t tokens[C::kStages][C::kTokens * kRowBytes];
  union {
    uint8_t matrix[2][C::kSideTokens * kSubtileRows * 2];  // bf16, of each consumer
    uint8_t activated[C::kTokens * kActivatedBytes];
  } stored;
  alignas(16) float token_scales[C::kStages][C::kTokens];
  // kMatrix: of each consumer's rows; kActivated: of gate and up.
  float weight_scales[C::kStages][2];
  alignas(16) float largest[2][C::kTokens];  // absolute activation of a token, for tiles by turns
  int first_row[kFloat8MaxGroups + 1];
  int first_tile[kFloat8MaxGroups + 1];
  uint64_t full[C::kStages];
  uint64_t empty[C::kStages];
};

// ---- Loading ------------------------------------------------------------------------------------

template <class C, Float8Result kResult>
class Loader {
 public:
  __device__ __forceinline__ Loader(const Float8GemmArgs& p, SharedStorage<C>& shared)
      : p_(p), shared_(shared) {}

  // Waits for the stage, announces what comes into it, asks for the weights.
  __device__ __forceinline__ void weights(const Tile& tile, int block,
                                          const Stage<C::kStages>& stage) {
    mbarrier_wait(shared_address(&shared_.empty[stage.index]), stage.parity ^ 1);
    const uint32_t full = shared_address(&shared_.full[stage.index]);
    mbarrier_arrive_expect(full, C::kWeightRows * kRowBytes +
                                     token_boxes(tile) * C::kBoxTokens * kRowBytes);
    const uint32_t to = shared_address(shared_.weights[stage.index]);
    const int column = block * kScaleColumns;
    const int first = tile.weight_tile * C::kWeightRows;
    // Where a group has few tokens its weights are read once.
    if (kResult == Float8Result::kActivated) {
      tma_load_4d(to, &p_.weights, full, column, 0, 2 * tile.group, first / 16, kEvictFirst);
    } else {
      tma_load_4d(to, &p_.weights, full, column, first, tile.group, 0, kEvictFirst);
    }
  }

  __device__ __forceinline__ void tokens(const Tile& tile, int block,
                                         const Stage<C::kStages>& stage) {
    const uint32_t full = shared_address(&shared_.full[stage.index]);
    const uint32_t to = shared_address(shared_.tokens[stage.index]);
    for (int i = 0; i < token_boxes(tile); ++i) {
      tma_load_3d(to + i * C::kBoxTokens * kRowBytes, &p_.tokens, full, block * kScaleColumns,
                  tile.first_row + i * C::kBoxTokens, 0, kEvictNormal);
    }
  }

 private:
  static __device__ __forceinline__ int token_boxes(const Tile& tile) {
    return (tile.rows + C::kBoxTokens - 1) / C::kBoxTokens;
  }

  const Float8GemmArgs& p_;
  SharedStorage<C>& shared_;
};

// ---- Computing ----------------------------------------------------------------------------------

// A thread's sums: of each subtile, of every eight tokens, two tokens of row lane / 4 and the same two
// of the row 8 below.
template <class C>
using Sums = float[C::kSubtiles][C::kSideTokens / 2];

// The GEMM of a thread block's tile. Sums of 128 columns are made two at a time: while the tensor cores
// work on the second, the first are scaled and added. They are of the two subtiles, or of two blocks of
// columns.
template <class C, Float8Result kResult>
class Multiplication {
 public:
  __device__ __forceinline__ Multiplication(const Float8GemmArgs& p, SharedStorage<C>& shared, int side)
      : shared_(shared), rows_side_(C::kTokensDivided ? 0 : side),
        tokens_side_(C::kTokensDivided ? side : 0), by_block_(p.scaling == SPARK_MLA_FLOAT8_BLOCK),
        pairs_(p.column_blocks * C::kSubtiles / 2) {}

  __device__ __forceinline__ void run(Sums<C>& sums) {
#pragma unroll
    for (int s = 0; s < C::kSubtiles; ++s) {
#pragma unroll
      for (int i = 0; i < C::kSideTokens / 2; ++i) {
        sums[s][i] = 0.f;
      }
    }
    float first[C::kSideTokens / 2];
    float second[C::kSideTokens / 2];
    for (int pair = 0; pair < pairs_; ++pair) {
      start<0>(first);
      start<kSecond>(second);
      wgmma_wait<1>();
      finish<0>(first, sums[0]);
      wgmma_wait<0>();
      finish<kSecond>(second, sums[kSecond]);
    }
  }

 private:
  static constexpr int kSecond = C::kSubtiles - 1;  // subtile of the second sums

  // Starts the tensor cores on 128 columns of a subtile.
  template <int kSubtile>
  __device__ __forceinline__ void start(float (&partial)[C::kSideTokens / 2]) {
    const int stage = started_.index;
    if (kSubtile == 0) {
      mbarrier_wait(shared_address(&shared_.full[stage]), started_.parity);
    }
    const uint64_t tokens =
        wgmma_descriptor(shared_address(shared_.tokens[stage]) +
                             tokens_side_ * C::kSideTokens * kRowBytes,
                         0);
    const uint64_t weights =
        wgmma_descriptor(shared_address(shared_.weights[stage]) +
                             (rows_side_ * C::kSubtiles + kSubtile) * kSubtileRows * kRowBytes,
                         0);
    pin(partial);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      wgmma_ss_e4m3(partial, weights + 2 * k, tokens + 2 * k, k > 0);
    }
    wgmma_commit();
    pin(partial);
    if (kSubtile == kSecond) {
      started_.advance();
    }
  }

  // Scales and adds what the tensor cores have computed.
  template <int kSubtile>
  __device__ __forceinline__ void finish(float (&partial)[C::kSideTokens / 2],
                                         float (&sums)[C::kSideTokens / 2]) {
    pin(partial);
    const int stage = finished_.index;
    const float2 weight_scales =
        by_block_ ? load_shared_float2(shared_address(shared_.weight_scales[stage]))
                  : make_float2(1.f, 1.f);
    const float upper =
        kResult == Float8Result::kActivated || rows_side_ == 0 ? weight_scales.x : weight_scales.y;
    const float lower = kResult == Float8Result::kActivated ? weight_scales.y : upper;
    const uint32_t token_scales =
        shared_address(&shared_.token_scales[stage][tokens_side_ * C::kSideTokens]) +
        threadIdx.x % 4 * sizeof(float2);
#pragma unroll
    for (int i = 0; i < C::kSideTokens / 2; i += 4) {
      const float2 scale = load_shared_float2(token_scales + i * 8);
      sums[i] = fmaf(partial[i], upper * scale.x, sums[i]);
      sums[i + 1] = fmaf(partial[i + 1], upper * scale.y, sums[i + 1]);
      sums[i + 2] = fmaf(partial[i + 2], lower * scale.x, sums[i + 2]);
      sums[i + 3] = fmaf(partial[i + 3], lower * scale.y, sums[i + 3]);
    }
    pin(sums);
    if (kSubtile == kSecond) {
      __syncwarp();
      release<1>(shared_.empty[finished_.index]);
      finished_.advance();
    }
  }

  SharedStorage<C>& shared_;
  const int rows_side_;    // which of the divided rows or tokens; 0 where they are not divided
  const int tokens_side_;
  const bool by_block_;
  const int pairs_;
  Stage<C::kStages> started_;
  Stage<C::kStages> finished_;
};

// ---- Writing ------------------------------------------------------------------------------------

// A channel's scale, of a row of weights that may be past the end.
__device__ __forceinline__ float channel_scale(const float* scales, int row, int rows) {
  return row < rows ? __ldg(scales + row) : 0.f;
}

template <int kCount>
__device__ __forceinline__ void scale_channels(float (&sums)[kCount], float upper, float lower) {
#pragma unroll
  for (int i = 0; i < kCount; i += 4) {
    sums[i] *= upper;
    sums[i + 1] *= upper;
    sums[i + 2] *= lower;
    sums[i + 3] *= lower;
  }
}

// Writes 64 columns of each token as bf16, through shared memory.
template <class C>
__device__ __forceinline__ void write_bf16(const Float8GemmArgs& p, SharedStorage<C>& shared,
                                           const Tile& tile, int side, int first_column,
                                           const float (&sums)[C::kSideTokens / 2]) {
  constexpr int kBytes = 2 * kSubtileRows;  // of a token
  constexpr int kChunks = kBytes / 16;
  const int thread = threadIdx.x % kWarpgroup;
  const int warp = thread / 32;
  const int lane = thread % 32;
  uint8_t* stored = shared.stored.matrix[side];
  const uint32_t base = shared_address(stored);
  if (tile.rows <= 0) {
    return;
  }
#pragma unroll
  for (int token = 0; token < C::kSideTokens; token += 16) {
    const float* s = &sums[token / 2];
    const int mine = token + (lane & 7) + (lane & 16) / 2;
    stmatrix_x4_transposed(base + stored_byte<kBytes>(mine, 2 * warp + (lane >> 3 & 1)),
                           pack_bf16(s[0], s[1]), pack_bf16(s[2], s[3]), pack_bf16(s[4], s[5]),
                           pack_bf16(s[6], s[7]));
  }
  named_barrier_sync(kSideStored + side, kWarpgroup);
  for (int i = thread; i < C::kSideTokens * kChunks; i += kWarpgroup) {
    const int token = i / kChunks;
    const int column = first_column + i % kChunks * 8;
    if (token < tile.rows && column < p.weight_rows) {
      const int64_t row = tile.first_row + token;
      *reinterpret_cast<uint4*>(static_cast<__nv_bfloat16*>(p.out) + row * p.out_stride + column) =
          *reinterpret_cast<const uint4*>(stored + stored_byte<kBytes>(token, i % kChunks));
    }
  }
  named_barrier_sync(kSideStored + side, kWarpgroup);
}

// Writes or adds 64 columns of each token as float32: eight lanes write 32 bytes. What results are added to is
// loaded before the first is stored, so that a thread does not wait for each.
template <class C>
__device__ __forceinline__ void write_float32(const Float8GemmArgs& p, const Tile& tile,
                                              int first_column,
                                              const float (&sums)[C::kSideTokens / 2]) {
  const int lane = threadIdx.x % 32;
  const int column = first_column + threadIdx.x % kWarpgroup / 32 * 16 + lane / 4;
  const auto at = [&](int i) -> float* {
    const int token = i / 4 * 8 + lane % 4 * 2 + i % 2;
    const int below = i % 4 / 2 * 8;
    return token < tile.rows && column + below < p.weight_rows
               ? static_cast<float*>(p.out) + (tile.first_row + token) * p.out_stride + column + below
               : nullptr;
  };
  constexpr int kCount = C::kSideTokens / 2;
  float before[kCount];
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const float* from = at(i);
    before[i] = p.add != 0 && from != nullptr ? *from : 0.f;
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    float* to = at(i);
    if (to != nullptr) {
      *to = p.add != 0 ? before[i] + sums[i] : sums[i];
    }
  }
}

template <class C>
__device__ __forceinline__ void write_matrix(const Float8GemmArgs& p, SharedStorage<C>& shared,
                                             Tile tile, int side, Sums<C>& sums) {
  if (C::kTokensDivided) {
    tile.first_row += side * C::kSideTokens;
    tile.rows -= side * C::kSideTokens;  // none are left where this is not positive
  }
#pragma unroll
  for (int s = 0; s < C::kSubtiles; ++s) {
    const int first_column =
        tile.weight_tile * C::kWeightRows +
        ((C::kTokensDivided ? 0 : side) * C::kSubtiles + s) * kSubtileRows;
    if (p.scaling == SPARK_MLA_FLOAT8_CHANNEL) {
      const float* scales = p.weight_scales + int64_t{tile.group} * p.weight_rows;
      const int row = first_column + threadIdx.x % kWarpgroup / 32 * 16 + threadIdx.x % 32 / 4;
      scale_channels(sums[s], channel_scale(scales, row, p.weight_rows),
                     channel_scale(scales, row + 8, p.weight_rows));
    }
    if (p.out_type == SPARK_MLA_BFLOAT16) {
      write_bf16<C>(p, shared, tile, side, first_column, sums[s]);
    } else {
      write_float32<C>(p, tile, first_column, sums[s]);
    }
  }
}

// Activates, finds each token's largest activation over both consumers, quantizes and writes.
template <class C>
__device__ __forceinline__ void write_activated(const Float8GemmArgs& p, SharedStorage<C>& shared,
                                                const Tile& tile, int side, int turn,
                                                Sums<C>& sums) {
  const int thread = threadIdx.x - kWarpgroup;  // of the consumers
  const int lane = threadIdx.x % 32;
  const int first_column = tile.weight_tile * kScaleColumns;
  // Of this thread's activations in a block of 128; those of the next subtile are 32 further.
  const int column = side * kSubtileRows + threadIdx.x % kWarpgroup / 32 * 8 + lane / 4;
#pragma unroll
  for (int s = 0; s < C::kSubtiles; ++s) {
    if (p.scaling == SPARK_MLA_FLOAT8_CHANNEL) {
      const float* gate = p.weight_scales + int64_t{2} * tile.group * p.weight_rows;
      const int row = first_column + column + 32 * s;
      scale_channels(sums[s], channel_scale(gate, row, p.weight_rows),
                     channel_scale(gate + p.weight_rows, row, p.weight_rows));
    }
#pragma unroll
    for (int i = 0; i < C::kTokens / 2; i += 4) {
      sums[s][i] = activate(sums[s][i], sums[s][i + 2]);
      sums[s][i + 1] = activate(sums[s][i + 1], sums[s][i + 3]);
    }
  }
  float* largest = shared.largest[turn];
#pragma unroll
  for (int i = 0; i < C::kTokens / 2; i += 4) {
#pragma unroll
    for (int j = i; j < i + 2; ++j) {
      float mine = 0.f;
#pragma unroll
      for (int s = 0; s < C::kSubtiles; ++s) {
        mine = fmaxf(mine, fabsf(sums[s][j]));
      }
#pragma unroll
      for (int offset = 4; offset < 32; offset *= 2) {
        mine = fmaxf(mine, __shfl_xor_sync(kAllLanes, mine, offset));
      }
      if (lane < 4) {
        // Floats that are not negative are in the order of their bits.
        atomicMax(reinterpret_cast<int*>(largest) + i * 2 + lane * 2 + j - i,
                  __float_as_int(mine));
      }
    }
  }
  named_barrier_sync(kLargestReady, kConsumers);
  for (int i = thread; i < C::kTokens; i += kConsumers) {
    shared.largest[turn ^ 1][i] = 0.f;
    if (i < tile.rows) {
      p.out_scales[tile.weight_tile * p.out_scales_stride + tile.first_row + i] =
          float8_scale(largest[i]);
    }
  }
  uint8_t* stored = shared.stored.activated;
#pragma unroll
  for (int i = 0; i < C::kTokens / 2; i += 4) {
    const int token = i * 2 + lane % 4 * 2;
    const float2 both = *reinterpret_cast<const float2*>(largest + token);
    const float first = float8_inverse_scale(both.x);
    const float second = float8_inverse_scale(both.y);
#pragma unroll
    for (int s = 0; s < C::kSubtiles; ++s) {
      const uint32_t values = pack_e4m3(sums[s][i] * first, sums[s][i + 1] * second);
      uint8_t* at = stored + token * kActivatedBytes + column + 32 * s;
      at[0] = static_cast<uint8_t>(values);
      at[kActivatedBytes] = static_cast<uint8_t>(values >> 8);
    }
  }
  named_barrier_sync(kActivatedStored, kConsumers);
  constexpr int kChunks = kScaleColumns / 16;
  for (int i = thread; i < tile.rows * kChunks; i += kConsumers) {
    const int token = i / kChunks;
    const int chunk_column = i % kChunks * 16;
    if (first_column + chunk_column < p.weight_rows) {
      const int64_t row = tile.first_row + token;
      *reinterpret_cast<uint4*>(static_cast<uint8_t*>(p.out) + row * p.out_stride + first_column +
                                chunk_column) =
          *reinterpret_cast<const uint4*>(stored + token * kActivatedBytes + chunk_column);
    }
  }
}

template <class C, Float8Result kResult>
__device__ __forceinline__ void compute(const Float8GemmArgs& p, SharedStorage<C>& shared, int side) {
  if (kResult == Float8Result::kMatrix) {
    wait_for_previous_kernel();  // it may read or write out
  }
  TileWalker<1> walker(shared.first_row, shared.first_tile, p.groups, p.weight_tiles);
  Multiplication<C, kResult> multiplication(p, shared, side);
  int turn = 0;
  Tile tile;
  while (walker.next(tile)) {
    Sums<C> sums;
    multiplication.run(sums);
    if constexpr (kResult == Float8Result::kMatrix) {
      write_matrix<C>(p, shared, tile, side, sums);
    } else {
      write_activated<C>(p, shared, tile, side, turn, sums);
      turn ^= 1;
    }
  }
}

template <class C, Float8Result kResult>
__global__ void __launch_bounds__(kThreads, 1) gemm_kernel(
    const __grid_constant__ Float8GemmArgs p) {
  extern __shared__ uint8_t dynamic_shared[];
  auto& shared = *reinterpret_cast<SharedStorage<C>*>(
      (reinterpret_cast<uintptr_t>(dynamic_shared) + 1023) & ~static_cast<uintptr_t>(1023));
  if (kResult == Float8Result::kActivated) {
    for (int i = threadIdx.x; i < 2 * C::kTokens; i += kThreads) {
      shared.largest[i / C::kTokens][i % C::kTokens] = 0.f;
    }
  }
  begin_float8_gemm<C>(p, shared);
  const int warpgroup = threadIdx.x / kWarpgroup;
  if (warpgroup == 0) {
    release_registers<40>();
    Float8Loading<C, kResult, SharedStorage<C>, Loader<C, kResult>>::run(p, shared);
  } else {
    claim_registers<232>();
    compute<C, kResult>(p, shared, warpgroup - 1);
  }
}

// ---- Host ---------------------------------------------------------------------------------------

template <class C, Float8Result kResult>
cudaError_t launch(Float8Gemm& gemm, int multiprocessors) {
  Float8GemmArgs& p = gemm.args;
  TensorMapEncoder encoder;
  cudaError_t error = find_encoder(&encoder);
  if (error == cudaSuccess) {
    error = describe_tiles<kResult>(gemm, encoder, C::kWeightRows, C::kBoxTokens);
  }
  if (error != cudaSuccess) {
    return error;
  }
  if (C::kSubtiles == 1) {
    p.column_blocks = (p.scale_blocks + 1) / 2 * 2;  // computed two at a time
  }
  const int64_t columns = gemm.columns;
  const int64_t rows = p.weight_rows;
  const int64_t stride = gemm.weights_stride;
  constexpr auto kPromotion = CU_TENSOR_MAP_L2_PROMOTION_L2_256B;
  if (kResult == Float8Result::kMatrix) {
    error = encode_map<4>(encoder, &p.weights, gemm.weights, {columns, rows, p.groups, 1},
                          {stride, rows * stride, 0}, {kScaleColumns, C::kWeightRows, 1, 1},
                          kPromotion, kFloat8);
  } else {
    // [groups of 8 rows, gate and up of each expert, 8 rows, columns]: a box takes groups of gate and
    // of up by turns.
    error = encode_map<4>(encoder, &p.weights, gemm.weights, {columns, 8, 2 * p.groups, rows / 8},
                          {stride, rows * stride, 8 * stride},
                          {kScaleColumns, 8, 2, C::kWeightRows / 16}, kPromotion, kFloat8);
  }
  if (error != cudaSuccess) {
    return error;
  }
  constexpr size_t kShared = sizeof(SharedStorage<C>) + 1024;
  static_assert(kShared <= 227 * 1024);
  const LaunchShape shape{dim3(thread_blocks(p, C::kTokens, multiprocessors)), dim3(kThreads),
                          kShared};
  return launch_dependent(gemm_kernel<C, kResult>, shape, gemm.stream, p);
}

Float8Gemm gemm_of(const Float8Experts& experts, const Float8Tokens& tokens,
                   const Float8ExpertWeights& weights, int weight_rows, int columns) {
  Float8Gemm gemm;
  gemm.args.weight_scales = weights.scales;
  gemm.args.scaling = weights.scaling;
  gemm.args.weight_rows = weight_rows;
  gemm.args.groups = experts.experts;
  gemm.args.first_row = experts.first_row;
  gemm.args.first_tile = experts.first_tile;
  gemm.args.rows = static_cast<int>(experts.choices);
  gemm.tokens = tokens;
  gemm.weights = weights.values;
  gemm.weights_stride = columns;
  gemm.columns = columns;
  gemm.stream = experts.stream;
  return gemm;
}

cudaError_t launch_many_rows_matrix(Float8Gemm& gemm, int multiprocessors) {
  return launch_float8_many_rows(gemm, Float8Result::kMatrix, multiprocessors);
}

// A tile of dense GEMMs, and about what a stage of it takes, in nanoseconds: fitted to the times of all tiles
// at 12 shapes and 1 to 256 rows on an H100, so that the tile with the lowest estimate takes 1.01 times the
// fastest one's time on average, 1.09 at most.
struct DenseTile {
  int tokens;
  int weight_rows;
  int stage;  // without tokens
  int box;    // more for every box_tokens of a tile's tokens
  int box_tokens;
  cudaError_t (*launch)(Float8Gemm&, int multiprocessors);

  int64_t estimate(const spark_mla_float8_gemm_args& args, int multiprocessors) const {
    const auto parts = [](int64_t count, int64_t size) { return (count + size - 1) / size; };
    const int64_t tiles = parts(args.m, tokens) * parts(args.n, weight_rows);
    const int64_t boxes = parts(std::min(args.m, tokens), box_tokens);
    return parts(tiles, multiprocessors) * (stage + boxes * box);
  }
};

const DenseTile kDenseTiles[] = {
    {32, 64, 180, 65, 16, launch<Tile32x64, Float8Result::kMatrix>},
    {64, 64, 225, 40, 16, launch<Tile64x64, Float8Result::kMatrix>},
    {16, 128, 250, 0, 16, launch<Tile16x128, Float8Result::kMatrix>},
    {64, 128, 290, 25, 16, launch<Tile64x128, Float8Result::kMatrix>},
    {64, 256, 610, 0, 16, launch<Tile64x256, Float8Result::kMatrix>},
    {128, 256, 390, 235, 64, launch_many_rows_matrix},
};

}  // namespace

cudaError_t launch_float8_gemm(const spark_mla_float8_gemm_args& args, int multiprocessors) {
  Float8Gemm gemm;
  gemm.args.weight_scales = args.b_scales;
  gemm.args.scaling = args.scaling;
  gemm.args.weight_rows = args.n;
  gemm.args.groups = 1;
  gemm.args.rows = args.m;
  gemm.args.out = args.c;
  gemm.args.out_stride = args.c_stride;
  gemm.args.out_type = args.c_type;
  gemm.args.add = args.add;
  gemm.tokens = {const_cast<void*>(args.a), args.a_stride, const_cast<float*>(args.a_scales),
                   args.a_scales_stride};
  gemm.weights = args.b;
  gemm.weights_stride = args.b_stride;
  gemm.columns = args.k;
  gemm.stream = static_cast<cudaStream_t>(args.stream);
  const DenseTile& chosen = *std::min_element(
      std::begin(kDenseTiles), std::end(kDenseTiles),
      [&](const DenseTile& left, const DenseTile& right) {
        return left.estimate(args, multiprocessors) < right.estimate(args, multiprocessors);
      });
  return chosen.launch(gemm, multiprocessors);
}

int float8_tile_tokens(int64_t mean_tokens) {
  return mean_tokens <= 8 ? 16 : mean_tokens <= 24 ? 64 : kManyRowsTile;
}

cudaError_t launch_float8_gate_up(const Float8Experts& experts, const Float8Tokens& tokens,
                                  const Float8ExpertWeights& gate_up, const Float8Tokens& activated,
                                  int multiprocessors) {
  Float8Gemm gemm = gemm_of(experts, tokens, gate_up, experts.width, experts.hidden);
  gemm.args.out = activated.values;
  gemm.args.out_stride = activated.stride;
  gemm.args.out_scales = activated.scales;
  gemm.args.out_scales_stride = activated.scales_stride;
  switch (experts.tile_tokens) {
    case 16:
      return launch<Tile16x256, Float8Result::kActivated>(gemm, multiprocessors);
    case 64:
      return launch<Tile64x256, Float8Result::kActivated>(gemm, multiprocessors);
    default:
      return launch_float8_many_rows(gemm, Float8Result::kActivated, multiprocessors);
  }
}

cudaError_t launch_float8_down(const Float8Experts& experts, const Float8Tokens& activated,
                               const Float8ExpertWeights& down, void* results,
                               int multiprocessors) {
  Float8Gemm gemm = gemm_of(experts, activated, down, experts.hidden, experts.width);
  gemm.args.out = results;
  gemm.args.out_stride = experts.hidden;
  gemm.args.out_type = SPARK_MLA_BFLOAT16;
  switch (experts.tile_tokens) {
    case 16:
      return launch<Tile16x128, Float8Result::kMatrix>(gemm, multiprocessors);
    case 64:
      return launch<Tile64x128, Float8Result::kMatrix>(gemm, multiprocessors);
    default:
      return launch_many_rows_matrix(gemm, multiprocessors);
  }
}

}  // namespace spark_mla
