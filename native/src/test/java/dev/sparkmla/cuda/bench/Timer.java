package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaEvent;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import java.util.Arrays;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Times work on a stream: the median of {@value #TURNS} turns of {@value #RUNS} runs.
 *
 * <p>A GPU whose tensor cores have been busy for some tens of milliseconds is at its power limit
 * and runs slower than before. So there are two ways to time: <em>rested</em>, each turn after a
 * rest, and <em>sustained</em>, each after {@value #HEAT_MILLISECONDS} ms of the same work.
 */
final class Timer implements AutoCloseable {
  private static final int TURNS = 4;
  private static final int WARM_UP = 3;
  private static final int RUNS = 8;
  private static final long REST_MILLISECONDS = 50;
  private static final long HEAT_MILLISECONDS = 40;

  /** Takes the device about half a millisecond to fill: time to enqueue what comes after. */
  private static final long HEAD_START_BYTES = 2L << 30;

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
   * Milliseconds on the device between an event before {@code work} and one after it, rested. The
   * stream always has work waiting, so that the processor's launching does not show.
   *
   * @param work enqueues one run; gets the number of the run
   */
  double median(IntConsumer work) {
    return median(work, Timer::rest);
  }

  /** The same, sustained. */
  double sustainedMedian(IntConsumer work) {
    return median(
        work,
        () -> {
          long end = System.nanoTime() + HEAT_MILLISECONDS * 1_000_000;
          for (int run = 0; System.nanoTime() < end; run++) {
            work.accept(run);
            if (run % RUNS == 0) {
              stream.synchronize();
            }
          }
        });
  }

  private double median(IntConsumer work, Runnable prepare) {
    double[] times = new double[TURNS * RUNS];
    for (int turn = 0; turn < TURNS; turn++) {
      prepare.run();
      headStart.fill(0, HEAD_START_BYTES, (byte) turn, stream);
      for (int run = 0; run < WARM_UP; run++) {
        work.accept(run);
      }
      for (int run = 0; run < RUNS; run++) {
        begun[run].record(stream);
        work.accept(WARM_UP + run);
        done[run].record(stream);
      }
      stream.synchronize();
      for (int run = 0; run < RUNS; run++) {
        times[turn * RUNS + run] = done[run].millisecondsSince(begun[run]);
      }
    }
    return middle(times);
  }

  private static void rest() {
    try {
      Thread.sleep(REST_MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the device rests", e);
    }
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
    double[] times = new double[TURNS * RUNS];
    for (int run = 0; run < times.length; run++) {
      long start = System.nanoTime();
      work.accept(run);
      stream.synchronize();
      times[run] = (System.nanoTime() - start) / 1e6;
    }
    return middle(times);
  }

  private static double middle(double[] times) {
    Arrays.sort(times);
    return times[times.length / 2];
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
