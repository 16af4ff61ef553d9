// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
#pragma once

namespace spark_mla {

constexpr int kMaxNormColumns = 8192;  // of a row that is normed (rms_norm.cuh)

}  // namespace spark_mla
