// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeDecode, over the decode calls of spark_mla.h.

#include "dev_sparkmla_cuda_NativeDecode.h"
#include "jni_arguments.h"
#include "spark_mla.h"

#define FIELD(NAME, member) spark_mla::field(dev_sparkmla_cuda_NativeDecode_##NAME, &Args::member)
#define LAYOUT(args, ...) \
  SPARK_MLA_LAYOUT(dev_sparkmla_cuda_NativeDecode_FIELD_COUNT, args, __VA_ARGS__)

static_assert(dev_sparkmla_cuda_NativeDecode_CAUSAL == SPARK_MLA_CAUSAL &&
                  dev_sparkmla_cuda_NativeDecode_SPLIT_BALANCED == SPARK_MLA_SPLIT_BALANCED &&
                  dev_sparkmla_cuda_NativeDecode_SPLIT_BY_LENGTH == SPARK_MLA_SPLIT_BY_LENGTH,
              "NativeDecode.java and spark_mla.h disagree");

namespace {

constexpr auto kDecode = LAYOUT(
    spark_mla_decode_args,
    FIELD(FLAGS, flags), FIELD(BATCH, batch), FIELD(S_Q, s_q), FIELD(H_Q, h_q),
    FIELD(H_KV, h_kv), FIELD(LATENT_DIM, latent_dim), FIELD(ROPE_DIM, rope_dim),
    FIELD(MAX_BLOCKS, max_blocks), FIELD(CACHE_BLOCKS, cache_blocks),
    FIELD(SPLIT_POLICY, split_policy), FIELD(NUM_SM_PARTS, num_sm_parts),
    FIELD(SOFTMAX_SCALE, softmax_scale), FIELD(Q, q), FIELD(Q_STRIDE_BATCH, q_stride_batch),
    FIELD(Q_STRIDE_TOKEN, q_stride_token), FIELD(Q_STRIDE_HEAD, q_stride_head),
    FIELD(K_CACHE, k_cache), FIELD(K_CACHE_STRIDE_BLOCK, k_cache_stride_block),
    FIELD(K_CACHE_STRIDE_TOKEN, k_cache_stride_token),
    FIELD(K_CACHE_STRIDE_HEAD, k_cache_stride_head), FIELD(BLOCK_TABLE, block_table),
    FIELD(BLOCK_TABLE_STRIDE, block_table_stride), FIELD(CACHE_SEQLENS, cache_seqlens),
    FIELD(SETTLED, settled), FIELD(METADATA, metadata), FIELD(NUM_SPLITS, num_splits), FIELD(OUT, out),
    FIELD(OUT_STRIDE_BATCH, out_stride_batch), FIELD(OUT_STRIDE_TOKEN, out_stride_token),
    FIELD(OUT_STRIDE_HEAD, out_stride_head), FIELD(LSE, lse), FIELD(WORKSPACE, workspace),
    FIELD(WORKSPACE_BYTES, workspace_bytes), FIELD(STREAM, stream));

}  // namespace

extern "C" {

SPARK_MLA_METHOD_WITH_RESULT(NativeDecode, smParts, kDecode, spark_mla_decode_sm_parts)
SPARK_MLA_METHOD_WITH_RESULT(NativeDecode, workspaceSize, kDecode, spark_mla_decode_workspace_size)
SPARK_MLA_METHOD(NativeDecode, metadata, kDecode, spark_mla_decode_metadata)
SPARK_MLA_METHOD(NativeDecode, decode, kDecode, spark_mla_decode)
SPARK_MLA_METHOD(NativeDecode, reference, kDecode, spark_mla_decode_reference)

JNIEXPORT jboolean JNICALL Java_dev_sparkmla_cuda_NativeDecode_supports(JNIEnv*, jclass,
                                                                        jint latent_dim,
                                                                        jint rope_dim) {
  return spark_mla_decode_supports(latent_dim, rope_dim) != 0;
}

}  // extern "C"
