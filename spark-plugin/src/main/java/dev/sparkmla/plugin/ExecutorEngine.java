package dev.sparkmla.plugin;

import java.util.concurrent.atomic.AtomicReference;

/**
 * The one engine of this JVM, as its tasks find it. In local mode the driver's JVM is the
 * executor's.
 */
public final class ExecutorEngine {
  private static final AtomicReference<TextGenerator> CURRENT = new AtomicReference<>();

  private ExecutorEngine() {}

  /**
   * The engine.
   *
   * @throws IllegalStateException when the plugin is not running in this JVM
   */
  public static TextGenerator current() {
    TextGenerator generator = CURRENT.get();
    if (generator == null) {
      throw new IllegalStateException(
          "no model is loaded in this executor: start the application with spark.plugins="
              + MlaPlugin.class.getName());
    }
    return generator;
  }

  /** Makes {@code generator} the engine. The plugin calls it once an executor. */
  static void start(TextGenerator generator) {
    if (!CURRENT.compareAndSet(null, generator)) {
      throw new IllegalStateException("this JVM already has an engine");
    }
  }

  /** Closes the engine, if there is one. */
  static void stop() {
    TextGenerator generator = CURRENT.getAndSet(null);
    if (generator != null) {
      generator.close();
    }
  }
}
