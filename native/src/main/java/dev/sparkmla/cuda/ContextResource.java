package dev.sparkmla.cuda;

import java.util.function.IntSupplier;

/**
 * A native resource that was made from a {@link CudaContext}. The context counts it from its
 * construction until {@link #close}, and does not close before it.
 */
abstract class ContextResource implements AutoCloseable {
  private final CudaContext context;
  private final String kind;
  private boolean closed;

  /**
   * @param kind what this is, in the singular, for messages
   */
  ContextResource(CudaContext context, String kind) {
    this.context = context;
    this.kind = kind;
    context.opened(kind + "s");
  }

  /** The context it belongs to. */
  public final CudaContext context() {
    return context;
  }

  /** Makes a call of the driver on this resource, which must be open. */
  final void call(String name, IntSupplier function) {
    requireOpen();
    context.call(name, function);
  }

  final void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the %s is closed".formatted(kind));
    }
  }

  /**
   * Gives the resource back.
   *
   * @throws IllegalStateException where it is closed already
   */
  @Override
  public void close() {
    requireOpen();
    closed = true;
    context.closed(kind + "s");
    release();
  }

  /** Gives the native resource back; called once. */
  abstract void release();
}
