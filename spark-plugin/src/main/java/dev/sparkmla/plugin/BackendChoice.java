package dev.sparkmla.plugin;

/** Which machine computes. Its spelling in the configuration is the lower-case name. */
public enum BackendChoice {
  /** The GPU where a Hopper one was given, else the CPU. */
  AUTO,
  /** The GPU, or the executor does not start. */
  CUDA,
  /** The CPU. */
  CPU
}
