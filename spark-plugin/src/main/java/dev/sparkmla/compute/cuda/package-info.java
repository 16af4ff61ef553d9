/**
 * The CUDA backend: the operations of {@link dev.sparkmla.compute.ComputeBackend} on one Hopper GPU
 * through the kernels of {@link dev.sparkmla.cuda}.
 *
 * <p>Here lives what a step needs around kernels: the memory of activations at addresses that stay
 * ({@link dev.sparkmla.compute.cuda.Arena}), what crosses from the host once a step ({@link
 * dev.sparkmla.compute.cuda.PlanLayout}, {@link dev.sparkmla.compute.cuda.PlanMemory}), steps
 * recorded as graphs ({@link dev.sparkmla.compute.cuda.StepGraphs}), the steps that a device's
 * memory is measured by ({@link dev.sparkmla.compute.cuda.MeasuredSteps}), weights on their way in
 * ({@link dev.sparkmla.compute.cuda.WeightUpload}, {@link dev.sparkmla.compute.cuda.WeightLoader}).
 * Kernels and the checks of their arguments are in {@link dev.sparkmla.cuda}. Everything is
 * enqueued on one stream, so that the order of calls is the order of the work. Start at {@link
 * dev.sparkmla.compute.cuda.CudaBackend}; {@link dev.sparkmla.compute.cuda.CudaDevice} owns what
 * there is once for a GPU.
 */
package dev.sparkmla.compute.cuda;
