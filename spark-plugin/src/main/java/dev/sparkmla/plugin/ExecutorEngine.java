package dev.sparkmla.plugin;

import java.util.concurrent.atomic.AtomicReference;

/**
 * Gives tasks the generator of this JVM and its demand for rows. In local mode the driver's JVM is
 * the executor's.
 *
 * @param generator the executor's engines
 * @param demand how the tasks share the generator
 */
public record ExecutorEngine(TextGenerator generator, RowDemand demand) {
  private static final AtomicReference<ExecutorEngine> CURRENT = new AtomicReference<>();

  /**
   * The engine.
   *
   * @throws IllegalStateException when the plugin is not running in this JVM
   */
  public static ExecutorEngine current() {
    ExecutorEngine engine = CURRENT.get();
    if (engine == null) {
      throw new IllegalStateException(
          "no model is loaded in this executor: start the application with spark.plugins="
              + MlaPlugin.class.getName());
    }
    return engine;
  }

  /**
   * Sets the generator of this JVM. The plugin calls it once for each executor.
   *
   * @throws IllegalStateException if there is one already; the new one is closed
   */
  static void start(TextGenerator generator) {
    ExecutorEngine engine = new ExecutorEngine(generator, new RowDemand(generator.maxSequences()));
    if (!CURRENT.compareAndSet(null, engine)) {
      generator.close();
      throw new IllegalStateException("this JVM already has an engine");
    }
  }

  /** Closes the generator, if there is one. */
  static void stop() {
    ExecutorEngine engine = CURRENT.getAndSet(null);
    if (engine != null) {
      engine.generator().close();
    }
  }
}
