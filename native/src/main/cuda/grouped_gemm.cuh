// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the kernels for grouped GEMMs share: which tiles a thread block computes, the stages of its
// pipeline, and how results pass through shared memory. Rows of tokens are sorted by group (an expert);
// first_row[groups + 1] says where each group's begin, first_tile[groups + 1] the same in tiles.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "hopper.cuh"

namespace spark_mla {

// A tile: some tokens of one group, by the weight rows of a cluster.
struct Tile {
  int group;
  int weight_tile;
  int first_row;
  int rows;
};

// Walks the tiles of a thread block; every warp of a cluster walks the same ones. Neighbouring
// clusters share their weights, and kBand token tiles are taken with all weights before the next, so
// that both stay in L2. From one round to the next clusters change places, or else some would get all
// the full tiles and others all the remainders.
template <int kCluster>
class TileWalker {
 public:
  __device__ __forceinline__ TileWalker(const int* first_row, const int* first_tile, int groups,
                                        int weight_tiles)
      : first_row_(first_row), first_tile_(first_tile), groups_(groups),
        weight_tiles_(weight_tiles), clusters_(gridDim.x / kCluster),
        place_(blockIdx.x / kCluster), count_(first_tile[groups] * weight_tiles) {}

  __device__ __forceinline__ bool next(Tile& tile) {
    const int index = base_ + place_;
    if (base_ >= count_) {
      return false;
    }
    base_ += clusters_;
    place_ = (place_ + kRotation) % clusters_;
    if (index >= count_) {
      return false;  // only in the last round, which may not be full
    }
    find(index, tile);
    return true;
  }

 private:
  static constexpr int kRotation = 17;
  static constexpr int kBand = 16;

  __device__ __forceinline__ void find(int index, Tile& tile) const {
    const int wanted = index / weight_tiles_;
    int low = 0;
    int high = groups_;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (first_tile_[middle] <= wanted) {
        low = middle;
      } else {
        high = middle;
      }
    }
    const int first = first_tile_[low];
    const int tiles = first_tile_[low + 1] - first;
    const int inside = index - first * weight_tiles_;
    const int band = inside / (kBand * weight_tiles_);
    const int band_tiles = min(kBand, tiles - band * kBand);
    const int band_inside = inside - band * kBand * weight_tiles_;
    const int token_tile = band * kBand + band_inside % band_tiles;
    tile.group = low;
    tile.weight_tile = band_inside / band_tiles;
    // Tiles of a group are about equal, lest some clusters get full ones and others remainders.
    const int first_row = first_row_[low];
    const int rows = first_row_[low + 1] - first_row;
    const int size = (rows + tiles - 1) / tiles;
    tile.first_row = first_row + token_tile * size;
    tile.rows = min(size, rows - token_tile * size);
  }

  const int* first_row_;   // in shared memory, as first_tile_
  const int* first_tile_;
  const int groups_;
  const int weight_tiles_;
  const int clusters_;
  int place_;  // in this round
  const int count_;
  int base_ = 0;  // the round's first tile
};

// A stage of the pipeline, and which phase of its barriers is next.
template <int kStages>
struct Stage {
  int index = 0;
  uint32_t parity = 0;

  __device__ __forceinline__ int previous() const { return index == 0 ? kStages - 1 : index - 1; }

  __device__ __forceinline__ void advance() {
    if (++index == kStages) {
      index = 0;
      parity ^= 1;
    }
  }
};

// A warp tells the loaders of its cluster that it has read a stage, through that stage's barrier.
template <int kCluster>
__device__ __forceinline__ void release(const uint64_t& empty) {
  if (threadIdx.x % 32 == 0) {
    if (kCluster == 1) {
      mbarrier_arrive(shared_address(&empty));
    } else {
      for (int rank = 0; rank < kCluster; ++rank) {
        mbarrier_arrive_remote(shared_address(&empty), rank);
      }
    }
  }
}

// silu(gate) * up.
__device__ __forceinline__ float activate(float gate, float up) {
  return __fdividef(gate, 1.f + __expf(-gate)) * up;
}

// Byte of a 16-byte chunk in the stored tokens, swizzled so that neither writing nor reading them has
// bank conflicts.
template <int kBytesOfToken>
__device__ __forceinline__ int stored_byte(int token, int chunk) {
  return kBytesOfToken == 128 ? token * 128 + ((chunk ^ (token & 7)) << 4)
                              : token * 64 + ((chunk ^ (token >> 1 & 3)) << 4);
}

}  // namespace spark_mla
