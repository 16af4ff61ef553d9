// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the JNI entry points share: from Java's numbers to the structs of the C interface, and back.
#pragma once

#include <jni.h>

#include <cstdint>
#include <cstring>

#include "spark_mla.h"

namespace spark_mla {

// A Java array's numbers, each at the position that the header written by javac gives it.
template <jsize kCount>
using Fields = jlong[kCount];

template <typename T>
T* pointer(jlong address) {
  return reinterpret_cast<T*>(address);
}

// The float whose bits are the low half of a number.
inline float real(jlong bits) {
  const int32_t low = static_cast<int32_t>(bits);
  float value;
  static_assert(sizeof(value) == sizeof(low));
  std::memcpy(&value, &low, sizeof(value));
  return value;
}

// Zeros, but for its size.
template <typename Args>
Args empty() {
  Args args = {};
  args.struct_size = sizeof(args);
  return args;
}

// Calls a function of the C interface with the struct that `fill` makes of an array's numbers, and
// with where its result goes, if it has one. SPARK_MLA_INVALID_STRUCT where the array is missing or
// of another length.
template <jsize kCount, typename Args, typename... Result>
jint call(JNIEnv* environment, jlongArray array, void (*fill)(const Fields<kCount>&, Args*),
          int32_t (*function)(const Args*, Result*...), Result*... result) {
  if (array == nullptr || environment->GetArrayLength(array) != kCount) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  Fields<kCount> fields;
  environment->GetLongArrayRegion(array, 0, kCount, fields);
  Args args = empty<Args>();
  fill(fields, &args);
  return function(&args, result...);
}

// Gives Java a result in the first place of an array.
inline void put(JNIEnv* environment, jlongArray array, jlong result) {
  environment->SetLongArrayRegion(array, 0, 1, &result);
}

}  // namespace spark_mla
