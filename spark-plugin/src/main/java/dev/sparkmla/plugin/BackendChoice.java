package dev.sparkmla.plugin;

/** Which backend computes. The configuration spells a constant in lower case. */
public enum BackendChoice {
  /** The GPU where a Hopper one was given, else the CPU. */
  AUTO,
  /** The GPU, or the executor does not start. */
  CUDA,
  /** The CPU. */
  CPU
}
