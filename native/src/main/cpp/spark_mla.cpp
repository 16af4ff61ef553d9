// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The C interface of spark_mla.h: checks arguments, then hands them to the kernels.

#include "spark_mla.h"

#include <cuda_runtime_api.h>

#include <cmath>
#include <cstring>

#include "mla_decode/mla_decode.h"
#include "status.h"

namespace spark_mla {
namespace {

thread_local cudaError_t last_cuda_error = cudaSuccess;

}  // namespace

int32_t status_of(cudaError_t error) {
  if (error == cudaSuccess) {
    return SPARK_MLA_OK;
  }
  last_cuda_error = error;
  switch (error) {
    case cudaErrorInsufficientDriver:
    case cudaErrorNoDevice:
    case cudaErrorInitializationError:
    case cudaErrorSystemDriverMismatch:
      return SPARK_MLA_NO_DRIVER;
    case cudaErrorNoKernelImageForDevice:
      return SPARK_MLA_UNSUPPORTED_DEVICE;
    default:
      return SPARK_MLA_CUDA_ERROR;
  }
}

int32_t hopper_multiprocessors(int* multiprocessors) {
  int device;
  int major;
  int minor;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  }
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  }
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(multiprocessors, cudaDevAttrMultiProcessorCount, device);
  }
  if (error != cudaSuccess) {
    return status_of(error);
  }
  return major == 9 && minor == 0 ? SPARK_MLA_OK : SPARK_MLA_UNSUPPORTED_DEVICE;
}

bool aligned(const void* pointer, uintptr_t bytes) {
  return pointer != nullptr && reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

bool stride_ok(int64_t stride, int64_t least, int32_t count, int32_t multiple) {
  return stride % multiple == 0 && stride >= 0 && (count <= 1 || stride >= least);
}

}  // namespace spark_mla

namespace {

using spark_mla::aligned;
using spark_mla::null_or_aligned;
using spark_mla::status_of;
using spark_mla::stride_ok;

int32_t check_shapes(const spark_mla_decode_args* a) {
  if (a == nullptr || a->struct_size != sizeof(spark_mla_decode_args)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (a->batch < 1 || a->s_q < 1 || a->h_q < 1 || a->h_kv < 1 || a->h_q % a->h_kv != 0 ||
      a->max_blocks < 1 || a->max_blocks > (INT32_MAX / SPARK_MLA_PAGE_TOKENS) ||
      a->h_kv > 65535 || a->batch > 65535 ||
      static_cast<int64_t>(a->s_q) * (a->h_q / a->h_kv) > 65536) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if (a->split_policy != SPARK_MLA_SPLIT_BALANCED &&
      a->split_policy != SPARK_MLA_SPLIT_BY_LENGTH) {
    return SPARK_MLA_INVALID_OPTION;
  }
  return SPARK_MLA_OK;
}

// Everything that the reference and the real kernel have in common.
int32_t check_attention(const spark_mla_decode_args* a) {
  const int32_t shapes = check_shapes(a);
  if (shapes != SPARK_MLA_OK) {
    return shapes;
  }
  if (a->cache_blocks < 1) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if ((a->flags & ~SPARK_MLA_CAUSAL) != 0 || !(a->softmax_scale > 0.f) ||
      !std::isfinite(a->softmax_scale)) {
    return SPARK_MLA_INVALID_OPTION;
  }
  if (!aligned(a->q, 16) || !aligned(a->k_cache, 16) || !aligned(a->out, 16) ||
      !aligned(a->lse, 4) || !aligned(a->block_table, 4) || !aligned(a->cache_seqlens, 4)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  const int64_t dim = static_cast<int64_t>(a->latent_dim) + a->rope_dim;
  if (!stride_ok(a->q_stride_head, dim, a->h_q) || !stride_ok(a->q_stride_token, dim, a->s_q) ||
      !stride_ok(a->q_stride_batch, dim, a->batch) ||
      !stride_ok(a->out_stride_head, a->latent_dim, a->h_q) ||
      !stride_ok(a->out_stride_token, a->latent_dim, a->s_q) ||
      !stride_ok(a->out_stride_batch, a->latent_dim, a->batch) ||
      !stride_ok(a->k_cache_stride_head, dim, a->h_kv) ||
      !stride_ok(a->k_cache_stride_token, dim, SPARK_MLA_PAGE_TOKENS) ||
      !stride_ok(a->k_cache_stride_block, dim, a->cache_blocks) ||
      (a->batch > 1 && a->block_table_stride < a->max_blocks)) {
    return SPARK_MLA_INVALID_STRIDE;
  }
  return SPARK_MLA_OK;
}

// The shape of a call on the current device, which must be one that kernels are built for.
int32_t shape_on_device(const spark_mla_decode_args* a, spark_mla::DecodeShape* shape) {
  const int32_t shapes = check_shapes(a);
  if (shapes != SPARK_MLA_OK) {
    return shapes;
  }
  int multiprocessors;
  const int32_t status = spark_mla::hopper_multiprocessors(&multiprocessors);
  if (status != SPARK_MLA_OK) {
    return status;
  }
  *shape = spark_mla::decode_shape(*a, multiprocessors);
  return SPARK_MLA_OK;
}

}  // namespace

extern "C" {

int32_t spark_mla_abi_version(void) { return SPARK_MLA_ABI_VERSION; }

const char* spark_mla_status_string(int32_t status) {
  switch (status) {
    case SPARK_MLA_OK:
      return "success";
    case SPARK_MLA_INVALID_STRUCT:
      return "the argument struct is null or its struct_size is unknown to this library";
    case SPARK_MLA_INVALID_SHAPE:
      return "a count is out of range, or not the multiple that it must be";
    case SPARK_MLA_INVALID_POINTER:
      return "a pointer is null or not aligned";
    case SPARK_MLA_INVALID_STRIDE:
      return "a stride is negative, too small, or not a multiple of 8 elements";
    case SPARK_MLA_UNSUPPORTED_DIMENSIONS:
      return "no kernel is built for these sizes of a key and a value";
    case SPARK_MLA_INVALID_OPTION:
      return "softmax_scale, flags or split_policy is not valid";
    case SPARK_MLA_WORKSPACE_TOO_SMALL:
      return "workspace_bytes or num_sm_parts is not what the size queries answered";
    case SPARK_MLA_UNSUPPORTED_DEVICE:
      return "the current device is not of compute capability 9.0";
    case SPARK_MLA_NO_DRIVER:
      return "no CUDA driver, no CUDA device, or a driver too old for this library";
    case SPARK_MLA_CUDA_ERROR:
      return "a CUDA call failed";
    default:
      return "unknown status";
  }
}

int32_t spark_mla_last_cuda_error(void) { return spark_mla::last_cuda_error; }

const char* spark_mla_last_cuda_error_string(void) {
  return cudaGetErrorString(spark_mla::last_cuda_error);
}

int32_t spark_mla_decode_supports(int32_t latent_dim, int32_t rope_dim) {
  return spark_mla::decode_dimensions_supported(latent_dim, rope_dim) ? 1 : 0;
}

int32_t spark_mla_decode_sm_parts(const spark_mla_decode_args* args, int32_t* num_sm_parts) {
  spark_mla::DecodeShape shape;
  const int32_t status = shape_on_device(args, &shape);
  if (status != SPARK_MLA_OK) {
    return status;
  }
  if (num_sm_parts == nullptr) {
    return SPARK_MLA_INVALID_POINTER;
  }
  *num_sm_parts = shape.parts;
  return SPARK_MLA_OK;
}

int32_t spark_mla_decode_workspace_size(const spark_mla_decode_args* args, size_t* bytes) {
  spark_mla::DecodeShape shape;
  const int32_t status = shape_on_device(args, &shape);
  if (status != SPARK_MLA_OK) {
    return status;
  }
  if (!spark_mla::decode_dimensions_supported(args->latent_dim, args->rope_dim)) {
    return SPARK_MLA_UNSUPPORTED_DIMENSIONS;
  }
  if (bytes == nullptr) {
    return SPARK_MLA_INVALID_POINTER;
  }
  *bytes = spark_mla::decode_workspace_bytes(*args, shape);
  return SPARK_MLA_OK;
}

int32_t spark_mla_decode_metadata(const spark_mla_decode_args* args) {
  spark_mla::DecodeShape shape;
  const int32_t status = shape_on_device(args, &shape);
  if (status != SPARK_MLA_OK) {
    return status;
  }
  if (!aligned(args->cache_seqlens, 4) || !aligned(args->metadata, 16) ||
      !aligned(args->num_splits, 4)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  if (args->num_sm_parts != shape.parts) {
    return SPARK_MLA_WORKSPACE_TOO_SMALL;
  }
  return status_of(spark_mla::launch_decode_metadata(*args, shape));
}

int32_t spark_mla_decode(const spark_mla_decode_args* args) {
  const int32_t checked = check_attention(args);
  if (checked != SPARK_MLA_OK) {
    return checked;
  }
  if (!spark_mla::decode_dimensions_supported(args->latent_dim, args->rope_dim)) {
    return SPARK_MLA_UNSUPPORTED_DIMENSIONS;
  }
  spark_mla::DecodeShape shape;
  const int32_t status = shape_on_device(args, &shape);
  if (status != SPARK_MLA_OK) {
    return status;
  }
  if (!aligned(args->metadata, 16) || !aligned(args->num_splits, 4) ||
      !null_or_aligned(args->settled, 4) || !aligned(args->workspace, 16)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  if (args->num_sm_parts != shape.parts ||
      args->workspace_bytes < spark_mla::decode_workspace_bytes(*args, shape)) {
    return SPARK_MLA_WORKSPACE_TOO_SMALL;
  }
  const cudaError_t error = spark_mla::launch_decode_parts(*args, shape);
  if (error != cudaSuccess) {
    return status_of(error);
  }
  return status_of(spark_mla::launch_decode_combine(*args, shape));
}

int32_t spark_mla_decode_reference(const spark_mla_decode_args* args) {
  const int32_t checked = check_attention(args);
  if (checked != SPARK_MLA_OK) {
    return checked;
  }
  if (args->latent_dim < 2 || args->latent_dim % 2 != 0 || args->latent_dim > 1024 ||
      args->rope_dim < 0 || args->latent_dim + args->rope_dim > 1024) {
    return SPARK_MLA_UNSUPPORTED_DIMENSIONS;
  }
  return status_of(spark_mla::launch_decode_reference(*args));
}

}  // extern "C"
