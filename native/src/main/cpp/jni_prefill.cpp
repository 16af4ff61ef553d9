// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativePrefill, over the prefill calls of spark_mla.h.

#include "dev_sparkmla_cuda_NativePrefill.h"
#include "jni_arguments.h"
#include "spark_mla.h"

#define FIELD(NAME, member) spark_mla::field(dev_sparkmla_cuda_NativePrefill_##NAME, &Args::member)
#define LAYOUT(args, ...) \
  SPARK_MLA_LAYOUT(dev_sparkmla_cuda_NativePrefill_FIELD_COUNT, args, __VA_ARGS__)

static_assert(dev_sparkmla_cuda_NativePrefill_MERGE == SPARK_MLA_MERGE,
              "NativePrefill.java and spark_mla.h disagree");

namespace {

constexpr auto kAttention = LAYOUT(
    spark_mla_prefill_args,
    FIELD(FLAGS, flags), FIELD(SEGMENTS, segments), FIELD(HEADS, heads),
    FIELD(TOTAL_Q, total_q), FIELD(TOTAL_K, total_k), FIELD(NOPE_DIM, nope_dim),
    FIELD(ROPE_DIM, rope_dim), FIELD(VALUE_DIM, value_dim), FIELD(SOFTMAX_SCALE, softmax_scale),
    FIELD(Q, q), FIELD(Q_STRIDE_TOKEN, q_stride_token), FIELD(Q_STRIDE_HEAD, q_stride_head),
    FIELD(KV, kv), FIELD(KV_STRIDE_TOKEN, kv_stride_token),
    FIELD(KV_STRIDE_HEAD, kv_stride_head), FIELD(K_ROPE, k_rope),
    FIELD(K_ROPE_STRIDE_TOKEN, k_rope_stride_token), FIELD(CU_Q, cu_q), FIELD(CU_K, cu_k),
    FIELD(Q_OFFSET, q_offset), FIELD(OUT, out), FIELD(OUT_STRIDE_TOKEN, out_stride_token),
    FIELD(OUT_STRIDE_HEAD, out_stride_head), FIELD(LSE, lse), FIELD(NEXT_TILE, next_tile), FIELD(STREAM, stream));

constexpr auto kGatherCache = LAYOUT(
    spark_mla_gather_cache_args,
    FIELD(SEGMENTS, segments), FIELD(TOTAL_K, total_k), FIELD(LATENT_DIM, latent_dim),
    FIELD(ROPE_DIM, rope_dim), FIELD(MAX_BLOCKS, max_blocks), FIELD(CACHE_BLOCKS, cache_blocks),
    FIELD(CACHE, cache), FIELD(CACHE_STRIDE_BLOCK, cache_stride_block),
    FIELD(CACHE_STRIDE_TOKEN, cache_stride_token), FIELD(BLOCK_TABLE, block_table),
    FIELD(BLOCK_TABLE_STRIDE, block_table_stride), FIELD(CU_K, cu_k),
    FIELD(FIRST_KEY, first_key), FIELD(LATENTS, latents), FIELD(LATENTS_STRIDE, latents_stride),
    FIELD(ROPE, rope), FIELD(ROPE_STRIDE, rope_stride), FIELD(STREAM, stream));

}  // namespace

extern "C" {

SPARK_MLA_METHOD(NativePrefill, attention, kAttention, spark_mla_prefill)
SPARK_MLA_METHOD(NativePrefill, attentionReference, kAttention, spark_mla_prefill_reference)
SPARK_MLA_METHOD(NativePrefill, gatherCache, kGatherCache, spark_mla_gather_cache)

JNIEXPORT jboolean JNICALL Java_dev_sparkmla_cuda_NativePrefill_supports(JNIEnv*, jclass,
                                                                         jint nope_dim,
                                                                         jint rope_dim,
                                                                         jint value_dim) {
  return spark_mla_prefill_supports(nope_dim, rope_dim, value_dim) != 0;
}

}  // extern "C"
