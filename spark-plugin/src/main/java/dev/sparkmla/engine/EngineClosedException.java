package dev.sparkmla.engine;

/** The engine was closed before the request was done. */
public final class EngineClosedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Says just that. */
  public EngineClosedException() {
    super("The engine was closed before this request was done.");
  }
}
