// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Descriptions of tensors for the copy engine (TMA), made on the host at each launch.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

namespace spark_mla {

using TensorMapEncoder = decltype(&cuTensorMapEncodeTiled);

// The driver's function, looked up at run time so that the library loads without a driver.
inline cudaError_t find_encoder(TensorMapEncoder* encoder) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
  const cudaError_t error = cudaGetDriverEntryPointByVersion(
      "cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found);
  if (error != cudaSuccess) {
    return error;
  }
  if (found != cudaDriverEntryPointSuccess) {
    return cudaErrorInsufficientDriver;
  }
  *encoder = reinterpret_cast<TensorMapEncoder>(function);
  return cudaSuccess;
}

// What a tensor's elements are.
struct MapElements {
  CUtensorMapDataType type;
  int bytes;
};

constexpr MapElements kBf16{CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2};
constexpr MapElements kFloat8{CU_TENSOR_MAP_DATA_TYPE_UINT8, 1};

// A tensor whose innermost dimension is contiguous; strides in elements, outer dimensions.
// `promotion` is how much a miss in L2 brings there at once: more than a box's 128-byte rows where
// the neighbouring box is wanted soon.
template <int kRank>
cudaError_t encode_map(TensorMapEncoder encoder, CUtensorMap* map, const void* base,
                       const int64_t (&sizes)[kRank], const int64_t (&strides)[kRank - 1],
                       const int (&box)[kRank],
                       CUtensorMapL2promotion promotion = CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                       const MapElements& elements = kBf16) {
  cuuint64_t dimensions[kRank];
  cuuint64_t byte_strides[kRank - 1];
  cuuint32_t box_sizes[kRank];
  cuuint32_t steps[kRank];
  for (int i = 0; i < kRank; ++i) {
    dimensions[i] = sizes[i];
    box_sizes[i] = box[i];
    steps[i] = 1;
    if (i > 0) {
      // The stride of a dimension of size one is never used, but must look right.
      byte_strides[i - 1] = sizes[i] == 1 ? 16 : elements.bytes * strides[i - 1];
    }
  }
  const CUresult result =
      encoder(map, elements.type, kRank, const_cast<void*>(base), dimensions, byte_strides,
              box_sizes, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, promotion,
              CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace spark_mla
