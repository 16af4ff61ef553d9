package dev.sparkmla.engine;

/** The engine failed while computing, and serves no more requests; the cause says why. */
public final class EngineFailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param cause what ended the engine
   */
  public EngineFailedException(Throwable cause) {
    super("The engine failed and serves no more requests: " + cause, cause);
  }
}
