package dev.sparkmla.model;

/** A step that was submitted and perhaps is not computed yet. */
public interface PendingStep {
  /**
   * Waits for the step. To be called once, and for the steps submitted before it first.
   *
   * @return int32 {@code [rows]}: the token chosen for each row, {@link LanguageModel#NO_TOKEN}
   *     where none was wanted
   * @throws dev.sparkmla.compute.ComputeException when a row's logits are no numbers, or the step
   *     failed otherwise
   * @throws dev.sparkmla.compute.DeviceLostException when the device failed for good
   */
  int[] tokens();
}
