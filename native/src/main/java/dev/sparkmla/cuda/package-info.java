/**
 * CUDA for the JVM as far as MLA generation needs it: devices, memory, streams, graphs, and the
 * kernels of this project with their arguments checked.
 *
 * <p>What lives here: {@link dev.sparkmla.cuda.GpuDevice} (what is in this host), {@link
 * dev.sparkmla.cuda.CudaContext} (a device in use), the resources made from a context, {@link
 * dev.sparkmla.cuda.MlaDecode} (attention over a paged cache), {@link dev.sparkmla.cuda.MlaPrefill}
 * (attention over expanded keys), {@link dev.sparkmla.cuda.Router} and {@link
 * dev.sparkmla.cuda.Experts} (mixtures of experts), {@link dev.sparkmla.cuda.MatrixProducts} (dense
 * products through cuBLASLt). What does not: Spark, models, scheduling of any kind. Start with
 * {@link dev.sparkmla.cuda.MlaDecode}.
 *
 * <h2>Ownership</h2>
 *
 * Whatever a {@link dev.sparkmla.cuda.CudaContext} makes belongs to whoever asked for it and is
 * {@link java.lang.AutoCloseable}. A context refuses to close while something made from it is open;
 * closing anything twice is an {@link java.lang.IllegalStateException}, and so is using it after.
 *
 * <h2>Threads</h2>
 *
 * Contexts, devices, {@link dev.sparkmla.cuda.MlaDecode}, {@link dev.sparkmla.cuda.MlaPrefill} and
 * {@link dev.sparkmla.cuda.MatrixProducts} may be used from any thread at once. A stream, event,
 * graph or buffer may be used from any thread, by one thread at a time. A call makes the context
 * current on the calling thread and leaves it so.
 *
 * <h2>Errors</h2>
 *
 * <ul>
 *   <li>{@link dev.sparkmla.cuda.CudaArgumentException}: an argument was refused before anything
 *       reached the device.
 *   <li>{@link dev.sparkmla.cuda.CudaUnavailableException}: this host or device cannot do it at all
 *       (no driver, no device, no library in the jar, not compute capability 9.0).
 *   <li>{@link dev.sparkmla.cuda.CudaException}: a CUDA call failed; {@link
 *       dev.sparkmla.cuda.CudaFatalException} where the process must be replaced.
 * </ul>
 */
package dev.sparkmla.cuda;
