package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.cuda.CudaEvent;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.GpuDevice;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The CUDA backend, with the time that each of its operations takes: an event is recorded behind
 * every one, and an operation's time is that since the event before. So all of a step belongs to
 * some operation, what it waits for included, but kernels do not overlap from one operation to the
 * next as they do without events. For benchmarks. One thread at a time.
 */
public final class TimedOperations implements AutoCloseable {
  /**
   * One call of an operation.
   *
   * @param name the method of {@link ComputeBackend}
   * @param work what it computes at least
   * @param seconds on the device
   */
  public record Operation(String name, OperationWork work, double seconds) {}

  private record Mark(String name, OperationWork work, CudaEvent event) {}

  private static final long FILLED_BYTES = 1L << 30;
  private static final int FILLS = 128;

  private final CudaBackend cuda;
  private final ComputeBackend timed;
  private final List<Mark> marks = new ArrayList<>();
  private boolean recording;

  /** Opens the backend on a device. */
  public TimedOperations(GpuDevice device) {
    this.cuda = new CudaBackend(device);
    this.timed =
        (ComputeBackend)
            Proxy.newProxyInstance(
                ComputeBackend.class.getClassLoader(),
                new Class<?>[] {ComputeBackend.class},
                (proxy, method, arguments) -> call(method, arguments));
  }

  /** The backend whose operations are timed; closing it closes this. */
  public ComputeBackend backend() {
    return timed;
  }

  private Object call(Method method, Object[] arguments) throws Throwable {
    try {
      Object result = method.invoke(cuda, arguments);
      if (recording && isOperation(method)) {
        mark(method.getName(), OperationWork.of(method.getName(), arguments));
      }
      return result;
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  /** Whether it enqueues work of a step. */
  private static boolean isOperation(Method method) {
    return Arrays.asList(method.getParameterTypes()).contains(Activation.class)
        && !method.getName().equals("read");
  }

  private void mark(String name, OperationWork work) {
    CudaEvent event = cuda.device().context.newEvent();
    event.record(cuda.device().stream);
    marks.add(new Mark(name, work, event));
  }

  /**
   * The operations of a step.
   *
   * @param step enqueues it plainly, as {@link dev.sparkmla.model.MlaTransformer#logits} does: what
   *     is recorded as a graph has no times
   */
  public List<Operation> of(Runnable step) {
    try (DeviceBuffer filled = cuda.device().context.allocate(FILLED_BYTES)) {
      keepBusy(filled);
      recording = true;
      mark("", OperationWork.NONE);
      step.run();
      cuda.device().stream.synchronize();
    } finally {
      recording = false;
    }
    List<Operation> operations = new ArrayList<>();
    for (int i = 1; i < marks.size(); i++) {
      Mark mark = marks.get(i);
      operations.add(
          new Operation(
              mark.name(),
              mark.work(),
              mark.event().millisecondsSince(marks.get(i - 1).event()) / 1e3));
    }
    marks.forEach(mark -> mark.event().close());
    marks.clear();
    return operations;
  }

  /** Gives the device some 40 ms of work, in which the host enqueues the step. */
  private void keepBusy(DeviceBuffer filled) {
    for (int i = 0; i < FILLS; i++) {
      filled.fill(0, FILLED_BYTES, (byte) 0, cuda.device().stream);
    }
  }

  @Override
  public void close() {
    cuda.close();
  }
}
