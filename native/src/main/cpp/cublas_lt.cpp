// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The few declarations of cublasLt.h that are used, in our own words, so that no cuBLAS is needed
// to build. Names follow NVIDIA's documentation of the cuBLASLt API; numbers and layouts are the
// same in versions 12 and 13.

#include "cublas_lt.h"

#include <dlfcn.h>

#include <initializer_list>
#include <new>

namespace spark_mla {
namespace {

using Status = int;
constexpr Status kSuccess = 0;
constexpr Status kAllocationFailed = 3;
constexpr Status kNotSupported = 15;

constexpr int kReal32Float = 0;      // CUDA_R_32F
constexpr int kReal16Bfloat = 14;    // CUDA_R_16BF
constexpr int kReal8E4m3 = 28;       // CUDA_R_8F_E4M3
constexpr int kComputeFloat = 68;    // CUBLAS_COMPUTE_32F
constexpr int kTransposeA = 3;       // CUBLASLT_MATMUL_DESC_TRANSA
constexpr int kTranspose = 1;        // CUBLAS_OP_T
constexpr int kScalesOfA = 17;       // CUBLASLT_MATMUL_DESC_A_SCALE_POINTER
constexpr int kScalesOfB = 18;       // CUBLASLT_MATMUL_DESC_B_SCALE_POINTER
constexpr int kScaleModeOfA = 31;    // CUBLASLT_MATMUL_DESC_A_SCALE_MODE
constexpr int kScaleModeOfB = 32;    // CUBLASLT_MATMUL_DESC_B_SCALE_MODE
constexpr int32_t kEach128 = 4;      // CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F
constexpr int32_t kEach128x128 = 5;  // CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F
constexpr int kColumns = 3;          // CUBLASLT_MATRIX_LAYOUT_COLS
constexpr int kBatchCount = 5;       // CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT
constexpr int kBatchOffset = 6;      // CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET
constexpr int kMaxWorkspace = 1;     // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
constexpr int kReductionSchemes = 3;  // CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK
constexpr int kSplitK = 2;           // CUBLASLT_ALGO_CONFIG_SPLITK_NUM
constexpr int kCandidates = 8;

struct Algorithm {
  uint64_t data[8];
};

struct HeuristicResult {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};

struct Functions {
  const char* library = nullptr;
  size_t (*version)();
  Status (*create)(void** handle);
  Status (*destroy)(void* handle);
  Status (*matmul_create)(void** description, int compute_type, int scale_type);
  Status (*matmul_set)(void* description, int attribute, const void* value, size_t bytes);
  Status (*matmul_destroy)(void* description);
  Status (*layout_create)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
  Status (*layout_set)(void* layout, int attribute, const void* value, size_t bytes);
  Status (*layout_destroy)(void* layout);
  Status (*preference_create)(void** preference);
  Status (*preference_set)(void* preference, int attribute, const void* value, size_t bytes);
  Status (*preference_destroy)(void* preference);
  Status (*heuristic)(void* handle, void* description, void* a, void* b, void* c, void* d,
                      void* preference, int wanted, HeuristicResult* results, int* found);
  Status (*algorithm_get)(const Algorithm* algorithm, int attribute, void* value, size_t bytes,
                          size_t* written);
  Status (*matmul)(void* handle, void* description, const void* alpha, const void* a,
                   void* a_layout, const void* b, void* b_layout, const void* beta, const void* c,
                   void* c_layout, void* d, void* d_layout, const Algorithm* algorithm,
                   void* workspace, size_t workspace_bytes, void* stream);
};

template <typename F>
bool look_up(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(library, name));
  return *function != nullptr;
}

Functions open_library() {
  for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12"}) {
    void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    Functions f;
    if (library != nullptr && look_up(library, "cublasLtGetVersion", &f.version) &&
        look_up(library, "cublasLtCreate", &f.create) &&
        look_up(library, "cublasLtDestroy", &f.destroy) &&
        look_up(library, "cublasLtMatmulDescCreate", &f.matmul_create) &&
        look_up(library, "cublasLtMatmulDescSetAttribute", &f.matmul_set) &&
        look_up(library, "cublasLtMatmulDescDestroy", &f.matmul_destroy) &&
        look_up(library, "cublasLtMatrixLayoutCreate", &f.layout_create) &&
        look_up(library, "cublasLtMatrixLayoutSetAttribute", &f.layout_set) &&
        look_up(library, "cublasLtMatrixLayoutDestroy", &f.layout_destroy) &&
        look_up(library, "cublasLtMatmulPreferenceCreate", &f.preference_create) &&
        look_up(library, "cublasLtMatmulPreferenceSetAttribute", &f.preference_set) &&
        look_up(library, "cublasLtMatmulPreferenceDestroy", &f.preference_destroy) &&
        look_up(library, "cublasLtMatmulAlgoGetHeuristic", &f.heuristic) &&
        look_up(library, "cublasLtMatmulAlgoConfigGetAttribute", &f.algorithm_get) &&
        look_up(library, "cublasLtMatmul", &f.matmul)) {
      f.library = name;
      return f;
    }
  }
  return Functions{};
}

const Functions& functions() {
  static const Functions f = open_library();  // once, whoever asks first
  return f;
}

}  // namespace

struct GemmPlan {
  void* description = nullptr;
  // cuBLASLt is column-major, so it computes c^T[n, m] = b[n, k] a^T[k, m]. In its eyes a b of [n, k] is
  // a [k, n] to be transposed, a b of [k, n] is an [n, k], and a is a [k, m].
  void* left = nullptr;
  void* right = nullptr;
  void* result = nullptr;
  int64_t rows = 0;
  float beta = 0.f;
  bool float8 = false;
  Algorithm algorithm;
};

namespace {

Status make_layout(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride,
                   int32_t batch, int64_t offset) {
  const Functions& f = functions();
  Status status = f.layout_create(layout, type, rows, columns, stride);
  if (status == kSuccess && batch > 1) {
    status = f.layout_set(*layout, kBatchCount, &batch, sizeof(batch));
    if (status == kSuccess) {
      status = f.layout_set(*layout, kBatchOffset, &offset, sizeof(offset));
    }
  }
  return status;
}

Status set_rows(GemmPlan* p, int64_t m) {
  const Functions& f = functions();
  const uint64_t columns = m;
  Status status = f.layout_set(p->right, kColumns, &columns, sizeof(columns));
  if (status == kSuccess) {
    status = f.layout_set(p->result, kColumns, &columns, sizeof(columns));
  }
  p->rows = status == kSuccess ? m : 0;
  return status;
}

// For cuBLASLt b is the first matrix.
Status set_scale_modes(GemmPlan* p) {
  const Functions& f = functions();
  const Status status = f.matmul_set(p->description, kScaleModeOfA, &kEach128x128, sizeof(int32_t));
  return status != kSuccess
             ? status
             : f.matmul_set(p->description, kScaleModeOfB, &kEach128, sizeof(int32_t));
}

Status set_scales(GemmPlan* p, const void* a_scales, const void* b_scales) {
  const Functions& f = functions();
  const Status status = f.matmul_set(p->description, kScalesOfA, &b_scales, sizeof(b_scales));
  return status != kSuccess
             ? status
             : f.matmul_set(p->description, kScalesOfB, &a_scales, sizeof(a_scales));
}

// The first of the heuristic's proposals that does not split k and needs no workspace.
Status choose_algorithm(void* handle, GemmPlan* p, void* preference) {
  const Functions& f = functions();
  HeuristicResult found[kCandidates] = {};
  int count = 0;
  const Status status = f.heuristic(handle, p->description, p->left, p->right, p->result, p->result,
                                    preference, kCandidates, found, &count);
  if (status != kSuccess) {
    return status;
  }
  for (int i = 0; i < count; ++i) {
    int32_t split = 0;
    size_t written = 0;
    if (found[i].state == kSuccess && found[i].workspace_bytes == 0 &&
        f.algorithm_get(&found[i].algorithm, kSplitK, &split, sizeof(split), &written) ==
            kSuccess &&
        split <= 1) {
      p->algorithm = found[i].algorithm;
      return kSuccess;
    }
  }
  return kNotSupported;
}

}  // namespace

const char* cublas_lt_library() { return functions().library; }

size_t cublas_lt_version() { return functions().version(); }

int cublas_lt_create(void** handle) { return functions().create(handle); }

int cublas_lt_destroy(void* handle) { return functions().destroy(handle); }

int cublas_lt_plan(const GemmShape* wanted, GemmPlan** plan) {
  const Functions& f = functions();
  const GemmShape& shape = *wanted;
  GemmPlan* p = new (std::nothrow) GemmPlan;
  if (p == nullptr) {
    return kAllocationFailed;
  }
  p->rows = shape.typical_m;
  p->beta = shape.add != 0 ? 1.f : 0.f;
  p->float8 = shape.float8 != 0;
  const int type = p->float8 ? kReal8E4m3 : kReal16Bfloat;
  const bool transpose = shape.b_transposed == 0;
  const int32_t operation = kTranspose;
  Status status = f.matmul_create(&p->description, kComputeFloat, kReal32Float);
  if (status == kSuccess && transpose) {
    status = f.matmul_set(p->description, kTransposeA, &operation, sizeof(operation));
  }
  if (status == kSuccess && p->float8) {
    status = set_scale_modes(p);
  }
  if (status == kSuccess && p->float8) {
    status = set_scales(p, shape.a_scales, shape.b_scales);
  }
  if (status == kSuccess) {
    status = make_layout(&p->left, type, transpose ? shape.k : shape.n,
                         transpose ? shape.n : shape.k, shape.b_stride, shape.batch, shape.b_batch);
  }
  if (status == kSuccess) {
    status = make_layout(&p->right, type, shape.k, shape.typical_m, shape.a_stride,
                         shape.batch, shape.a_batch);
  }
  if (status == kSuccess) {
    status = make_layout(&p->result, shape.float_result != 0 ? kReal32Float : kReal16Bfloat,
                         shape.n, shape.typical_m, shape.c_stride, shape.batch, shape.c_batch);
  }
  void* preference = nullptr;
  const uint64_t no_workspace = 0;
  const uint32_t no_reduction = 0;
  if (status == kSuccess) {
    status = f.preference_create(&preference);
  }
  if (status == kSuccess) {
    status = f.preference_set(preference, kMaxWorkspace, &no_workspace, sizeof(no_workspace));
  }
  if (status == kSuccess) {
    status = f.preference_set(preference, kReductionSchemes, &no_reduction, sizeof(no_reduction));
  }
  if (status == kSuccess) {
    status = choose_algorithm(shape.handle, p, preference);
  }
  if (preference != nullptr) {
    f.preference_destroy(preference);
  }
  if (status != kSuccess) {
    cublas_lt_free(p);
    return status;
  }
  *plan = p;
  return kSuccess;
}

int cublas_lt_run(const GemmCall* call) {
  GemmPlan* p = call->plan;
  Status status = p->rows == call->m ? kSuccess : set_rows(p, call->m);
  if (status == kSuccess && p->float8) {
    status = set_scales(p, call->a_scales, call->b_scales);
  }
  const float one = 1.f;
  return status != kSuccess
             ? status
             : functions().matmul(call->handle, p->description, &one, call->b, p->left, call->a,
                                  p->right, &p->beta, call->c, p->result, call->c, p->result,
                                  &p->algorithm, nullptr, 0, call->stream);
}

void cublas_lt_free(GemmPlan* p) {
  const Functions& f = functions();
  if (p->result != nullptr) {
    f.layout_destroy(p->result);
  }
  if (p->right != nullptr) {
    f.layout_destroy(p->right);
  }
  if (p->left != nullptr) {
    f.layout_destroy(p->left);
  }
  if (p->description != nullptr) {
    f.matmul_destroy(p->description);
  }
  delete p;
}

}  // namespace spark_mla
