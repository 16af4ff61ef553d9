/**
 * Measures the kernels on the device of this host: {@link dev.sparkmla.cuda.bench.DecodeBenchmark}
 * ({@code bin/bench decode}), {@link dev.sparkmla.cuda.bench.PrefillBenchmark} ({@code bin/bench
 * prefill}), {@link dev.sparkmla.cuda.bench.ExpertsBenchmark} ({@code bin/bench experts}) and
 * {@link dev.sparkmla.cuda.bench.GemmBenchmark} ({@code bin/bench gemm}). What lives here: programs
 * that print times beside the ceilings of the same run, and what they need to be comparable with
 * published numbers. What does not: tests of kernels (they are in the package above) and programs
 * that measure the processor.
 */
package dev.sparkmla.cuda.bench;
