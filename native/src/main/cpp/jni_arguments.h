// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The one convention of the JNI entry points. A call of the C interface takes a Java array of numbers;
// the Java class names the place of each argument in it, and the header that javac writes brings these
// names here. A layout says which place fills which field of the C struct. It does not compile where a
// name is missing on one side, where two fields share a place, or where a field of the struct is filled
// from nowhere.
//
// Integers and addresses stand in the array as they are, a float or double as its bits (Java's
// floatToRawIntBits, doubleToRawLongBits). A result goes to place 0 of an array of its own.
#pragma once

#include <jni.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include "spark_mla.h"

namespace spark_mla {

// What a number of the array stands for.
template <typename T>
T value_of(jlong number) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<T>(number);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(number);
  } else {
    static_assert(std::is_floating_point_v<T> && sizeof(T) <= sizeof(number));
    T value;
    std::memcpy(&value, &number, sizeof(value));  // x86_64: the low half comes first
    return value;
  }
}

template <typename Args, typename T>
struct Field {
  jint place;
  T Args::*member;
};

template <typename Args, typename T>
constexpr Field<Args, T> field(jint place, T Args::*member) {
  return {place, member};
}

// Bytes of a struct that Java does not fill: its size, and what is reserved.
template <typename Args, typename = void>
struct SizeBytes : std::integral_constant<size_t, 0> {};
template <typename Args>
struct SizeBytes<Args, std::void_t<decltype(Args::struct_size)>>
    : std::integral_constant<size_t, sizeof(Args::struct_size)> {};
template <typename Args, typename = void>
struct ReservedBytes : std::integral_constant<size_t, 0> {};
template <typename Args>
struct ReservedBytes<Args, std::void_t<decltype(Args::reserved)>>
    : std::integral_constant<size_t, sizeof(Args::reserved)> {};

template <jint kPlaces, typename Args, typename... T>
struct Layout {
  std::tuple<Field<Args, T>...> fields;

  // The struct that an array's numbers stand for; false where the array is missing or of another
  // length.
  bool read(JNIEnv* environment, jlongArray array, Args* args) const {
    if (array == nullptr || environment->GetArrayLength(array) != kPlaces) {
      return false;
    }
    jlong numbers[kPlaces];
    environment->GetLongArrayRegion(array, 0, kPlaces, numbers);
    *args = {};
    if constexpr (SizeBytes<Args>::value > 0) {
      args->struct_size = sizeof(Args);
    }
    std::apply([&](const auto&... field) { (assign(field, numbers, args), ...); }, fields);
    return true;
  }

 private:
  template <typename F>
  static void assign(const Field<Args, F>& field, const jlong* numbers, Args* args) {
    args->*field.member = value_of<F>(numbers[field.place]);
  }
};

// The layout of a struct in an array of kPlaces numbers, for a constexpr variable: a throw is an error
// of the compiler there.
template <jint kPlaces, typename Args, typename... T>
constexpr Layout<kPlaces, Args, T...> layout(Field<Args, T>... fields) {
  static_assert((sizeof(T) + ... + 0) + SizeBytes<Args>::value + ReservedBytes<Args>::value ==
                    sizeof(Args),
                "every field of the struct needs a place, and the struct may have no gaps");
  const jint taken[] = {fields.place...};
  for (size_t i = 0; i < sizeof...(T); ++i) {
    if (taken[i] < 0 || taken[i] >= kPlaces) {
      throw std::logic_error("a place outside of the array");
    }
    for (size_t j = 0; j < i; ++j) {
      if (taken[i] == taken[j]) {
        throw std::logic_error("two fields at one place");
      }
    }
  }
  return {{fields...}};
}

// Calls a function of the C interface with the struct that an array's numbers stand for.
template <jint kPlaces, typename Args, typename... T>
jint call(JNIEnv* environment, jlongArray array, const Layout<kPlaces, Args, T...>& layout,
          int32_t (*function)(const Args*)) {
  Args args;
  return layout.read(environment, array, &args) ? function(&args) : SPARK_MLA_INVALID_STRUCT;
}

// Gives Java a result: a number or an address.
template <typename T>
void put(JNIEnv* environment, jlongArray result, T value) {
  const jlong number = (jlong)value;
  environment->SetLongArrayRegion(result, 0, 1, &number);
}

// The same as call above for a function that writes a result.
template <jint kPlaces, typename Args, typename... T, typename Result>
jint call(JNIEnv* environment, jlongArray array, const Layout<kPlaces, Args, T...>& layout,
          int32_t (*function)(const Args*, Result*), jlongArray result) {
  Args args;
  if (!layout.read(environment, array, &args)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  Result value = {};
  const jint status = function(&args, &value);
  put(environment, result, value);
  return status;
}

}  // namespace spark_mla

// The layout of a struct: SPARK_MLA_LAYOUT(places of the array, struct, FIELDs), where a source file
// defines FIELD(NAME, member) as spark_mla::field(the place that Java names NAME, &Args::member).
#define SPARK_MLA_LAYOUT(places, args, ...)            \
  [] {                                                 \
    using Args = args;                                 \
    return spark_mla::layout<places>(__VA_ARGS__);     \
  }()

// Defines a native method int name(long[] arguments) of a Java class: calls a function of the C
// interface. With a result it is int name(long[] arguments, long[] result).
#define SPARK_MLA_METHOD(Class, name, layout, function)                                 \
  JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_##Class##_##name(                       \
      JNIEnv* environment, jclass, jlongArray arguments) {                              \
    return spark_mla::call(environment, arguments, layout, function);                   \
  }
#define SPARK_MLA_METHOD_WITH_RESULT(Class, name, layout, function)                     \
  JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_##Class##_##name(                       \
      JNIEnv* environment, jclass, jlongArray arguments, jlongArray result) {           \
    return spark_mla::call(environment, arguments, layout, function, result);           \
  }
