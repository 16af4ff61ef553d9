// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// GEMMs of e4m3 tokens [rows, columns] and e4m3 weights for many rows, dense ones and the grouped ones of
// experts: the results of gemm.cu, bit for bit, where the tensor cores are the limit.
//
// Tokens are wgmma's A operand, weights its B operand. A thread then has results of two tokens only, and all
// its weight rows share a scale: adding 128 columns takes one multiply-add a result. A tile is 128 tokens by
// 256 weight rows: each of two consumers has 64 of the tokens and takes the weights in halves of 128 rows, so
// that it needs 64 registers for partial sums beside 128 for sums. While it scales and adds, the tensor
// cores work for the other consumer. With kActivated the halves are gate and up, so that a thread holds
// both halves of an activation, and four lanes hold the 128 activations of a token that share a scale.
//
// Launch: 384 threads on every multiprocessor. One warpgroup loads, two compute. A stage of the pipeline is
// 128 columns. Each warp writes its own results, from registers, so that no warp waits for another.

#include <cuda_bf16.h>

#include <cstdint>

#include "../fragments.cuh"
#include "../wgmma.cuh"
#include "gemm.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 384;
constexpr int kWarpgroup = 128;
constexpr int kRowBytes = kFloat8RowBytes;
constexpr int kSideTokens = 64;  // of a consumer: wgmma's M
constexpr int kHalfRows = 128;   // of the weights, that are multiplied at once
constexpr int kResults = kHalfRows / 2;  // of a thread, for a half of the weight rows

// The tile, as gemm.cuh wants it described.
struct Configuration {
  static constexpr int kTokens = kManyRowsTile;
  static constexpr int kWeightRows = 2 * kHalfRows;
  static constexpr int kScaledRows = kHalfRows;  // that share a scale
  static constexpr int kStages = 4;
  static constexpr int kConsumerWarps = 8;
};

constexpr int kStages = Configuration::kStages;
constexpr int kStageBytes = (Configuration::kTokens + Configuration::kWeightRows) * kRowBytes;

struct alignas(1024) SharedStorage {
  uint8_t weights[kStages][2][kHalfRows * kRowBytes];
  uint8_t tokens[kStages][Configuration::kTokens * kRowBytes];
  float token_scales[kStages][Configuration::kTokens];
  float weight_scales[kStages][2];  // of the halves
  int first_row[kFloat8MaxGroups + 1];
  int first_tile[kFloat8MaxGroups + 1];
  uint64_t full[kStages];
  uint64_t empty[kStages];
};

// ---- Loading ------------------------------------------------------------------------------------

template <Float8Result kResult>
class Loader {
 public:
  __device__ __forceinline__ Loader(const Float8GemmArgs& p, SharedStorage& shared)
      : p_(p), shared_(shared) {}

  // Waits for the stage, announces what comes into it, asks for the weights.
  __device__ __forceinline__ void weights(const Tile& tile, int block, const Stage<kStages>& stage) {
    mbarrier_wait(shared_address(&shared_.empty[stage.index]), stage.parity ^ 1);
    const uint32_t full = shared_address(&shared_.full[stage.index]);
    mbarrier_arrive_expect(full, kStageBytes);
    const uint32_t to = shared_address(shared_.weights[stage.index]);
    const int column = block * kScaleColumns;
    if (kResult == Float8Result::kActivated) {
      tma_load_3d(to, &p_.weights, full, column, tile.weight_tile * kHalfRows, 2 * tile.group,
                  kEvictNormal);
    } else {
      tma_load_3d(to, &p_.weights, full, column, tile.weight_tile * 2 * kHalfRows, tile.group,
                  kEvictNormal);
    }
  }

  // Those past the tile's last are of another group, or zeros past the last of all: not written.
  __device__ __forceinline__ void tokens(const Tile& tile, int block, const Stage<kStages>& stage) {
    tma_load_3d(shared_address(shared_.tokens[stage.index]), &p_.tokens,
                shared_address(&shared_.full[stage.index]), block * kScaleColumns, tile.first_row,
                0, kEvictNormal);
  }

 private:
  const Float8GemmArgs& p_;
  SharedStorage& shared_;
};

// ---- Computing ----------------------------------------------------------------------------------

// A thread's sums: of each half of the weight rows, of every eight of them, two neighbours by the first of
// its tokens and by the second.
using Sums = float[2][kResults];

// Where a thread's sums belong: a token is lane / 4 of its warp's 16, the second one 8 below.
struct Place {
  int lane;
  int token;  // the first, in the tile

  __device__ __forceinline__ explicit Place(int side)
      : lane(threadIdx.x % 32),
        token(side * kSideTokens + threadIdx.x % kWarpgroup / 32 * 16 + lane / 4) {}
};

// The GEMM of a consumer's tokens of a tile.
__device__ __forceinline__ void multiply(const Float8GemmArgs& p, SharedStorage& shared, int side,
                                         Stage<kStages>& stage, Sums& sums) {
  const int token = Place(side).token;
  const bool by_block = p.scaling == SPARK_MLA_FLOAT8_BLOCK;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
#pragma unroll
    for (int i = 0; i < kResults; ++i) {
      sums[half][i] = 0.f;
    }
  }
  float partial[kResults];
  for (int block = 0; block < p.column_blocks; ++block) {
    mbarrier_wait(shared_address(&shared.full[stage.index]), stage.parity);
    const float first = load_shared_float(shared_address(&shared.token_scales[stage.index][token]));
    const float second =
        load_shared_float(shared_address(&shared.token_scales[stage.index][token + 8]));
    const float2 of_weights =
        by_block ? load_shared_float2(shared_address(shared.weight_scales[stage.index]))
                 : make_float2(1.f, 1.f);
    const uint64_t tokens = wgmma_descriptor(
        shared_address(shared.tokens[stage.index]) + side * kSideTokens * kRowBytes, 0);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint64_t weights =
          wgmma_descriptor(shared_address(shared.weights[stage.index][half]), 0);
      pin(partial);
      wgmma_fence();
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        wgmma_ss_e4m3(partial, tokens + 2 * k, weights + 2 * k, k > 0);
      }
      wgmma_commit();
      pin(partial);
      wgmma_wait<0>();
      pin(partial);
      if (half == 1) {
        __syncwarp();
        release<1>(shared.empty[stage.index]);
      }
      const float of_half = half == 0 ? of_weights.x : of_weights.y;
      const float first_scale = of_half * first;
      const float second_scale = of_half * second;
#pragma unroll
      for (int i = 0; i < kResults; i += 4) {
        sums[half][i] = fmaf(partial[i], first_scale, sums[half][i]);
        sums[half][i + 1] = fmaf(partial[i + 1], first_scale, sums[half][i + 1]);
        sums[half][i + 2] = fmaf(partial[i + 2], second_scale, sums[half][i + 2]);
        sums[half][i + 3] = fmaf(partial[i + 3], second_scale, sums[half][i + 3]);
      }
      pin(sums[half]);
    }
    stage.advance();
  }
}

// Goes through a tile's stages without computing: there are no tokens for this consumer.
__device__ __forceinline__ void skip(const Float8GemmArgs& p, SharedStorage& shared,
                                     Stage<kStages>& stage) {
  for (int block = 0; block < p.column_blocks; ++block) {
    mbarrier_wait(shared_address(&shared.full[stage.index]), stage.parity);
    release<1>(shared.empty[stage.index]);
    stage.advance();
  }
}

// ---- Writing ------------------------------------------------------------------------------------

// Multiplies sums by the scales of their weight rows, the first of which is `first`; there are `rows`, a
// multiple of 8.
__device__ __forceinline__ void scale_channels(float (&sums)[kResults], const float* scales,
                                               int first, int rows) {
  const float* mine = scales + first + threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < kResults; i += 4) {
    const bool inside = first + 2 * i < rows;
    const float left = inside ? __ldg(mine + 2 * i) : 0.f;
    const float right = inside ? __ldg(mine + 2 * i + 1) : 0.f;
    sums[i] *= left;
    sums[i + 1] *= right;
    sums[i + 2] *= left;
    sums[i + 3] *= right;
  }
}

// Writes a half of the tile's columns as bf16: four lanes write 64 bytes of a token.
__device__ __forceinline__ void write_bf16(const Float8GemmArgs& p, const Tile& tile, int side,
                                           int first_column, const float (&sums)[kResults]) {
  const Place place(side);
#pragma unroll
  for (int below = 0; below < 2; ++below) {
    const int token = place.token + 8 * below;
    const int first = first_column + place.lane % 4 * 8;
    __nv_bfloat16* out = static_cast<__nv_bfloat16*>(p.out) +
                         (int64_t{tile.first_row} + token) * p.out_stride + first;
#pragma unroll
    for (int i = 0; i < kResults; i += 16) {
      uint32_t word[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float* s = &sums[i + 4 * j + 2 * below];
        word[j] = pack_bf16(s[0], s[1]);
      }
      transpose_quad(word, place.lane);
      if (token < tile.rows && first + 2 * i < p.weight_rows) {
        *reinterpret_cast<uint4*>(out + 2 * i) = make_uint4(word[0], word[1], word[2], word[3]);
      }
    }
  }
}

// Writes or adds a half of the tile's columns as float32: four lanes write 64 bytes of a token. Of 16
// neighbouring columns even lanes take the first eight, odd lanes the others. What a token's results are added
// to is loaded before the first is stored, so that a thread does not wait for each.
__device__ __forceinline__ void write_float32(const Float8GemmArgs& p, const Tile& tile, int side,
                                              int first_column, const float (&sums)[kResults]) {
  const Place place(side);
  const bool odd = place.lane % 2 != 0;
  const int first = first_column + place.lane % 2 * 8 + place.lane % 4 / 2 * 4;
  constexpr int kGroups = kResults / 8;  // of 16 columns
  const auto at = [&](int below, int group) -> float4* {
    const int token = place.token + 8 * below;
    const int column = first + 16 * group;
    return token < tile.rows && column < p.weight_rows
               ? reinterpret_cast<float4*>(static_cast<float*>(p.out) +
                                           (int64_t{tile.first_row} + token) * p.out_stride + column)
               : nullptr;
  };
#pragma unroll
  for (int below = 0; below < 2; ++below) {
    float4 before[kGroups];
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const float4* from = at(below, group);
      before[group] =
          p.add != 0 && from != nullptr ? *from : make_float4(0.f, 0.f, 0.f, 0.f);
    }
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const float* low = &sums[8 * group + 2 * below];
      const float* high = low + 4;
      const float x = __shfl_xor_sync(kAllLanes, odd ? low[0] : high[0], 1);
      const float y = __shfl_xor_sync(kAllLanes, odd ? low[1] : high[1], 1);
      const float4 sum =
          odd ? make_float4(x, y, high[0], high[1]) : make_float4(low[0], low[1], x, y);
      float4* to = at(below, group);
      if (to != nullptr) {
        const float4 old = before[group];
        *to = p.add != 0
                  ? make_float4(old.x + sum.x, old.y + sum.y, old.z + sum.z, old.w + sum.w)
                  : sum;
      }
    }
  }
}

__device__ __forceinline__ void write_matrix(const Float8GemmArgs& p, const Tile& tile, int side,
                                             Sums& sums) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int first_column = (2 * tile.weight_tile + half) * kHalfRows;
    if (p.scaling == SPARK_MLA_FLOAT8_CHANNEL) {
      scale_channels(sums[half], p.weight_scales + int64_t{tile.group} * p.weight_rows,
                     first_column, p.weight_rows);
    }
    if (p.out_type == SPARK_MLA_BFLOAT16) {
      write_bf16(p, tile, side, first_column, sums[half]);
    } else {
      write_float32(p, tile, side, first_column, sums[half]);
    }
  }
}

// Activates, finds the largest activation of each token, quantizes and writes.
__device__ __forceinline__ void write_activated(const Float8GemmArgs& p, const Tile& tile, int side,
                                                Sums& sums) {
  const Place place(side);
  const int first_column = tile.weight_tile * kScaleColumns;
  if (p.scaling == SPARK_MLA_FLOAT8_CHANNEL) {
    const float* gate = p.weight_scales + int64_t{2} * tile.group * p.weight_rows;
    scale_channels(sums[0], gate, first_column, p.weight_rows);
    scale_channels(sums[1], gate + p.weight_rows, first_column, p.weight_rows);
  }
  float(&activated)[kResults] = sums[0];
  float largest[2] = {0.f, 0.f};
#pragma unroll
  for (int i = 0; i < kResults; ++i) {
    activated[i] = activate(activated[i], sums[1][i]);
    largest[i / 2 % 2] = fmaxf(largest[i / 2 % 2], fabsf(activated[i]));
  }
  const int first = first_column + place.lane % 4 * 32;
#pragma unroll
  for (int below = 0; below < 2; ++below) {
    float most = largest[below];
    most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
    most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2));
    const float inverse = float8_inverse_scale(most);
    const int token = place.token + 8 * below;
    const bool inside = token < tile.rows;
    if (inside && place.lane % 4 == 0) {
      p.out_scales[tile.weight_tile * p.out_scales_stride + tile.first_row + token] =
          float8_scale(most);
    }
    uint8_t* out =
        static_cast<uint8_t*>(p.out) + (int64_t{tile.first_row} + token) * p.out_stride + first;
    // A lane has two of every eight columns, and gets 32 neighbours: two times 16.
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      uint32_t word[4];  // two columns of the 8 from 32 j + 16 part on, and two of the next 8
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float* a = &activated[(2 * j + part) * 8 + 2 * below];
        word[j] = pack_e4m3(a[0] * inverse, a[1] * inverse) |
                  pack_e4m3(a[4] * inverse, a[5] * inverse) << 16;
      }
      transpose_quad(word, place.lane);
      if (inside && first + part * 16 < p.weight_rows) {
        constexpr unsigned kLowHalves = 0x5410;
        constexpr unsigned kHighHalves = 0x7632;
        *reinterpret_cast<uint4*>(out + part * 16) =
            make_uint4(__byte_perm(word[0], word[1], kLowHalves),
                       __byte_perm(word[2], word[3], kLowHalves),
                       __byte_perm(word[0], word[1], kHighHalves),
                       __byte_perm(word[2], word[3], kHighHalves));
      }
    }
  }
}

template <Float8Result kResult>
__device__ __forceinline__ void compute(const Float8GemmArgs& p, SharedStorage& shared, int side) {
  if (kResult == Float8Result::kMatrix) {
    wait_for_previous_kernel();  // it may read or write out
  }
  TileWalker<1> walker(shared.first_row, shared.first_tile, p.groups, p.weight_tiles);
  Stage<kStages> stage;
  Tile tile;
  while (walker.next(tile)) {
    if (tile.rows <= side * kSideTokens) {
      skip(p, shared, stage);
      continue;
    }
    Sums sums;
    multiply(p, shared, side, stage, sums);
    if constexpr (kResult == Float8Result::kMatrix) {
      write_matrix(p, tile, side, sums);
    } else {
      write_activated(p, tile, side, sums);
    }
  }
}

template <Float8Result kResult>
__global__ void __launch_bounds__(kThreads, 1) many_rows_kernel(
    const __grid_constant__ Float8GemmArgs p) {
  extern __shared__ uint8_t dynamic_shared[];
  auto& shared = *reinterpret_cast<SharedStorage*>(
      (reinterpret_cast<uintptr_t>(dynamic_shared) + 1023) & ~static_cast<uintptr_t>(1023));
  begin_float8_gemm<Configuration>(p, shared);
  const int warpgroup = threadIdx.x / kWarpgroup;
  if (warpgroup == 0) {
    release_registers<40>();
    Float8Loading<Configuration, kResult, SharedStorage, Loader<kResult>>::run(p, shared);
  } else {
    claim_registers<232>();
    compute<kResult>(p, shared, warpgroup - 1);
  }
}

// ---- Host ---------------------------------------------------------------------------------------

template <Float8Result kResult>
cudaError_t launch(Float8Gemm& gemm, int multiprocessors) {
  Float8GemmArgs& p = gemm.args;
  TensorMapEncoder encoder;
  cudaError_t error = find_encoder(&encoder);
  if (error == cudaSuccess) {
    error = describe_tiles<kResult>(gemm, encoder, Configuration::kWeightRows,
                                    Configuration::kTokens);
  }
  if (error == cudaSuccess) {
    // A box is 256 rows of a matrix, or 128 of gate and the same of up.
    constexpr int kMatrices = kResult == Float8Result::kActivated ? 2 : 1;
    const int64_t rows = p.weight_rows;
    error = encode_map<3>(encoder, &p.weights, gemm.weights,
                          {gemm.columns, rows, kMatrices * p.groups},
                          {gemm.weights_stride, rows * gemm.weights_stride},
                          {kScaleColumns, Configuration::kWeightRows / kMatrices, kMatrices},
                          CU_TENSOR_MAP_L2_PROMOTION_L2_256B, kFloat8);
  }
  if (error != cudaSuccess) {
    return error;
  }
  constexpr size_t kShared = sizeof(SharedStorage) + 1024;
  static_assert(kShared <= 227 * 1024);
  const LaunchShape shape{dim3(thread_blocks(p, Configuration::kTokens, multiprocessors)),
                          dim3(kThreads), kShared};
  return launch_dependent(many_rows_kernel<kResult>, shape, gemm.stream, p);
}

}  // namespace

cudaError_t launch_float8_many_rows(Float8Gemm& gemm, Float8Result result, int multiprocessors) {
  return result == Float8Result::kMatrix ? launch<Float8Result::kMatrix>(gemm, multiprocessors)
                                         : launch<Float8Result::kActivated>(gemm, multiprocessors);
}

}  // namespace spark_mla
