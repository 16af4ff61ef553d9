// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Automata over bytes, and the bytes of a vocabulary's tokens, in words as automaton_words.h says. Everything that is read is checked to lie within them.
#pragma once

#include <cstdint>

#include "automaton_words.h"

namespace spark_mla {

constexpr int kDead = -1;     // the state where no answer goes on
constexpr int kUnarmed = -2;  // the state before the answer has begun

struct Position {
  int state;
  int count;
};

struct Vocabulary {
  int tokens = 0;
  int bytes = 0;
  const int32_t* offsets = nullptr;
  const uint8_t* text = nullptr;

  // The bytes of a token are those from begin to end; none where it does not exist.
  __device__ __forceinline__ void find(int token, int* begin, int* end) const {
    const bool exists = token >= 0 && token < tokens;
    *begin = exists ? max(0, offsets[token]) : 0;
    *end = exists ? min(bytes, offsets[token + 1]) : 0;
  }
};

// The vocabulary at the start of the words; one without tokens where there is none.
__device__ __forceinline__ Vocabulary vocabulary_of(const int32_t* words, int64_t count) {
  Vocabulary v;
  if (count > kWordOffsets) {
    const int64_t tokens = words[kWordCount];
    const int64_t bytes = words[kWordSize];
    if (tokens > 0 && bytes >= 0 && kWordOffsets + tokens + 1 + (bytes + 3) / 4 <= count) {
      v.tokens = static_cast<int>(tokens);
      v.bytes = static_cast<int>(bytes);
      v.offsets = words + kWordOffsets;
      v.text = reinterpret_cast<const uint8_t*>(v.offsets + tokens + 1);
    }
  }
  return v;
}

struct Automaton {
  int states = 0;
  int classes = 0;
  const uint8_t* class_of = nullptr;
  const int32_t* edges = nullptr;
  const int32_t* least = nullptr;
  const int32_t* most = nullptr;
  const int32_t* flags = nullptr;

  __device__ __forceinline__ bool has(int state) const { return state >= 0 && state < states; }

  __device__ __forceinline__ int edge(int state, uint8_t byte) const {
    return edges[static_cast<int64_t>(state) * classes + min(static_cast<int>(class_of[byte]), classes - 1)];
  }

  // Follows an edge; the state is kDead where it may not be taken.
  __device__ __forceinline__ Position follow(Position from, int edge) const {
    const int target = edge & 0xffffff;
    if (edge < 0 || target >= states) {
      return {kDead, 0};
    }
    switch (edge >> 24) {  // ByteAutomaton.Action
      case 0:
        return {target, from.count};
      case 1:
        return from.count < most[target] ? Position{target, from.count + 1} : Position{kDead, 0};
      default:
        return from.count >= least[from.state] ? Position{target, 0} : Position{kDead, 0};
    }
  }

  // Follows the rest of a token's bytes; kDead where no answer goes on with them or a token may not
  // end there.
  __device__ __forceinline__ Position walk(Position at, const uint8_t* text, int begin,
                                           int end) const {
    for (int i = begin; i < end && at.state != kDead; ++i) {
      at = follow(at, edge(at.state, text[i]));
    }
    return at.state != kDead && (flags[at.state] & kRests) != 0 ? at : Position{kDead, 0};
  }
};

// The automaton at a place of the words; one without states where there is none.
__device__ __forceinline__ Automaton automaton_at(const int32_t* words, int64_t count,
                                                  int64_t place) {
  Automaton a;
  if (place >= 0 && place + kWordEdges <= count) {
    const int64_t states = words[place + kWordCount];
    const int64_t classes = words[place + kWordSize];
    if (states > 0 && classes > 0 && classes <= 256 &&
        place + kWordEdges + states * (classes + 3) <= count) {
      a.states = static_cast<int>(states);
      a.classes = static_cast<int>(classes);
      a.class_of = reinterpret_cast<const uint8_t*>(words + place + kWordClasses);
      a.edges = words + place + kWordEdges;
      a.least = a.edges + states * classes;
      a.most = a.least + states;
      a.flags = a.most + states;
    }
  }
  return a;
}

}  // namespace spark_mla
