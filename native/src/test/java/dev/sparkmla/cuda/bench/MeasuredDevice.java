package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaException;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.cuda.RandomPool;
import java.io.UncheckedIOException;
import java.util.Random;
import java.util.function.Consumer;

/**
 * The host's first device with what a benchmark uses of it.
 *
 * @param stream what everything is enqueued on
 */
record MeasuredDevice(
    GpuDevice device, CudaContext context, CudaStream stream, RandomPool pool, Timer timer) {
  private static final long POOL_SEED = 1;

  /** The main method of a benchmark without options: exits with 2 where there are any. */
  static void main(String name, String[] arguments, Consumer<MeasuredDevice> benchmark) {
    if (arguments.length > 0) {
      System.err.println("usage: bin/bench " + name);
      System.exit(2);
      return;
    }
    run(name, benchmark);
  }

  /** Runs a benchmark, or says in a line why it could not and exits with 1. */
  static void run(String name, Consumer<MeasuredDevice> benchmark) {
    try {
      GpuDevice first = GpuDevice.at(0);
      try (CudaContext context = CudaContext.open(first);
          CudaStream stream = context.newStream();
          RandomPool pool = new RandomPool(context, POOL_SEED, stream);
          Timer timer = new Timer(context, stream)) {
        benchmark.accept(new MeasuredDevice(first, context, stream, pool, timer));
      }
    } catch (CudaUnavailableException e) {
      System.err.println("bench " + name + ": " + e.getMessage());
      System.exit(1);
    } catch (CudaException | UncheckedIOException e) {
      System.err.println("bench " + name + " failed: " + e.getMessage());
      System.exit(1);
    }
  }

  DeviceBuffer allocate(long bytes) {
    return context.allocate(bytes);
  }

  /** Enqueues filling a whole buffer with random bfloat16; the same seed gives the same values. */
  void fill(DeviceBuffer buffer, long seed) {
    pool.fill(buffer, 0, buffer.bytes(), new Random(seed), stream);
  }
}
