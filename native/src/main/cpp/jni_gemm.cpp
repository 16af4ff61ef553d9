// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeGemm, over cublas_lt.h and spark_mla_ops.h. Every jint is a
// cublasStatus_t, but for fewRows, whose is a spark_mla_status.

#include "cublas_lt.h"
#include "dev_sparkmla_cuda_NativeGemm.h"
#include "jni_arguments.h"
#include "spark_mla_ops.h"

#define FIELD(NAME, member) spark_mla::field(dev_sparkmla_cuda_NativeGemm_##NAME, &Args::member)
#define LAYOUT(args, ...) \
  SPARK_MLA_LAYOUT(dev_sparkmla_cuda_NativeGemm_FIELD_COUNT, args, __VA_ARGS__)

static_assert(dev_sparkmla_cuda_NativeGemm_FEW_ROWS == SPARK_MLA_FEW_ROWS,
              "NativeGemm.java and spark_mla_ops.h disagree");

namespace {

constexpr auto kPlan = LAYOUT(
    spark_mla::GemmShape,
    FIELD(HANDLE, handle), FIELD(M, typical_m), FIELD(N, n), FIELD(K, k), FIELD(BATCH, batch),
    FIELD(B_TRANSPOSED, b_transposed), FIELD(FLOAT_RESULT, float_result), FIELD(ADD, add),
    FIELD(FLOAT8, float8), FIELD(A_SCALES, a_scales), FIELD(B_SCALES, b_scales),
    FIELD(A_STRIDE, a_stride), FIELD(A_BATCH, a_batch), FIELD(B_STRIDE, b_stride),
    FIELD(B_BATCH, b_batch), FIELD(C_STRIDE, c_stride), FIELD(C_BATCH, c_batch));

constexpr auto kRun = LAYOUT(
    spark_mla::GemmCall,
    FIELD(HANDLE, handle), FIELD(PLAN, plan), FIELD(M, m), FIELD(A, a),
    FIELD(A_SCALES, a_scales), FIELD(B, b), FIELD(B_SCALES, b_scales), FIELD(C, c), FIELD(STREAM, stream));

constexpr auto kFewRows = LAYOUT(
    spark_mla_gemm_few_rows_args,
    FIELD(M, m), FIELD(N, n), FIELD(K, k), FIELD(BATCH, heads), FIELD(B_TRANSPOSED, b_transposed),
    FIELD(C_TYPE, c_type), FIELD(ADD, add), FIELD(A, a), FIELD(A_STRIDE, a_stride),
    FIELD(A_BATCH, a_head), FIELD(B, b), FIELD(B_STRIDE, b_stride), FIELD(B_BATCH, b_head),
    FIELD(C, c), FIELD(C_STRIDE, c_stride), FIELD(C_BATCH, c_head), FIELD(STREAM, stream));

}  // namespace

extern "C" {

JNIEXPORT jstring JNICALL Java_dev_sparkmla_cuda_NativeGemm_library(JNIEnv* environment, jclass) {
  const char* name = spark_mla::cublas_lt_library();
  return name == nullptr ? nullptr : environment->NewStringUTF(name);
}

JNIEXPORT jlong JNICALL Java_dev_sparkmla_cuda_NativeGemm_version(JNIEnv*, jclass) {
  return static_cast<jlong>(spark_mla::cublas_lt_version());
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeGemm_create(JNIEnv* environment, jclass,
                                                                jlongArray result) {
  void* handle = nullptr;
  const int status = spark_mla::cublas_lt_create(&handle);
  spark_mla::put(environment, result, handle);
  return status;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeGemm_destroy(JNIEnv*, jclass, jlong handle) {
  return spark_mla::cublas_lt_destroy(reinterpret_cast<void*>(handle));
}

SPARK_MLA_METHOD_WITH_RESULT(NativeGemm, plan, kPlan, spark_mla::cublas_lt_plan)
SPARK_MLA_METHOD(NativeGemm, run, kRun, spark_mla::cublas_lt_run)
SPARK_MLA_METHOD(NativeGemm, fewRows, kFewRows, spark_mla_gemm_few_rows)

JNIEXPORT void JNICALL Java_dev_sparkmla_cuda_NativeGemm_freePlan(JNIEnv*, jclass, jlong plan) {
  spark_mla::cublas_lt_free(reinterpret_cast<spark_mla::GemmPlan*>(plan));
}

}  // extern "C"
