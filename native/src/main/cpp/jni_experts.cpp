// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeLibrary over spark_mla_experts.h; see jni.cpp.

#include "dev_sparkmla_cuda_NativeLibrary.h"
#include "jni_arguments.h"
#include "spark_mla_experts.h"

#define FIELD(name) fields[dev_sparkmla_cuda_NativeLibrary_##name]

static_assert(dev_sparkmla_cuda_NativeLibrary_ROUTE_SOFTMAX_GREEDY == SPARK_MLA_SOFTMAX_GREEDY &&
                  dev_sparkmla_cuda_NativeLibrary_ROUTE_SOFTMAX_GROUP_LIMITED ==
                      SPARK_MLA_SOFTMAX_GROUP_LIMITED &&
                  dev_sparkmla_cuda_NativeLibrary_ROUTE_SIGMOID_BIASED == SPARK_MLA_SIGMOID_BIASED,
              "NativeLibrary.java and spark_mla_experts.h number the router's methods alike");
static_assert(dev_sparkmla_cuda_NativeLibrary_ROUTE_NORMALIZED == SPARK_MLA_NORMALIZED,
              "NativeLibrary.java and spark_mla_experts.h disagree");

namespace {

using spark_mla::Fields;
using spark_mla::pointer;
using spark_mla::real;

void fill_route(const Fields<dev_sparkmla_cuda_NativeLibrary_ROUTE_FIELD_COUNT>& fields,
                spark_mla_route_args* a) {
  a->flags = static_cast<uint32_t>(FIELD(ROUTE_FLAGS));
  a->method = static_cast<int32_t>(FIELD(ROUTE_METHOD));
  a->rows = static_cast<int32_t>(FIELD(ROUTE_ROWS));
  a->experts = static_cast<int32_t>(FIELD(ROUTE_EXPERTS));
  a->per_token = static_cast<int32_t>(FIELD(ROUTE_PER_TOKEN));
  a->groups = static_cast<int32_t>(FIELD(ROUTE_GROUPS));
  a->groups_per_token = static_cast<int32_t>(FIELD(ROUTE_GROUPS_PER_TOKEN));
  a->scale = real(FIELD(ROUTE_SCALE));
  a->logits = pointer<float>(FIELD(ROUTE_LOGITS));
  a->logits_stride = FIELD(ROUTE_LOGITS_STRIDE);
  a->bias = pointer<float>(FIELD(ROUTE_BIAS));
  a->ids = pointer<int32_t>(FIELD(ROUTE_IDS));
  a->weights = pointer<float>(FIELD(ROUTE_WEIGHTS));
  a->stream = pointer<void>(FIELD(ROUTE_STREAM));
}

void fill_experts(const Fields<dev_sparkmla_cuda_NativeLibrary_EXPERTS_FIELD_COUNT>& fields,
                  spark_mla_experts_args* a) {
  a->rows = static_cast<int32_t>(FIELD(EXPERTS_ROWS));
  a->experts = static_cast<int32_t>(FIELD(EXPERTS_EXPERTS));
  a->per_token = static_cast<int32_t>(FIELD(EXPERTS_PER_TOKEN));
  a->hidden = static_cast<int32_t>(FIELD(EXPERTS_HIDDEN));
  a->width = static_cast<int32_t>(FIELD(EXPERTS_WIDTH));
  a->valid_rows = pointer<int32_t>(FIELD(EXPERTS_VALID_ROWS));
  a->x = pointer<void>(FIELD(EXPERTS_X));
  a->x_stride = FIELD(EXPERTS_X_STRIDE);
  a->ids = pointer<int32_t>(FIELD(EXPERTS_IDS));
  a->weights = pointer<float>(FIELD(EXPERTS_WEIGHTS));
  a->gate_up = pointer<void>(FIELD(EXPERTS_GATE_UP));
  a->down = pointer<void>(FIELD(EXPERTS_DOWN));
  a->out = pointer<float>(FIELD(EXPERTS_OUT));
  a->out_stride = FIELD(EXPERTS_OUT_STRIDE);
  a->workspace = pointer<void>(FIELD(EXPERTS_WORKSPACE));
  a->workspace_bytes = static_cast<size_t>(FIELD(EXPERTS_WORKSPACE_BYTES));
  a->stream = pointer<void>(FIELD(EXPERTS_STREAM));
}

}  // namespace

extern "C" {

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_route(JNIEnv* environment, jclass,
                                                                  jlongArray fields) {
  return spark_mla::call(environment, fields, fill_route, spark_mla_route);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_expertsWorkspaceSize(
    JNIEnv* environment, jclass, jlongArray fields, jlongArray result) {
  size_t bytes = 0;
  const jint status =
      spark_mla::call(environment, fields, fill_experts, spark_mla_experts_workspace_size, &bytes);
  spark_mla::put(environment, result, static_cast<jlong>(bytes));
  return status;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_experts(JNIEnv* environment, jclass,
                                                                    jlongArray fields) {
  return spark_mla::call(environment, fields, fill_experts, spark_mla_experts);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_expertsReference(JNIEnv* environment,
                                                                             jclass,
                                                                             jlongArray fields) {
  return spark_mla::call(environment, fields, fill_experts, spark_mla_experts_reference);
}

}  // extern "C"
