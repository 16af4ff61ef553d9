/**
 * The CPU backend: float32 arithmetic over bf16 weights and cache, GEMMs through OpenBLAS.
 *
 * <p>Here lives everything that knows of host memory and of threads. Arrays that OpenBLAS reads or
 * writes lie outside the heap; loops the compiler should vectorize run over small heap arrays that
 * rows are copied through, since it does not vectorize access to memory outside. Start at {@link
 * dev.sparkmla.compute.cpu.CpuBackend}.
 */
package dev.sparkmla.compute.cpu;
