package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireContext;

import java.util.function.ToIntFunction;

/** Kernels on one device: what every class that launches them needs. */
abstract class DeviceKernels {
  final CudaContext context;

  /**
   * @param context one that {@link CudaContext#requireKernels} has returned; in tests of argument
   *     checks, which reach neither device nor library, any
   */
  DeviceKernels(CudaContext context) {
    this.context = context;
  }

  /**
   * Enqueues a call of the C interface.
   *
   * @param name of the C function, for messages
   * @param function the native method
   * @param fields the call's arguments, the stream left out
   */
  final void enqueue(
      String name, ToIntFunction<long[]> function, long[] fields, CudaStream stream) {
    requireContext("stream", stream.context(), context);
    fields[NativeLibrary.STREAM] = stream.address();
    context.makeCurrent();
    NativeLibrary.check(function.applyAsInt(fields), name, context.device());
  }
}
