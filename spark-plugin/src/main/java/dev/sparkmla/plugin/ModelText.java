package dev.sparkmla.plugin;

import dev.sparkmla.text.PromptText;
import java.nio.file.Path;

/**
 * The tokenizer and chat template of the application's model, in every JVM that has the plugin. A
 * driver needs them too: Spark computes functions of literal rows there. They are opened from the
 * model's folder when first asked for, beside those of the engine, and the plugin closes them.
 * Thread-safe.
 */
public final class ModelText {
  private static Path folder;
  private static PromptText opened;

  private ModelText() {}

  /**
   * The texts of the application's model.
   *
   * @throws IllegalStateException when the plugin is not running in this JVM
   * @throws dev.sparkmla.text.TextFormatException when the folder cannot be read here
   */
  public static synchronized PromptText current() {
    if (folder == null) {
      throw new IllegalStateException(
          "there is no model here: start the application with spark.plugins="
              + MlaPlugin.class.getName()
              + " and "
              + MlaConf.MODEL_PATH.key());
    }
    if (opened == null) {
      opened = PromptText.open(folder);
    }
    return opened;
  }

  /** Says where the model is. Driver and executor may be one JVM: the second changes nothing. */
  static synchronized void start(MlaConf conf) {
    folder = conf.has(MlaConf.MODEL_PATH) ? conf.get(MlaConf.MODEL_PATH) : null;
  }

  /** Closes what is open; nothing to do the second time. */
  static synchronized void stop() {
    folder = null;
    if (opened != null) {
      opened.close();
      opened = null;
    }
  }
}
