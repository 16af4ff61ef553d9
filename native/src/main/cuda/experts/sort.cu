// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Sorts choices by expert (a counting sort). ids [rows, per_token] give first_row and first_tile
// [experts + 1] and sorted_row [rows, per_token]; bf16 x [rows, hidden] is copied to sorted [choices,
// hidden], as e4m3 with scales where the weights are FP8. The order of rows within an expert is left to chance; results do not depend on it.
//
// Launch: count_kernel and assign_kernel have a thread block of 512 for each chunk of kSortChunk
// choices, and count_kernel is left out where there is one chunk; copy_kernel and
// quantize_kernel have a thread block of 128 for each row of x.

#include "../float8/float8.h"
#include "../float8/quantize.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "../warp.cuh"
#include "experts.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / 32;
constexpr int kCopyThreads = 128;
static_assert(kMaxExperts <= kThreads);

struct SortArgs {
  const int32_t* ids;
  const int32_t* valid_rows;
  const uint4* x;
  int64_t x_stride;  // of 16 bytes
  int32_t* chunk_counts;
  int32_t* first_row;
  int32_t* first_tile;
  int32_t* sorted_row;
  void* sorted;
  float* sorted_scales;
  int64_t scales_stride;
  int rows;
  int experts;
  int per_token;
  int row_size;  // of 16 bytes
  int tile_tokens;
};

__device__ __forceinline__ int valid_rows(const SortArgs& p) {
  return p.valid_rows == nullptr ? p.rows : max(0, min(p.rows, *p.valid_rows));
}

// Counts the choices of this block's chunk into counts[experts], in shared memory.
__device__ __forceinline__ void count_chunk(const SortArgs& p, int* counts) {
  for (int i = threadIdx.x; i < p.experts; i += kThreads) {
    counts[i] = 0;
  }
  __syncthreads();
  const int choices = valid_rows(p) * p.per_token;
  const int end = min(choices, static_cast<int>(blockIdx.x + 1) * kSortChunk);
  for (int i = blockIdx.x * kSortChunk + threadIdx.x; i < end; i += kThreads) {
    const int expert = p.ids[i];
    if (expert >= 0 && expert < p.experts) {
      atomicAdd(&counts[expert], 1);
    }
  }
  __syncthreads();
}

__global__ void __launch_bounds__(kThreads) count_kernel(const SortArgs p) {
  __shared__ int counts[kMaxExperts];
  wait_for_previous_kernel();
  launch_dependents();
  count_chunk(p, counts);
  for (int i = threadIdx.x; i < p.experts; i += kThreads) {
    p.chunk_counts[blockIdx.x * p.experts + i] = counts[i];
  }
}

// The sum of the values of the threads before this one.
__device__ __forceinline__ int2 block_exclusive_sum(int2 value, int2* warp_sums) {
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  int2 sum = make_int2(warp_inclusive_sum(value.x), warp_inclusive_sum(value.y));
  if (lane == 31) {
    warp_sums[warp] = sum;
  }
  __syncthreads();
  for (int i = 0; i < warp; ++i) {
    sum.x += warp_sums[i].x;
    sum.y += warp_sums[i].y;
  }
  return make_int2(sum.x - value.x, sum.y - value.y);
}

__global__ void __launch_bounds__(kThreads) assign_kernel(const SortArgs p) {
  __shared__ int next[kMaxExperts];
  __shared__ int2 warp_sums[kWarps];
  wait_for_previous_kernel();
  launch_dependents();
  const int expert = threadIdx.x;
  int total = 0;
  int before = 0;
  if (gridDim.x == 1) {
    count_chunk(p, next);
    total = expert < p.experts ? next[expert] : 0;
  } else if (expert < p.experts) {
    for (int chunk = 0; chunk < gridDim.x; ++chunk) {
      const int count = p.chunk_counts[chunk * p.experts + expert];
      total += count;
      before += chunk < blockIdx.x ? count : 0;
    }
  }
  const int tiles = (total + p.tile_tokens - 1) / p.tile_tokens;
  const int2 first = block_exclusive_sum(make_int2(total, tiles), warp_sums);
  if (expert < p.experts) {
    next[expert] = first.x + before;
    if (blockIdx.x == 0) {
      p.first_row[expert] = first.x;
      p.first_tile[expert] = first.y;
      if (expert == p.experts - 1) {
        p.first_row[p.experts] = first.x + total;
        p.first_tile[p.experts] = first.y + tiles;
      }
    }
  }
  __syncthreads();
  const int choices = valid_rows(p) * p.per_token;
  const int end = min(choices, static_cast<int>(blockIdx.x + 1) * kSortChunk);
  for (int i = blockIdx.x * kSortChunk + threadIdx.x; i < end; i += kThreads) {
    const int id = p.ids[i];
    p.sorted_row[i] = id >= 0 && id < p.experts ? atomicAdd(&next[id], 1) : -1;
  }
}

// Copies a row of x to the sorted rows of its choices. It reads x at once, since the sort has not written it.
__global__ void __launch_bounds__(kCopyThreads) copy_kernel(const SortArgs p) {
  const int64_t row = blockIdx.x;
  const int end = row < valid_rows(p) ? p.row_size : 0;
  const uint4* from = p.x + row * p.x_stride;
  uint4 value = {};
  if (threadIdx.x < end) {
    value = from[threadIdx.x];
  }
  wait_for_previous_kernel();
  launch_dependents();
  for (int i = threadIdx.x; i < end; i += kCopyThreads) {
    if (i >= kCopyThreads) {
      value = from[i];
    }
    for (int choice = 0; choice < p.per_token; ++choice) {
      const int64_t sorted = p.sorted_row[row * p.per_token + choice];
      if (sorted >= 0) {
        static_cast<uint4*>(p.sorted)[sorted * p.row_size + i] = value;
      }
    }
  }
}

// The same in 8 bits, eight columns a thread at a time.
__global__ void __launch_bounds__(kCopyThreads) quantize_kernel(const SortArgs p) {
  constexpr int kGroupLanes = kScaleColumns / 8;
  const int64_t row = blockIdx.x;
  const bool valid = row < valid_rows(p);
  const int groups = (p.row_size + kGroupLanes - 1) / kGroupLanes;
  const int end = valid ? (groups + 1) / 2 * 2 * kGroupLanes : 0;
  const auto load = [&](int i) {
    return i < p.row_size
               ? load8(reinterpret_cast<const __nv_bfloat16*>(p.x + row * p.x_stride + i))
               : EightFloats{};
  };
  EightFloats values = valid ? load(threadIdx.x) : EightFloats{};
  wait_for_previous_kernel();
  launch_dependents();
  for (int i = threadIdx.x; i < end; i += kCopyThreads) {
    if (i >= kCopyThreads) {
      values = load(i);
    }
    const float largest = largest_of_group(largest_of(values));
    if (i < p.row_size) {
      const uint2 quantized = quantize8(values, float8_inverse_scale(largest));
      for (int choice = 0; choice < p.per_token; ++choice) {
        const int64_t sorted = p.sorted_row[row * p.per_token + choice];
        if (sorted >= 0) {
          static_cast<uint2*>(p.sorted)[sorted * p.row_size + i] = quantized;
          if (i % kGroupLanes == 0) {
            p.sorted_scales[i / kGroupLanes * p.scales_stride + sorted] = float8_scale(largest);
          }
        }
      }
    }
  }
}

int chunks_of(const spark_mla_experts_args& args) {
  return (args.rows * args.per_token + kSortChunk - 1) / kSortChunk;
}

}  // namespace

ExpertsWorkspace experts_workspace(const spark_mla_experts_args& args) {
  const size_t choices = static_cast<size_t>(args.rows) * args.per_token;
  size_t bytes = 0;
  const auto take = [&bytes](size_t count, size_t size) {
    const size_t offset = bytes;
    bytes += (count * size + 127) / 128 * 128;
    return offset;
  };
  ExpertsWorkspace workspace;
  workspace.chunk_counts = take(static_cast<size_t>(chunks_of(args)) * args.experts, 4);
  workspace.first_row = take(args.experts + 1, 4);
  workspace.first_tile = take(args.experts + 1, 4);
  workspace.sorted_row = take(choices, 4);
  workspace.sorted = take(choices * args.hidden, 2);
  workspace.activated = take(choices * args.width, 2);
  const size_t stride = experts_scales_stride(args);
  workspace.sorted_scales = take(stride * float8_blocks(args.hidden), 4);
  workspace.activated_scales = take(stride * float8_blocks(args.width), 4);
  workspace.bytes = bytes;
  return workspace;
}

int64_t experts_scales_stride(const spark_mla_experts_args& args) {
  return (static_cast<int64_t>(args.rows) * args.per_token + 3) / 4 * 4;
}

cudaError_t launch_experts_sort(const spark_mla_experts_args& args) {
  const ExpertsWorkspace workspace = experts_workspace(args);
  char* base = static_cast<char*>(args.workspace);
  SortArgs p = {};
  p.ids = args.ids;
  p.valid_rows = args.valid_rows;
  p.x = static_cast<const uint4*>(args.x);
  p.x_stride = args.x_stride / 8;
  p.chunk_counts = reinterpret_cast<int32_t*>(base + workspace.chunk_counts);
  p.first_row = reinterpret_cast<int32_t*>(base + workspace.first_row);
  p.first_tile = reinterpret_cast<int32_t*>(base + workspace.first_tile);
  p.sorted_row = reinterpret_cast<int32_t*>(base + workspace.sorted_row);
  p.sorted = base + workspace.sorted;
  p.sorted_scales = reinterpret_cast<float*>(base + workspace.sorted_scales);
  p.scales_stride = experts_scales_stride(args);
  p.rows = args.rows;
  p.experts = args.experts;
  p.per_token = args.per_token;
  p.row_size = args.hidden / 8;
  p.tile_tokens = experts_tile_tokens(args);
  const int chunks = chunks_of(args);
  const LaunchShape by_chunk{dim3(chunks), dim3(kThreads)};
  const auto stream = static_cast<cudaStream_t>(args.stream);
  cudaError_t error = cudaSuccess;
  if (chunks > 1) {
    error = launch_dependent(count_kernel, by_chunk, stream, p);
  }
  if (error == cudaSuccess) {
    error = launch_dependent(assign_kernel, by_chunk, stream, p);
  }
  return error == cudaSuccess
             ? launch_dependent(args.scaling == 0 ? copy_kernel : quantize_kernel,
                                LaunchShape{dim3(args.rows), dim3(kCopyThreads)}, stream, p)
             : error;
}

}  // namespace spark_mla
