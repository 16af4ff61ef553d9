package dev.sparkmla.arrow;

/** Why a generation ended. Its SQL spelling is the lower-case name. */
public enum FinishReason {
  /** The model ended it, or a stop string was met. */
  STOP,
  /** {@code max_tokens} were generated. */
  LENGTH,
  /** The row is in error. */
  ERROR
}
