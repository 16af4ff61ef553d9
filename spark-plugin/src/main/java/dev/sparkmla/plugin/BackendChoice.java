package dev.sparkmla.plugin;

import java.util.Locale;

/** Which backend computes. */
public enum BackendChoice {
  /** The GPU where a Hopper one was given, else the CPU. */
  AUTO,
  /** The GPU, or the executor does not start. */
  CUDA,
  /** The CPU. */
  CPU;

  /** The spelling in the configuration and on the command line. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
