/**
 * Measures the kernels on the device of this host: {@code bin/bench decode}. What lives here:
 * programs that print times beside the ceilings of the same run, and what they need to be
 * comparable with published numbers. What does not: tests (they are in the package above) and
 * anything that runs on the processor alone. Start with {@link
 * dev.sparkmla.cuda.bench.DecodeBenchmark}.
 */
package dev.sparkmla.cuda.bench;
