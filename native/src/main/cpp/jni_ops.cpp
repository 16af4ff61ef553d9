// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.OperationsLibrary: parameters into the structs of
// spark_mla_ops.h, field by field. The header that javac writes holds their signatures.

#include "dev_sparkmla_cuda_OperationsLibrary.h"
#include "jni_arguments.h"
#include "spark_mla_ops.h"

static_assert(dev_sparkmla_cuda_OperationsLibrary_BFLOAT16 == SPARK_MLA_BFLOAT16 &&
                  dev_sparkmla_cuda_OperationsLibrary_FLOAT32 == SPARK_MLA_FLOAT32 &&
                  dev_sparkmla_cuda_OperationsLibrary_FLOAT16 == SPARK_MLA_FLOAT16 &&
                  dev_sparkmla_cuda_OperationsLibrary_SAMPLING_BYTES == sizeof(spark_mla_sampling),
              "OperationsLibrary.java and spark_mla_ops.h disagree");

namespace {

using spark_mla::empty;

template <typename T>
void point(T** field, jlong address) {
  *field = spark_mla::pointer<T>(address);
}

}  // namespace

extern "C" {

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_embed(
    JNIEnv*, jclass, jint rows, jint columns, jint table_rows, jlong tokens, jlong previous,
    jlong table, jlong out, jlong stream) {
  auto a = empty<spark_mla_embed_args>();
  a.rows = rows;
  a.columns = columns;
  a.table_rows = table_rows;
  point(&a.tokens, tokens);
  point(&a.previous, previous);
  point(&a.table, table);
  point(&a.out, out);
  point(&a.stream, stream);
  return spark_mla_embed(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_rmsNorm(
    JNIEnv*, jclass, jint rows, jint columns, jint in_type, jfloat epsilon, jlong in, jlong
    in_stride, jlong gain, jlong out, jlong out_stride, jlong stream) {
  auto a = empty<spark_mla_rms_norm_args>();
  a.rows = rows;
  a.columns = columns;
  a.in_type = in_type;
  a.epsilon = epsilon;
  point(&a.in, in);
  a.in_stride = in_stride;
  point(&a.gain, gain);
  point(&a.out, out);
  a.out_stride = out_stride;
  point(&a.stream, stream);
  return spark_mla_rms_norm(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_ropeTable(
    JNIEnv*, jclass, jint positions, jdouble factor, jlong inverse_frequencies, jlong out, jlong
    stream) {
  auto a = empty<spark_mla_rope_table_args>();
  a.positions = positions;
  a.factor = factor;
  point(&a.inverse_frequencies, inverse_frequencies);
  point(&a.out, out);
  point(&a.stream, stream);
  return spark_mla_rope_table(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_writeCache(
    JNIEnv*, jclass, jint rows, jint in_type, jboolean interleaved, jfloat epsilon, jint
    positions, jlong in, jlong in_stride, jlong gain, jlong angles, jlong position, jlong slot,
    jlong cache, jlong stream) {
  auto a = empty<spark_mla_write_cache_args>();
  a.rows = rows;
  a.in_type = in_type;
  a.interleaved = interleaved == JNI_TRUE ? 1 : 0;
  a.epsilon = epsilon;
  a.positions = positions;
  point(&a.in, in);
  a.in_stride = in_stride;
  point(&a.gain, gain);
  point(&a.angles, angles);
  point(&a.position, position);
  point(&a.slot, slot);
  point(&a.cache, cache);
  point(&a.stream, stream);
  return spark_mla_write_cache(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_rotate(
    JNIEnv*, jclass, jint rows, jint heads, jboolean interleaved, jint positions, jlong in,
    jlong in_stride, jlong in_head, jlong out, jlong out_stride, jlong out_head, jlong angles,
    jlong position, jlong stream) {
  auto a = empty<spark_mla_rotate_args>();
  a.rows = rows;
  a.heads = heads;
  a.interleaved = interleaved == JNI_TRUE ? 1 : 0;
  a.positions = positions;
  point(&a.in, in);
  a.in_stride = in_stride;
  a.in_head = in_head;
  point(&a.out, out);
  a.out_stride = out_stride;
  a.out_head = out_head;
  point(&a.angles, angles);
  point(&a.position, position);
  point(&a.stream, stream);
  return spark_mla_rotate(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_gate(
    JNIEnv*, jclass, jint rows, jint width, jlong gate_up, jlong gate_up_stride, jlong out,
    jlong out_stride, jlong stream) {
  auto a = empty<spark_mla_gate_args>();
  a.rows = rows;
  a.width = width;
  point(&a.gate_up, gate_up);
  a.gate_up_stride = gate_up_stride;
  point(&a.out, out);
  a.out_stride = out_stride;
  point(&a.stream, stream);
  return spark_mla_gate(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_gatherRows(
    JNIEnv*, jclass, jint rows, jint columns, jlong in, jlong row, jlong out, jlong stream) {
  auto a = empty<spark_mla_gather_rows_args>();
  a.rows = rows;
  a.columns = columns;
  point(&a.in, in);
  point(&a.row, row);
  point(&a.out, out);
  point(&a.stream, stream);
  return spark_mla_gather_rows(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_addBias(
    JNIEnv*, jclass, jint rows, jint columns, jint out_type, jlong bias, jlong out, jlong
    out_stride, jlong stream) {
  auto a = empty<spark_mla_add_bias_args>();
  a.rows = rows;
  a.columns = columns;
  a.out_type = out_type;
  point(&a.bias, bias);
  point(&a.out, out);
  a.out_stride = out_stride;
  point(&a.stream, stream);
  return spark_mla_add_bias(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_sample(
    JNIEnv*, jclass, jint rows, jint columns, jlong logits, jlong logits_stride, jlong sampling,
    jlong tokens, jlong log_probability, jlong stream) {
  auto a = empty<spark_mla_sample_args>();
  a.rows = rows;
  a.columns = columns;
  point(&a.logits, logits);
  a.logits_stride = logits_stride;
  point(&a.sampling, sampling);
  point(&a.tokens, tokens);
  point(&a.log_probability, log_probability);
  point(&a.stream, stream);
  return spark_mla_sample(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_convert(
    JNIEnv*, jclass, jint in_type, jint out_type, jlong count, jlong in, jlong out, jlong
    stream) {
  auto a = empty<spark_mla_convert_args>();
  a.in_type = in_type;
  a.out_type = out_type;
  a.count = count;
  point(&a.in, in);
  point(&a.out, out);
  point(&a.stream, stream);
  return spark_mla_convert(&a);
}

JNIEXPORT jint JNICALL Java_dev_sparkmla_cuda_OperationsLibrary_random(
    JNIEnv*, jclass, jint out_type, jfloat mean, jfloat deviation, jlong seed, jlong count,
    jlong out, jlong stream) {
  auto a = empty<spark_mla_random_args>();
  a.out_type = out_type;
  a.mean = mean;
  a.deviation = deviation;
  a.seed = seed;
  a.count = count;
  point(&a.out, out);
  point(&a.stream, stream);
  return spark_mla_random(&a);
}

}  // extern "C"
