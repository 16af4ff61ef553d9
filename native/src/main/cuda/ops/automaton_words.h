// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Where the parts of a vocabulary and of an automaton lie, in int32 words from its first;
// AutomatonLayout.java writes them. The vocabulary begins the words, automata lie behind it.
#pragma once

namespace spark_mla {

constexpr int kWordCount = 0;       // tokens of a vocabulary, states of an automaton
constexpr int kWordSize = 1;        // bytes of a vocabulary, classes of an automaton
constexpr int kWordClasses = 4;     // of an automaton: uint8 [256]
constexpr int kWordOffsets = 4;     // of a vocabulary: [tokens + 1], then the bytes
constexpr int kWordEdges = 4 + 64;  // of an automaton: [states, classes], then [states] three times
constexpr int kAccepts = 1;
constexpr int kRests = 2;

}  // namespace spark_mla
