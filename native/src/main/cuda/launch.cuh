// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
#pragma once

#include <cuda_runtime.h>

namespace spark_mla {

// Launches a kernel whose blocks may start while the previous kernel of the stream still runs: it
// must call wait_for_previous_kernel() before it touches what that one reads or writes.
template <typename Args>
cudaError_t launch_dependent(void (*kernel)(Args), dim3 grid, int threads, size_t shared_bytes,
                             cudaStream_t stream, const Args& args) {
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, kernel, args);
}

}  // namespace spark_mla
