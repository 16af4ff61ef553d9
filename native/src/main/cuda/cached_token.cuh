// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// How the paged cache holds a token: its latent, then its rope key, in bf16. Kernels that write or copy
// tokens go through it; decode.cu reads whole pages by their layout.
#pragma once

#include "rows.cuh"

namespace spark_mla {

class CachedToken {
 public:
  static constexpr int kChunk = 8;  // elements that are read or written together

  // Writable where the cache is.
  __device__ __forceinline__ explicit CachedToken(const void* first_element)
      : elements_(static_cast<__nv_bfloat16*>(const_cast<void*>(first_element))) {}

  // Elements at .. at + 7, at a multiple of 8.
  __device__ __forceinline__ void store8(int at, const EightFloats& values) {
    spark_mla::store8(elements_ + at, values);
  }

  __device__ __forceinline__ void store(int at, float value) {
    elements_[at] = __float2bfloat16_rn(value);
  }

  // The same elements as bf16, for prefill.
  __device__ __forceinline__ uint4 load8(int at) const {
    return *reinterpret_cast<const uint4*>(elements_ + at);
  }

 private:
  __nv_bfloat16* elements_;
};

}  // namespace spark_mla
