package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaEvent;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import java.util.Arrays;
import java.util.function.IntConsumer;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/** Times work on a stream: the median of {@value #RUNS} runs after {@value #WARM_UP}. */
final class Timer implements AutoCloseable {
  private static final int WARM_UP = 5;
  private static final int RUNS = 25;

  /** Takes the device about a millisecond to fill: time to enqueue what comes after. */
  private static final long HEAD_START_BYTES = 4L << 30;

  private final CudaStream stream;
  private final DeviceBuffer headStart;
  private final CudaEvent[] begun;
  private final CudaEvent[] done;

  Timer(CudaContext context, CudaStream stream) {
    this.stream = stream;
    headStart = context.allocate(HEAD_START_BYTES);
    begun = IntStream.range(0, RUNS).mapToObj(i -> context.newEvent()).toArray(CudaEvent[]::new);
    done = IntStream.range(0, RUNS).mapToObj(i -> context.newEvent()).toArray(CudaEvent[]::new);
  }

  /**
   * Milliseconds on the device between an event before {@code work} and one after it. The stream
   * always has work waiting, so that the processor's launching does not show.
   *
   * @param work enqueues one run; gets the number of the run
   */
  double median(IntConsumer work) {
    for (int run = 0; run < WARM_UP; run++) {
      work.accept(run);
    }
    headStart.fill(0, HEAD_START_BYTES, (byte) 0, stream);
    headStart.fill(0, HEAD_START_BYTES, (byte) 1, stream);
    for (int run = 0; run < RUNS; run++) {
      begun[run].record(stream);
      work.accept(run);
      done[run].record(stream);
    }
    stream.synchronize();
    return middle(
        IntStream.range(0, RUNS).mapToDouble(run -> done[run].millisecondsSince(begun[run])));
  }

  /**
   * Milliseconds from calling {@code work} on an idle stream until the stream is idle again, as the
   * calling thread sees it.
   */
  double medianFromIdle(IntConsumer work) {
    for (int run = 0; run < WARM_UP; run++) {
      work.accept(run);
    }
    stream.synchronize();
    double[] times = new double[RUNS];
    for (int run = 0; run < RUNS; run++) {
      long start = System.nanoTime();
      work.accept(run);
      stream.synchronize();
      times[run] = (System.nanoTime() - start) / 1e6;
    }
    return middle(Arrays.stream(times));
  }

  private static double middle(DoubleStream times) {
    return times.sorted().toArray()[RUNS / 2];
  }

  @Override
  public void close() {
    for (int run = 0; run < RUNS; run++) {
      begun[run].close();
      done[run].close();
    }
    headStart.close();
  }
}
