package dev.sparkmla.model;

import java.util.List;

/**
 * What one forward pass computes: rows of different sequences, decoding and prefilling mixed.
 *
 * @param rows at least one; no two share a block that either writes
 */
public record StepBatch(List<StepRow> rows) {
  /** Copies the list. */
  public StepBatch {
    rows = List.copyOf(rows);
  }
}
