// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.PrefillLibrary: arrays of numbers into the structs of
// spark_mla.h. The header that javac writes holds their signatures and the positions of the fields,
// so that a difference between the two sides does not compile.

#include <cstring>

#include "dev_sparkmla_cuda_PrefillLibrary.h"
#include "spark_mla.h"

#define FIELD(name) fields[dev_sparkmla_cuda_PrefillLibrary_##name]

static_assert(dev_sparkmla_cuda_PrefillLibrary_MERGE == SPARK_MLA_MERGE,
              "PrefillLibrary.java and spark_mla.h disagree");

namespace {

template <typename T>
T* pointer(jlong address) {
  return reinterpret_cast<T*>(address);
}

// False where the array is missing or of another length.
template <jsize kCount>
bool copy(JNIEnv* environment, jlongArray array, jlong (&fields)[kCount]) {
  if (array == nullptr || environment->GetArrayLength(array) != kCount) {
    return false;
  }
  environment->GetLongArrayRegion(array, 0, kCount, fields);
  return true;
}

bool read(JNIEnv* environment, jlongArray array, spark_mla_prefill_args* a) {
  jlong fields[dev_sparkmla_cuda_PrefillLibrary_FIELD_COUNT];
  if (!copy(environment, array, fields)) {
    return false;
  }
  *a = spark_mla_prefill_args{};
  a->struct_size = sizeof(*a);
  a->flags = static_cast<uint32_t>(FIELD(FLAGS));
  a->segments = static_cast<int32_t>(FIELD(SEGMENTS));
  a->heads = static_cast<int32_t>(FIELD(HEADS));
  a->total_q = static_cast<int32_t>(FIELD(TOTAL_Q));
  a->total_k = static_cast<int32_t>(FIELD(TOTAL_K));
  a->nope_dim = static_cast<int32_t>(FIELD(NOPE_DIM));
  a->rope_dim = static_cast<int32_t>(FIELD(ROPE_DIM));
  a->value_dim = static_cast<int32_t>(FIELD(VALUE_DIM));
  const int32_t scale_bits = static_cast<int32_t>(FIELD(SOFTMAX_SCALE));
  static_assert(sizeof(scale_bits) == sizeof(a->softmax_scale));
  std::memcpy(&a->softmax_scale, &scale_bits, sizeof(scale_bits));
  a->q = pointer<void>(FIELD(Q));
  a->q_stride_token = FIELD(Q_STRIDE_TOKEN);
  a->q_stride_head = FIELD(Q_STRIDE_HEAD);
  a->kv = pointer<void>(FIELD(KV));
  a->kv_stride_token = FIELD(KV_STRIDE_TOKEN);
  a->kv_stride_head = FIELD(KV_STRIDE_HEAD);
  a->k_rope = pointer<void>(FIELD(K_ROPE));
  a->k_rope_stride_token = FIELD(K_ROPE_STRIDE_TOKEN);
  a->cu_q = pointer<int32_t>(FIELD(CU_Q));
  a->cu_k = pointer<int32_t>(FIELD(CU_K));
  a->q_offset = pointer<int32_t>(FIELD(Q_OFFSET));
  a->out = pointer<void>(FIELD(OUT));
  a->out_stride_token = FIELD(OUT_STRIDE_TOKEN);
  a->out_stride_head = FIELD(OUT_STRIDE_HEAD);
  a->lse = pointer<float>(FIELD(LSE));
  a->stream = pointer<void>(FIELD(STREAM));
  return true;
}

bool read(JNIEnv* environment, jlongArray array, spark_mla_gather_cache_args* a) {
  jlong fields[dev_sparkmla_cuda_PrefillLibrary_GATHER_FIELD_COUNT];
  if (!copy(environment, array, fields)) {
    return false;
  }
  *a = spark_mla_gather_cache_args{};
  a->struct_size = sizeof(*a);
  a->segments = static_cast<int32_t>(FIELD(GATHER_SEGMENTS));
  a->total_k = static_cast<int32_t>(FIELD(GATHER_TOTAL_K));
  a->latent_dim = static_cast<int32_t>(FIELD(GATHER_LATENT_DIM));
  a->rope_dim = static_cast<int32_t>(FIELD(GATHER_ROPE_DIM));
  a->max_blocks = static_cast<int32_t>(FIELD(GATHER_MAX_BLOCKS));
  a->cache_blocks = static_cast<int32_t>(FIELD(GATHER_CACHE_BLOCKS));
  a->cache = pointer<void>(FIELD(GATHER_CACHE));
  a->cache_stride_block = FIELD(GATHER_CACHE_STRIDE_BLOCK);
  a->cache_stride_token = FIELD(GATHER_CACHE_STRIDE_TOKEN);
  a->block_table = pointer<int32_t>(FIELD(GATHER_BLOCK_TABLE));
  a->block_table_stride = FIELD(GATHER_BLOCK_TABLE_STRIDE);
  a->cu_k = pointer<int32_t>(FIELD(GATHER_CU_K));
  a->first_key = pointer<int32_t>(FIELD(GATHER_FIRST_KEY));
  a->latents = pointer<void>(FIELD(GATHER_LATENTS));
  a->latents_stride = FIELD(GATHER_LATENTS_STRIDE);
  a->rope = pointer<void>(FIELD(GATHER_ROPE));
  a->rope_stride = FIELD(GATHER_ROPE_STRIDE);
  a->stream = pointer<void>(FIELD(GATHER_STREAM));
  return true;
}

}  // namespace

extern "C" {

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_PrefillLibrary_attention(JNIEnv* environment, jclass,
                                                                       jlongArray fields) {
  spark_mla_prefill_args args;
  return read(environment, fields, &args) ? spark_mla_prefill(&args) : SPARK_MLA_INVALID_STRUCT;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_PrefillLibrary_attentionReference(
    JNIEnv* environment, jclass, jlongArray fields) {
  spark_mla_prefill_args args;
  return read(environment, fields, &args) ? spark_mla_prefill_reference(&args)
                                          : SPARK_MLA_INVALID_STRUCT;
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_PrefillLibrary_gatherCache(JNIEnv* environment,
                                                                         jclass,
                                                                         jlongArray fields) {
  spark_mla_gather_cache_args args;
  return read(environment, fields, &args) ? spark_mla_gather_cache(&args)
                                          : SPARK_MLA_INVALID_STRUCT;
}

}  // extern "C"
