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
constexpr int kComputeFloat = 68;    // CUBLAS_COMPUTE_32F
constexpr int kTransposeA = 3;       // CUBLASLT_MATMUL_DESC_TRANSA
constexpr int kTranspose = 1;        // CUBLAS_OP_T
constexpr int kMaxWorkspace = 1;     // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES

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
  Status (*product_create)(void** description, int compute_type, int scale_type);
  Status (*product_set)(void* description, int attribute, const void* value, size_t bytes);
  Status (*product_destroy)(void* description);
  Status (*layout_create)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
  Status (*layout_destroy)(void* layout);
  Status (*preference_create)(void** preference);
  Status (*preference_set)(void* preference, int attribute, const void* value, size_t bytes);
  Status (*preference_destroy)(void* preference);
  Status (*heuristic)(void* handle, void* description, void* a, void* b, void* c, void* d,
                      void* preference, int wanted, HeuristicResult* results, int* found);
  Status (*product)(void* handle, void* description, const void* alpha, const void* a,
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
        look_up(library, "cublasLtMatmulDescCreate", &f.product_create) &&
        look_up(library, "cublasLtMatmulDescSetAttribute", &f.product_set) &&
        look_up(library, "cublasLtMatmulDescDestroy", &f.product_destroy) &&
        look_up(library, "cublasLtMatrixLayoutCreate", &f.layout_create) &&
        look_up(library, "cublasLtMatrixLayoutDestroy", &f.layout_destroy) &&
        look_up(library, "cublasLtMatmulPreferenceCreate", &f.preference_create) &&
        look_up(library, "cublasLtMatmulPreferenceSetAttribute", &f.preference_set) &&
        look_up(library, "cublasLtMatmulPreferenceDestroy", &f.preference_destroy) &&
        look_up(library, "cublasLtMatmulAlgoGetHeuristic", &f.heuristic) &&
        look_up(library, "cublasLtMatmul", &f.product)) {
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

struct ProductPlan {
  void* description = nullptr;
  // cuBLASLt is column-major: c^T[n, m] = b[n, k] a^T[k, m], where b, as it lies in memory, is a
  // column-major [k, n] to be transposed and a a column-major [k, m].
  void* left = nullptr;
  void* right = nullptr;
  void* result = nullptr;
  Algorithm algorithm;
  size_t workspace_bytes = 0;
};

const char* cublas_lt_library() { return functions().library; }

size_t cublas_lt_version() { return functions().version(); }

int cublas_lt_create(void** handle) { return functions().create(handle); }

int cublas_lt_destroy(void* handle) { return functions().destroy(handle); }

int cublas_lt_plan(void* handle, int64_t m, int64_t n, int64_t k, bool float_result,
                   size_t workspace_bytes, ProductPlan** plan) {
  const Functions& f = functions();
  ProductPlan* p = new (std::nothrow) ProductPlan;
  if (p == nullptr) {
    return kAllocationFailed;
  }
  void* preference = nullptr;
  HeuristicResult found{};
  int count = 0;
  const uint64_t most = workspace_bytes;
  const int32_t transpose = kTranspose;
  Status status = f.product_create(&p->description, kComputeFloat, kReal32Float);
  if (status == kSuccess) {
    status = f.product_set(p->description, kTransposeA, &transpose, sizeof(transpose));
  }
  if (status == kSuccess) {
    status = f.layout_create(&p->left, kReal16Bfloat, k, n, k);
  }
  if (status == kSuccess) {
    status = f.layout_create(&p->right, kReal16Bfloat, k, m, k);
  }
  if (status == kSuccess) {
    status = f.layout_create(&p->result, float_result ? kReal32Float : kReal16Bfloat, n, m, n);
  }
  if (status == kSuccess) {
    status = f.preference_create(&preference);
  }
  if (status == kSuccess) {
    status = f.preference_set(preference, kMaxWorkspace, &most, sizeof(most));
  }
  if (status == kSuccess) {
    status = f.heuristic(handle, p->description, p->left, p->right, p->result, p->result,
                         preference, 1, &found, &count);
  }
  if (preference != nullptr) {
    f.preference_destroy(preference);
  }
  if (status == kSuccess && (count < 1 || found.state != kSuccess)) {
    status = kNotSupported;
  }
  if (status != kSuccess) {
    cublas_lt_free(p);
    return status;
  }
  p->algorithm = found.algorithm;
  p->workspace_bytes = found.workspace_bytes;
  *plan = p;
  return kSuccess;
}

int cublas_lt_run(void* handle, const ProductPlan& p, const void* a, const void* b, void* c,
                  void* workspace, void* stream) {
  const float one = 1.f;
  const float zero = 0.f;
  return functions().product(handle, p.description, &one, b, p.left, a, p.right, &zero, c, p.result,
                             c, p.result, &p.algorithm, workspace, p.workspace_bytes, stream);
}

void cublas_lt_free(ProductPlan* p) {
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
    f.product_destroy(p->description);
  }
  delete p;
}

}  // namespace spark_mla
