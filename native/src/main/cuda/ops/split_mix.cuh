// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195): random bits as a function of
// a seed and an index, in any order.
#pragma once

#include <cstdint>

namespace spark_mla {

constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15ull;

// The generator's output function: mixes the bits of its state.
__device__ __forceinline__ uint64_t split_mix(uint64_t bits) {
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ull;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111ebull;
  return bits ^ bits >> 31;
}

}  // namespace spark_mla
