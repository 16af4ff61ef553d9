/**
 * CUDA for the JVM as far as MLA generation needs it: devices, memory, streams, graphs, and this
 * project's kernels behind methods that check their arguments.
 *
 * <p>Here live
 *
 * <ul>
 *   <li>{@link dev.sparkmla.cuda.GpuDevice} (a device of this host), {@link
 *       dev.sparkmla.cuda.CudaContext} (a device in use) and the resources that are made from a
 *       context;
 *   <li>{@link dev.sparkmla.cuda.MlaDecode} (attention over a paged cache) and {@link
 *       dev.sparkmla.cuda.MlaPrefill} (attention over expanded keys);
 *   <li>{@link dev.sparkmla.cuda.RotaryEmbedding} (rotary embedding, and writing the cache), {@link
 *       dev.sparkmla.cuda.RowOperations} (embedding, norm, gate, sampling), {@link
 *       dev.sparkmla.cuda.ElementOperations} (loading weights);
 *   <li>{@link dev.sparkmla.cuda.Router} and {@link dev.sparkmla.cuda.Experts} (mixtures of
 *       experts);
 *   <li>{@link dev.sparkmla.cuda.Gemm} (dense GEMMs: an own kernel for few rows, cuBLASLt for
 *       more);
 *   <li>{@link dev.sparkmla.cuda.Float8Gemm} and {@link dev.sparkmla.cuda.Float8Operations} (GEMMs
 *       with FP8 weights, and conversion from and to FP8).
 * </ul>
 *
 * Spark, models and scheduling do not belong here. Start with {@link dev.sparkmla.cuda.MlaDecode}.
 *
 * <p>A class that launches kernels checks its arguments and hands them to the C interface (the
 * headers in native/src/main/cpp/include) in an array of numbers; {@code NativeLibrary} describes
 * this convention.
 *
 * <h2>Ownership</h2>
 *
 * Whatever a {@link dev.sparkmla.cuda.CudaContext} makes belongs to whoever asked for it and is
 * {@link java.lang.AutoCloseable}. A context refuses to close while something made from it is open;
 * closing anything twice is an {@link java.lang.IllegalStateException}, and so is using it after.
 *
 * <h2>Threads</h2>
 *
 * Devices, contexts and the classes that launch kernels may be used by several threads at once. A
 * stream, event, graph or buffer may be used from any thread, by one thread at a time. A call makes
 * the context current on the calling thread and leaves it so.
 *
 * <h2>Errors</h2>
 *
 * <ul>
 *   <li>{@link dev.sparkmla.cuda.CudaArgumentException}: an argument was refused before anything
 *       reached the device.
 *   <li>{@link dev.sparkmla.cuda.CudaUnavailableException}: this host or device cannot do it at all
 *       (no driver, no device, no library in the jar, not compute capability 9.0).
 *   <li>{@link dev.sparkmla.cuda.CudaException}: a CUDA call failed; {@link
 *       dev.sparkmla.cuda.CudaFatalException} where the process cannot use CUDA any more.
 * </ul>
 */
package dev.sparkmla.cuda;
