package dev.sparkmla.plugin;

import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.plugin.location.ModelFingerprint;
import dev.sparkmla.plugin.location.ModelLocator;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.SparkConf;

/**
 * The model folder of the application, in every JVM that has the plugin: its engines load from it,
 * and functions of prompts use its tokenizer and chat template. A driver needs those too, since
 * Spark computes functions of literal rows there. Thread-safe.
 *
 * <p>Driver and executor may be one JVM: whichever side ends last closes the folder.
 */
public final class ApplicationModel {
  /** The side of the plugin that uses the folder. */
  enum Side {
    /** The driver's. */
    DRIVER,
    /** The executor's. */
    EXECUTOR
  }

  private static final Set<Side> USERS = EnumSet.noneOf(Side.class);
  private static MlaConf conf;
  private static ModelLocator locator;
  private static volatile ModelFolder folder; // read without the lock while a copy is made
  private static ModelFingerprint fingerprint;

  private ApplicationModel() {}

  /**
   * The folder, which is copied to this host first where it is elsewhere.
   *
   * @throws IllegalStateException when the plugin is not running in this JVM
   * @throws InvalidConfigurationException when the settings name no folder
   * @throws dev.sparkmla.plugin.location.ModelUnavailableException when it cannot be had
   */
  public static synchronized ModelFolder folder() {
    if (conf == null) {
      throw new IllegalStateException(
          "there is no model here: start the application with spark.plugins="
              + MlaPlugin.class.getName()
              + " and "
              + MlaConf.MODEL_PATH.key());
    }
    if (folder == null) {
      folder = new ModelFolder(locator.locate(conf.get(MlaConf.MODEL_PATH)));
    }
    return folder;
  }

  /**
   * What people call the model, as settings say that need not be right: its name, or else its path,
   * URI or id; empty where there is none.
   */
  public static Optional<String> name(SparkConf settings) {
    ConfEntry<Optional<String>> name = MlaConf.MODEL_NAME;
    return name.parse(settings.get(name.key(), name.defaultText().orElseThrow()))
        .or(() -> Optional.ofNullable(settings.get(MlaConf.MODEL_PATH.key(), null)));
  }

  /** The part of the weights that this JVM has read, from 0 to 1. */
  static double readPart() {
    ModelFolder opened = folder;
    return opened == null ? 0 : opened.readPart();
  }

  /**
   * What tells the model's files here from others; read once.
   *
   * @throws dev.sparkmla.plugin.location.ModelUnavailableException when they cannot be read
   */
  public static synchronized ModelFingerprint fingerprint() {
    if (fingerprint == null) {
      fingerprint = ModelFingerprint.of(folder().path());
    }
    return fingerprint;
  }

  /**
   * Says where the model is and how it is found. The second side of an application changes nothing;
   * where a side is there already, its application is over without having stopped it, and is
   * replaced.
   */
  static synchronized void start(Side side, MlaConf application, ModelLocator models) {
    if (!USERS.add(side)) {
      close();
      USERS.add(side);
    }
    if (conf == null) {
      conf = application;
      locator = models;
    }
  }

  /** Ends a side's use, and with the last one closes the folder; nothing to do the second time. */
  static synchronized void stop(Side side) {
    USERS.remove(side);
    if (USERS.isEmpty()) {
      close();
    }
  }

  private static void close() {
    USERS.clear();
    conf = null;
    locator = null;
    fingerprint = null;
    if (folder != null) {
      folder.close();
      folder = null;
    }
  }
}
