/**
 * The CPU backend: float32 arithmetic over weights in their own formats and a bf16 cache, GEMMs
 * through OpenBLAS.
 *
 * <p>Everything that knows about host memory and threads lives here. Arrays that OpenBLAS reads or
 * writes lie outside the heap; loops the compiler should vectorize run over small heap arrays that
 * rows are copied through, since it does not vectorize access to memory outside. Start at {@link
 * dev.sparkmla.compute.cpu.CpuBackend}.
 */
package dev.sparkmla.compute.cpu;
