package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Resources;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaEvent;
import dev.sparkmla.cuda.CudaStream;
import java.util.function.Consumer;

/**
 * A second stream of a device, for work that runs beside what the main stream is given next. What
 * it reads and writes must be left alone until {@link #join}. Where the main stream's work is
 * recorded as a graph, so is this work.
 */
final class SideStream implements AutoCloseable {
  private final Resources owned = new Resources();
  private final CudaStream main;
  private final CudaStream side;
  private final CudaEvent forked;
  private final CudaEvent done;

  /** Beside {@code main}, which stays the caller's. */
  SideStream(CudaContext context, CudaStream main) {
    this.main = main;
    try {
      side = owned.own(context.newStream());
      forked = owned.own(context.newEvent());
      done = owned.own(context.newEvent());
    } catch (RuntimeException | Error e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  /** Enqueues work, on the stream it is given, after all that the main stream has by now. */
  void fork(Consumer<CudaStream> work) {
    forked.record(main);
    side.waitFor(forked);
    try {
      work.accept(side);
    } finally {
      done.record(side);
    }
  }

  /** Makes what the main stream is given from now on wait for the work. */
  void join() {
    main.waitFor(done);
  }

  /** The work must have been joined. */
  @Override
  public void close() {
    owned.close();
  }
}
