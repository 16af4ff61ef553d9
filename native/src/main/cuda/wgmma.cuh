// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// wgmma, Hopper's matrix multiply-accumulate of a warpgroup, for bf16 operands (m64nNk16) or e4m3 ones
// (m64nNk32) and float32 accumulators, for each N that a kernel here uses, chosen by the size of the
// accumulator (N / 2 in a thread).
// A suffix says where the left operand lives (ss: shared memory, rs: registers), and t that the
// right one is stored row by row along K (MN-major), as values are; ta that the left one is.
#pragma once

#include <cstdint>

namespace spark_mla {

// Orders register writes of this warp before the next wgmma that reads them.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits until at most kPending committed groups are still running.
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// Keeps the compiler from moving reads or writes of accumulators across this point.
template <int kCount>
__device__ __forceinline__ void pin(float (&registers)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    asm volatile("" : "+f"(registers[i])::"memory");
  }
}

// An accumulator d as the first operands of an asm statement: their places in its text, and the
// operands themselves.
#define SPARK_MLA_PLACES_8 \
  "%0, %1, %2, %3, %4, %5, %6, %7"
#define SPARK_MLA_PLACES_16 SPARK_MLA_PLACES_8 \
  ", %8, %9, %10, %11, %12, %13, %14, %15"
#define SPARK_MLA_PLACES_32 SPARK_MLA_PLACES_16 \
  ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define SPARK_MLA_PLACES_40 SPARK_MLA_PLACES_32 \
  ", %32, %33, %34, %35, %36, %37, %38, %39"
#define SPARK_MLA_PLACES_48 SPARK_MLA_PLACES_40 \
  ", %40, %41, %42, %43, %44, %45, %46, %47"
#define SPARK_MLA_PLACES_64 SPARK_MLA_PLACES_48 \
  ", %48, %49, %50, %51, %52, %53, %54, %55" \
  ", %56, %57, %58, %59, %60, %61, %62, %63"
#define SPARK_MLA_PLACES_80 SPARK_MLA_PLACES_64 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define SPARK_MLA_PLACES_96 SPARK_MLA_PLACES_80 \
  ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define SPARK_MLA_PLACES_112 SPARK_MLA_PLACES_96 \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define SPARK_MLA_PLACES_128 SPARK_MLA_PLACES_112 \
  ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

#define SPARK_MLA_SUMS_8 \
  "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), \
  "+f"(d[6]), "+f"(d[7])
#define SPARK_MLA_SUMS_16 SPARK_MLA_SUMS_8, \
  "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), \
  "+f"(d[14]), "+f"(d[15])
#define SPARK_MLA_SUMS_32 SPARK_MLA_SUMS_16, \
  "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), \
  "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), \
  "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define SPARK_MLA_SUMS_40 SPARK_MLA_SUMS_32, \
  "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), \
  "+f"(d[38]), "+f"(d[39])
#define SPARK_MLA_SUMS_48 SPARK_MLA_SUMS_40, \
  "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), \
  "+f"(d[46]), "+f"(d[47])
#define SPARK_MLA_SUMS_64 SPARK_MLA_SUMS_48, \
  "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), \
  "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), \
  "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define SPARK_MLA_SUMS_80 SPARK_MLA_SUMS_64, \
  "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]), "+f"(d[68]), "+f"(d[69]), \
  "+f"(d[70]), "+f"(d[71]), "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]), \
  "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79])
#define SPARK_MLA_SUMS_96 SPARK_MLA_SUMS_80, \
  "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]), "+f"(d[84]), "+f"(d[85]), \
  "+f"(d[86]), "+f"(d[87]), "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]), \
  "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
#define SPARK_MLA_SUMS_112 SPARK_MLA_SUMS_96, \
  "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99]), "+f"(d[100]), "+f"(d[101]), \
  "+f"(d[102]), "+f"(d[103]), "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107]), \
  "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111])
#define SPARK_MLA_SUMS_128 SPARK_MLA_SUMS_112, \
  "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115]), "+f"(d[116]), "+f"(d[117]), \
  "+f"(d[118]), "+f"(d[119]), "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123]), \
  "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])

// d = a b, added to d unless `accumulate` is 0. The preprocessor does not add: the places of the
// operands after the accumulator's `count` and a are given.
#define SPARK_MLA_WGMMA_SS(name, transposed_a, transposed_b, n, count, place_b, place_accumulate) \
  __device__ __forceinline__ void name(float (&d)[count], uint64_t a, uint64_t b,                 \
                                       int accumulate = 1) {                                      \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #place_accumulate ", 0;\n"                  \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 "                      \
                 "{" SPARK_MLA_PLACES_##count "}, %" #count ", %" #place_b                        \
                 ", p, 1, 1, " #transposed_a ", " #transposed_b ";\n}\n"                          \
                 : SPARK_MLA_SUMS_##count                                                         \
                 : "l"(a), "l"(b), "r"(accumulate));                                              \
  }

SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 16, 8, 9, 10)
SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 32, 16, 17, 18)
SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 64, 32, 33, 34)
SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 80, 40, 41, 42)
SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 128, 64, 65, 66)
SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 160, 80, 81, 82)
SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 192, 96, 97, 98)
SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 224, 112, 113, 114)
SPARK_MLA_WGMMA_SS(wgmma_ss, 0, 0, 256, 128, 129, 130)
SPARK_MLA_WGMMA_SS(wgmma_ss_ta, 1, 0, 16, 8, 9, 10)
SPARK_MLA_WGMMA_SS(wgmma_ss_ta, 1, 0, 32, 16, 17, 18)
SPARK_MLA_WGMMA_SS(wgmma_ss_t, 0, 1, 128, 64, 65, 66)
SPARK_MLA_WGMMA_SS(wgmma_ss_t, 0, 1, 256, 128, 129, 130)

// d = a b of e4m3 values, added to d unless `accumulate` is 0. The tensor cores keep about 14 bits of
// such sums: callers add them up in float32 registers every 128 columns.
#define SPARK_MLA_WGMMA_SS_E4M3(n, count, place_b, place_accumulate)                              \
  __device__ __forceinline__ void wgmma_ss_e4m3(float (&d)[count], uint64_t a, uint64_t b,        \
                                                int accumulate) {                                 \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #place_accumulate ", 0;\n"                  \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k32.f32.e4m3.e4m3 "                      \
                 "{" SPARK_MLA_PLACES_##count "}, %" #count ", %" #place_b ", p, 1, 1;\n}\n"      \
                 : SPARK_MLA_SUMS_##count                                                         \
                 : "l"(a), "l"(b), "r"(accumulate));                                              \
  }

SPARK_MLA_WGMMA_SS_E4M3(16, 8, 9, 10)
SPARK_MLA_WGMMA_SS_E4M3(32, 16, 17, 18)
SPARK_MLA_WGMMA_SS_E4M3(64, 32, 33, 34)
SPARK_MLA_WGMMA_SS_E4M3(128, 64, 65, 66)

#define SPARK_MLA_WGMMA_RS_T(n, count, places_a, place_b, place_accumulate)                       \
  __device__ __forceinline__ void wgmma_rs_t(float (&d)[count], const uint32_t (&a)[4],           \
                                             uint64_t b, int accumulate = 1) {                    \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #place_accumulate ", 0;\n"                  \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 "                      \
                 "{" SPARK_MLA_PLACES_##count "}, {" places_a "}, %" #place_b ", p, 1, 1, 1;\n}\n"\
                 : SPARK_MLA_SUMS_##count                                                         \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate));          \
  }

SPARK_MLA_WGMMA_RS_T(64, 32, "%32, %33, %34, %35", 36, 37)
SPARK_MLA_WGMMA_RS_T(128, 64, "%64, %65, %66, %67", 68, 69)
SPARK_MLA_WGMMA_RS_T(256, 128, "%128, %129, %130, %131", 132, 133)

#undef SPARK_MLA_PLACES_128
#undef SPARK_MLA_SUMS_128
#undef SPARK_MLA_PLACES_112
#undef SPARK_MLA_SUMS_112
#undef SPARK_MLA_PLACES_96
#undef SPARK_MLA_SUMS_96
#undef SPARK_MLA_PLACES_80
#undef SPARK_MLA_SUMS_80
#undef SPARK_MLA_PLACES_64
#undef SPARK_MLA_SUMS_64
#undef SPARK_MLA_PLACES_48
#undef SPARK_MLA_SUMS_48
#undef SPARK_MLA_PLACES_40
#undef SPARK_MLA_SUMS_40
#undef SPARK_MLA_PLACES_32
#undef SPARK_MLA_SUMS_32
#undef SPARK_MLA_PLACES_8
#undef SPARK_MLA_SUMS_8
#undef SPARK_MLA_WGMMA_SS
#undef SPARK_MLA_WGMMA_SS_E4M3
#undef SPARK_MLA_WGMMA_RS_T

}  // namespace spark_mla
