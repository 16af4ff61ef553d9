// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.PrefillLibrary: arrays of numbers into the structs of
// spark_mla.h. The header that javac writes holds their signatures and the positions of the fields,
// so that a difference between the two sides does not compile.

#include "dev_sparkmla_cuda_PrefillLibrary.h"
#include "jni_arguments.h"
#include "spark_mla.h"

#define FIELD(name) fields[dev_sparkmla_cuda_PrefillLibrary_##name]

static_assert(dev_sparkmla_cuda_PrefillLibrary_MERGE == SPARK_MLA_MERGE,
              "PrefillLibrary.java and spark_mla.h disagree");

namespace {

using spark_mla::Fields;
using spark_mla::pointer;
using spark_mla::real;

void fill_attention(const Fields<dev_sparkmla_cuda_PrefillLibrary_FIELD_COUNT>& fields,
                    spark_mla_prefill_args* a) {
  a->flags = static_cast<uint32_t>(FIELD(FLAGS));
  a->segments = static_cast<int32_t>(FIELD(SEGMENTS));
  a->heads = static_cast<int32_t>(FIELD(HEADS));
  a->total_q = static_cast<int32_t>(FIELD(TOTAL_Q));
  a->total_k = static_cast<int32_t>(FIELD(TOTAL_K));
  a->nope_dim = static_cast<int32_t>(FIELD(NOPE_DIM));
  a->rope_dim = static_cast<int32_t>(FIELD(ROPE_DIM));
  a->value_dim = static_cast<int32_t>(FIELD(VALUE_DIM));
  a->softmax_scale = real(FIELD(SOFTMAX_SCALE));
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
}

void fill_gather(const Fields<dev_sparkmla_cuda_PrefillLibrary_GATHER_FIELD_COUNT>& fields,
                 spark_mla_gather_cache_args* a) {
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
}

}  // namespace

extern "C" {

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_PrefillLibrary_attention(JNIEnv* environment, jclass,
                                                                       jlongArray fields) {
  return spark_mla::call(environment, fields, fill_attention, spark_mla_prefill);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_PrefillLibrary_attentionReference(
    JNIEnv* environment, jclass, jlongArray fields) {
  return spark_mla::call(environment, fields, fill_attention, spark_mla_prefill_reference);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_PrefillLibrary_gatherCache(JNIEnv* environment,
                                                                         jclass,
                                                                         jlongArray fields) {
  return spark_mla::call(environment, fields, fill_gather, spark_mla_gather_cache);
}

}  // extern "C"
