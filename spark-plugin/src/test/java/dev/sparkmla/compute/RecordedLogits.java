package dev.sparkmla.compute;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;

/**
 * The logits of every step that a backend runs. They are computed in memory that is kept, one for
 * each number of sampled rows, so that a step that was recorded leaves its logits there as well. It
 * is taken before any step, because activations are given back in the opposite order.
 */
public final class RecordedLogits implements AutoCloseable {
  /** Sampled rows of a step whose memory is taken in advance; more are taken when they come. */
  private static final int KEPT_ROWS = 64;

  private final ComputeBackend backend;
  private final int vocabulary;
  private final ComputeBackend recording;
  private final Resources owned = new Resources();
  private final Map<Integer, Activation> kept = new HashMap<>();
  private StepPlan plan;
  private float[][] logits;

  /**
   * Records a backend, which it closes.
   *
   * @param vocabulary columns of the logits; no other float32 activation may have as many
   */
  public RecordedLogits(ComputeBackend backend, int vocabulary) {
    this.backend = backend;
    this.vocabulary = vocabulary;
    InvocationHandler handler = (proxy, method, arguments) -> call(method, arguments);
    this.recording =
        (ComputeBackend)
            Proxy.newProxyInstance(
                ComputeBackend.class.getClassLoader(),
                new Class<?>[] {ComputeBackend.class},
                handler);
    for (int rows = 1; rows <= KEPT_ROWS; rows++) {
      kept.put(rows, allocate(rows));
    }
  }

  /** The backend, for a model. */
  public ComputeBackend backend() {
    return recording;
  }

  /** The logits of a sample of the step that was run last; its samples count from 0 on. */
  public float[] logits(int sample) {
    return logits[plan.sampledRow(sample)];
  }

  private Object call(Method method, Object[] arguments) throws Throwable {
    if (method.getName().equals("allocate")
        && arguments[1].equals(vocabulary)
        && arguments[2] == Precision.FLOAT32) {
      // Closing a part of an activation does not close it.
      return kept.computeIfAbsent((Integer) arguments[0], this::allocate).columns(0, vocabulary);
    }
    Object result;
    try {
      result = method.invoke(backend, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
    if (method.getName().equals("run")) {
      plan = (StepPlan) arguments[0];
      logits = plan.sampledRows() == 0 ? null : backend.read(kept.get(plan.sampledRows()));
    }
    return result;
  }

  private Activation allocate(int rows) {
    return owned.own(backend.allocate(rows, vocabulary, Precision.FLOAT32));
  }

  /** Closes the backend; models over it must be closed. */
  @Override
  public void close() {
    owned.close();
    backend.close();
  }
}
