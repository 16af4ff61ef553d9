// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeOperations, over spark_mla_ops.h. Also asserts that
// SamplingLayout, ProcessingLayout and CacheShape.PAGE agree with the C interface.

#include <cstddef>

#include "dev_sparkmla_cuda_AutomatonLayout.h"
#include "dev_sparkmla_cuda_LogprobsLayout.h"
#include "dev_sparkmla_cuda_NativeOperations.h"
#include "dev_sparkmla_cuda_ProcessingLayout.h"
#include "dev_sparkmla_cuda_SamplingLayout.h"
#include "jni_arguments.h"
#include "ops/automaton_words.h"
#include "spark_mla_ops.h"

#define FIELD(NAME, member) \
  spark_mla::field(dev_sparkmla_cuda_NativeOperations_##NAME, &Args::member)
#define FLOAT8_OUTPUT                                                \
  FIELD(FLOAT8_OUT, float8_out), FIELD(FLOAT8_STRIDE, float8_stride), \
      FIELD(FLOAT8_SCALES, float8_scales), FIELD(FLOAT8_SCALES_STRIDE, float8_scales_stride)
#define LAYOUT(args, ...) \
  SPARK_MLA_LAYOUT(dev_sparkmla_cuda_NativeOperations_FIELD_COUNT, args, __VA_ARGS__)

static_assert(dev_sparkmla_cuda_NativeOperations_BFLOAT16 == SPARK_MLA_BFLOAT16 &&
                  dev_sparkmla_cuda_NativeOperations_FLOAT32 == SPARK_MLA_FLOAT32 &&
                  dev_sparkmla_cuda_NativeOperations_FLOAT16 == SPARK_MLA_FLOAT16 &&
                  dev_sparkmla_cuda_NativeOperations_NOT_A_NUMBER == SPARK_MLA_NOT_A_NUMBER,
              "NativeOperations.java and spark_mla_ops.h disagree");
static_assert(dev_sparkmla_cuda_NativeOperations_PAGE_TOKENS == SPARK_MLA_PAGE_TOKENS,
              "CacheShape.PAGE and spark_mla.h disagree");

#define AT_WORD(NAME, member)                                   \
  (dev_sparkmla_cuda_SamplingLayout_##NAME * sizeof(int32_t) == \
   offsetof(spark_mla_sampling, member))
static_assert(AT_WORD(TEMPERATURE, temperature) && AT_WORD(TOP_K, top_k) && AT_WORD(TOP_P, top_p) &&
                  AT_WORD(MIN_P, min_p) && AT_WORD(INDEX, index) &&
                  AT_WORD(LOGPROBS, logprobs) && AT_WORD(SEED, seed) &&
                  dev_sparkmla_cuda_SamplingLayout_WORDS * sizeof(int32_t) ==
                      sizeof(spark_mla_sampling),
              "SamplingLayout.java and spark_mla_ops.h disagree");
#undef AT_WORD

#define AT_WORD(NAME, member)                                     \
  (dev_sparkmla_cuda_ProcessingLayout_##NAME * sizeof(int32_t) == \
   offsetof(spark_mla_processing, member))
static_assert(AT_WORD(HISTORY, history) && AT_WORD(OUTPUTS, outputs) && AT_WORD(TABLE, table) &&
                  AT_WORD(REPETITION_PENALTY, repetition_penalty) &&
                  AT_WORD(PRESENCE_PENALTY, presence_penalty) &&
                  AT_WORD(FREQUENCY_PENALTY, frequency_penalty) && AT_WORD(BIASES, biases) &&
                  AT_WORD(BIAS_COUNT, bias_count) && AT_WORD(BAD_WORDS, bad_words) &&
                  AT_WORD(BAD_WORD_COUNT, bad_word_count) && AT_WORD(ENDS, ends) &&
                  AT_WORD(END_COUNT, end_count) && AT_WORD(SUPPRESS_ENDS, suppress_ends) &&
                  AT_WORD(AUTOMATON, automaton) && AT_WORD(PREVIOUS, previous) &&
                  AT_WORD(STATE, state) && AT_WORD(COUNT, count) && AT_WORD(AFTER, after) &&
                  dev_sparkmla_cuda_ProcessingLayout_WORDS * sizeof(int32_t) ==
                      sizeof(spark_mla_processing),
              "ProcessingLayout.java and spark_mla_ops.h disagree");
static_assert(dev_sparkmla_cuda_LogprobsLayout_MOST_LIKELIEST == SPARK_MLA_MOST_LOGPROBS &&
                  dev_sparkmla_cuda_LogprobsLayout_NO_TOKEN == SPARK_MLA_NO_TOKEN &&
                  dev_sparkmla_cuda_LogprobsLayout_WORDS == SPARK_MLA_LOGPROB_WORDS,
              "LogprobsLayout.java and spark_mla_ops.h disagree");
static_assert(dev_sparkmla_cuda_AutomatonLayout_COUNT == spark_mla::kWordCount &&
                  dev_sparkmla_cuda_AutomatonLayout_SIZE == spark_mla::kWordSize &&
                  dev_sparkmla_cuda_AutomatonLayout_CLASSES_OF_BYTES == spark_mla::kWordClasses &&
                  dev_sparkmla_cuda_AutomatonLayout_OFFSETS == spark_mla::kWordOffsets &&
                  dev_sparkmla_cuda_AutomatonLayout_EDGES == spark_mla::kWordEdges &&
                  dev_sparkmla_cuda_AutomatonLayout_ACCEPTS == spark_mla::kAccepts &&
                  dev_sparkmla_cuda_AutomatonLayout_RESTS == spark_mla::kRests,
              "AutomatonLayout.java and automaton_words.h disagree");

namespace {

constexpr auto kEmbed = LAYOUT(
    spark_mla_embed_args,
    FIELD(ROWS, rows), FIELD(COLUMNS, columns), FIELD(TABLE_ROWS, table_rows),
    FIELD(PREVIOUS_ROWS, previous_rows), FIELD(SCALE, scale), FIELD(TOKENS, tokens),
    FIELD(PREVIOUS, previous), FIELD(TABLE, table), FIELD(OUT, out), FIELD(STREAM, stream));

constexpr auto kWriteTokens = LAYOUT(
    spark_mla_write_tokens_args,
    FIELD(ROWS, rows), FIELD(PREVIOUS_ROWS, previous_rows), FIELD(BLOCKS, blocks),
    FIELD(TOKENS, tokens), FIELD(PREVIOUS, previous), FIELD(SLOT, slot),
    FIELD(TOKENS_CACHE, tokens_cache), FIELD(STREAM, stream));

constexpr auto kRmsNorm = LAYOUT(
    spark_mla_rms_norm_args,
    FIELD(ROWS, rows), FIELD(COLUMNS, columns), FIELD(IN_TYPE, in_type),
    FIELD(EPSILON, epsilon), FIELD(IN, in), FIELD(IN_STRIDE, in_stride), FIELD(GAIN, gain),
    FIELD(OUT, out), FIELD(OUT_STRIDE, out_stride), FLOAT8_OUTPUT, FIELD(STREAM, stream));

constexpr auto kRopeTable = LAYOUT(
    spark_mla_rope_table_args,
    FIELD(POSITIONS, positions), FIELD(PAIRS, pairs), FIELD(FACTOR, factor),
    FIELD(INVERSE_FREQUENCIES, inverse_frequencies), FIELD(OUT, out), FIELD(STREAM, stream));

constexpr auto kWriteCache = LAYOUT(
    spark_mla_write_cache_args,
    FIELD(ROWS, rows), FIELD(IN_TYPE, in_type), FIELD(INTERLEAVED, interleaved),
    FIELD(EPSILON, epsilon), FIELD(POSITIONS, positions), FIELD(LATENT_DIM, latent_dim),
    FIELD(ROPE_DIM, rope_dim), FIELD(BLOCKS, blocks), FIELD(QUERY_ROWS, query_rows),
    FIELD(HEADS, heads), FIELD(QUERIES, queries), FIELD(QUERIES_STRIDE, queries_stride),
    FIELD(QUERIES_HEAD, queries_head), FIELD(OUT, rotated), FIELD(OUT_STRIDE, rotated_stride),
    FIELD(OUT_HEAD, rotated_head), FIELD(IN, in), FIELD(IN_STRIDE, in_stride), FIELD(GAIN, gain),
    FIELD(ANGLES, angles), FIELD(POSITION, position), FIELD(SLOT, slot), FIELD(CACHE, cache),
    FIELD(STREAM, stream));

constexpr auto kRotate = LAYOUT(
    spark_mla_rotate_args,
    FIELD(ROWS, rows), FIELD(HEADS, heads), FIELD(ROPE_DIM, rope_dim),
    FIELD(INTERLEAVED, interleaved), FIELD(POSITIONS, positions), FIELD(IN, in),
    FIELD(IN_STRIDE, in_stride), FIELD(IN_HEAD, in_head), FIELD(OUT, out),
    FIELD(OUT_STRIDE, out_stride), FIELD(OUT_HEAD, out_head), FIELD(ANGLES, angles),
    FIELD(POSITION, position), FIELD(STREAM, stream));

constexpr auto kGate = LAYOUT(
    spark_mla_gate_args,
    FIELD(ROWS, rows), FIELD(COLUMNS, width), FIELD(IN, gate_up),
    FIELD(IN_STRIDE, gate_up_stride), FIELD(OUT, out), FIELD(OUT_STRIDE, out_stride),
    FLOAT8_OUTPUT, FIELD(STREAM, stream));

constexpr auto kGatherRows = LAYOUT(
    spark_mla_gather_rows_args,
    FIELD(ROWS, rows), FIELD(COLUMNS, columns), FIELD(IN_ROWS, in_rows), FIELD(IN, in),
    FIELD(ROW, row), FIELD(OUT, out), FIELD(STREAM, stream));

constexpr auto kAddBias = LAYOUT(
    spark_mla_add_bias_args,
    FIELD(ROWS, rows), FIELD(COLUMNS, columns), FIELD(OUT_TYPE, out_type), FIELD(BIAS, bias),
    FIELD(OUT, out), FIELD(OUT_STRIDE, out_stride), FIELD(STREAM, stream));

constexpr auto kProcessLogits = LAYOUT(
    spark_mla_process_logits_args,
    FIELD(ROWS, rows), FIELD(COLUMNS, columns), FIELD(BLOCKS, blocks), FIELD(OUT, logits),
    FIELD(OUT_STRIDE, logits_stride), FIELD(PROCESSING, processing), FIELD(WORDS, words),
    FIELD(COUNT, word_count), FIELD(TOKENS_CACHE, tokens_cache), FIELD(COUNTS, counts),
    FIELD(AUTOMATA, automata), FIELD(AUTOMATA_WORDS, automata_words), FIELD(PREVIOUS, previous),
    FIELD(POSITIONS_BEFORE, positions), FIELD(PREVIOUS_ROWS, previous_rows),
    FIELD(NEW_POSITIONS, new_positions), FIELD(STREAM, stream));

constexpr auto kSample = LAYOUT(
    spark_mla_sample_args,
    FIELD(ROWS, rows), FIELD(COLUMNS, columns), FIELD(IN, logits),
    FIELD(IN_STRIDE, logits_stride), FIELD(SAMPLING, sampling), FIELD(TOKENS, tokens),
    FIELD(STREAM, stream));

constexpr auto kLogprobs = LAYOUT(
    spark_mla_logprobs_args,
    FIELD(ROWS, rows), FIELD(COLUMNS, columns), FIELD(IN, logits),
    FIELD(IN_STRIDE, logits_stride), FIELD(SAMPLING, sampling), FIELD(TOKENS, tokens),
    FIELD(OUT, out), FIELD(STREAM, stream));

constexpr auto kConvert = LAYOUT(
    spark_mla_convert_args,
    FIELD(IN_TYPE, in_type), FIELD(OUT_TYPE, out_type), FIELD(COUNT, count), FIELD(IN, in),
    FIELD(OUT, out), FIELD(STREAM, stream));

}  // namespace

extern "C" {

JNIEXPORT jboolean JNICALL Java_dev_sparkmla_cuda_NativeOperations_cacheSupports(
    JNIEnv*, jclass, jint latent_dim, jint rope_dim) {
  return spark_mla_cache_supports(latent_dim, rope_dim) == 1 ? JNI_TRUE : JNI_FALSE;
}

SPARK_MLA_METHOD(NativeOperations, embed, kEmbed, spark_mla_embed)
SPARK_MLA_METHOD(NativeOperations, writeTokens, kWriteTokens, spark_mla_write_tokens)
SPARK_MLA_METHOD(NativeOperations, rmsNorm, kRmsNorm, spark_mla_rms_norm)
SPARK_MLA_METHOD(NativeOperations, ropeTable, kRopeTable, spark_mla_rope_table)
SPARK_MLA_METHOD(NativeOperations, writeCache, kWriteCache, spark_mla_write_cache)
SPARK_MLA_METHOD(NativeOperations, rotate, kRotate, spark_mla_rotate)
SPARK_MLA_METHOD(NativeOperations, gate, kGate, spark_mla_gate)
SPARK_MLA_METHOD(NativeOperations, gatherRows, kGatherRows, spark_mla_gather_rows)
SPARK_MLA_METHOD(NativeOperations, addBias, kAddBias, spark_mla_add_bias)
SPARK_MLA_METHOD(NativeOperations, processLogits, kProcessLogits, spark_mla_process_logits)
SPARK_MLA_METHOD(NativeOperations, sample, kSample, spark_mla_sample)
SPARK_MLA_METHOD(NativeOperations, logprobs, kLogprobs, spark_mla_logprobs)
SPARK_MLA_METHOD(NativeOperations, convert, kConvert, spark_mla_convert)

}  // extern "C"
