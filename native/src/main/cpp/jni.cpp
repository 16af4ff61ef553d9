// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeLibrary: arrays of numbers into the structs of
// spark_mla.h, and back. The header that javac writes holds their signatures and the positions of
// the fields, so that a difference between the two sides does not compile.

#include <cstring>

#include "cublas_lt.h"
#include "dev_sparkmla_cuda_NativeLibrary.h"
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

constexpr jsize kFields = dev_sparkmla_cuda_NativeLibrary_FIELD_COUNT;

template <typename T>
T* pointer(jlong address) {
  return reinterpret_cast<T*>(address);
}

// False where the array is missing or of another length.
bool read(JNIEnv* environment, jlongArray array, spark_mla_decode_args* a) {
  if (array == nullptr || environment->GetArrayLength(array) != kFields) {
    return false;
  }
  jlong fields[kFields];
  environment->GetLongArrayRegion(array, 0, kFields, fields);
  *a = spark_mla_decode_args{};
  a->struct_size = sizeof(*a);
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
  const int32_t scale_bits = static_cast<int32_t>(FIELD(SOFTMAX_SCALE));
  static_assert(sizeof(scale_bits) == sizeof(a->softmax_scale));
  std::memcpy(&a->softmax_scale, &scale_bits, sizeof(scale_bits));
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
  return true;
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
  spark_mla_decode_args args;
  if (!read(environment, fields, &args)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  int32_t parts = 0;
  const int32_t status = spark_mla_decode_sm_parts(&args, &parts);
  const jint value = parts;
  environment->SetIntArrayRegion(result, 0, 1, &value);
  return status;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decodeWorkspaceSize(
    JNIEnv* environment, jclass, jlongArray fields, jlongArray result) {
  spark_mla_decode_args args;
  if (!read(environment, fields, &args)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  size_t bytes = 0;
  const int32_t status = spark_mla_decode_workspace_size(&args, &bytes);
  const jlong value = static_cast<jlong>(bytes);
  environment->SetLongArrayRegion(result, 0, 1, &value);
  return status;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decodeMetadata(JNIEnv* environment,
                                                                           jclass,
                                                                           jlongArray fields) {
  spark_mla_decode_args args;
  return read(environment, fields, &args) ? spark_mla_decode_metadata(&args)
                                          : SPARK_MLA_INVALID_STRUCT;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decode(JNIEnv* environment, jclass,
                                                                   jlongArray fields) {
  spark_mla_decode_args args;
  return read(environment, fields, &args) ? spark_mla_decode(&args) : SPARK_MLA_INVALID_STRUCT;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_NativeLibrary_decodeReference(JNIEnv* environment,
                                                                            jclass,
                                                                            jlongArray fields) {
  spark_mla_decode_args args;
  return read(environment, fields, &args) ? spark_mla_decode_reference(&args)
                                          : SPARK_MLA_INVALID_STRUCT;
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
  const jlong value = reinterpret_cast<jlong>(handle);
  environment->SetLongArrayRegion(result, 0, 1, &value);
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
  const jlong value = reinterpret_cast<jlong>(plan);
  environment->SetLongArrayRegion(result, 0, 1, &value);
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
