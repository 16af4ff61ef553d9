// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeLibrary: arrays of numbers into the structs of
// spark_mla.h, and back. The header that javac writes holds their signatures and the positions of
// the fields, so that a difference between the two sides does not compile.

#include "cublas_lt.h"
#include "dev_sparkmla_cuda_NativeLibrary.h"
#include "jni_arguments.h"
#include "spark_mla.h"

#define FIELD(name) fields[dev_sparkmla_cuda_NativeLibrary_##name]

static_assert(dev_sparkmla_cuda_NativeLibrary_STATUS_OK == SPARK_MLA_OK &&
                  dev_sparkmla_cuda_NativeLibrary_STATUS_UNSUPPORTED_DEVICE ==
                      SPARK_MLA_UNSUPPORTED_DEVICE &&
                  dev_sparkmla_cuda_NativeLibrary_STATUS_NO_DRIVER == SPARK_MLA_NO_DRIVER &&
                  dev_sparkmla_cuda_NativeLibrary_STATUS_CUDA_ERROR == SPARK_MLA_CUDA_ERROR &&
                  dev_sparkmla_cuda_NativeLibrary_CAUSAL == SPARK_MLA_CAUSAL,
              "NativeLibrary.java and spark_mla.h disagree");

namespace {

using spark_mla::Fields;
using spark_mla::pointer;
using spark_mla::real;

void fill_decode(const Fields<dev_sparkmla_cuda_NativeLibrary_FIELD_COUNT>& fields,
                 spark_mla_decode_args* a) {
  a->flags = static_cast<uint32_t>(FIELD(FLAGS));
  a->batch = static_cast<int32_t>(FIELD(BATCH));
  a->s_q = static_cast<int32_t>(FIELD(S_Q));
  a->h_q = static_cast<int32_t>(FIELD(H_Q));
  a->h_kv = static_cast<int32_t>(FIELD(H_KV));
  a->latent_dim = static_cast<int32_t>(FIELD(LATENT_DIM));
  a->rope_dim = static_cast<int32_t>(FIELD(ROPE_DIM));
  a->max_blocks = static_cast<int32_t>(FIELD(MAX_BLOCKS));
  a->cache_blocks = static_cast<int32_t>(FIELD(CACHE_BLOCKS));
  a->fixed_split_tokens = static_cast<int32_t>(FIELD(FIXED_SPLIT_TOKENS));
  a->num_sm_parts = static_cast<int32_t>(FIELD(NUM_SM_PARTS));
  a->softmax_scale = real(FIELD(SOFTMAX_SCALE));
  a->q = pointer<void>(FIELD(Q));
  a->q_stride_batch = FIELD(Q_STRIDE_BATCH);
  a->q_stride_token = FIELD(Q_STRIDE_TOKEN);
  a->q_stride_head = FIELD(Q_STRIDE_HEAD);
  a->k_cache = pointer<void>(FIELD(K_CACHE));
  a->k_cache_stride_block = FIELD(K_CACHE_STRIDE_BLOCK);
  a->k_cache_stride_token = FIELD(K_CACHE_STRIDE_TOKEN);
  a->k_cache_stride_head = FIELD(K_CACHE_STRIDE_HEAD);
  a->block_table = pointer<int32_t>(FIELD(BLOCK_TABLE));
  a->block_table_stride = FIELD(BLOCK_TABLE_STRIDE);
  a->cache_seqlens = pointer<int32_t>(FIELD(CACHE_SEQLENS));
  a->metadata = pointer<int32_t>(FIELD(METADATA));
  a->num_splits = pointer<int32_t>(FIELD(NUM_SPLITS));
  a->out = pointer<void>(FIELD(OUT));
  a->out_stride_batch = FIELD(OUT_STRIDE_BATCH);
  a->out_stride_token = FIELD(OUT_STRIDE_TOKEN);
  a->out_stride_head = FIELD(OUT_STRIDE_HEAD);
  a->lse = pointer<float>(FIELD(LSE));
  a->workspace = pointer<void>(FIELD(WORKSPACE));
  a->workspace_bytes = static_cast<size_t>(FIELD(WORKSPACE_BYTES));
  a->stream = pointer<void>(FIELD(STREAM));
}

}  // namespace

extern "C" {

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_abiVersion(JNIEnv*, jclass) {
  return spark_mla_abi_version();
}

JNIEXPORT jstring JNICALL Java_dev_sparkmla_cuda_NativeLibrary_statusString(JNIEnv* environment,
                                                                            jclass, jint status) {
  return environment->NewStringUTF(spark_mla_status_string(status));
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_lastCudaError(JNIEnv*, jclass) {
  return spark_mla_last_cuda_error();
}

JNIEXPORT jstring JNICALL
Java_dev_sparkmla_cuda_NativeLibrary_lastCudaErrorString(JNIEnv* environment, jclass) {
  return environment->NewStringUTF(spark_mla_last_cuda_error_string());
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decodeSmParts(JNIEnv* environment,
                                                                          jclass,
                                                                          jlongArray fields,
                                                                          jintArray result) {
  int32_t parts = 0;
  const jint status =
      spark_mla::call(environment, fields, fill_decode, spark_mla_decode_sm_parts, &parts);
  const jint value = parts;
  environment->SetIntArrayRegion(result, 0, 1, &value);
  return status;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decodeWorkspaceSize(
    JNIEnv* environment, jclass, jlongArray fields, jlongArray result) {
  size_t bytes = 0;
  const jint status =
      spark_mla::call(environment, fields, fill_decode, spark_mla_decode_workspace_size, &bytes);
  spark_mla::put(environment, result, static_cast<jlong>(bytes));
  return status;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decodeMetadata(JNIEnv* environment,
                                                                           jclass,
                                                                           jlongArray fields) {
  return spark_mla::call(environment, fields, fill_decode, spark_mla_decode_metadata);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decode(JNIEnv* environment, jclass,
                                                                   jlongArray fields) {
  return spark_mla::call(environment, fields, fill_decode, spark_mla_decode);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decodeReference(JNIEnv* environment,
                                                                            jclass,
                                                                            jlongArray fields) {
  return spark_mla::call(environment, fields, fill_decode, spark_mla_decode_reference);
}

JNIEXPORT jstring JNICALL Java_dev_sparkmla_cuda_NativeLibrary_cublasLtOpen(JNIEnv* environment,
                                                                            jclass) {
  const char* name = spark_mla::cublas_lt_library();
  return name == nullptr ? nullptr : environment->NewStringUTF(name);
}

JNIEXPORT jlong JNICALL Java_dev_sparkmla_cuda_NativeLibrary_cublasLtVersion(JNIEnv*, jclass) {
  return static_cast<jlong>(spark_mla::cublas_lt_version());
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_cublasLtCreate(JNIEnv* environment,
                                                                           jclass,
                                                                           jlongArray result) {
  void* handle = nullptr;
  const int status = spark_mla::cublas_lt_create(&handle);
  spark_mla::put(environment, result, reinterpret_cast<jlong>(handle));
  return status;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_cublasLtDestroy(JNIEnv*, jclass,
                                                                            jlong handle) {
  return spark_mla::cublas_lt_destroy(pointer<void>(handle));
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_cublasLtPlan(
    JNIEnv* environment, jclass, jlong handle, jlongArray shape, jlong typical_rows,
    jlongArray result) {
  jlong f[12];
  environment->GetLongArrayRegion(shape, 0, 12, f);
  if (environment->ExceptionCheck()) {
    return 0;
  }
  const spark_mla::ProductShape product{f[0], f[1], static_cast<int32_t>(f[2]), f[3] != 0,
                                        f[4] != 0, f[5] != 0, f[6], f[7], f[8], f[9], f[10], f[11]};
  spark_mla::ProductPlan* plan = nullptr;
  const int status =
      spark_mla::cublas_lt_plan(pointer<void>(handle), product, typical_rows, &plan);
  spark_mla::put(environment, result, reinterpret_cast<jlong>(plan));
  return status;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_cublasLtRun(
    JNIEnv*, jclass, jlong handle, jlong plan, jlong rows, jlong a, jlong b, jlong c,
    jlong stream) {
  return spark_mla::cublas_lt_run(pointer<void>(handle), pointer<spark_mla::ProductPlan>(plan), rows,
                                  pointer<void>(a), pointer<void>(b), pointer<void>(c),
                                  pointer<void>(stream));
}

JNIEXPORT void JNICALL Java_dev_sparkmla_cuda_NativeLibrary_cublasLtFreePlan(JNIEnv*, jclass,
                                                                             jlong plan) {
  spark_mla::cublas_lt_free(pointer<spark_mla::ProductPlan>(plan));
}

}  // extern "C"
