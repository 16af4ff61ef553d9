package dev.sparkmla.cuda;

/** Which FP8 weights share a scale. */
public enum Float8Scaling {
  /** Blocks of 128 rows by 128 columns; the last block of either dimension may be smaller. */
  BLOCK,
  /** Each row of a matrix. */
  CHANNEL
}
