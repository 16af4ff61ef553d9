// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/ops.cpp) calls of the kernels in this folder. Arguments arrive checked;
// rows and counts are at least 1.
#pragma once

#include <cuda_runtime_api.h>

#include "spark_mla_ops.h"

namespace spark_mla {

constexpr int kMaxRopePairs = 256;
constexpr int kMaxVocabulary = 1 << 23;  // sums of so many 40-bit probabilities fit 64 bits

// Whether rotate is built for rope keys of this size, and write_cache for tokens of these sizes. Others
// must not reach their launches.
bool rope_supported(int rope);
bool cache_supported(int latent, int rope);

cudaError_t launch_embed(const spark_mla_embed_args& args);
cudaError_t launch_write_tokens(const spark_mla_write_tokens_args& args);
cudaError_t launch_rms_norm(const spark_mla_rms_norm_args& args);
cudaError_t launch_rope_table(const spark_mla_rope_table_args& args);
cudaError_t launch_write_cache(const spark_mla_write_cache_args& args);
cudaError_t launch_rotate(const spark_mla_rotate_args& args);
cudaError_t launch_gate(const spark_mla_gate_args& args);
cudaError_t launch_gather_rows(const spark_mla_gather_rows_args& args);
cudaError_t launch_add_bias(const spark_mla_add_bias_args& args);
cudaError_t launch_process_logits(const spark_mla_process_logits_args& args);
cudaError_t launch_sample(const spark_mla_sample_args& args);
cudaError_t launch_logprobs(const spark_mla_logprobs_args& args);
cudaError_t launch_convert(const spark_mla_convert_args& args);

}  // namespace spark_mla
